"""The batched loop against an independent reference: one request at a time, scalar float64, no cache.

The reference is a plain Python loop over probabilities and two full forward passes a token.  Two seeded random models:
a Llama with grouped-query attention and a GPT-2, whose positions are learned.  Where a known mistake is put back into
the loop, the comparison fails.
"""

import copy
import functools
import math
import random

import pytest
import torch
from random_models import EOS, LIMIT, SHAPE, VOCAB, Letters, gpt2, llama, mistral, t5
from transformers import AutoConfig, AutoModelForCausalLM, Lfm2Config, Lfm2ForCausalLM, MambaConfig, MambaForCausalLM

from decoding import DecodingError, Finish, OutOfMemoryError, Settings, batch, contrast, generate, rows, stream

LENGTH = 12


@functools.cache
def prompts(count=20):
    draw = random.Random(7)
    contexts = [[draw.randrange(VOCAB) for _ in range(draw.randrange(8, 30))] for _ in range(count)]
    return contexts, [context[-draw.randrange(2, 8) :] for context in contexts]


def softmax(logits):
    top = max(logits)
    weights = [math.exp(x - top) for x in logits]
    return [w / sum(weights) for w in weights]


@functools.cache
def references(make, floor):
    """(token ids, α of each, gap between the two best of each, flips) for each request."""
    model = copy.deepcopy(make()).double()
    return [reference(model, list(c), list(q), floor) for c, q in zip(*prompts(), strict=True)]


def reference(model, context, prior, floor):
    tokens, alphas, gaps, flips = [], [], [], 0
    while len(tokens) < LENGTH and EOS not in tokens:
        with torch.no_grad():
            c, q = (model(torch.tensor([ids])).logits[0, -1].tolist() for ids in (context, prior))
        alpha = 0.0
        for x, y in zip(softmax(c), softmax(q), strict=True):
            alpha += (x * math.log(2 * x / (x + y)) + y * math.log(2 * y / (x + y))) / 2
        alpha = max(alpha, floor)
        adjusted = [(1 + alpha) * x - alpha * y for x, y in zip(c, q, strict=True)]
        best, second = sorted(adjusted, reverse=True)[:2]
        token = adjusted.index(best)
        flips += token != c.index(max(c))
        for ids in (tokens, context, prior):
            ids.append(token)
        alphas.append(alpha)
        gaps.append(best - second)
    return tokens, alphas, gaps, flips


def decoded(make, contexts, priors, **settings):
    wanted = {"max_new_tokens": LENGTH, "eos_token_id": EOS, **settings}
    return generate(make(), contexts, priors, **wanted)


def token_ids(answers):
    return [answer.token_ids for answer in answers]


# Equality with the reference


@pytest.mark.parametrize("floor", [0.0, 0.3])
@pytest.mark.parametrize("make", [llama, gpt2, mistral])
def test_a_ragged_batch_equals_the_reference_token_for_token(make, floor):
    expected = references(make, floor)
    answers = decoded(make, *prompts(), alpha_floor=floor)
    assert min(gap for _, _, gaps, _ in expected for gap in gaps) > 1e-3  # float32 errs by less than 1e-5
    assert sum(flips for _, _, _, flips in expected) > 5
    assert {len(tokens) for tokens, *_ in expected} != {LENGTH}
    assert token_ids(answers) == [tokens for tokens, *_ in expected]
    for answer, (tokens, alphas, _, flips) in zip(answers, expected, strict=True):
        assert [step.alpha for step in answer.trace] == pytest.approx(alphas, abs=1e-5)
        assert sum(step.flipped for step in answer.trace) == flips
        assert answer.finish == (Finish.EOS if tokens[-1] == EOS else Finish.LENGTH)


@pytest.mark.parametrize("floor", [0.0, 0.3])
@pytest.mark.parametrize("make", [llama, gpt2])
def test_requests_alone_equal_the_reference(make, floor):
    for context, prior, (tokens, *_) in zip(*prompts(), references(make, floor), strict=True):
        assert token_ids(decoded(make, [context], [prior], alpha_floor=floor)) == [tokens]


def test_the_order_of_the_batch_does_not_matter():
    contexts, priors = prompts()
    order = random.Random(1).sample(range(20), 20)
    shuffled = decoded(gpt2, [contexts[i] for i in order], [priors[i] for i in order])
    assert token_ids(shuffled) == [references(gpt2, 0.0)[i][0] for i in order]


