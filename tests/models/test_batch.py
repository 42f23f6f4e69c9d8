import torch
from hypothesis import given
from hypothesis import strategies as st

from mansu.models import pad
from mansu.models.batch import BATCH_ROWS, BATCH_TOKENS, cuts, largest_cut

lengths = st.lists(st.integers(1, 3 * BATCH_TOKENS), max_size=100)


def test_positions_count_the_tokens_of_each_row_on_either_side_of_the_padding():
    right = pad([(5, 6, 7), (8,)], pad_id=0)
    left = pad([(5, 6, 7), (8,)], pad_id=0, side="left")
    assert right.input_ids.tolist() == [[5, 6, 7], [8, 0, 0]]
    assert left.input_ids.tolist() == [[5, 6, 7], [0, 0, 8]]
    assert right.position_ids.tolist() == [[0, 1, 2], [0, 0, 0]]
    assert left.position_ids.tolist() == [[0, 1, 2], [0, 0, 0]]
    assert right.last.tolist() == [2, 0]
    assert left.last.tolist() == [2, 2]
    assert left.attention_mask.tolist() == [[1, 1, 1], [0, 0, 1]]


def test_hidden_states_do_not_depend_on_the_side_of_the_padding(each_tiny):
    rows = [(40, 50, 60, 70), (41, 51)]
    right, left = (pad(rows, each_tiny.pad_id, side=side) for side in ("right", "left"))
    with torch.no_grad():
        a, b = each_tiny.hidden(right), each_tiny.hidden(left)
    torch.testing.assert_close(a[1, :2], b[1, 2:], atol=1e-5, rtol=1e-4)


@given(lengths)
def test_batches_hold_every_row_once_in_order_and_none_is_too_large_but_a_row_alone(lengths):
    batches = [lengths[rows] for rows in cuts(lengths)]
    assert [length for batch in batches for length in batch] == lengths
    for batch in batches:
        assert 1 <= len(batch) <= BATCH_ROWS
        assert len(batch) == 1 or len(batch) * max(batch) <= BATCH_TOKENS


@given(lengths.filter(bool))
def test_a_batch_is_closed_only_where_the_next_row_would_not_fit_it(lengths):
    for rows in cuts(lengths):
        grown = lengths[rows.start : rows.stop + 1]
        if rows.stop < len(lengths):
            assert len(grown) > BATCH_ROWS or len(grown) * max(grown) > BATCH_TOKENS
    rows, tokens = largest_cut(lengths)
    assert tokens == max(len(lengths[cut]) * max(lengths[cut]) for cut in cuts(lengths))
    assert rows <= BATCH_ROWS
    assert tokens % rows == 0


def test_short_prompts_fill_a_batch_of_rows():
    assert [*cuts([20] * 70)] == [slice(0, 32), slice(32, 64), slice(64, 70)]
