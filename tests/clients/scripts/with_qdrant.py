"""Qdrant's client behind mode C: query, batch, groups, what passes through."""

import asyncio
import os
from urllib.parse import urlsplit

from qdrant_client import AsyncQdrantClient, QdrantClient
from qdrant_client.http.exceptions import UnexpectedResponse
from qdrant_client.models import QueryRequest

parts = urlsplit(os.environ["SERVER"])
WHERE = {"host": parts.hostname, "port": parts.port, "prefix": "qdrant", "https": False, "check_compatibility": False}
client = QdrantClient(**WHERE)
VECTOR = [0.1, 0.2]


def noted(points):
    return [p.payload["source"] for p in points if "PassageGuard" in p.payload.get("passageguard", "")]


found = client.query_points("faq", query=VECTOR, with_payload=True).points
assert [p.id for p in found] == [0, 1, 2] and noted(found) == ["terms", "faq"]
batch = client.query_batch_points("faq", requests=[QueryRequest(query=VECTOR, with_payload=True)] * 2)
assert [noted(r.points) for r in batch] == [["terms", "faq"]] * 2
groups = client.query_points_groups("faq", group_by="source", query=VECTOR, with_payload=True).groups
assert noted(groups[0].hits) == ["terms", "faq"]
records, _ = client.scroll("faq")
assert records[0].payload["text"] == "Refunds take 14 days." and noted(records) == []
strict = QdrantClient(**WHERE, headers={"X-Passageguard-On-Conflict": "block"})
try:
    strict.query_points("faq", query=VECTOR)
except UnexpectedResponse as error:
    assert error.status_code == 400 and b"context_conflict" in error.content
else:
    raise AssertionError("not blocked")
asked = QdrantClient(**WHERE, headers={"X-Passageguard-Query": "How%20long%3F", "X-Passageguard-On-Conflict": "drop"})
assert [p.id for p in asked.query_points("faq", query=VECTOR).points] == [0, 2]


async def awaited():
    other = AsyncQdrantClient(**WHERE)
    assert noted((await other.query_points("faq", query=VECTOR)).points) == ["terms", "faq"]
    await other.close()


asyncio.run(awaited())
