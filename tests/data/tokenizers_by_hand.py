"""Tokenizers small enough to know what they do."""

import copy

from tokenizers import Tokenizer, models, processors
from transformers import PreTrainedTokenizerFast


def by_hand(*merges: tuple[str, str], alphabet: str = "ab ") -> PreTrainedTokenizerFast:
    """A tokenizer of single characters and just these merges, blind to word boundaries.

    Characters outside the alphabet are dropped. Ids follow the order of alphabet, then merges.
    """
    tokens = [*alphabet, *("".join(merge) for merge in merges)]
    vocabulary = {token: index for index, token in enumerate(tokens)}
    return PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.BPE(vocabulary, [*merges])))


def appending(
    tokenizer: PreTrainedTokenizerFast, wrapping: str = "$A <end>"
) -> PreTrainedTokenizerFast:
    """The same tokenizer, which wraps each text in special tokens of its own."""
    changed = copy.deepcopy(tokenizer)
    changed.add_special_tokens({"bos_token": "<begin>", "eos_token": "<end>"})
    changed.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single=wrapping,
        special_tokens=[(t, changed.convert_tokens_to_ids(t)) for t in ("<begin>", "<end>")],
    )
    return changed
