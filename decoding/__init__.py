"""Next-token distributions with and without context.  Empty so far; imports nothing of the other packages."""
