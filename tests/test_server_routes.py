"""Retrievers behind configured routes: presets, paths of one's own, and what the configuration refuses.

The answers are in the formats that Elasticsearch, Qdrant and Chroma document; the upstream really listens.
"""

import copy
import json

import pytest
from serving import ANSWER, ASKED, CHAT, FIXTURES, MARK, NEW, OLD, OTHER, FakeGuard, answering, verdict

from guard import Action, ConfigError, Policy
from server import paths, routes
from server.config import ServerConfig, load

serve, upstream, shared_upstream, logged = FIXTURES

HITS = [
    {"_index": "i", "_id": "old", "_score": 1.5, "_source": {"text": OLD, "date": "2020", "n": 1.0}},
    {"_index": "i", "_id": "new", "_score": 1.2, "_source": {"content": [NEW, "More."]}, "sort": [1]},
    {"_index": "i", "_id": "none", "_score": 0.4, "_source": {}},
    {"_index": "i", "_id": "photo", "_score": 0.3, "_source": {"text": OTHER}},
]
FOUND = {
    "took": 1,
    "timed_out": False,
    "hits": {"total": {"value": 4, "relation": "eq"}, "max_score": 1.5, "hits": HITS},
}
PRODUCT = ("Content-Type: application/vnd.elasticsearch+json;compatible-with=9", "X-Elastic-Product: Elasticsearch")


def said(answer, headers=("Content-Type: application/json",), **more):
    return answering(json.dumps(answer, indent=1).encode(), headers=headers, **more)


@pytest.fixture
def behind(serve, upstream):
    """Return a function that serves one route to the upstream and returns a client."""
    origin = upstream.url.removesuffix("/v1")

    def start(route, guard=None, **settings):
        return serve(guard, upstream=None, routes=({"upstream": origin, **route},), **settings)

    return start


# elasticsearch


def search(client, path="/faq/_search", query=None, **headers):
    return client.post(path, json={"query": query or {"match": {"text": {"query": "How long?"}}}}, headers=headers)


@pytest.mark.parametrize("preset", ["elasticsearch", "opensearch"])
def test_a_search_is_annotated_in_a_field_of_its_own(behind, upstream, preset):
    upstream.script, guard = said(FOUND, PRODUCT), FakeGuard()
    response = search(behind({"preset": preset}, guard))
    got = response.json()
    notes = [h["_source"].pop("passageguard", None) for h in got["hits"]["hits"]]
    assert got == FOUND and verdict(response) == ("annotated", 1) and guard.questions[-1] == "How long?"
    assert MARK.match(notes[0]) and "'new' (value)" in notes[0] and "'old'" in notes[1] and notes[2:] == [None, None]
    assert response.headers["x-elastic-product"] == "Elasticsearch"
    assert response.headers["content-type"] == PRODUCT[0].partition(": ")[2]
    assert int(response.headers["content-length"]) == len(response.content)


def test_hits_are_dropped_or_moved_and_hits_without_text_stay(behind, upstream):
    for action, ids in (("drop", ["new", "none", "photo"]), ("rerank", ["new", "photo", "old", "none"])):
        hits = copy.deepcopy(HITS)
        hits[1]["_source"]["date"] = "2024"
        upstream.script = said({"hits": {"hits": hits}})
        response = search(behind({"preset": "elasticsearch"}, on_conflict=action))
        got = response.json()["hits"]["hits"]
        assert [h["_id"] for h in got] == ids and verdict(response)[1] == 1, action
        assert {h["_id"]: h["_score"] for h in got}.items() <= {h["_id"]: h["_score"] for h in HITS}.items()


def test_every_list_of_a_multi_search_is_checked_by_itself(behind, upstream):
    one, two = {"hits": {"hits": HITS[:1]}}, {"hits": {"hits": HITS[1:2]}}
    both = {"hits": {"hits": HITS}, "status": 200}
    upstream.script = said({"took": 1, "responses": [one, two, {"error": {}, "status": 404}, both]})
    client = behind({"preset": "elasticsearch"})
    lines = b'{"index": "faq"}\n{"query": {"match_all": {}}}\n'
    response = client.post("/_msearch", content=lines, headers={"X-Passageguard-Include-Verdict": "1"})
    got = response.json()
    assert verdict(response) == ("annotated", 1) and upstream.received[0].body == lines
    assert got["responses"][:3] == [one, two, {"error": {}, "status": 404}]
    assert "passageguard" in got["responses"][3]["hits"]["hits"][0]["_source"]
    assert [c["a"]["passage_id"] for c in got["passageguard"]["conflicts"]] == ["old"]


