"""Many requests at once: they join and leave the batch while others are decoded.

One thread owns the model and the batch; `submit` may be called from any thread and returns a `Handle`, from which the
answer is read with `for`, `async for`, `result` or `await`.  Requests are admitted in the order of submission, at most
one between two tokens, so that a newcomer delays the others by reading its own prompts and no more.  At most `slots`
are decoded together and at most `queue` wait, each no longer than `max_wait` seconds; every answer is limited by its
`max_new_tokens`, so a slot always comes free.

A request that fails, fails alone: what waits and what is being decoded goes on.  Knows nothing of passages or HTTP.
"""

from __future__ import annotations

import asyncio
import random
import threading
import time
import traceback
from collections import deque
from collections.abc import AsyncIterator, Callable, Generator, Iterator, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any

import torch

from .batch import Batch, Request
from .contrast import trusts
from .errors import DecodingError, EngineFullError, OutOfMemoryError
from .rows import check_model
from .settings import Settings
from .trace import Event, Finish, Generation


class Handle:
    """What `Engine.submit` returns: one request's events as they come, its answer, and the way to cancel it.

    Events are kept, so any number of readers may read them, at any time, each from the first on.  Where the request
    failed, all ways of reading raise its DecodingError, after the tokens that came before.
    """

    def __init__(self, request: Request) -> None:
        self.request = request
        self._deadline = 0.0
        self._cancelled = False
        self._over = False
        self._events: list[Event] = []
        self._changed = threading.Condition()
        self._readers: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

    def cancel(self) -> None:
        """End the request before its next token; one that is over stays as it is."""
        self._cancelled = True

    @property
    def done(self) -> bool:
        """Whether the request is over: at its end, cancelled or failed."""
        return self._over

    def result(self, timeout: float | None = None) -> Generation:
        """Wait for the answer, at most `timeout` seconds (then TimeoutError), and return what there is of it.

        A cancelled request has the tokens up to then.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: self.done, timeout):
                raise TimeoutError(f"request {self.request.index} has no answer after {timeout} seconds")
        self._raise()
        return self.request.answer()

    def __iter__(self) -> Iterator[Event]:
        """Yield the events from the first on, waiting for those that have not come yet."""
        place = 0
        while True:
            with self._changed:
                while not self.done and len(self._events) == place:
                    self._changed.wait()
                events, done = self._events[place:], self.done
            yield from events
            place += len(events)
            if done:
                self._raise()
                return

    async def __aiter__(self) -> AsyncIterator[Event]:
        """Yield the events from the first on, without holding up the event loop."""
        reader = asyncio.get_running_loop(), asyncio.Event()
        place = 0
        with self._changed:
            self._readers.append(reader)
        try:
            while True:
                reader[1].clear()
                with self._changed:
                    events, done = self._events[place:], self.done
                for event in events:
                    yield event
                place += len(events)
                if done:
                    self._raise()
                    return
                await reader[1].wait()
        finally:
            with self._changed:
                self._readers.remove(reader)

    def __await__(self) -> Generator[Any, None, Generation]:
        """Wait for the answer without holding up the event loop."""
        return self._awaited().__await__()

    async def _awaited(self) -> Generation:
        async for _ in self:
            pass
        return self.request.answer()

    def _raise(self) -> None:
        if self.request.error is not None:
            raise self.request.error

    def _tell(self, event: Event | None) -> None:
        """Wake whoever reads, with a new event or, where there is none, because the request failed."""
        with self._changed:
            if event is not None:
                self._events.append(event)
            self._over = self.request.over
            self._changed.notify_all()
            for loop, news in self._readers:
                with suppress(RuntimeError):  # the reader's event loop is closed: nobody is left to wake
                    loop.call_soon_threadsafe(news.set)


class Engine:
    """Decodes the requests of many callers with one model.  Use it in a ``with`` block, or call `close`.

    model: any that `generate` takes, and for the engine's use alone while it runs.  tokenizer: for stop strings and for
    the answers' text.  slots: how many requests are decoded together, each with two rows, and one more for each passage
    left out.  queue: how many may wait.  max_wait: seconds after which a waiting request fails; None is for ever.

    >>> with Engine(model) as engine:  # doctest: +SKIP
    ...     handle = engine.submit(pair.context_ids, pair.prior_ids, max_new_tokens=50, eos_token_id=2)
    ...     for event in handle:
    ...         print(event.step)
    """

    def __init__(
        self, model: Any, *, tokenizer: Any = None, slots: int = 16, queue: int = 256, max_wait: float | None = None
    ) -> None:
        check_model(model)
        for name, value in (("slots", slots), ("queue", queue)):
            if value < 1:
                raise DecodingError(f"{name} is {value}; it must be at least 1")
        self._model, self._tokenizer = model, tokenizer
        self._slots, self._queue, self._max_wait = slots, queue, max_wait
        self._changed = threading.Condition()
        self._waiting: deque[Handle] = deque()
        self._running: dict[int, Handle] = {}
        self._count = 0
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="decoding-engine", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """How many requests wait for a slot."""
        return len(self._waiting)

    @property
    def running(self) -> int:
        """How many slots are taken."""
        return len(self._running)

    def submit(
        self,
        context_ids: Sequence[int],
        prior_ids: Sequence[int],
        *,
        without_ids: Sequence[Sequence[int]] = (),
        trust: float = 1.0,
        seed: int = 0,
        **settings: Any,
    ) -> Handle:
        """Queue one request; arguments as for one request of `generate`, each request with settings of its own.

        Returns at once.  Raises DecodingError for what cannot be decoded and after `close`, and EngineFullError where
        the queue is full.
        """
        [gate] = trusts(trust, 1)
        prompts = (context_ids, prior_ids, *without_ids)
        request = Request(0, prompts, Settings(**settings), gate, random.Random(seed), self._tokenizer)
        request.check(self._model)
        handle = Handle(request)
        with self._changed:
            if self._closed:
                raise DecodingError("the engine is closed; start another one")
            if len(self._waiting) >= self._queue:
                raise EngineFullError(
                    f"{self._queue} requests wait already and {len(self._running)} are being decoded; try again later, "
                    "or give the engine more slots or a longer queue"
                )
            request.index = self._count
            self._count += 1
            if self._max_wait is not None:
                handle._deadline = time.monotonic() + self._max_wait
            self._waiting.append(handle)
            self._changed.notify()
        return handle

    def close(self, *, cancel: bool = False) -> None:
        """Take no more requests, finish those there are, or cancel them, and end the thread."""
        with self._changed:
            self._closed = True
            for handle in (*self._waiting, *self._running.values()) if cancel else ():
                handle.cancel()
            self._changed.notify()
        self._thread.join()

    def __enter__(self) -> Engine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close(cancel=error is not None)

    @torch.inference_mode()
    def _run(self) -> None:
        """Admit, choose, tell, feed: one turn is one token for every request in a slot."""
        batch = Batch(self._model)
        while self._admit(batch):
            try:
                self._turn(batch)
            except Exception as error:
                batch.requests, batch.rows = [], None
                for handle in list(self._running.values()):
                    self._fail(handle, error)

    def _admit(self, batch: Batch) -> bool:
        """Let the first in the queue join where a slot is free; wait where there is nothing to do; False at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._running or self._closed)
            self._clear_queue()
            newcomer = self._waiting.popleft() if self._waiting and len(self._running) < self._slots else None
            if newcomer is not None:
                self._running[newcomer.request.index] = newcomer
        if newcomer is not None:
            try:
                batch.join([newcomer.request])
            except Exception as error:
                self._fail(newcomer, error)
        return bool(self._waiting or self._running or not self._closed)

    def _clear_queue(self) -> None:
        """Take out of the queue what was cancelled or has waited too long."""
        now = time.monotonic()
        for handle in list(self._waiting):
            if handle._cancelled:
                self._waiting.remove(handle)
                self._cancel(handle)
            elif self._max_wait is not None and now > handle._deadline:
                self._waiting.remove(handle)
                self._fail(handle, DecodingError(f"no slot came free within {self._max_wait} seconds; try again later"))

    def _turn(self, batch: Batch) -> None:
        """Give every request in a slot its next token, or its end."""
        for handle in list(self._running.values()):
            if handle._cancelled:
                self._cancel(handle)
        batch.leave()
        self._fit(batch, batch.choose)
        for request in batch.requests:
            handle = self._running[request.index]
            if request.error is not None:
                self._fail(handle, request.error)
            else:
                self._tell(handle, request.event())
        self._fit(batch, batch.advance)

    def _fit(self, batch: Batch, action: Callable[[], None]) -> None:
        """Do it; where memory does not suffice, fail the request that joined last, and do it for the others."""
        while True:
            try:
                return action()
            except OutOfMemoryError as error:
                self._fail(self._running[batch.requests[-1].index], error)
                batch.leave()

    def _cancel(self, handle: Handle) -> None:
        handle.request.finish = Finish.CANCELLED
        self._tell(handle, handle.request.event())

    def _fail(self, handle: Handle, error: Exception) -> None:
        """End one request with an error, of our own kind whatever it was.

        Its traceback is kept as text alone, because the frames hold the caches of the forward pass that failed.
        """
        told = error if isinstance(error, DecodingError) else None
        if told is None:
            told = DecodingError(f"request {handle.request.index}: {type(error).__name__}: {error}")
            told.add_note("".join(traceback.format_exception(error)))
        told.__cause__ = told.__context__ = told.__traceback__ = None
        handle.request.error = told
        if isinstance(error, OutOfMemoryError) and torch.cuda.is_available():
            torch.cuda.empty_cache()
        self._tell(handle, None)

    def _tell(self, handle: Handle, event: Event | None) -> None:
        """Tell the reader, and free the slot of a request that is over."""
        if handle.request.over:
            with self._changed:
                self._running.pop(handle.request.index, None)
        handle._tell(event)
