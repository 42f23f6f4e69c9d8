"""A small byte-level tokenizer, trained on the built-in facts' own words."""

import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from mansu.data.facts import load_fact_set


@pytest.fixture(scope="session")
def tokenizer() -> PreTrainedTokenizerFast:
    facts = load_fact_set("elements")
    texts = [f"{t.render(fact)} {fact.answer}" for t in facts.templates for fact in facts.facts]
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)  # pyright: ignore
    bpe.decoder = decoders.ByteLevel()  # pyright: ignore
    trainer = trainers.BpeTrainer(
        vocab_size=700,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    bpe.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=bpe)