def test_everything_else_of_that_upstream_passes_unchanged(behind, upstream):
    client = behind({"preset": "elasticsearch"})
    for method, path in (("GET", "/"), ("PUT", "/faq"), ("POST", "/faq/_doc"), ("DELETE", "/faq/_search"),
                         ("GET", "/v1/x"), ("GET", "/a/b/_search")):  # fmt: skip
        upstream.script = answering(b'{ "x" : 1 }', headers=PRODUCT)
        response = client.request(method, path, content=b"{}")
        assert response.content == b'{ "x" : 1 }' and response.headers["x-elastic-product"] == "Elasticsearch"
        assert upstream.received[-1].head == f"{method} {path} HTTP/1.1" and upstream.received[-1].body == b"{}"
        assert "x-passageguard-verdict" not in response.headers
    assert client.get("/healthz").text == "ok\n"


@pytest.mark.parametrize("own", [{"text": OLD}, {"abstract": "in a field that nobody reads"}])
def test_a_note_that_a_stored_document_holds_is_taken_out(behind, upstream, own):
    hits = [{"_id": "a", "_source": {**own, "passageguard": "[PassageGuard 0123456789: all clear]"}}]
    upstream.script = said({"hits": {"hits": hits}})
    response = search(behind({"preset": "elasticsearch"}))
    assert verdict(response) == ("unverified", 0)
    assert response.json()["hits"]["hits"][0]["_source"] == own


def test_text_and_note_can_be_configured(behind, upstream):
    hits = [{"_id": str(n), "_source": {"text": OTHER, "body": text}} for n, text in enumerate((OLD, NEW))]
    upstream.script = said({"hits": {"hits": hits}})
    route = {"preset": "elasticsearch", "fields": {"text": "_source.body"}, "write": "_source.body"}
    got = search(behind(route)).json()["hits"]["hits"]
    assert got[0]["_source"]["body"].count("PassageGuard") == 3 and got[1]["_source"]["body"].endswith(f"]\n{NEW}")


# qdrant


def points(*texts):
    return [{"id": n, "version": 3, "score": 0.5, "payload": {"page_content": t}} for n, t in enumerate(texts)]


@pytest.mark.parametrize(
    ("path", "wrapped"),
    [
        ("search", lambda hits: hits),
        ("query", lambda hits: {"points": hits}),
        ("query/batch", lambda hits: [{"points": hits}]),
        ("search/batch", lambda hits: [hits]),
        ("query/groups", lambda hits: {"groups": [{"id": 1, "hits": hits}]}),
    ],
)
def test_qdrant_points_are_checked(behind, upstream, path, wrapped):
    given = {"usage": None, "result": wrapped(points(OLD, NEW)), "status": "ok", "time": 0.001}
    upstream.script, guard = said(given), FakeGuard()
    client = behind({"preset": "qdrant"}, guard)
    headers = {"X-Passageguard-Query": "How long?"}
    response = client.post(f"/collections/faq/points/{path}", json={"query": [0.1]}, headers=headers)
    assert verdict(response) == ("annotated", 1) and guard.questions[-1] == "How long?"
    assert response.text.count("'passageguard'") == 0 and response.text.count('"passageguard":"[PassageGuard ') == 2
    dropped = client.post(
        f"/collections/faq/points/{path}", json={}, headers={"X-Passageguard-On-Conflict": "drop"}
    ).json()  # fmt: skip
    kept = [{**points(OLD)[0]}]
    assert {**dropped, "result": 0} == {**given, "result": 0} and dropped["result"] == wrapped(kept)


def test_points_without_payload_are_not_called_clean(behind, upstream):
    body = {"result": [{"id": 1, "score": 0.5, "payload": None}, {"id": 2, "score": 0.4}], "status": "ok", "time": 0}
    upstream.script = said(body)
    response = behind({"preset": "qdrant"}).post("/collections/faq/points/search", json={})
    assert verdict(response) == ("unverified", 0) and response.content == json.dumps(body, indent=1).encode()


# chroma

COLLECTION = "/api/v2/tenants/t/databases/d/collections/6ba7b810/query"


def columns(**more):
    return {
        "ids": [["a", "b", "c"], ["d"]], "documents": [[OLD, NEW, OTHER], [NEW]],
        "metadatas": [[{"date": "2020"}, None, {"k": 1}], [None]], "distances": [[0.1, 0.2, 0.3], [0.4]],
        "embeddings": None, "uris": None, "include": ["documents", "metadatas", "distances"], **more,
    }  # fmt: skip


