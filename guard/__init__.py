"""PassageGuard: checks what a retriever returned before an LLM believes it.

Everything that users need is imported from here.  Importing loads no model library; each name is resolved on
first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from detectors.errors import ConfigError, InputError, ModelError, PassageGuardError
    from detectors.evidence import Benign, Conflict, ConflictType, Passage, Span, Unverified, WhyNot
    from detectors.verifier import VerifierConfig

    from .answer_gate import Gate, Knowledge, Source
    from .answer_model import LanguageModel
    from .answering import Answer, Attribution, TraceSummary, answer
    from .config import GuardConfig
    from .pipeline import Guard
    from .policy import Policy
    from .trust import TrustRules
    from .verdict import Action, RepairedPassage, Status, Verdict

_HOMES = {
    "Guard": "guard.pipeline",
    "GuardConfig": "guard.config",
    "Answer": "guard.answering",
    "Attribution": "guard.answering",
    "Gate": "guard.answer_gate",
    "Knowledge": "guard.answer_gate",
    "LanguageModel": "guard.answer_model",
    "Source": "guard.answer_gate",
    "TraceSummary": "guard.answering",
    "answer": "guard.answering",
    "Policy": "guard.policy",
    "TrustRules": "guard.trust",
    "Action": "guard.verdict",
    "RepairedPassage": "guard.verdict",
    "Status": "guard.verdict",
    "Verdict": "guard.verdict",
    "Benign": "detectors.evidence",
    "Conflict": "detectors.evidence",
    "ConflictType": "detectors.evidence",
    "Passage": "detectors.evidence",
    "Span": "detectors.evidence",
    "Unverified": "detectors.evidence",
    "WhyNot": "detectors.evidence",
    "VerifierConfig": "detectors.verifier",
    "ConfigError": "detectors.errors",
    "InputError": "detectors.errors",
    "ModelError": "detectors.errors",
    "PassageGuardError": "detectors.errors",
}
__version__ = "0.1.0"
__all__ = [
    "Action", "Answer", "Attribution", "Benign", "ConfigError", "Conflict", "ConflictType", "Gate", "Guard",
    "GuardConfig", "InputError", "Knowledge", "LanguageModel", "ModelError", "Passage", "PassageGuardError", "Policy",
    "RepairedPassage", "Source", "Span", "Status", "TraceSummary", "TrustRules", "Unverified", "Verdict",
    "VerifierConfig", "WhyNot", "answer",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'guard' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
