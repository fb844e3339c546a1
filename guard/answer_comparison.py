"""All decoding formulas on the same questions: exact match by kind of context and by strength of the prior.

Rows are JSON Lines: {"question", "answers": […], "context": one of `CONTEXTS`, "passages": […], "prior"?, "id"?}.  The
gated method is AdaCAD behind the guard: check, drop what loses, and answer from the context, from memory or not at all,
as `guard.answer_gate` says; an abstention is no match.  Intervals are 95% bootstraps over questions, since the kinds of
context of one question belong together; differences between methods are paired.  Knows nothing about files' formats of
reports or about plots (`guard.answer_report`).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from detectors.errors import InputError
from detectors.evidence import Passage

from .answer_gate import Gate, Knowledge, Source, gate
from .answer_knowledge import ClosedBook, closed_book, normal
from .answer_model import LanguageModel, Prompts
from .evaluation.metrics import Floats, interval, ratio
from .pipeline import Guard

CONTEXTS = {
    "agreeing": "the passages give the answer that the model would give by itself",
    "conflicting": "they give another answer, which is the right one",
    "irrelevant": "they do not give the answer",
    "absent": "there are none",
    "self_contradicting": "one passage gives two answers",
    "poisoned": "some passages give a wrong answer",
}
NO_CONFLICT = ("agreeing", "irrelevant", "absent")
GROUPS = {
    **{name: (name,) for name in CONTEXTS},
    "no conflict": NO_CONFLICT,
    "overall": (*NO_CONFLICT, "conflicting"),
    "broken": ("self_contradicting", "poisoned"),
    "all": tuple(CONTEXTS),
}
STRONG = -0.2231  # ln 0.8: a prior is strong where a token of the closed-book answer has at least this log-probability
CAD_ALPHAS = (0.5, 1.0)
COMPARED = ("adacad", "gated adacad")  # the methods whose differences to all others are reported
ALPHA_BINS = 20
BATCH = 32

Advance = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Question:
    """One row.  ``prior`` is ``strong`` or ``weak``, or empty where it is to be measured."""

    id: str
    question: str
    answers: tuple[str, ...]
    context: str
    passages: tuple[Passage, ...]
    prior: str = ""


@dataclass(frozen=True, slots=True)
class Method:
    """A formula with its options; ``gated`` puts the guard before it."""

    name: str
    formula: str
    options: Mapping[str, float] = field(default_factory=dict)
    gated: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one method answered; ``text`` is None for an abstention.  ``alphas``: one a token."""

    text: str | None
    right: bool
    source: str
    alphas: tuple[float, ...] = ()
    flipped: int = 0


def methods() -> tuple[Method, ...]:
    """Return every formula of the registry, CAD with both published weights, and AdaCAD behind the guard."""
    from decoding import FORMULAS

    plain = [Method(name, name) for name in FORMULAS if name != "cad"]
    weighted = [Method(f"cad {alpha}", "cad", {"alpha": alpha}) for alpha in CAD_ALPHAS]
    return (plain[0], *weighted, *plain[1:], Method("gated adacad", "adacad", gated=True))


def compare(
    model: LanguageModel,
    guard: Guard,
    questions: Sequence[Question],
    *,
    chosen: Sequence[Method] | None = None,
    max_new_tokens: int = 16,
    instructions: str = "",
    resamples: int = 1000,
    seed: int = 0,
    start: Callable[[str, int], Advance] = lambda what, total: lambda done: None,
) -> dict[str, Any]:
    """Ask every question with every method and return the report as plain JSON types.

    ``guard`` should drop what loses (`guard.Action.DROP`): a gate in front of passages that all stay settles nothing.
    Raises `ModelError` for a prompt that is too long for the model.
    """
    used = tuple(chosen) if chosen is not None else methods()
    asked = list(dict.fromkeys(q.question for q in questions))
    tell = start("questions without context", len(asked))
    known: dict[str, ClosedBook] = {}
    for text in asked:
        known[text] = closed_book(model, text, instructions, max_new_tokens=max_new_tokens, seed=seed)
        tell(1)
    answers: dict[str, list[Outcome]] = {}
    for method in used:
        tell = start(method.name, len(questions))
        plans = [_plan(q, method, guard, known[q.question].knowledge) for q in questions]
        answers[method.name] = _outcomes(model, questions, method, plans, instructions, max_new_tokens, tell)
    strengths = [q.prior or _strength(known[q.question]) for q in questions]
    return {
        "version": 1,
        "model": model.name,
        "questions": len(asked),
        "rows": _rows(questions, strengths, known, answers),
        **_figures(questions, strengths, answers, resamples, seed),
        "alpha": {name: _alphas(questions, some) for name, some in answers.items()},
        "closed_book": _knowledge_table(questions, strengths, known),
    }


