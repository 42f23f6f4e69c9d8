import torch

from mansu.models import pad


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
