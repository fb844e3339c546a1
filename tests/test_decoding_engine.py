"""The engine against `generate`: whoever joins, leaves, is cancelled or fails, an answer is its solo answer."""

import asyncio
import functools
import gc
import math
import random
import threading
import time
import weakref

import pytest
import torch
from random_models import EOS, VOCAB, Letters, gpt2, llama, t5

from decoding import DecodingError, Engine, EngineFullError, Finish, OutOfMemoryError, generate


@functools.cache
def requests(count=50):
    """Pairs of prompts and settings of their own: length, formula, temperature, ends."""
    draw = random.Random(11)
    made = []
    for number in range(count):
        context = [draw.randrange(3, VOCAB) for _ in range(draw.randrange(4, 60))]
        settings = {"max_new_tokens": draw.randrange(5, 40), "eos_token_id": EOS if number % 3 else None}
        settings |= draw.choice([{}, {"alpha_floor": 0.3}, {"formula": "cad"}, {"formula": "cocoa"}, {"trust": 0.5}])
        settings |= {"temperature": 1.3, "seed": number} if number % 5 == 0 else {}
        made.append((context, context[-draw.randrange(1, 4) :], settings))
    return made


@functools.cache
def alone(make, number):
    context, prior, settings = requests()[number]
    return generate(make(), [context], [prior], **settings)[0]


def tokens(events):
    return [event.step.token_id for event in events if event.step]


class Slow:
    """A model whose forward waits for a place to go on; counts its calls.  Use as a context manager."""

    def __init__(self, model):
        self.model, self.calls, self.gate = model, 0, threading.Event()
        self.gate.set()

    def __enter__(self):
        self.hook = self.model.register_forward_pre_hook(self.before)
        return self

    def __exit__(self, *_):
        self.gate.set()
        self.hook.remove()

    def before(self, *_):
        self.calls += 1
        assert self.gate.wait(20)


def until(true, seconds=20):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.001)


# Many at once


@pytest.mark.parametrize("make", [llama, gpt2])
def test_fifty_requests_a_third_cancelled_midway_equal_their_solo_runs(make):
    """Submitted and read by five threads; every third is cancelled when it has from one to four tokens.

    At every forward pass each request waits, has a slot or is over.  The engine is closed at the end alone, since one
    whose slots never come free would not close.
    """
    handles, read, leaks = {}, {}, []
    engine = Engine(make(), slots=7)

    def run(numbers):
        for number in numbers:
            context, prior, settings = requests()[number]
            handles[number] = engine.submit(context, prior, **settings)
        submitted.wait(20)
        for number in numbers:
            read[number] = list(handles[number])

    def cancel_some(*_):
        over = sum(handle.request.over for handle in handles.values())
        if engine.running + engine.waiting + over != 50:
            leaks.append((engine.running, engine.waiting, over))
        for number in range(0, 50, 3):
            if len(handles[number].request.trace) == number % 4 + 1:
                handles[number].cancel()

    with Slow(make()) as slow:
        submitted = threading.Barrier(6)
        slow.gate.clear()
        threads = [threading.Thread(target=run, args=(range(start, 50, 5),), daemon=True) for start in range(5)]
        for thread in threads:
            thread.start()
        submitted.wait(20)
        hook = make().register_forward_hook(cancel_some)
        slow.gate.set()
        until(lambda: leaks or len(read) == 50, 120)
        hook.remove()
    assert leaks == []
    until(lambda: engine.running == 0)
    assert engine.waiting == 0
    engine.close()
    assert sorted(read) == list(range(50))
    for number, events in read.items():
        answer, expected = handles[number].result(), alone(make, number)
        assert tokens(events) == answer.token_ids and events[-1].finish is answer.finish
        if number % 3 == 0:
            assert answer.finish is Finish.CANCELLED and len(answer.token_ids) == number % 4 + 1
            assert answer.token_ids == expected.token_ids[: number % 4 + 1]
        else:
            assert answer.token_ids == expected.token_ids and answer.finish is expected.finish
            assert [step.jsd for step in answer.trace] == pytest.approx([s.jsd for s in expected.trace], abs=1e-5)


