import torch
from hypothesis import given
from hypothesis import strategies as st
from mansu.study.stages.indices import lengthen, shorten


@given(st.sets(st.integers(0, 2**40)) | st.integers(0, 50).map(lambda n: set(range(n))))
def test_an_index_comes_back_as_it_was(places):
    index = torch.tensor(sorted(places), dtype=torch.int64)
    assert torch.equal(lengthen(shorten(index)), index)
    assert lengthen(shorten(index)).dtype == torch.int64


def test_a_whole_matrix_is_stored_as_its_size_and_a_part_in_half_the_bytes():
    assert shorten(torch.arange(1000)).shape == ()
    part = torch.arange(1, 1000)
    assert shorten(part).nbytes * 2 == part.nbytes
