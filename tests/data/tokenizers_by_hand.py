"""Tokenizers small enough to know what they do."""

from tokenizers import Tokenizer, models
from transformers import PreTrainedTokenizerFast


def by_hand(*merges: tuple[str, str], alphabet: str = "ab ") -> PreTrainedTokenizerFast:
    """A tokenizer of single characters and just these merges, blind to word boundaries.

    Characters outside the alphabet are dropped. Ids follow the order of alphabet, then merges.
    """
    tokens = [*alphabet, *("".join(merge) for merge in merges)]
    vocabulary = {token: index for index, token in enumerate(tokens)}
    return PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.BPE(vocabulary, [*merges])))