def test_slots_are_a_bound_and_are_never_idle_while_somebody_waits():
    widths = []
    hook = llama().register_forward_hook(lambda module, args, output: widths.append(len(output.logits)))
    try:
        with Engine(llama(), slots=3) as engine:
            handles = [engine.submit([5, 6], [6], max_new_tokens=6, eos_token_id=None) for _ in range(9)]
            for handle in handles:
                assert len(handle.result(20).token_ids) == 6
    finally:
        hook.remove()
    assert max(widths) == 2 * 3 and widths.count(1) == 2 * 9
    assert sum(widths) == 2 * 9 + 2 * 9 * 5  # each request is read once and fed five tokens


def test_admission_is_in_order_and_one_newcomer_at_a_time_delays_the_others():
    """Between two tokens of who is decoded, at most one newcomer's two prompts are read."""
    fed = []
    hook = llama().register_forward_pre_hook(
        lambda module, args, keywords: fed.append(keywords["input_ids"].tolist()), with_kwargs=True
    )
    with Slow(llama()) as slow:
        slow.gate.clear()
        with Engine(llama(), slots=4) as engine:
            handles = [engine.submit([9, n], [n], max_new_tokens=12, eos_token_id=None) for n in range(20, 26)]
            slow.gate.set()
    hook.remove()
    assert [len(rows) for rows in fed[:11]] == [1, 1, 2, 1, 1, 4, 1, 1, 6, 1, 1]
    assert [rows[0] for rows in fed if len(rows) == 1] == [ids for n in range(20, 26) for ids in ([9, n], [n])]
    assert [len(handle.result(0).token_ids) for handle in handles] == [12] * 6


def test_padding_goes_with_the_request_that_needed_it():
    widths = []
    forward = llama().forward

    @functools.wraps(forward)
    def watched(**keywords):
        widths.append(keywords["attention_mask"].shape[1])
        return forward(**keywords)

    llama().forward = watched
    try:
        with Engine(llama()) as engine:
            long = engine.submit([5] * 60, [5], max_new_tokens=3, eos_token_id=None)
            short = engine.submit([7, 8], [8], max_new_tokens=30, eos_token_id=None)
            long.result(20), short.result(20)
    finally:
        del llama().forward
    assert max(widths) >= 60 and widths[-1] == 2 + 29


# Reading


def test_tokens_can_be_read_while_the_answer_is_being_made_and_again_afterwards():
    with Slow(llama()) as slow, Engine(llama()) as engine:
        slow.gate.clear()
        handle = engine.submit([5, 6, 7], [7], max_new_tokens=8, eos_token_id=None)
        reader = iter(handle)
        assert not handle.done
        slow.gate.set()
        first = next(reader)
        rest = list(reader)
        assert [first, *rest] == list(handle) and len(rest) == 7 and handle.done
        assert handle.result().token_ids == tokens(handle)


def test_a_coroutine_reads_without_holding_up_the_event_loop():
    async def read(handle):
        return tokens([event async for event in handle])

    async def leave_early(handle):
        async for _ in handle:
            break
        return (await handle).token_ids

    async def both():
        ticks = 0

        async def tick():
            nonlocal ticks
            while True:
                ticks += 1
                await asyncio.sleep(0.001)

        with Engine(gpt2()) as engine:
            handles = [engine.submit(c, q, **settings) for c, q, settings in requests()[:6]]
            ticking = asyncio.create_task(tick())
            answers = await asyncio.gather(*(read(h) for h in handles[:4]), *(leave_early(h) for h in handles[4:]))
            ticking.cancel()
        return answers, ticks

    answers, ticks = asyncio.run(both())
    assert answers == [alone(gpt2, number).token_ids for number in range(6)]
    assert ticks > 3


