"""Questions that run together are all there, once, and what they share is read once."""

from hypothesis import given
from hypothesis import strategies as st

from mansu.metrics.batching import BATCH_PROMPTS, Prompts, batch_prompts, batch_tails

SOME = st.lists(st.integers(0, 3), min_size=1, max_size=9).map(tuple)


@given(st.lists(SOME, min_size=1, max_size=120), st.booleans())
def test_every_prompt_is_in_one_batch_and_goes_on_behind_what_is_shared(prompts, exact):
    batches = batch_prompts(prompts, exact)
    found = [prompt for batch in batches for prompt in batch.tokens]
    assert sorted(found) == sorted(set(prompts))
    for batch in batches:
        assert 1 <= len(batch.tokens) <= BATCH_PROMPTS
        assert len({prompt[: batch.shared] for prompt in batch.tokens}) == 1
        assert all(len(prompt) > batch.shared for prompt in batch.tokens)
        if exact:
            assert batch.shared == 0
            assert len(set(map(len, batch.tokens))) == 1


def test_prompts_of_one_template_share_a_batch_and_their_beginning() -> None:
    asked = [(1, 2, 3, 4, n, *[5] * (n % 3)) for n in range(40)]
    named = [(n + 50, 7, 8) for n in range(40)]
    batches = batch_prompts([*asked, *named], exact=False)
    assert [(len(batch.tokens), batch.shared) for batch in batches] == [
        *((32, 4), (8, 4)),
        *((32, 0), (8, 0)),
    ]


def test_a_single_prompt_and_one_that_another_begins_with_keep_a_token() -> None:
    assert Prompts.of([(1, 2, 3)], sharing=True).shared == 0
    assert Prompts.of([(1, 2), (1, 2, 3)], sharing=True).shared == 1


@given(st.lists(st.tuples(st.integers(0, 5), SOME), max_size=60, unique=True))
def test_every_tail_is_in_one_group_of_about_its_length(tails):
    groups = batch_tails(tails)
    assert sorted(tail for group in groups for tail in group) == sorted(tails)
    for group in groups:
        lengths = [len(tokens) for _, tokens in group]
        assert max(lengths) < 2 * min(lengths)
