import pytest
from tokenizers import processors
from tokenizers_by_hand import appending, by_hand

from mansu.data.encoding import Encoded, encode, token_ids

# Ids of the tokenizers below: a = 0, b = 1, space = 2, then the merges.


def test_the_continuation_is_what_follows_the_prompt_in_the_joint_encoding():
    assert encode(by_hand((" ", "b")), "a", " b") == Encoded((0,), (3,))


@pytest.mark.parametrize("prompt", ["a ", "a  "])
def test_spaces_at_the_end_of_the_prompt_go_to_the_continuation(prompt):
    tokenizer = by_hand((" ", "b"))
    spaces = len(prompt) - 1
    assert encode(tokenizer, prompt, "b") == encode(tokenizer, "a", " " * spaces + "b")


def test_a_token_across_the_boundary_is_cut_where_the_prompt_alone_would_end():
    # Jointly "a b" is ["a ", "b"]; the prompt alone is ["a"], so the first joint token is skipped.
    assert encode(by_hand(("a", " ")), "a", " b") == Encoded((0,), (1,))


def test_a_continuation_swallowed_by_the_prompt_has_no_tokens():
    assert encode(by_hand(("a", " "), ("a ", "b")), "a", " b").continuation_ids == ()


def test_the_begin_token_is_added_once_and_only_to_the_prompt():
    tokenizer = by_hand(alphabet="ab ^")
    tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single="^ $A", special_tokens=[("^", 3)]
    )
    assert encode(tokenizer, "a", " b") == Encoded((3, 0), (2, 1))


@pytest.mark.parametrize("text", ["a b", "ab<end>", "<end>", "<begin>a<end> b"])
def test_what_the_tokenizer_appends_is_left_out_and_what_the_text_says_is_not(text):
    plain = appending(by_hand((" ", "b")), "$A")
    wanted = encode(plain, "a", text)
    assert encode(appending(plain, "$A <end>"), "a", text) == wanted
    begin = plain.convert_tokens_to_ids("<begin>")
    both = encode(appending(plain, "<begin> $A <end>"), "a", text)
    assert both == Encoded((begin, *wanted.prompt_ids), wanted.continuation_ids)


def test_a_text_that_leaves_no_token_has_none():
    assert token_ids(appending(by_hand(), "<begin> $A <end>"), "xyz") == ()


def test_an_empty_prompt_leaves_everything_to_the_continuation():
    assert encode(by_hand(), "", "ab") == Encoded((), (0, 1))


def test_a_byte_level_tokenizer_keeps_every_byte_of_prompt_and_continuation(tokenizer):
    encoded = encode(tokenizer, "The symbol for Zürich – ", "n/a 漢")
    ids = [*encoded.prompt_ids, *encoded.continuation_ids]
    assert tokenizer.decode(ids) == "The symbol for Zürich – n/a 漢"
