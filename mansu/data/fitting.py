"""Whether a model can be asked a fact set's questions: told from its tokenizer, before any work."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from mansu.data.encoding import encode, token_ids
from mansu.data.facts import FactSet
from mansu.data.items import Item
from mansu.data.templates import Fact
from mansu.errors import InputError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Tokens = tuple[int, ...]


def check_fits(
    fact_set: FactSet,
    tokenizer: "PreTrainedTokenizerBase",
    rows: int,
    context: int | None,
    written: int = 0,
) -> None:
    """Refuses a set with a fact that a model cannot be asked in some wording.

    Every prompt is tried; every continuation is tried once behind every template, with the first
    fact that offers it.

    Args:
        fact_set: The set.
        tokenizer: The model's tokenizer.
        rows: How many tokens the model has an embedding for.
        context: How many tokens it reads at most; None where nothing limits it.
        written: How many tokens it is to write behind a prompt.

    Raises:
        InputError: naming fact, template and what does not fit.
    """
    for template in fact_set.templates:
        offered_by: dict[str, Fact] = {}
        for fact in fact_set.facts:
            for option in fact.options:
                offered_by.setdefault(template.follow(fact, option), fact)
        tails = {
            text: encode(tokenizer, template.render(fact), text)
            for text, fact in offered_by.items()
        }
        asked: dict[Tokens, Fact] = {}
        for fact in fact_set.facts:
            prompt = token_ids(tokenizer, template.render(fact))
            said = [template.follow(fact, option) for option in fact.options]
            options = {text.strip(): tails[text].continuation_ids for text in said}
            misfits = _misfits(prompt, options, asked.get(prompt), rows, context, written)
            for misfit in misfits:
                raise _refusal(fact_set, fact.id, template.id, misfit)
            asked[prompt] = fact


def check_items(
    fact_set: FactSet,
    items: Sequence[Item],
    tokenizer: "PreTrainedTokenizerBase",
    rows: int,
    context: int | None,
) -> None:
    """Refuses a set of which a model cannot be asked one of the items, as :func:`check_fits` does.

    Two items may have one prompt here: whoever names an answer may ask for several subjects.
    """
    tails: dict[tuple[str, str], Tokens] = {}
    for item in items:
        for text in item.options:
            if (item.template_id, text) not in tails:
                encoded = encode(tokenizer, item.prompt, text)
                tails[item.template_id, text] = encoded.continuation_ids
        options = {text.strip(): tails[item.template_id, text] for text in item.options}
        prompt = token_ids(tokenizer, item.prompt)
        for misfit in _misfits(prompt, options, None, rows, context, written=0):
            raise _refusal(fact_set, item.fact_id, item.template_id, misfit)


def _refusal(fact_set: FactSet, fact: str, template: str, misfit: str) -> InputError:
    return InputError(
        f"{fact_set.path}: the fact {fact!r} cannot be asked with template {template!r}: {misfit}, "
        "or choose another model."
    )


def check_reads(
    texts: Sequence[Tokens], where: str, rows: int, context: int | None, written: int = 0
) -> None:
    """Refuses texts that a model cannot read whole, or of which no token has one before it.

    Args:
        texts: The texts' token ids; no message quotes one.
        where: What they are called.
        rows: How many tokens the model has an embedding for.
        context: How many tokens it reads at most; None where nothing limits it.
        written: How many tokens it is to write behind each.

    Raises:
        InputError: naming the text by its number, from 0, and what does not fit.
    """
    for number, tokens in enumerate(texts):
        behind = f" and {written:,} are to follow" if written else ""
        misfits = {
            "it has fewer than two tokens; leave it out": len(tokens) < 2,
            f"it has {len(tokens):,} tokens{behind}, and the model reads {context or 0:,} at most; "
            f"{'lower reply_tokens' if written else 'shorten it'}": context is not None
            and len(tokens) + written > context,
            "the tokenizer and the model do not belong together; restore the model's own tokenizer "
            "files": max(tokens, default=0) >= rows,
        }
        for misfit, is_so in misfits.items():
            if is_so:
                raise InputError(
                    f"{where} number {number} cannot be read: {misfit}, or choose another model."
                )


def _misfits(
    prompt: Tokens,
    options: Mapping[str, Tokens],
    same: Fact | None,
    rows: int,
    context: int | None,
    written: int,
) -> Iterator[str]:
    """What does not fit, with the way out."""
    if not prompt:
        yield "its prompt tokenizes to nothing; change it"
    first: dict[Tokens, str] = {}
    for option, tokens in options.items():
        if not tokens:
            yield f"its option {option!r} tokenizes to nothing; change the option"
        if tokens in first:
            yield (
                f"its options {first[tokens]!r} and {option!r} are the same tokens; change one of "
                "them"
            )
        first[tokens] = option
    if same is not None:
        yield f"in tokens its prompt is that of the fact {same.id!r}; change one of the subjects"
    highest = max(max(tokens) for tokens in (prompt, *options.values()))
    if highest >= rows:
        yield (
            f"the tokenizer gives token {highest:,}, and the model has embeddings for {rows:,}, so "
            "the two do not belong together; restore the model's own tokenizer files"
        )
    longest = max(map(len, options.values()))
    length = len(prompt) + max(longest, written)
    if context is not None and length > context:
        what = "longest option" if longest >= written else "what is to be written"
        yield (
            f"prompt and {what} have {length:,} tokens, and the model reads {context:,} at most; "
            "shorten them"
        )