def _plan(question: Question, method: Method, guard: Guard, knowledge: Knowledge) -> tuple[Gate, tuple[str, ...]]:
    """Return where to answer from, and the passages to read."""
    texts = tuple(p.text for p in question.passages)
    if not texts:
        return gate(None, None), ()
    if not method.gated:
        return Gate(Source.CONTEXT, 1.0, "not gated"), texts
    verdict = guard.check(question.passages, question.question)
    return gate(verdict, knowledge), tuple(p.text for p in verdict.passages)


def _outcomes(
    model: LanguageModel,
    questions: Sequence[Question],
    method: Method,
    plans: Sequence[tuple[Gate, tuple[str, ...]]],
    instructions: str,
    max_new_tokens: int,
    tell: Advance,
) -> list[Outcome]:
    made: list[Outcome] = []
    for begin in range(0, len(questions), BATCH):
        part = range(begin, min(begin + BATCH, len(questions)))
        going = [n for n in part if plans[n][0].source is not Source.NEITHER]
        decoded = model.decode(
            [_prompts(model, questions[n].question, *plans[n], instructions) for n in going],
            formula=method.formula, options=method.options, max_new_tokens=max_new_tokens,
            trust=[plans[n][0].trust for n in going],
        )  # fmt: skip
        by_number = dict(zip(going, decoded, strict=True))
        for n in part:
            if n not in by_number:
                made.append(Outcome(None, False, Source.NEITHER.value))
                continue
            trace, text = by_number[n].trace, model.text(by_number[n])
            made.append(
                Outcome(
                    text, is_right(text, questions[n].answers), plans[n][0].source.value,
                    tuple(step.alpha for step in trace), sum(step.flipped for step in trace),
                )
            )  # fmt: skip
        tell(len(part))
    return made


def _prompts(model: LanguageModel, question: str, one: Gate, passages: Sequence[str], instructions: str) -> Prompts:
    if one.source is Source.MEMORY:
        prior = model.prior(question, instructions)
        return prior, prior
    pair = model.prompts(question, passages, instructions)
    return pair.context_ids, pair.prior_ids


def is_right(text: str, answers: Sequence[str]) -> bool:
    """Exact match after `normal`: without case, punctuation and articles.

    >>> is_right("The 1957.", ["1957"])
    True
    """
    return normal(text) in map(normal, answers)


def _strength(known: ClosedBook) -> str:
    return "strong" if known.prior_strength >= STRONG else "weak"


def _figures(
    questions: Sequence[Question],
    strengths: Sequence[str],
    answers: Mapping[str, Sequence[Outcome]],
    resamples: int,
    seed: int,
) -> dict[str, Any]:
    """Return exact match, paired differences, abstentions and wrong answers, by group of contexts and by prior."""
    names, place = np.unique([q.question for q in questions], return_inverse=True)
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(len(names), np.full(len(names), 1 / len(names)), size=resamples)
    weights: Floats = np.concatenate([np.ones((1, len(names))), drawn])[:, place]
    matches = {name: np.array([o.right for o in some], float) for name, some in answers.items()}
    refused = {name: np.array([o.text is None for o in some], float) for name, some in answers.items()}
    report: dict[str, Any] = {
        "exact_match": {}, "differences": {}, "abstained": {}, "wrong": {}, "by_prior": {},
    }  # fmt: skip
    for group, kinds in GROUPS.items():
        member = np.array([q.context in kinds for q in questions])
        if len(kinds) > 1 and len({q.context for q in questions} & set(kinds)) < 2:
            continue
        if not member.any():
            continue
        for name, hits in matches.items():
            _put(report["abstained"], name, group, _mean(refused[name], weights, member))
            _put(report["wrong"], name, group, _mean(1 - hits - refused[name], weights, member))
        _compared(report, group, matches, weights, member)
        for strength in sorted(set(strengths)):
            some = member & np.array([s == strength for s in strengths])
            if some.any():
                tables = report["by_prior"].setdefault(strength, {"exact_match": {}, "differences": {}})
                _compared(tables, group, matches, weights, some)
    return report


def _compared(tables: dict[str, Any], group: str, matches: Mapping[str, Floats], weights: Floats, member: Any) -> None:
    """Add the exact match of each method and the paired differences of the methods in question to all others."""
    for name, hits in matches.items():
        _put(tables["exact_match"], name, group, _mean(hits, weights, member))
        for other, others in matches.items():
            if name in COMPARED and other != name:
                _put(tables["differences"].setdefault(name, {}), other, group, _mean(hits - others, weights, member))


def _put(table: dict[str, Any], name: str, group: str, figure: dict[str, Any]) -> None:
    table.setdefault(name, {})[group] = figure


def _mean(values: Floats, weights: Floats, member: Any) -> dict[str, Any]:
    """Return the mean over the members with its interval, and how many there are."""
    own = weights[:, member]
    return {"n": int(member.sum()), **asdict(interval(ratio(own @ values[member], own.sum(1))))}