@pytest.mark.parametrize("make", [llama, gpt2])
@pytest.mark.parametrize("plain", [{"trust": 0.0}, {"formula": "greedy"}, {"min_plausibility": 1.0}])
def test_alpha_0_is_the_greedy_generate_of_transformers(make, plain):
    contexts, priors = prompts()
    for context, answer in zip(contexts, decoded(make, contexts, priors, alpha_floor=0.0, **plain), strict=True):
        ids = make().generate(
            torch.tensor([context]), attention_mask=torch.ones(1, len(context)), do_sample=False,
            max_new_tokens=LENGTH, eos_token_id=EOS, pad_token_id=0,
        )  # fmt: skip
        assert answer.token_ids == ids[0, len(context) :].tolist()


def test_trust_is_each_request_s_own():
    contexts, priors = prompts()
    trust = [float(i % 2) for i in range(20)]
    plain = decoded(llama, contexts, priors, formula="greedy")
    mixed = decoded(llama, contexts, priors, trust=trust)
    expected = [references(llama, 0.0)[i][0] if trust[i] else plain[i].token_ids for i in range(20)]
    assert token_ids(mixed) == expected and expected != token_ids(plain)


KINDS = {
    "gemma3_text": {"head_dim": 8, "sliding_window": 5}, "cohere2": {"sliding_window": 5}, "gpt_neox": {},
    "falcon": {"alibi": False}, "opt": {"ffn_dim": 48, "word_embed_proj_dim": 32}, "phi3": {"pad_token_id": 0},
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_models_of_other_kinds_decode_as_without_a_cache(kind, caplog):
    torch.manual_seed(0)
    shape = {**SHAPE, "vocab_size": VOCAB, "max_position_embeddings": LIMIT, "bos_token_id": 1, "eos_token_id": EOS}
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model(kind, **shape, **KINDS[kind])).eval()
    contexts, priors = ([prompt[:8] for prompt in some[:4]] for some in prompts())
    caplog.clear()
    answers = generate(model, contexts, priors, max_new_tokens=6, eos_token_id=None)
    assert "deprecated" not in caplog.text
    model = model.double()
    for context, prior, answer in zip(contexts, priors, answers, strict=True):
        tokens, *_ = reference(model, list(context), list(prior), 0.0)
        ends = tokens.index(EOS) + 1 if EOS in tokens else 6
        assert answer.token_ids[:ends] == tokens[: min(6, ends)]


# Mistakes put back: the comparison above must notice each of them


def stale_prior(patch, model):
    """The rows without context never receive the generated tokens."""

    def change(keywords):
        if len(keywords["input_ids"]) > 1:
            keywords["input_ids"][1::2] = 0

    before_forward(patch, model, change)


def no_positions(patch, model):
    """Positions are left to the model, which counts the padding."""
    before_forward(patch, model, lambda keywords: keywords.pop("position_ids"))


def no_mask(patch, model):
    """The padding is attended to."""
    before_forward(patch, model, lambda keywords: keywords.pop("attention_mask"))


def averaged_alpha(patch, model):
    """One α for the batch."""
    measure = contrast.measure

    def averaged(*arguments):
        measures = measure(*arguments)
        return contrast.Measures(**{**vars(measures), "jsd": measures.jsd.mean().expand_as(measures.jsd)})

    patch.setattr(contrast, "measure", averaged)


def filtered_prior(patch, model):
    """Both rows pass a top-p of 1 before the formula, and what it drops gets +1000 in the rows without context."""
    adjust = batch.adjust

    def filtered(c, q, *arguments, **keywords):
        ordered, order = q.softmax(-1).sort(descending=True)
        dropped = torch.zeros_like(q, dtype=torch.bool).scatter(-1, order, ordered.cumsum(-1) - ordered >= 0.9999)
        return adjust(c, q.masked_fill(dropped, 1000.0), *arguments, **keywords)

    patch.setattr(batch, "adjust", filtered)


def cut_prompt(patch, model):
    """An over-long prompt loses its beginning in one branch."""
    prefill = batch.prefill
    patch.setattr(batch, "prefill", lambda model, requests: prefill(model, [(c[-10:], q) for c, q in requests]))


def kept_state(patch, model):
    """The second call starts from the cache of the first, which had other prompts."""
    first = batch.prefill(model, list(zip(*(prompt[::-1] for prompt in prompts()), strict=True)))
    patch.setattr(batch, "prefill", lambda model, requests: first)


