"""The error that decoding raises on purpose.  Each message says what went wrong, where, and what to do.

`decoding` and `detectors` never import each other, so this is no child of `detectors.errors.PassageGuardError`.
"""


class DecodingError(Exception):
    """A model, prompt or setting that cannot be decoded with."""
