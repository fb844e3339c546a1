"""Chroma's client over the server, with a real ``chroma run`` behind it."""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import urlsplit

import chromadb
import httpx
from chromadb.config import Settings

TEXTS = {"terms": "Refunds take 14 days.", "faq": "Refunds take 30 days.", "photo": "Send us a photo of the parcel."}
VECTORS = [[1.0, 0.0], [0.9, 0.1], [0.0, 1.0]]


def used(folder):
    chroma = str(Path(sys.executable).with_name("chroma"))
    return subprocess.Popen(
        [chroma, "run", "--path", folder, "--host", "127.0.0.1", "--port", os.environ["CHROMA_PORT"]],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip


def wait_for(url):
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            if httpx.get(url).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.2)
    raise AssertionError("chroma does not answer")


def asked(headers=None):
    parts = urlsplit(os.environ["SERVER"])
    return chromadb.HttpClient(
        parts.hostname, parts.port, headers=headers, settings=Settings(anonymized_telemetry=False)
    )


with tempfile.TemporaryDirectory() as folder:
    process = used(folder)
    try:
        wait_for(f"http://127.0.0.1:{os.environ['CHROMA_PORT']}/api/v2/heartbeat")
        client = asked()
        assert client.heartbeat() > 0
        faq = client.create_collection("faq", embedding_function=None)
        metadatas = [{"page": n} for n in range(3)]
        faq.add(ids=list(TEXTS), documents=list(TEXTS.values()), embeddings=VECTORS, metadatas=metadatas)
        assert faq.count() == 3 and faq.get("terms")["documents"] == ["Refunds take 14 days."]

        found = faq.query(query_embeddings=[[1.0, 0.0]], n_results=3)
        notes = [m.get("passageguard", "") for m in found["metadatas"][0]]
        assert found["ids"] == [["terms", "faq", "photo"]] and [m["page"] for m in found["metadatas"][0]] == [0, 1, 2]
        assert ["PassageGuard" in n for n in notes] == [True, True, False]
        assert found["documents"][0][0] == "Refunds take 14 days." and len(found["distances"][0]) == 3
        two = faq.query(query_embeddings=[[1.0, 0.0], [0.0, 1.0]], n_results=2, include=["documents", "metadatas"])
        assert two["ids"] == [["terms", "faq"], ["photo", "faq"]]
        assert [[("passageguard" in m) for m in ms] for ms in two["metadatas"]] == [[True, True], [False, False]]

        plain = faq.query(query_embeddings=[[1.0, 0.0]], n_results=3, include=["documents"])
        assert plain["documents"][0] == list(TEXTS.values()) and plain["metadatas"] is None
        dropping = asked({"X-Passageguard-On-Conflict": "drop"}).get_collection("faq", embedding_function=None)
        left = dropping.query(query_embeddings=[[1.0, 0.0]], n_results=3)
        assert left["ids"] == [["terms", "photo"]] and len(left["documents"][0]) == len(left["distances"][0]) == 2
        blocking = asked({"X-Passageguard-On-Conflict": "block"}).get_collection("faq", embedding_function=None)
        try:
            blocking.query(query_embeddings=[[1.0, 0.0]], n_results=3)
        except Exception as error:
            assert "contradict" in str(error) or "context_conflict" in str(error), error
        else:
            raise AssertionError("not blocked")
        client.delete_collection("faq")
    finally:
        process.terminate()
        process.wait()