def before_forward(patch, model, change):
    forward = model.forward

    @functools.wraps(forward)
    def changed(**keywords):
        change(keywords)
        return forward(**keywords)

    patch.setattr(model, "forward", changed)


@pytest.mark.parametrize("make", [llama, gpt2])
@pytest.mark.parametrize(
    "mistake", [stale_prior, no_positions, no_mask, averaged_alpha, filtered_prior, cut_prompt, kept_state]
)
def test_a_mistake_that_is_put_back_breaks_the_equality(make, mistake, monkeypatch):
    expected = [tokens for tokens, *_ in references(make, 0.0)]
    assert token_ids(decoded(make, *prompts())) == expected
    mistake(monkeypatch, make())
    assert token_ids(decoded(make, *prompts())) != expected


def test_a_token_in_the_far_tail_of_the_prior_can_be_chosen():
    """Float32 sums of the prior's probabilities reach 1 before the token that the context asks for, 40,000 on."""
    c, q = torch.zeros(50_000), torch.linspace(1, 0, 50_000)
    c[40_000], c[0], q[0] = 12.0, 11.9, 30.0
    ordered = q.softmax(-1).sort(descending=True).values
    assert ordered.cumsum(-1)[39_000] >= 1.0
    settings = Settings(max_new_tokens=1, eos_token_id=None, top_p=1.0)
    request = batch.Request(0, ([1], [1]), settings, 1.0, random.Random(0))
    [step] = batch._steps(torch.stack([c, q]), [range(2)], [request])
    assert step.token_id == 40_000 and step.context_top == 40_000 and step.prior_top == 0


def test_beams_are_refused_and_not_ignored():
    with pytest.raises(TypeError, match="num_beams"):
        decoded(llama, [[1, 3]], [[3]], num_beams=2)


@pytest.mark.parametrize("make", [llama, gpt2])
def test_at_prefill_only_the_last_position_gets_logits(make, monkeypatch):
    widths = []
    hook = make().lm_head.register_forward_hook(lambda module, inputs, output: widths.append(output.shape[1]))
    try:
        decoded(make, *prompts(), max_new_tokens=2)
        assert set(widths) == {1}
        takes = rows._takes
        monkeypatch.setattr(rows, "_takes", lambda model, name: name != "logits_to_keep" and takes(model, name))
        assert token_ids(decoded(make, *prompts(), max_new_tokens=2)) == [t[:2] for t, *_ in references(make, 0.0)]
        assert max(widths) > 20
    finally:
        hook.remove()


@pytest.mark.parametrize("half", [torch.bfloat16, torch.float16])
def test_a_model_in_half_precision_is_contrasted_in_float32(half):
    model = copy.deepcopy(llama()).to(half)
    contexts, _ = prompts()
    same = generate(model, contexts, contexts, max_new_tokens=4, eos_token_id=EOS)
    assert all(0 <= step.jsd < 1e-3 for answer in same for step in answer.trace)
    assert generate(model, *prompts(), max_new_tokens=4, eos_token_id=EOS)[0].trace[0].jsd == pytest.approx(
        references(llama, 0.0)[0][1][0], abs=0.02
    )


# Streaming, cancelling, stopping, sampling


def test_tokens_are_told_as_they_are_chosen():
    """The first event comes after the two prompts were read, and before any token was fed."""
    model = llama()
    calls = []
    hook = model.register_forward_hook(lambda *_: calls.append(1))
    try:
        events = stream(model, [[5, 6, 7]], [[7]], Settings(max_new_tokens=3, eos_token_id=None))
        assert not calls
        counts = []
        for event in events:
            counts.append((event.step.token_id, len(calls), event.finish))
    finally:
        hook.remove()
    assert [count for _, count, _ in counts] == [2, 3, 4]
    assert [finish for *_, finish in counts] == [None, None, Finish.LENGTH]
    assert [token for token, *_ in counts] == decoded(llama, [[5, 6, 7]], [[7]])[0].token_ids[:3]


def test_interleaved_calls_share_no_state():
    contexts, priors = prompts()
    settings = Settings(max_new_tokens=LENGTH, eos_token_id=EOS)
    calls = [stream(gpt2(), contexts[i : i + 1], priors[i : i + 1], settings) for i in range(4)]
    tokens = [[] for _ in calls]
    for _ in range(LENGTH):
        for call, ids in zip(calls, tokens, strict=True):
            ids.extend(event.step.token_id for event in [next(call, None)] if event)
    assert tokens == [references(gpt2, 0.0)[i][0] for i in range(4)]


