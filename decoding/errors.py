"""The errors that decoding raises on purpose.  Each message says what went wrong, where, and what to do.

`decoding` and `detectors` never import each other, so these are no children of `detectors.errors.PassageGuardError`.
"""


class DecodingError(Exception):
    """A model, prompt or setting that cannot be decoded with."""


class OutOfMemoryError(DecodingError):
    """The model's device has no memory left for the requests that are decoded together."""


class EngineFullError(DecodingError):
    """As many requests wait for a slot as may: try again later."""
