"""A prompt and its continuation as token ids.

The convention of lm-evaluation-harness: prompt and continuation are encoded jointly, and what
follows the prompt's own tokens is the continuation. Spaces at the end of the prompt belong to the
continuation, because most tokenizers keep a space with the word after it.

One thing differs: what a tokenizer appends by itself (an end token) is left out, because the text
goes on.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


@dataclass(frozen=True)
class Encoded:
    """Token ids of a prompt, special tokens included, and of the text that continues it."""

    prompt_ids: tuple[int, ...]
    continuation_ids: tuple[int, ...]


def encode(tokenizer: "PreTrainedTokenizerBase", prompt: str, continuation: str) -> Encoded:
    """Encodes a prompt and the text that continues it.

    Where a token straddles the boundary, so that the joint encoding does not start with the
    prompt's own, the prompt keeps its own tokens and the continuation is the joint encoding from
    that length on, as in the harness.
    """
    stripped = prompt.rstrip()
    prompt, continuation = stripped, prompt[len(stripped) :] + continuation
    prompt_ids = token_ids(tokenizer, prompt)
    joint_ids = token_ids(tokenizer, prompt + continuation)
    return Encoded(prompt_ids, joint_ids[len(prompt_ids) :])


# Every state of a model is asked the same questions.
@lru_cache(maxsize=2**16)
def token_ids(tokenizer: "PreTrainedTokenizerBase", text: str) -> tuple[int, ...]:
    """The text's token ids, behind the special tokens that the tokenizer puts in front by itself.

    A text of which no token is left has none at all.
    """
    found = tokenizer(text, add_special_tokens=True, return_special_tokens_mask=True, verbose=False)
    added = found["special_tokens_mask"]
    end = len(added)
    while end and added[end - 1]:
        end -= 1
    return tuple(found["input_ids"][:end])