def test_a_reader_whose_event_loop_is_gone_disturbs_nobody():
    with Slow(llama()) as slow, Engine(llama()) as engine:
        slow.gate.clear()
        handle = engine.submit([5, 6], [6], max_new_tokens=5, eos_token_id=None)
        loop = asyncio.new_event_loop()
        reader = handle.__aiter__()
        waiting = loop.create_task(reader.__anext__())
        loop.run_until_complete(asyncio.sleep(0.01))
        loop.close()
        slow.gate.set()
        assert len(handle.result(20).token_ids) == 5
        del waiting, reader
        gc.collect()


def test_an_answer_that_takes_too_long_is_a_timeout_and_comes_later():
    with Slow(llama()) as slow, Engine(llama()) as engine:
        slow.gate.clear()
        handle = engine.submit([5, 6], [6], max_new_tokens=2, eos_token_id=None)
        with pytest.raises(TimeoutError, match=r"no answer after 0\.01 seconds"):
            handle.result(0.01)
        slow.gate.set()
        assert len(handle.result(20).token_ids) == 2


# Cancelling, closing, limits


def test_a_request_is_cancelled_while_it_waits_and_while_it_is_decoded():
    with Slow(llama()) as slow, Engine(llama(), slots=1) as engine:
        first = engine.submit([5, 6], [6], max_new_tokens=100, eos_token_id=None)
        second, third = (engine.submit([5, 6], [6], max_new_tokens=4, eos_token_id=None) for _ in range(2))
        next(iter(first))
        second.cancel()
        assert second.result(20).token_ids == [] and second.result().finish is Finish.CANCELLED
        first.cancel()
        assert len(third.result(20).token_ids) == 4
        assert 0 < len(first.result().token_ids) < 100 and first.result().finish is Finish.CANCELLED
        assert slow.calls < 100
        first.cancel(), third.cancel()
        assert third.result().finish is Finish.LENGTH


def test_a_full_queue_is_an_error_and_takes_requests_again_later():
    with Slow(llama()) as slow, Engine(llama(), slots=1, queue=2) as engine:
        slow.gate.clear()
        submit = functools.partial(engine.submit, [5, 6], [6], max_new_tokens=2, eos_token_id=None)
        handles = [submit()]
        until(lambda: engine.running == 1)
        handles += [submit(), submit()]
        assert (engine.running, engine.waiting) == (1, 2)
        with pytest.raises(EngineFullError, match="2 requests wait already and 1 are being decoded; try again later"):
            submit()
        slow.gate.set()
        assert [len(handle.result(20).token_ids) for handle in handles] == [2] * 3
        assert len(submit().result(20).token_ids) == 2


def test_waiting_has_a_limit():
    with Slow(llama()) as slow, Engine(llama(), slots=1, max_wait=0.05) as engine:
        slow.gate.clear()
        first = engine.submit([5, 6], [6], max_new_tokens=3, eos_token_id=None)
        until(lambda: engine.running == 1)
        second = engine.submit([5, 6], [6], max_new_tokens=3, eos_token_id=None)
        time.sleep(0.1)
        slow.gate.set()
        with pytest.raises(DecodingError, match=r"no slot came free within 0.05 seconds"):
            second.result(20)
        assert len(first.result(20).token_ids) == 3


def test_closing_finishes_what_was_submitted_and_takes_no_more():
    engine = Engine(llama(), slots=2)
    handles = [engine.submit([5, 6], [6], max_new_tokens=9, eos_token_id=None) for _ in range(5)]
    engine.close()
    assert [len(handle.result(0).token_ids) for handle in handles] == [9] * 5
    with pytest.raises(DecodingError, match="the engine is closed"):
        engine.submit([5, 6], [6], max_new_tokens=9, eos_token_id=None)
    engine.close()


def test_leaving_the_block_by_an_error_cancels_what_is_under_way():
    with pytest.raises(KeyError), Engine(llama(), slots=1) as engine:
        handles = [engine.submit([5, 6], [6], max_new_tokens=100, eos_token_id=None) for _ in range(3)]
        next(iter(handles[0]))
        raise KeyError
    assert {handle.result(0).finish for handle in handles} == {Finish.CANCELLED}
    assert not any(thread.name == "decoding-engine" for thread in threading.enumerate())


