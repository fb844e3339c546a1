"""Elasticsearch's client behind mode C: search, msearch, what passes through."""

import asyncio
import os

from elasticsearch import AsyncElasticsearch, BadRequestError, Elasticsearch

URL = f"{os.environ['SERVER']}/elastic"
client = Elasticsearch(URL)
QUERY = {"match": {"text": {"query": "How long does a refund take?"}}}


def noted(hits):
    return [hit["_id"] for hit in hits if "PassageGuard" in hit["_source"].get("passageguard", "")]


assert client.info()["version"]["number"] == "9.0.0"
found = client.search(index="faq", query=QUERY)
assert [h["_id"] for h in found["hits"]["hits"]] == ["terms", "faq", "photo"]
assert noted(found["hits"]["hits"]) == ["terms", "faq"] and found["hits"]["hits"][0]["_source"]["page"] == 0
assert found.meta.headers["x-passageguard-verdict"] == "annotated"
many = client.msearch(searches=[{"index": "faq"}, {"query": QUERY}, {"index": "faq"}, {"query": QUERY}])
assert [noted(r["hits"]["hits"]) for r in many["responses"]] == [["terms", "faq"]] * 2
dropped = client.options(headers={"X-Passageguard-On-Conflict": "drop"}).search(index="faq", query=QUERY)
assert [h["_id"] for h in dropped["hits"]["hits"]] == ["terms", "photo"]
try:
    client.options(headers={"X-Passageguard-On-Conflict": "block"}).search(index="faq", query=QUERY)
except BadRequestError as error:
    assert error.body["error"]["code"] == "context_conflict"
else:
    raise AssertionError("not blocked")
small = Elasticsearch(URL, http_compress=True)
assert noted(small.search(index="faq", query=QUERY)["hits"]["hits"]) == ["terms", "faq"]


async def awaited():
    async with AsyncElasticsearch(URL) as other:
        assert noted((await other.search(index="faq", query=QUERY))["hits"]["hits"]) == ["terms", "faq"]


asyncio.run(awaited())
