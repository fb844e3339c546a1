"""Errors that PassageGuard raises on purpose.  Each message says what went wrong, where, and what to do.

PassageGuardError
├── InputError    a passage, file or set that cannot be checked
├── ConfigError   contradictory or unknown settings
└── ModelError    a model that cannot be loaded or used
"""


class PassageGuardError(Exception):
    """Base of all errors raised on purpose."""


class InputError(PassageGuardError):
    """A passage, file or set of passages that cannot be checked."""


class ConfigError(PassageGuardError):
    """Contradictory or unknown settings."""


class ModelError(PassageGuardError):
    """A model that cannot be loaded, or that has no contradiction label."""