def _alphas(questions: Sequence[Question], outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Return the mean α of a token, the share of flipped tokens and the histogram of α over 0..1, by context."""
    found: dict[str, Any] = {}
    for context in CONTEXTS:
        some = [o for q, o in zip(questions, outcomes, strict=True) if q.context == context]
        values = [alpha for o in some for alpha in o.alphas]
        if values:
            counts, _ = np.histogram(np.clip(values, 0, 1), bins=ALPHA_BINS, range=(0, 1))
            found[context] = {
                "mean": float(np.mean(values)),
                "flipped": sum(o.flipped for o in some) / len(values),
                "histogram": counts.tolist(),
            }
    return found


def _knowledge_table(
    questions: Sequence[Question], strengths: Sequence[str], known: Mapping[str, ClosedBook]
) -> dict[str, Any]:
    """Count knows, unsure and ignorant among the questions of each strength, with the mean prior strength."""
    of = {q.question: s for q, s in zip(questions, strengths, strict=True)}
    table: dict[str, Any] = {}
    for strength in sorted(set(of.values())):
        some = [known[text] for text in of if of[text] == strength]
        counts = {k.value: sum(c.knowledge is k for c in some) for k in Knowledge}
        table[strength] = {**counts, "prior_strength": float(np.mean([c.prior_strength for c in some]))}
    return table


def _rows(
    questions: Sequence[Question],
    strengths: Sequence[str],
    known: Mapping[str, ClosedBook],
    answers: Mapping[str, Sequence[Outcome]],
) -> list[dict[str, Any]]:
    return [
        {
            "id": q.id, "question": q.question, "context": q.context, "prior": strengths[n], "answers": list(q.answers),
            "closed_book": known[q.question].text, "knowledge": known[q.question].knowledge.value,
            "prior_strength": round(known[q.question].prior_strength, 4),
            "said": {name: some[n].text for name, some in answers.items()},
            "right": {name: some[n].right for name, some in answers.items()},
        }
        for n, q in enumerate(questions)
    ]  # fmt: skip


def read_questions(path: Path) -> list[Question]:
    """Read JSON Lines.  Raises `InputError` naming file, line and field."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read: {error}") from error
    questions = list(_questions(path, lines))
    if not questions:
        raise InputError(f"{path}: the file is empty; give one JSON object a line")
    seen: set[str] = set()
    for question in questions:
        if question.id in seen:
            raise InputError(f"{path}: the id {question.id!r} is given twice; ids must be unique")
        seen.add(question.id)
    return questions


def _questions(path: Path, lines: Sequence[str]) -> Iterator[Question]:
    for number, line in enumerate(lines, 1):
        if line.strip():
            where = f"{path}, line {number}"
            try:
                row = json.loads(line)
            except ValueError as error:
                raise InputError(f"{where}: not valid JSON ({error})") from error
            yield _question(row, where, str(number))


def _question(row: Any, where: str, number: str) -> Question:
    if not isinstance(row, dict):
        raise InputError(f"{where}: must be a JSON object, not {type(row).__name__}")
    text, answers, context = row.get("question"), row.get("answers"), row.get("context")
    passages, prior = row.get("passages", []), row.get("prior", "")
    if not isinstance(text, str) or not text.strip():
        raise InputError(f'{where}: "question" must be a string that is not empty')
    if not isinstance(answers, list) or not answers or not all(isinstance(a, str) and a.strip() for a in answers):
        raise InputError(f'{where}: "answers" must be a list of right answers, each a string')
    if context not in CONTEXTS:
        raise InputError(f'{where}: "context" is {context!r}; give one of {", ".join(CONTEXTS)}')
    if prior not in ("", "strong", "weak"):
        raise InputError(f'{where}: "prior" is {prior!r}; give strong or weak, or leave it out to have it measured')
    if not isinstance(passages, list) or bool(passages) != (context != "absent"):
        raise InputError(f'{where}: "passages" must be a list, empty where the context is absent and nowhere else')
    given = tuple(_passage(p, n, where) for n, p in enumerate(passages, 1))
    return Question(str(row.get("id", number)), text, tuple(answers), context, given, prior)


def _passage(given: Any, number: int, where: str) -> Passage:
    entry = {"text": given} if isinstance(given, str) else given
    if not isinstance(entry, dict) or not isinstance(entry.get("text"), str) or not entry["text"].strip():
        raise InputError(f'{where}: passage {number} must be a string, or an object with a "text"')
    metadata = entry.get("metadata", {})
    if not isinstance(metadata, dict):
        raise InputError(f'{where}: passage {number}: "metadata" must be an object')
    return Passage(str(entry.get("id", number)), entry["text"], metadata)
