"""Wire formats over `guard`: the own API and the gateway.  A leaf that nothing imports.

The path of one request: `door` (limits, key, request id) → `gateway` (read it top to bottom) → `extractors` → `checks`
→ `annotation` → `upstream`.
"""