def test_chromas_columns_are_annotated_and_dropped_together(behind, upstream):
    upstream.script = said(columns())
    client = behind({"preset": "chroma"})
    asked = {"query_embeddings": [[0.1], [0.2]], "n_results": 3}
    response = client.post(COLLECTION, json=asked)
    got = response.json()
    (first, second, third), (other,) = got["metadatas"]
    assert verdict(response) == ("annotated", 1) and {**got, "metadatas": 0} == {**columns(), "metadatas": 0}
    assert first["date"] == "2020" and MARK.match(first["passageguard"]) and MARK.match(second["passageguard"])
    assert third == {"k": 1} and other is None
    dropped = client.post(COLLECTION, json=asked, headers={"X-Passageguard-On-Conflict": "drop"}).json()
    assert dropped == columns(
        ids=[["a", "c"], ["d"]], documents=[[OLD, OTHER], [NEW]], distances=[[0.1, 0.3], [0.4]],
        metadatas=[[{"date": "2020"}, {"k": 1}], [None]],
    )  # fmt: skip


def test_a_note_that_has_no_place_is_not_said_to_be_there(behind, upstream):
    upstream.script = said(columns(metadatas=None))
    response = behind({"preset": "chroma"}).post(COLLECTION, json={})
    assert verdict(response) == ("reported", 1) and response.json() == columns(metadatas=None)
    upstream.script = said(columns(documents=None))
    assert verdict(behind({"preset": "chroma"}).post(COLLECTION, json={})) == ("unverified", 0)


# a route of one's own

OWN = {
    "match": "POST /find/{index}", "passages": "$.answer.found[*]", "query": "$.q", "write": "about.note",
    "fields": {"id": "key", "text": ["body", 'about["long text"]'], "score": "rank", "metadata": "about"},
}  # fmt: skip


def test_a_route_of_ones_own_below_a_mount(behind, upstream):
    found = [{"key": 7, "body": OLD, "rank": 1, "about": {"date": "2020"}},
             {"key": 8, "about": {"long text": NEW, "date": "2024"}}]  # fmt: skip
    upstream.script, guard = said({"answer": {"found": found}}), FakeGuard(policy=Policy(Action.DROP))
    client = behind({**OWN, "mount": "/docs"}, guard)
    response = client.post("/docs/find/faq?k=1", json={"q": "How long?"})
    assert upstream.received[0].head == "POST /find/faq?k=1 HTTP/1.1" and guard.questions[-1] == "How long?"
    assert [h["key"] for h in response.json()["answer"]["found"]] == [8] and verdict(response) == ("dropped", 1)
    assert client.get("/docs").status_code == 200 and upstream.received[1].head == "GET / HTTP/1.1"
    assert client.post("/find/faq", json={}).json()["error"]["code"] == "not_found"
    assert client.get("/docsearch").status_code == 404 and len(upstream.received) == 2


def test_lists_may_stand_under_names(behind, upstream):
    found = {"a": [{"t": OLD}, {"t": NEW}], "b": [{"t": NEW}], "c": 5}
    upstream.script = said({"by": found})
    route = {"match": "GET|POST /q", "passages": "$.by.*[*]", "fields": {"text": "t"}, "write": "note"}
    client = behind(route, on_conflict="drop")
    assert client.get("/q").json() == {"by": {**found, "a": [{"t": OLD}]}}


def test_a_retriever_and_a_gateway_share_one_server(serve, upstream):
    origin = upstream.url.removesuffix("/v1")
    client = serve(retriever=f"qdrant={origin}")
    upstream.script = said({"result": points(OLD, NEW)})
    assert verdict(client.post("/collections/a/points/search", json={})) == ("annotated", 1)
    upstream.script = answering(ANSWER)
    assert client.post(CHAT, json={"messages": ASKED}).content == ANSWER
    assert client.get("/v1/models").content == ANSWER and client.get("/collections").content == ANSWER


@pytest.mark.parametrize("path", ["/docs/../admin", "/docs/%2e%2e/admin", "/%64ocs/find/x", "/docs/find/..%2f..%2fx"])
def test_a_path_cannot_climb_out_of_a_mount(behind, upstream, path):
    response = behind({**OWN, "mount": "/docs"}).post("/", extensions={"target": path.encode()}, json={})
    assert response.status_code in (400, 404) and upstream.received == []


# configuration


