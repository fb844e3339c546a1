"""Wire formats over `guard`: the own API, the gateway and routes to retrievers.  A leaf that nothing imports.

The path of a chat: `door` (limits, key, request id) → `front` → `gateway` → `context` → `extractors` → `checks` →
`annotation` → `upstream`.  That of a search: `door` → `front` → `retrieval` → `upstream` → `shapes` → `checks` →
`annotation`.
"""