def test_a_cancelled_request_ends_and_changes_no_other():
    seen = [0] * 20

    def cancelled(request):
        seen[request] += 1
        return request in (3, 11) and seen[request] > 2

    answers = decoded(gpt2, *prompts(), cancelled=cancelled)
    for i, (answer, (tokens, *_)) in enumerate(zip(answers, references(gpt2, 0.0), strict=True)):
        assert answer.token_ids == (tokens[:2] if i in (3, 11) else tokens)
        assert (answer.finish is Finish.CANCELLED) == (i in (3, 11))
    assert [a.token_ids for a in decoded(gpt2, *prompts(), cancelled=lambda request: True)] == [[]] * 20


def test_a_stop_string_ends_the_answer_and_its_text_is_cut():
    contexts, priors = prompts()
    whole = decoded(llama, contexts, priors, tokenizer=Letters())
    number, text = next((i, a.text) for i, a in enumerate(whole) if len(a.text) >= 6)
    answer = decoded(llama, contexts, priors, tokenizer=Letters(), stop_strings=[text[2:4]])[number]
    end = text.index(text[2:4])
    assert answer.finish is Finish.STOP and answer.text == text[:end]
    assert answer.token_ids == whole[number].token_ids[: end + 2]
    assert whole[number].text == Letters().decode(whole[number].token_ids, True)


def test_any_of_several_end_tokens_ends_an_answer_and_is_part_of_it():
    tokens = references(llama, 0.0)[0][0]
    answer = decoded(llama, *prompts(), eos_token_id=[EOS, tokens[1]])[0]
    assert answer.token_ids == tokens[: tokens.index(tokens[1]) + 1] and answer.finish is Finish.EOS


def test_a_sample_depends_on_the_request_s_seed_alone():
    contexts, priors = prompts()
    seeds = list(range(20))
    sampling = {"temperature": 1.5, "top_k": 30, "top_p": 0.95}
    together = token_ids(decoded(llama, contexts, priors, seed=seeds, **sampling))
    alone = [
        decoded(llama, [c], [q], seed=seed, **sampling)[0].token_ids
        for c, q, seed in zip(contexts, priors, seeds, strict=True)
    ]
    assert together == alone
    assert token_ids(decoded(llama, contexts, priors, seed=99, **sampling)) != together


def test_the_steps_of_a_token_come_in_their_order(monkeypatch):
    order = []
    for name in ("adjust", "plausible", "penalised", "choose", "advance"):
        real = getattr(batch, name)
        monkeypatch.setattr(batch, name, lambda *a, real=real, name=name, **k: (order.append(name), real(*a, **k))[1])
    decoded(llama, [[5, 6, 7]], [[7]], max_new_tokens=2, eos_token_id=None)
    assert order == [
        "adjust",
        "plausible",
        "penalised",
        "choose",
        "advance",
        "adjust",
        "plausible",
        "penalised",
        "choose",
    ]


def test_a_penalty_counts_the_request_s_own_tokens():
    greedy = decoded(llama, *prompts(), eos_token_id=None)
    assert any(len(set(a.token_ids)) < LENGTH for a in greedy)
    assert all(
        len(set(a.token_ids)) == LENGTH for a in decoded(llama, *prompts(), eos_token_id=None, presence_penalty=1e4)
    )


# What cannot be decoded


def test_no_requests_give_no_answers():
    assert decoded(llama, [], []) == []


@pytest.mark.parametrize(
    ("contexts", "priors", "says"),
    [
        ([[1], []], [[1], [1]], "request 1, prompt with context: there are no tokens"),
        ([[1]], [[]], "request 0, prompt without context: there are no tokens"),
        ([[1], [2]], [[1]], "2 prompts with context, but 1 without"),
        (
            [[1] * (LIMIT - 4)],
            [[1]],
            "request 0, prompt with context: 124 tokens and max_new_tokens 12 .* of 128",
        ),
        ([[1]], [[1] * (LIMIT - 11)], "request 0, prompt without context: 117 tokens and max_new_tokens 12 .* of 128"),
        ([[VOCAB]], [[1]], "request 0, prompt with context: a token id is outside the model's vocabulary of 61"),
        ([[1]], [[-1]], "request 0, prompt without context: a token id is outside"),
    ],
)
@pytest.mark.parametrize("make", [llama, gpt2])
def test_a_prompt_that_the_model_cannot_read_is_an_error_and_never_cut(make, contexts, priors, says):
    with pytest.raises(DecodingError, match=says):
        decoded(make, contexts, priors)