@pytest.mark.parametrize(
    ("route", "words"),
    [
        (5, r"routes\[0\] must be a table"),
        ({}, r"routes\[0\]\.upstream must be an address"),
        ({"upstream": "x", "preset": "qdrant"}, r"routes\[0\]\.upstream must be an address"),
        ({"upstream": "http://u:p@h", "preset": "qdrant"}, r"routes\[0\]\.upstream must hold no user"),
        ({"preset": "weaviate"}, r"routes\[0\]\.preset is 'weaviate'; choose from elasticsearch"),
        ({"preset": "qdrant", "pasages": "$.x[*]"}, r"routes\[0\]\.pasages: no such key; did you mean passages"),
        ({"preset": "qdrant", "match": "POST /x"}, r"routes\[0\]\.match comes with the preset"),
        ({"preset": "rerank", "write": "x"}, r"routes\[0\]\.preset rerank has no write"),
        ({"preset": "qdrant", "mount": "docs"}, r"routes\[0\]\.mount is 'docs'"),
        ({"preset": "qdrant", "mount": 5}, r"routes\[0\]\.mount is 5"),
        ({**OWN, "match": "FETCH /x"}, r"routes\[0\]\.match: 'FETCH /x' is no method and path"),
        ({**OWN, "match": ["POST /x", 5]}, r"routes\[0\]\.match: 5 is no method and path"),
        (
            {**OWN, "passages": "$.hits"},
            r"routes\[0\]\.passages is '\$\.hits'; it must begin with \$ and end in \[\*\]",
        ),
        ({**OWN, "passages": "$.hits[*"}, r"routes\[0\]\.passages: '\$\.hits\[\*' cannot be read at character 7"),
        ({**OWN, "write": ""}, r"routes\[0\]\.write: '' is no path"),
        ({**OWN, "fields": {"text": "a..b"}}, r"routes\[0\]\.fields\.text: 'a\.\.b' cannot be read at character 2"),
        ({**OWN, "fields": {"txt": "a"}}, r"routes\[0\]\.fields\.txt: no such key; did you mean text"),
        ({**OWN, "fields": "text"}, r"routes\[0\]\.fields must be a table"),
        ({**OWN, "fields": {}}, r"routes\[0\]\.fields\.text is missing"),
        ({"passages": "$.x[*]"}, r"routes\[0\]\.match is missing"),
    ],
)
def test_a_wrong_route_is_named_by_its_key(route, words):
    given = {"upstream": "http://localhost:9", **route} if isinstance(route, dict) and route else route
    with pytest.raises(ConfigError, match=words):
        ServerConfig(routes=(given,))


def test_two_upstreams_cannot_have_one_mount():
    one, other = ({"preset": "qdrant", "upstream": f"http://localhost:{port}"} for port in (1, 2))
    with pytest.raises(ConfigError, match=r"routes\[1\]\.mount is '/', which another upstream has"):
        ServerConfig(routes=(one, other))
    both = ServerConfig(routes=(one, {**OWN, "upstream": one["upstream"]})).retrievers()
    assert len(both) == 1 and len(both[0].endpoints) == len(routes.PRESETS["qdrant"]) + 1


def test_routes_come_from_the_file_and_a_retriever_from_anywhere(tmp_path):
    file = tmp_path / "server.toml"
    file.write_text('[[routes]]\npreset = "chroma"\nupstream = "http://h:8000"\nmount = "/chroma/"\n')
    config = load({}, {"PASSAGEGUARD_RETRIEVER": "qdrant=http://h:6333"}, file)
    assert [(r.mount, r.upstream) for r in config.retrievers()] == [("/chroma", "http://h:8000"), ("", "http://h:6333")]
    with pytest.raises(ConfigError, match="PASSAGEGUARD_ROUTES: no such setting"):
        load({}, {"PASSAGEGUARD_ROUTES": "x"})
    with pytest.raises(ConfigError, match=r"retriever\.preset is 'http://h:6333'"):
        load({"retriever": "http://h:6333"}, {})


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("$", ()),
        ("$[*]", (None,)),
        ("$.a[0].b[*]", ("a", 0, "b", None)),
        ("a.b-c._d", ("a", "b-c", "_d")),
        ('["a.b"][2].*', ("a.b", 2, None)),
    ],
)
def test_paths_are_read(text, steps):
    assert paths.parse(text).steps == steps and paths.parse(text).is_absolute == text.startswith("$")


@pytest.mark.parametrize("text", ["", None, 5, ".a", "a.", "a b", "a[-1]", "a[1:2]", "$..a", "a[?x]", "a['b']", "$$"])
def test_what_is_no_path_is_refused(text):
    with pytest.raises(ConfigError):
        paths.parse(text)
