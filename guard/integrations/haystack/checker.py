"""The guard as a pipeline component: retrieved documents in, the repaired context out.

Annotations are evaluated here, since Haystack reads the types of inputs and outputs from them.
"""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Self

from haystack import Document, component, default_from_dict, default_to_dict
from haystack.utils import deserialize_callable, serialize_callable

from detectors.evidence import Passage
from guard.integrations.configuration import read, written
from guard.integrations.documents import KEY, Form
from guard.integrations.guarded import Guarded, Outcome
from guard.pipeline import Guard
from guard.verdict import Verdict


@component
class PassageGuardChecker:
    """Checks documents against each other and repairs them as the guard's policy says.

    guard: checks the documents; `Guard()` by default.  Components may share one.
    on_verdict: called with every `Verdict`, a blocking one too; in async pipelines in a worker thread.

    Returned documents are copies; their key also holds ``id``, by which notes and conflicts name the document: its own,
    or ``id#2`` where several came with one id.  Raises `ContextBlockedError` where the policy blocks, `InputError` for
    what cannot be checked, `ModelError` for a model that cannot be loaded.
    """

    def __init__(self, guard: Guard | None = None, on_verdict: Callable[[Verdict], object] | None = None) -> None:
        self._guarded = Guarded(guard=guard or Guard(), on_verdict=on_verdict)

    def warm_up(self) -> None:
        """Load the models; a pipeline does so before its first run."""
        self._guarded.load()

    @component.output_types(documents=list[Document], context=str, notice=str, verdict=dict[str, Any])
    def run(self, documents: list[Document], query: str | None = None) -> dict[str, Any]:
        """Return the repaired ``documents``, the same as text for a prompt, the notice and `Verdict.to_dict`.

        ``context`` begins with the notice.  Without documents there is no verdict: the dictionary is empty.
        """
        return _outputs(self._guarded.told(documents, query, FORM))

    @component.output_types(documents=list[Document], context=str, notice=str, verdict=dict[str, Any])
    async def run_async(self, documents: list[Document], query: str | None = None) -> dict[str, Any]:
        """`run` in a worker thread, so that the event loop goes on."""
        return await asyncio.to_thread(_outputs, await self._guarded.atold(documents, query, FORM))

    def to_dict(self) -> dict[str, Any]:
        """Return the component in plain JSON types.  Raises `ConfigError` for a guard with models of its own."""
        told = self._guarded.on_verdict
        on_verdict = None if told is None else serialize_callable(told)
        plain: dict[str, Any] = default_to_dict(self, guard=written(self._guarded.guard), on_verdict=on_verdict)
        return plain

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """Return the component of `to_dict`.  Raises `ConfigError` for an unknown or wrong setting."""
        given = data.get("init_parameters", {})
        made = {
            "guard": read(given.get("guard") or {}),
            "on_verdict": deserialize_callable(given["on_verdict"]) if given.get("on_verdict") else None,
        }
        component_: Self = default_from_dict(cls, {**data, "init_parameters": {**given, **made}})
        return component_


def _outputs(outcome: Outcome[Document]) -> dict[str, Any]:
    return {
        "documents": outcome.documents,
        "context": outcome.context,
        "notice": outcome.notice,
        "verdict": outcome.verdict.to_dict() if outcome.verdict is not None else {},
    }


def _passage(document: Document) -> Passage:
    return Passage(document.id, document.content or "", document.meta)


def _told(document: Document, passage_id: str, said: dict[str, Any]) -> Document:
    return replace(document, meta={**document.meta, KEY: {"id": passage_id, **said}})


FORM = Form(Document, _passage, _told)
