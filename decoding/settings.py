"""The settings of a decoding call, checked once.  Knows nothing of models or requests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from .contrast import check_formula
from .errors import DecodingError


@dataclass(frozen=True)
class Settings:
    """How to decode; the same for all requests of a call.

    eos_token_id: the token, or tokens, that end an answer.  pad_token_id is accepted for the sake of callers that pass
    what a tokenizer has: prompts are never padded with a token, so None is as good.  formula, options, log_base: see
    `contrast.adjust`; alpha_floor is AdaCAD's.  temperature 0 is greedy; top_k 0, top_p 1, min_plausibility 0 and both
    penalties 0 are off (see `sampling`).  stop_strings end an answer once its text contains one.  Values out of range
    raise DecodingError.
    """

    max_new_tokens: int
    eos_token_id: int | Sequence[int] | None
    pad_token_id: int | None = None
    formula: str = "adacad"
    options: Mapping[str, float] = field(default_factory=dict)
    alpha_floor: float = 0.0
    log_base: str = "e"
    temperature: float = 0.0
    top_k: int = 0
    top_p: float = 1.0
    min_plausibility: float = 0.0
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    stop_strings: Sequence[str] = ()

    def __post_init__(self) -> None:
        check_formula(self.formula, self.log_base, self.formula_options)
        for name, fits, wanted in (
            ("max_new_tokens", self.max_new_tokens >= 1, "at least 1"),
            ("temperature", 0 <= self.temperature < float("inf"), "a number of at least 0"),
            ("top_k", self.top_k >= 0, "at least 0 (off)"),
            ("top_p", 0 < self.top_p <= 1, "above 0 and at most 1 (off)"),
            ("min_plausibility", 0 <= self.min_plausibility <= 1, "between 0 (off) and 1"),
            ("stop_strings", all(self.stop_strings), "strings that are not empty"),
        ):
            if not fits:
                raise DecodingError(f"{name} is {getattr(self, name)!r}; it must be {wanted}")

    @property
    def formula_options(self) -> dict[str, float]:
        """The formula's options, the floor among them where one is set."""
        return {**self.options, **({"alpha_floor": self.alpha_floor} if self.alpha_floor else {})}

    @property
    def end_tokens(self) -> frozenset[int]:
        """The tokens that end an answer."""
        eos = self.eos_token_id
        return frozenset(() if eos is None else (eos,) if isinstance(eos, int) else eos)
