"""Wire formats over `guard`.  Empty so far; a leaf that nothing imports."""
