"""Language models of random weights for tests: small, seeded, from no file; each made once.  And two tokenizers."""

import functools

import torch
from tokenizers import Regex, Tokenizer, models, pre_tokenizers
from transformers import (
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    PreTrainedTokenizerFast,
    T5Config,
    T5ForConditionalGeneration,
)

VOCAB, EOS, LIMIT = 61, 2, 128
SHAPE = {
    "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "initializer_range": 0.3,
}  # fmt: skip


@functools.cache
def llama(vocab=VOCAB, limit=LIMIT, *, seed=0, **other):
    """Two query heads to each head of keys and values."""
    torch.manual_seed(seed)
    return LlamaForCausalLM(LlamaConfig(vocab_size=vocab, max_position_embeddings=limit, **SHAPE | other)).eval()


@functools.cache
def gpt2():
    """Positions are learned."""
    torch.manual_seed(3)
    return GPT2LMHeadModel(
        GPT2Config(
            vocab_size=VOCAB, n_embd=32, n_layer=2, n_head=4, n_positions=LIMIT, initializer_range=0.3,
            bos_token_id=1, eos_token_id=EOS,
        )
    ).eval()  # fmt: skip


@functools.cache
def mistral():
    """Attention sees the last five tokens only, fewer than any prompt with context has."""
    torch.manual_seed(0)
    config = MistralConfig(vocab_size=VOCAB, max_position_embeddings=LIMIT, sliding_window=5, **SHAPE)
    return MistralForCausalLM(config).eval()


@functools.cache
def t5():
    """An encoder and a decoder."""
    torch.manual_seed(0)
    config = T5Config(vocab_size=VOCAB, d_model=8, d_kv=4, d_ff=8, num_layers=1, num_heads=2, decoder_start_token_id=0)
    return T5ForConditionalGeneration(config).eval()


def characters(template=None):
    """A tokenizer with a token for each character of ASCII, of which "</s>" is 1: for models of 128 tokens."""
    core = Tokenizer(models.WordLevel({"<unk>": 0, "</s>": 1} | {chr(i): i for i in range(32, 127)}, unk_token="<unk>"))
    core.pre_tokenizer = pre_tokenizers.Split(Regex(r"[\s\S]"), "isolated")
    made = PreTrainedTokenizerFast(tokenizer_object=core, eos_token="</s>")
    made.chat_template = template
    return made


class Letters:
    """A tokenizer for reading answers: token i is the letter i."""

    def decode(self, ids, skip_special_tokens):
        return "".join(chr(ord("A") + i) for i in ids if not (skip_special_tokens and i == EOS))
