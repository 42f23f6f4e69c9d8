"""A tokenizer as a GGUF file holds it. Byte-level BPE alone, which most models here have.

llama.cpp does not store how a text is cut into words before the merges apply: it has a list of ways
by name, so a tokenizer is written only where its way is on it.
"""

import json
from typing import Any

from gguf import GGUFWriter, TokenType
from transformers import PreTrainedTokenizerBase
from transformers.integrations.gguf.gguf_tokenizer_mapping import GGUF_PRE_TOKENIZER_SPLITS

from mansu.errors import InputError

_SPECIAL = ("bos", "eos", "unk", "pad")


def add_tokenizer(
    writer: GGUFWriter, tokenizer: PreTrainedTokenizerBase, rows: int, name: str
) -> None:
    """Writes a tokenizer into a GGUF file's header.

    Args:
        writer: Of the file.
        tokenizer: The tokenizer.
        rows: How many tokens the model has an embedding for.
        name: What the user called the model.

    Raises:
        InputError: It is of another kind, or the model has no embedding for a token of its.
    """
    declared = json.loads(tokenizer.backend_tokenizer.to_str())  # pyright: ignore
    way = _way_to_cut(declared["pre_tokenizer"])
    if declared["model"]["type"] != "BPE" or way is None or len(tokenizer) > rows:
        raise InputError(
            f"The tokenizer of {name} cannot be written as GGUF here, only byte-level BPE that "
            "cuts words as GPT-2, SmolLM, Llama 3 or Qwen do; export a folder, without .gguf."
        )
    added = {token["id"]: token["special"] for token in declared["added_tokens"]}
    kinds = {None: TokenType.NORMAL, True: TokenType.CONTROL, False: TokenType.USER_DEFINED}
    texts = {number: text for text, number in tokenizer.get_vocab().items()}
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(way)
    # A model may have more rows than tokens; llama.cpp wants a name for each.
    writer.add_token_list([texts.get(n, f"[PAD{n}]") for n in range(rows)])
    writer.add_token_types(
        [kinds[added.get(n)] if n in texts else TokenType.UNUSED for n in range(rows)]
    )
    merges = declared["model"]["merges"]
    writer.add_token_merges([m if isinstance(m, str) else " ".join(m) for m in merges])
    for kind in _SPECIAL:
        number = getattr(tokenizer, f"{kind}_token_id")
        if number is not None:
            getattr(writer, f"add_{kind}_token_id")(number)
    first = tokenizer("a")["input_ids"][0]  # pyright: ignore
    writer.add_add_bos_token(first == tokenizer.bos_token_id)
    if isinstance(tokenizer.chat_template, str):
        writer.add_chat_template(tokenizer.chat_template)


def _way_to_cut(declared: dict[str, Any] | None) -> str | None:
    """llama.cpp's name of how a tokenizer cuts a text into words; None where it has none."""
    *before, last = (declared or {}).get("pretokenizers", [declared or {"type": None}])
    if last["type"] != "ByteLevel" or last["add_prefix_space"] or len(before) > 1:
        return None
    if not before:
        return "gpt-2" if last["use_regex"] else None
    (cut,) = before
    if cut["type"] == "Digits" and cut["individual_digits"] and last["use_regex"]:
        return "smollm"
    if cut["type"] != "Split" or cut["behavior"] != "Isolated" or last["use_regex"]:
        return None
    pattern = cut["pattern"].get("Regex")
    return next((way for way, known in GGUF_PRE_TOKENIZER_SPLITS.items() if known == pattern), None)
