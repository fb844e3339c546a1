"""Measuring what PassageGuard finds, on labelled data and on injected contradictions."""
