"""Documents in, passages out; the report is in `guard.cli`."""
