"""A retriever around a retriever: what it returns has been checked, and is as much as was asked for.

The guard judges exactly the documents that are returned.  Only where the policy dropped some does it look at the
next best, so that a contradiction further down the ranking blocks and annotates nothing.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

from langchain_core.callbacks import AsyncCallbackManagerForRetrieverRun, CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever, RetrieverLike
from langchain_core.runnables import RunnableConfig
from langchain_core.runnables.base import RunnableBindingBase
from pydantic import Field, model_validator

from detectors.errors import ConfigError, InputError

from .guarded import Guarded, Outcome

OVERFETCH = 2  # documents asked for, for each one wanted; doubled while too few remain


class PassageGuardRetriever(Guarded, BaseRetriever):
    """Retrieves, checks, and returns ``k`` documents: fewer only where the source has no more that are consistent.

    retriever: the source, any retriever or runnable from a query to documents.
    k: how many to return, at least 1; also an argument of ``invoke``.  None is as many as the source returns.
    k_name: what the source calls its number of results, as an argument of ``invoke`` or as a field.  A source that has
        neither is taken as it comes; make it return some more than ``k`` where the policy may drop.
    max_fetch: the most documents to ask the source for while replacing dropped ones (more where ``k`` is more).

    Errors of the source are raised as they are; others as `PassageGuardCompressor`.
    """

    retriever: RetrieverLike
    k: int | None = None
    k_name: str = "k"
    max_fetch: int = Field(default=200, ge=1)

    @model_validator(mode="after")
    def _require_k(self) -> Self:
        _positive(self.k)
        return self

    def _get_relevant_documents(
        self, query: str, *, run_manager: CallbackManagerForRetrieverRun, k: int | None = None, **kwargs: Any
    ) -> list[Document]:
        wanted = _positive(self.k if k is None else k)
        asked = None if wanted is None else OVERFETCH * wanted
        while True:
            source, arguments = self._asking(asked)
            found = _fetch(source, query, run_manager, kwargs | arguments)
            outcome = self._choose(found, query, wanted)
            more = self._more(outcome, found, asked, wanted)
            if more is None:
                return self.tell(outcome, run_manager.get_child()).documents
            asked, wanted = more

    async def _aget_relevant_documents(
        self, query: str, *, run_manager: AsyncCallbackManagerForRetrieverRun, k: int | None = None, **kwargs: Any
    ) -> list[Document]:
        wanted = _positive(self.k if k is None else k)
        asked = None if wanted is None else OVERFETCH * wanted
        while True:
            source, arguments = self._asking(asked)
            found = await _afetch(source, query, run_manager, kwargs | arguments)
            outcome = await self.in_worker(self._choose, found, query, wanted)
            more = self._more(outcome, found, asked, wanted)
            if more is None:
                return (await self.atell(outcome, run_manager.get_child())).documents
            asked, wanted = more

    def _asking(self, n: int | None) -> tuple[RetrieverLike, dict[str, int]]:
        """Return the source, and the arguments, that give ``n`` documents; as they are where it cannot be told."""
        source, name = self.retriever, self.k_name
        if n is None:
            return source, {}
        methods = _parameters(source)
        takes = bool(methods) and all(name in p or _takes_any(p) for p in methods)
        named = takes and any(name in p for p in methods)
        if not named and isinstance(source, BaseRetriever) and name in type(source).model_fields:
            return source.model_copy(update={name: n}), {}
        return source, {name: n} if takes else {}

    def _choose(self, found: Sequence[Document], query: str, wanted: int | None) -> Outcome:
        """Judge the first ``wanted`` documents, and the next ones for those that were dropped."""
        if not isinstance(found, Sequence):
            name = self.retriever.get_name()
            raise InputError(f"the retriever {name} returned {type(found).__name__}; it must return a list of Document")
        size = wanted = len(found) if wanted is None else wanted
        while True:
            outcome = self.judge(found[:size], query)
            missing = wanted - len(outcome.documents)
            if missing <= 0 or size >= len(found) or outcome.is_blocked:
                return Outcome(outcome.documents[:wanted], outcome.verdict)
            size += missing

    def _more(
        self, outcome: Outcome, found: Sequence[Document], asked: int | None, wanted: int | None
    ) -> tuple[int, int] | None:
        """Return how many to ask for and how many to return, where the source may have what is missing."""
        wanted = len(found) if wanted is None else wanted
        if outcome.is_blocked or len(outcome.documents) >= wanted:
            return None
        most = max(self.max_fetch, OVERFETCH * wanted)
        asked = len(found) if asked is None else asked
        source, arguments = self._asking(asked)
        takes_number = source is not self.retriever or bool(arguments)
        has_more = takes_number and len(found) >= asked and asked < most
        return (min(2 * asked, most), wanted) if has_more else None


def _positive(k: int | None) -> int | None:
    if k is not None and k < 1:
        raise ConfigError(f"k is {k}: give the number of documents to return, at least 1")
    return k


def _fetch(
    source: RetrieverLike, query: str, run: CallbackManagerForRetrieverRun, arguments: dict[str, Any]
) -> list[Document]:
    try:
        return source.invoke(query, {"callbacks": run.get_child()}, **arguments)
    except NotImplementedError as error:
        raise ConfigError(
            f"the retriever {source.get_name()} raised NotImplementedError ({error}) when it was called synchronously; "
            "if it is only asynchronous, await ainvoke"
        ) from error


async def _afetch(
    source: RetrieverLike, query: str, run: AsyncCallbackManagerForRetrieverRun, arguments: dict[str, Any]
) -> list[Document]:
    """Await the source; one without an asynchronous form of its own runs in a thread, where it can take arguments."""
    if arguments and _is_only_synchronous(source):
        config: RunnableConfig = {"callbacks": run.get_sync().get_child()}
        return await asyncio.to_thread(source.invoke, query, config, **arguments)
    return await source.ainvoke(query, {"callbacks": run.get_child()}, **arguments)


def _innermost(source: RetrieverLike) -> Any:
    inner: Any = source
    while isinstance(inner, RunnableBindingBase):
        inner = inner.bound
    return inner


def _is_only_synchronous(source: RetrieverLike) -> bool:
    inner = type(_innermost(source))
    return getattr(inner, "_aget_relevant_documents", None) is BaseRetriever._aget_relevant_documents


def _parameters(source: RetrieverLike) -> list[Mapping[str, inspect.Parameter]]:
    """Return the parameters of each method by which the source retrieves; none where it is no retriever."""
    inner = type(_innermost(source))
    if not issubclass(inner, BaseRetriever):
        return []
    methods: list[Callable[..., Any]] = [inner._get_relevant_documents]
    if not _is_only_synchronous(source):
        methods.append(inner._aget_relevant_documents)
    return [inspect.signature(method).parameters for method in methods]


def _takes_any(parameters: Mapping[str, inspect.Parameter]) -> bool:
    return any(p.kind is p.VAR_KEYWORD for p in parameters.values())