def test_a_stop_string_and_the_text_are_the_request_s_own():
    with Engine(llama(), tokenizer=Letters()) as engine:
        whole = engine.submit([5, 6, 7], [7], max_new_tokens=9, eos_token_id=None).result(20)
        stopped = engine.submit(
            [5, 6, 7], [7], max_new_tokens=9, eos_token_id=None, stop_strings=[whole.text[3:5]]
        ).result(20)
    assert stopped.finish is Finish.STOP and stopped.text == whole.text[: whole.text.index(whole.text[3:5])]


# Failing alone


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (([], [1]), "prompt with context: there are no tokens"),
        (([1], []), "prompt without context: there are no tokens"),
        (([1] * 127, [1]), "127 tokens and max_new_tokens 3 exceed the model's limit of 128 positions"),
        (([VOCAB], [1]), "outside the model's vocabulary"),
    ],
)
def test_what_cannot_be_decoded_is_refused_at_submission(arguments, says):
    with Engine(llama()) as engine:
        with pytest.raises(DecodingError, match=says):
            engine.submit(*arguments, max_new_tokens=3, eos_token_id=None)
        for wrong, message in (
            ({"formula": "dola"}, "unknown formula 'dola'"),
            ({"alpha_floor": -0.1}, "alpha_floor is -0.1"),
            ({"trust": 1.5}, "trust is 1.5"),
            ({"stop_strings": ["x"]}, "stop_strings need a tokenizer"),
        ):
            with pytest.raises(DecodingError, match=message):
                engine.submit([1], [1], max_new_tokens=3, eos_token_id=None, **wrong)
        assert len(engine.submit([1], [1], max_new_tokens=3, eos_token_id=None).result(20).token_ids) == 3
    with pytest.raises(DecodingError, match="T5ForConditionalGeneration is an encoder-decoder model"):
        Engine(t5())
    with pytest.raises(DecodingError, match="slots is 0; it must be at least 1"):
        Engine(llama(), slots=0)


def broken(model, fails):
    """A forward that is given (input_ids, output) and may spoil the output or raise."""
    forward = model.forward

    @functools.wraps(forward)
    def changed(**keywords):
        return fails(keywords["input_ids"], lambda: forward(**keywords))

    return changed


BAD, GOOD = 3, [number for number in range(8) if number != 3]


def with_one_bad(monkeypatch, fails, make=llama, **more):
    """Decode eight requests, of which number 3 has the token 60 in its context alone; return handles and engine."""
    monkeypatch.setattr(make(), "forward", broken(make(), fails))
    with Engine(make(), slots=5) as engine:
        handles = []
        for number in range(8):
            context, prior, settings = requests()[number]
            settings = settings | (more if number == BAD else {})
            context = [token for token in context if token != 60] + [60] * (number == BAD)
            handles.append((engine.submit(context, prior, **settings), context, prior, settings))
        for handle, *_ in handles:
            until(lambda handle=handle: handle.done)
        assert (engine.running, engine.waiting) == (0, 0)
        after = engine.submit([5, 6], [6], max_new_tokens=3, eos_token_id=None).result(20)
        assert len(after.token_ids) == 3
    monkeypatch.undo()
    for number in GOOD:
        handle, context, prior, settings = handles[number]
        assert handle.result().token_ids == generate(make(), [context], [prior], **settings)[0].token_ids
    return handles[BAD][0]


@pytest.mark.parametrize(("make", "temperature"), [(llama, 0.0), (llama, 0.8), (gpt2, 0.0)])
def test_a_request_whose_logits_are_no_numbers_fails_alone(make, temperature, monkeypatch):
    """The values of its row with context turn NaN in the cache once its prompt is read, so its second token fails."""

    def fails(ids, run):
        output = run()
        if 60 in ids.tolist()[0]:
            for layer in output.past_key_values.layers:
                layer.values = layer.values * math.nan
        return output

    handle = with_one_bad(monkeypatch, fails, make, temperature=temperature)
    with pytest.raises(DecodingError, match="request 3, token 1: the model's logits are NaN or infinite"):
        handle.result()
    assert len(tokens(handle._events)) == 1
    with pytest.raises(DecodingError, match="NaN"):
        list(handle)


