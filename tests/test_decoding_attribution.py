"""Attribution, prior strength and context reliance against full forward passes in float64, without a cache."""

import copy
import functools
import random
from itertools import chain

import pytest
import torch
from random_models import VOCAB, characters, gpt2, llama

from decoding import DecodingError, Engine, Generation, chat_prompts, generate, plain_prompts, without_each


@functools.cache
def requests(count=8):
    """(context, prior, contexts that lack a passage): from no to three passages left out."""
    draw = random.Random(5)
    made = []
    for number in range(count):
        passages = [[draw.randrange(VOCAB) for _ in range(draw.randrange(3, 9))] for _ in range(3)]
        question = [draw.randrange(VOCAB) for _ in range(4)]
        lacking = [[*chain(*passages[:i], *passages[i + 1 :], question)] for i in range(number % 4)]
        made.append(([*chain(*passages, question)], question, lacking))
    return made


def log_probabilities(model, prompt, tokens):
    """log-probabilities of every next token at each place of an answer, (tokens, vocab)."""
    with torch.no_grad():
        logits = copy.deepcopy(model).double()(torch.tensor([[*prompt, *tokens]])).logits[0]
    return logits[len(prompt) - 1 : -1].log_softmax(-1)


def check(model, context, prior, lacking, answer):
    tokens = answer.token_ids
    log_p, log_r = (log_probabilities(model, prompt, tokens) for prompt in (context, prior))
    places = range(len(tokens))
    for passage, prompt in enumerate(lacking):
        without = log_probabilities(model, prompt, tokens)
        expected = [(log_p[i, tokens[i]] - without[i, tokens[i]]).item() for i in places]
        assert [step.attribution[passage] for step in answer.trace] == pytest.approx(expected, abs=1e-4)
        assert answer.attribution[passage] == pytest.approx(sum(expected), abs=1e-3)
    assert {len(step.attribution) for step in answer.trace} == {len(lacking)}
    reliance = sum((log_p[i, tokens[i]] - log_r[i, tokens[i]]).item() for i in places) / len(tokens)
    assert answer.context_reliance == pytest.approx(reliance, abs=1e-4)
    assert answer.prior_strength == pytest.approx(log_r.max(-1).values.mean().item(), abs=1e-4)
    assert [step.context_logprob for step in answer.trace] == pytest.approx(
        [log_p[i, tokens[i]].item() for i in places], abs=1e-4
    )


@pytest.mark.parametrize("make", [llama, gpt2])
def test_every_number_equals_full_forward_passes_and_the_tokens_are_those_without_further_rows(make):
    contexts, priors, lacking = zip(*requests(), strict=True)
    settings = {"max_new_tokens": 8, "eos_token_id": 2}
    plain = generate(make(), contexts, priors, **settings)
    answers = generate(make(), contexts, priors, without_ids=lacking, **settings)
    assert [answer.token_ids for answer in answers] == [answer.token_ids for answer in plain]
    for request, answer in zip(requests(), answers, strict=True):
        check(make(), *request, answer)
    values = [abs(x) for answer in answers for step in answer.trace for x in step.attribution]
    assert max(values) > 0.5


@pytest.mark.parametrize("make", [llama, gpt2])
def test_an_engine_attributes_each_request_by_its_own_rows(make):
    with Engine(make(), slots=3) as engine:
        handles = [
            engine.submit(context, prior, without_ids=lacking, max_new_tokens=3 + i, eos_token_id=None)
            for i, (context, prior, lacking) in enumerate(requests())
        ]
        for request, handle in zip(requests(), handles, strict=True):
            check(make(), *request, handle.result(20))


def test_a_passage_that_is_not_there_changes_nothing_and_the_prior_as_rest_changes_what_the_context_does():
    context, prior, _ = requests()[0]
    lacking = [[context, prior]]
    [answer] = generate(llama(), [context], [prior], without_ids=lacking, max_new_tokens=6, eos_token_id=None)
    assert [step.attribution[0] for step in answer.trace] == pytest.approx([0] * 6, abs=1e-4)
    assert [step.attribution[1] for step in answer.trace] == pytest.approx(
        [step.context_logprob - step.prior_logprob for step in answer.trace], abs=1e-4
    )


def test_prior_strength_of_the_closed_book_answer_is_its_length_normalised_log_probability():
    _, prior, _ = requests()[0]
    [answer] = generate(gpt2(), [prior], [prior], formula="greedy", max_new_tokens=7, eos_token_id=None)
    log_p = log_probabilities(gpt2(), prior, answer.token_ids)
    expected = sum(log_p[i, token].item() for i, token in enumerate(answer.token_ids)) / 7
    assert answer.prior_strength == pytest.approx(expected, abs=1e-4)
    assert answer.context_reliance == pytest.approx(0, abs=1e-5)


def test_an_answer_without_tokens_has_no_strength():
    empty = Generation([], [], "cancelled")
    assert (empty.prior_strength, empty.context_reliance, empty.attribution) == (None, None, ())


def test_an_unreadable_prompt_names_the_passage_that_it_lacks():
    for lacking, says in (([[1], []], "request 0, prompt without passage 1: there are no tokens"),):
        with pytest.raises(DecodingError, match=says):
            generate(llama(), [[1]], [[1]], without_ids=[lacking], max_new_tokens=2, eos_token_id=None)
    with pytest.raises(DecodingError, match="without_ids has 1 lists of prompts for 2 requests"):
        generate(llama(), [[1]] * 2, [[1]] * 2, without_ids=[[]], max_new_tokens=2, eos_token_id=None)


@pytest.mark.parametrize(
    ("prompts", "template"),
    [(chat_prompts, "{% for m in messages %}<{{ m['role'] }}>{{ m['content'] }}{% endfor %}"), (plain_prompts, None)],
)
def test_each_prompt_lacks_one_passage_and_nothing_else(prompts, template):
    passages = ["Ada was born in Lima.", "She moved to Oslo.", "It rained."]
    reader = characters(template)
    lacking = without_each(reader, "Where?", passages, "Be brief.", prompts=prompts)
    for number, ids in enumerate(lacking):
        rest = [passage for passage in passages if passage != passages[number]]
        assert ids == prompts(reader, "Where?", rest, "Be brief.").context_ids
    whole = prompts(reader, "Where?", passages[:1], "Be brief.")
    assert without_each(reader, "Where?", passages[:1], "Be brief.", prompts=prompts) == [whole.prior_ids]