def test_a_prompt_that_just_fits_is_read():
    assert len(decoded(gpt2, *[[[1] * (LIMIT - LENGTH)]] * 2, eos_token_id=None)[0].token_ids) == LENGTH


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"formula": "dola"}, "unknown formula 'dola'"),
        ({"alpha_floor": -0.1}, "alpha_floor is -0.1"),
        ({"alpha_floor": 0.3, "formula": "cad"}, "the formula cad has no option 'alpha_floor'"),
        ({"log_base": "10"}, "unknown log_base '10'"),
        ({"max_new_tokens": 0}, "max_new_tokens is 0; it must be at least 1"),
        ({"temperature": -1.0}, "temperature is -1.0"),
        ({"temperature": math.nan}, "temperature is nan"),
        ({"top_p": 0.0}, "top_p is 0.0; it must be above 0"),
        ({"top_k": -1}, "top_k is -1"),
        ({"min_plausibility": 1.5}, "min_plausibility is 1.5"),
        ({"trust": 2.0}, "trust is 2.0"),
        ({"seed": [1, 2]}, "2 seeds for 1 requests"),
        ({"stop_strings": ["x"]}, "stop_strings need a tokenizer"),
        ({"stop_strings": [""]}, "it must be strings that are not empty"),
    ],
)
def test_a_setting_out_of_range_is_one_clear_error(settings, says):
    with pytest.raises(DecodingError, match=says):
        decoded(llama, [[1, 3]], [[3]], **settings)


def test_logits_that_are_no_numbers_name_request_and_token(monkeypatch):
    model = llama()
    forward = model.forward

    @functools.wraps(forward)
    def broken(**keywords):
        output = forward(**keywords)
        if len(output.logits) == 4 and keywords["attention_mask"].shape[1] == 5:
            output.logits[3] = math.nan
        return output

    monkeypatch.setattr(model, "forward", broken)
    with pytest.raises(DecodingError, match="request 1, token 2: the model's logits are NaN or infinite"):
        decoded(llama, [[5, 6, 7], [7, 8, 9]], [[7], [9]], eos_token_id=None)


@pytest.mark.parametrize(
    ("rows_that_fit", "says"),
    [(0, "reading 2 requests of 8 prompt tokens beside 0 others"), (3, "feeding a token to 2 requests")],
)
def test_too_little_memory_is_one_clear_error(rows_that_fit, says, monkeypatch):
    def refuse(keywords):
        if len(keywords["input_ids"]) > rows_that_fit:
            raise torch.OutOfMemoryError("CUDA out of memory")

    before_forward(monkeypatch, llama(), refuse)
    with pytest.raises(OutOfMemoryError, match=f"^{says}: out of memory; give fewer"):
        decoded(llama, [[5, 6, 7], [7, 8, 9]], [[7], [9]], eos_token_id=None)


def test_a_model_that_cannot_be_coupled_is_one_clear_error():
    with pytest.raises(DecodingError, match="T5ForConditionalGeneration is an encoder-decoder model"):
        generate(t5(), [[1]], [[1]], max_new_tokens=1, eos_token_id=None)
    lfm2 = Lfm2ForCausalLM(
        Lfm2Config(
            vocab_size=VOCAB, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
            num_key_value_heads=2, layer_types=["conv", "full_attention"],
        )
    ).eval()  # fmt: skip
    with pytest.raises(DecodingError, match="Lfm2ForCausalLM has layers of the kind conv, whose state cannot be"):
        generate(lfm2, [[1]], [[1]], max_new_tokens=1, eos_token_id=None)
    mamba = MambaForCausalLM(MambaConfig(vocab_size=VOCAB, hidden_size=16, num_hidden_layers=1)).eval()
    with pytest.raises(DecodingError, match="MambaForCausalLM takes no position_ids"):
        generate(mamba, [[1]], [[1]], max_new_tokens=1, eos_token_id=None)
    with pytest.raises(DecodingError, match="LlamaForCausalLM is in training mode"):
        generate(copy.deepcopy(llama()).train(), [[1]], [[1]], max_new_tokens=1, eos_token_id=None)
