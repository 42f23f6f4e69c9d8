"""What a model cannot be asked is refused, naming fact and template."""

import dataclasses

import pytest
from tokenizers import Tokenizer, models, normalizers
from transformers import PreTrainedTokenizerFast

from mansu.data.facts import Fact, load_fact_set
from mansu.data.fitting import check_fits
from mansu.errors import InputError

LETTERS = "abcdefghijklmnopqrstuvwxyzGTRW"
GRASS = Fact("grass", "grass", "green", ("red", "blue", "white"), "train")
SNOW = Fact("snow", "snow", "white", ("a", "b", "c"), "train")


def by_letter(*changes: normalizers.Normalizer) -> PreTrainedTokenizerFast:
    """One token a letter; whatever is no letter is dropped."""
    tokenizer = Tokenizer(models.BPE({letter: i for i, letter in enumerate(LETTERS)}, []))
    tokenizer.normalizer = normalizers.Sequence([*changes])  # pyright: ignore
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer)


def asked(*facts: Fact):
    """The facts under the template ``The colour of {subject} is``."""
    template = dataclasses.replace(load_fact_set("elements").seen[0], id="t")
    template = dataclasses.replace(template, text="The colour of {subject} is")
    return dataclasses.replace(load_fact_set("elements"), facts=facts, templates=(template,))


def refused(*facts: Fact, tokenizer=None, rows=100, context=None) -> str:
    with pytest.raises(InputError) as told:
        check_fits(asked(*facts), tokenizer or by_letter(), rows, context)
    assert "template 't'" in str(told.value)
    return str(told.value)


def test_a_set_that_fits_is_accepted_up_to_its_last_token():
    longest = len("Thecolourofgrassis") + len("green")
    check_fits(asked(SNOW, GRASS), by_letter(), len(LETTERS), longest)
    assert "have 23 tokens, and the model reads 22" in refused(SNOW, GRASS, context=longest - 1)


@pytest.mark.parametrize("change", [{"answer": "緑"}, {"distractors": ("red", "緑", "white")}])
def test_an_option_that_tokenizes_to_nothing_is_refused(change):
    told = refused(SNOW, dataclasses.replace(GRASS, **change))
    assert "fact 'grass'" in told
    assert "option '緑' tokenizes to nothing" in told


@pytest.mark.parametrize(
    ("options", "change"),
    [
        (("green", "Green"), normalizers.Lowercase()),
        (("green", "g r e e n"), normalizers.Replace(" ", "")),
        (("green", "gréen"), normalizers.Sequence([normalizers.NFD(), normalizers.StripAccents()])),
    ],
)
def test_options_that_are_the_same_tokens_are_refused(options, change):
    answer, distractor = options
    fact = dataclasses.replace(GRASS, answer=answer, distractors=("red", distractor, "blue"))
    told = refused(fact, tokenizer=by_letter(change))
    assert f"options {answer!r} and {distractor!r} are the same tokens" in told


def test_two_subjects_that_are_the_same_tokens_are_refused():
    told = refused(GRASS, dataclasses.replace(GRASS, id="lawn", subject="grass草"))
    assert "fact 'lawn'" in told
    assert "prompt is that of the fact 'grass'" in told


def test_a_token_without_an_embedding_is_refused():
    told = refused(GRASS, SNOW, rows=LETTERS.index("T"))
    assert f"token {LETTERS.index('T')}, and the model has embeddings for" in told
    assert "tokenizer files" in told


def test_the_longest_option_of_each_fact_counts_with_its_own_prompt():
    long = dataclasses.replace(SNOW, distractors=("a", "b", "w" * 40))
    assert "fact 'snow'" in refused(GRASS, long, context=50)