def test_a_request_whose_prompt_does_not_fit_in_memory_fails_alone(monkeypatch):
    def fails(ids, run):
        if 60 in ids.tolist()[0]:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 9 GiB")
        return run()

    handle = with_one_bad(monkeypatch, fails)
    with pytest.raises(OutOfMemoryError, match=r"request 3 of \d+ prompt tokens beside \d others: out of memory; give"):
        handle.result()


def test_a_model_that_raises_on_one_prompt_fails_that_request_alone(monkeypatch):
    def fails(ids, run):
        if 60 in ids.tolist()[0]:
            raise ValueError("no such thing")
        return run()

    handle = with_one_bad(monkeypatch, fails)
    with pytest.raises(DecodingError, match="request 3: ValueError: no such thing"):
        handle.result()


def test_where_the_batch_outgrows_the_memory_the_newest_fail_and_the_others_are_unharmed(monkeypatch):
    """More than six rows do not fit; the error comes from the second layer, when the first has its keys already."""
    layer = llama().model.layers[1]
    forward = layer.forward

    @functools.wraps(forward)
    def fails(hidden, *arguments, **keywords):
        if len(hidden) > 6:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return forward(hidden, *arguments, **keywords)

    monkeypatch.setattr(layer, "forward", fails)
    with Engine(llama(), slots=8) as engine:
        handles = [engine.submit([5, 6, i], [i], max_new_tokens=20, eos_token_id=None) for i in range(3, 9)]
        ends = {}
        for number, handle in enumerate(handles):
            until(lambda handle=handle: handle.done)
            ends[number] = handle.request.error
        assert len(engine.submit([5], [5], max_new_tokens=20, eos_token_id=None).result(20).token_ids) == 20
        assert engine.running == 0
    monkeypatch.undo()
    assert [ends[number] is None for number in range(6)] == [True] * 3 + [False] * 3
    assert all("feeding a token to 4 requests: out of memory" in str(ends[n]) for n in (3, 4, 5))
    for number in range(3):
        expected = generate(llama(), [[5, 6, number + 3]], [[number + 3]], max_new_tokens=20, eos_token_id=None)
        assert handles[number].result().token_ids == expected[0].token_ids


def test_an_error_that_spares_nobody_ends_those_in_slots_and_the_engine_goes_on(monkeypatch):
    calls = []

    def fails(ids, run):
        calls.append(len(ids))
        if len(ids) > 1 and len(calls) < 10:
            raise RuntimeError("device-side assert")
        return run()

    monkeypatch.setattr(llama(), "forward", broken(llama(), fails))
    with Engine(llama(), slots=2) as engine:
        handles = [engine.submit([5, 6], [6], max_new_tokens=4, eos_token_id=None) for _ in range(8)]
        for handle in handles:
            until(lambda handle=handle: handle.done)
    failed = [handle.request.error is not None for handle in handles]
    assert failed[0] and not failed[-1]
    assert "RuntimeError: device-side assert" in str(handles[0].request.error)
    assert "in fails" in handles[0].request.error.__notes__[0]
    assert len(handles[-1].result().token_ids) == 4


def test_an_error_keeps_no_cache_alive():
    """The error of a failed request does not hold the frames, and so the tensors, of the forward pass."""
    held = []

    def fails(module, args, output):
        held.append(weakref.ref(output.past_key_values))
        if len(held) == 2:
            raise torch.OutOfMemoryError("CUDA out of memory")

    hook = llama().register_forward_hook(fails)
    try:
        with Engine(llama()) as engine:
            handle = engine.submit([5, 6], [6], max_new_tokens=4, eos_token_id=None)
            with pytest.raises(OutOfMemoryError):
                handle.result(20)
            gc.collect()
            assert [ref() for ref in held] == [None, None]
    finally:
        hook.remove()
