"""Both prompts of a request are alike but for the context."""

import pytest
from tokenizers import Regex, Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from decoding import DecodingError, chat_prompts, plain_prompts

TEMPLATE = (
    "{% for m in messages %}<|{{ m['role'] }}|>{{ m['content'] | trim }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
PASSAGES = ["  Ada was born in Lima.\n", "She moved to Oslo in 1999."]
QUESTION = "Where was Ada born?"


def tokenizer(template=None):
    """One token a character, no padding token; "^" opens a text."""
    vocab = {chr(i): i for i in range(32, 127)} | {"\n": 0, "?": 63}
    core = Tokenizer(models.WordLevel(vocab, unk_token="?"))
    core.pre_tokenizer = pre_tokenizers.Split(Regex(r"[\s\S]"), "isolated")
    made = PreTrainedTokenizerFast(tokenizer_object=core, bos_token="^")
    made.chat_template = template
    return made


def without_the_context(pair):
    """The prompt with context, less the one stretch in which it differs from the other."""
    long, short = pair.context_ids, pair.prior_ids
    start = next(i for i in range(len(short) + 1) if i == len(short) or long[i] != short[i])
    return long[:start] + long[start + len(long) - len(short) :]


@pytest.mark.parametrize("instructions", ["", "Answer in one word."])
def test_chat_prompts_use_the_template_and_differ_by_one_block(instructions):
    pair = chat_prompts(tokenizer(TEMPLATE), QUESTION, PASSAGES, instructions)
    system = f"<|system|>{instructions}<|end|>" if instructions else ""
    assert pair.prior_text == f"{system}<|user|>{QUESTION}<|end|><|assistant|>"
    assert pair.context_text.startswith(f"{system}<|user|>Context:\n")
    assert all(passage in pair.context_text for passage in PASSAGES)
    assert without_the_context(pair) == pair.prior_ids


@pytest.mark.parametrize("before", ["Hi.", f"Context:\n{PASSAGES[0]}\n\n{PASSAGES[1]}\n\n{QUESTION}"])
def test_what_was_said_before_stands_in_its_roles_before_the_context(before):
    said = [{"role": "user", "content": before}, {"role": "assistant", "content": "Yes?"}]
    pair = chat_prompts(tokenizer(TEMPLATE), QUESTION, PASSAGES, "Be brief.", said)
    head = f"<|system|>Be brief.<|end|><|user|>{before.strip()}<|end|><|assistant|>Yes?<|end|><|user|>"
    assert pair.prior_text == f"{head}{QUESTION}<|end|><|assistant|>"
    assert pair.context_text.startswith(f"{head}Context:\n")
    assert pair.context_text.endswith(pair.prior_text.removeprefix(head))


def test_a_template_that_refuses_a_role_is_an_error_that_names_the_roles():
    strict = "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system role') }}{% endif %}" + TEMPLATE
    assert chat_prompts(tokenizer(strict), QUESTION, PASSAGES)
    with pytest.raises(DecodingError, match="refuses messages of system, user: no system role"):
        chat_prompts(tokenizer(strict), QUESTION, PASSAGES, "Be brief.")


@pytest.mark.parametrize("instructions", ["", "Answer in one word."])
def test_plain_prompts_need_no_template_and_differ_by_one_block(instructions):
    pair = plain_prompts(tokenizer(), QUESTION, PASSAGES, instructions)
    assert pair.prior_text.endswith(f"Question: {QUESTION}\nAnswer:")
    assert all(passage in pair.context_text and passage not in pair.prior_text for passage in PASSAGES)
    assert without_the_context(pair) == pair.prior_ids


def test_a_tokenizer_without_a_padding_token_will_do():
    assert tokenizer(TEMPLATE).pad_token is None
    assert chat_prompts(tokenizer(TEMPLATE), QUESTION, PASSAGES).prior_ids


def test_a_tokenizer_without_a_chat_template_is_an_error_that_names_the_other_way():
    with pytest.raises(DecodingError, match="no chat template; use plain_prompts"):
        chat_prompts(tokenizer(), QUESTION, PASSAGES)


def test_a_template_that_changes_more_than_the_context_is_an_error():
    counting = TEMPLATE + "{{ messages[-1]['content'] | length }}"
    with pytest.raises(DecodingError, match="changes more than the context"):
        chat_prompts(tokenizer(counting), QUESTION, PASSAGES)


@pytest.mark.parametrize("passages", [[], ["", " \n"]])
def test_an_empty_context_is_an_error(passages):
    for make, template in ((chat_prompts, TEMPLATE), (plain_prompts, None)):
        with pytest.raises(DecodingError, match="the context is empty"):
            make(tokenizer(template), QUESTION, passages)
