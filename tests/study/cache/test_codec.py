"""Whatever a stage may return comes back from its file as it was."""

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mansu.study.cache.codec import pack, unpack
from mansu.study.cache.records import Stamp, read_result, write_result

DTYPES = [
    *(torch.float64, torch.float32, torch.float16, torch.bfloat16),
    *(torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8, torch.bool),
]
STAMP = Stamp("key", 0.0, 0)


@dataclass(frozen=True)
class Leaf:
    """Values of every plain kind beside a tensor."""

    name: str
    count: int
    share: float | None
    holds: bool
    tensor: torch.Tensor


@dataclass(frozen=True)
class Branch:
    """Everything that may hold something else."""

    leaves: tuple[Leaf, ...]
    by_name: dict[str, Leaf]
    nested: dict[str, dict[str, torch.Tensor]]
    array: np.ndarray
    best: Leaf | None
    values: list[float]
    pair: tuple[int, str]
    loose: dict[str, Any]


@st.composite
def tensors(draw: st.DrawFn) -> torch.Tensor:
    """Tensors of every dtype and of few dimensions, empty ones, views, and indices."""
    if draw(st.booleans()):
        ends = st.integers(-(2**63), 2**63 - 1)
        places = draw(
            st.integers(0, 20).map(lambda n: list(range(n)))
            | st.lists(st.integers(0, 40), max_size=5)
            | st.lists(ends | st.sampled_from([-(2**63), 2**31, -(2**31), 2**31 - 1]), max_size=4)
        )
        return torch.tensor(places, dtype=torch.int64)
    shape = draw(st.lists(st.integers(0, 3), max_size=3))
    dtype = draw(st.sampled_from(DTYPES))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 99)))
    made = (torch.randn(shape, generator=generator) * 50).to(dtype)
    if dtype.is_floating_point and made.numel() and draw(st.booleans()):
        made.view(-1)[0] = draw(st.sampled_from([math.nan, math.inf, -0.0]))
    return made.mT if made.ndim > 1 and draw(st.booleans()) else made


def arrays() -> st.SearchStrategy[np.ndarray]:
    """Arrays of the kinds that metrics return, some not in C's order."""
    kinds = st.sampled_from([np.float64, np.float32, np.int64, np.bool_])
    shapes = st.lists(st.integers(0, 3), max_size=2)

    def make(kind: type, shape: list[int]) -> np.ndarray:
        return np.arange(math.prod(shape)).reshape(shape).astype(kind).T

    return st.builds(make, kinds, shapes)


numbers = st.floats(allow_nan=False, allow_infinity=False)
leaves = st.builds(Leaf, st.text(), st.integers(), st.none() | numbers, st.booleans(), tensors())
# A key that starts with $ is the codec's own.
keys = st.text(max_size=6).filter(lambda key: not key.startswith("$"))
loose = st.recursive(
    st.none() | st.booleans() | st.integers() | numbers | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=6,
)
branches = st.builds(
    Branch,
    st.lists(leaves, max_size=3).map(tuple),
    st.dictionaries(keys, leaves, max_size=3),
    st.dictionaries(keys, st.dictionaries(keys, tensors(), max_size=2), max_size=3),
    arrays(),
    st.none() | leaves,
    st.lists(numbers, max_size=3),
    st.tuples(st.integers(), st.text()),
    st.dictionaries(keys, loose, max_size=3),
)


def assert_same(found: Any, given: Any) -> None:
    """Of the same type and the same to the last bit."""
    assert type(found) is type(given)
    if dataclasses.is_dataclass(given):
        for field in dataclasses.fields(given):
            assert_same(getattr(found, field.name), getattr(given, field.name))
    elif isinstance(given, dict):
        assert list(found) == list(given)
        for key, value in given.items():
            assert_same(found[key], value)
    elif isinstance(given, (list, tuple)):
        assert len(found) == len(given)
        for one, other in zip(found, given, strict=True):
            assert_same(one, other)
    elif isinstance(given, torch.Tensor):
        assert (found.dtype, found.shape) == (given.dtype, given.shape)
        assert torch.equal(bits(found), bits(given))
    elif isinstance(given, np.ndarray):
        assert (found.dtype, found.shape) == (given.dtype, given.shape)
        assert np.array_equal(found, given)
    else:
        assert found == given


def bits(tensor: torch.Tensor) -> torch.Tensor:
    """The bytes of a tensor, in which NaN equals NaN and 0 is not -0."""
    return tensor.contiguous().flatten().view(torch.uint8)


SAME_PATH = {"a": {"b/c": torch.zeros(2)}, "a/b": {"c": torch.ones(3)}}
PLAIN = Branch((), {}, SAME_PATH, np.array(3.0), None, [], (0, "é"), {})
TURNED = dataclasses.replace(PLAIN, array=np.arange(6.0).reshape(2, 3).T)
ONE = torch.arange(6.0)
SHARED = dataclasses.replace(PLAIN, nested={"a": {"x": ONE, "y": ONE, "z": ONE[1:4]}})


@settings(deadline=None, max_examples=150)
@example(PLAIN)
@example(SHARED)
@example(TURNED)
@given(branches)
def test_any_result_comes_back_from_its_file(tmp_path_factory, value):
    path = tmp_path_factory.getbasetemp() / "codec.safetensors"
    write_result(path, *pack(Branch, value), STAMP)
    record = read_result(path)
    assert record is not None
    assert_same(unpack(Branch, record.tree, record.tensors), value)


@settings(deadline=None)
@given(loose)
def test_any_result_without_tensors_comes_back_from_json(tmp_path_factory, value):
    path = tmp_path_factory.getbasetemp() / "codec.json"
    tree, found = pack(dict[str, Any], {"value": value})
    assert found == {}
    write_result(path, tree, {}, STAMP)
    record = read_result(path)
    assert record is not None
    assert_same(unpack(dict[str, Any], record.tree, {}), {"value": value})


@given(st.sets(st.integers(0, 2**40)) | st.integers(0, 50).map(lambda n: set(range(n))))
def test_an_index_comes_back_as_it_was(places):
    index = torch.tensor(sorted(places), dtype=torch.int64)
    assert_same(unpack(torch.Tensor, *pack(torch.Tensor, index)), index)


def test_a_whole_matrix_is_stored_as_its_size_and_a_part_in_half_the_bytes():
    _, whole = pack(torch.Tensor, torch.arange(1000))
    assert whole == {}
    part = torch.arange(1, 1000)
    (stored,) = pack(torch.Tensor, part)[1].values()
    assert stored.nbytes * 2 == part.nbytes


@pytest.mark.parametrize(
    "tree",
    [
        None,
        [],
        {},
        {"name": "x", "count": 1, "share": None, "holds": True},
        {"name": "x", "count": "many", "share": None, "holds": True, "tensor": {"$range": 3}},
        {"name": "x", "count": 1, "share": None, "holds": True, "tensor": {"$tensor": "/gone"}},
        {"name": "x", "count": 1, "share": None, "holds": True, "tensor": [1, 2]},
    ],
)
def test_what_is_no_result_of_the_type_is_refused(tree):
    with pytest.raises((ValueError, KeyError)):
        unpack(Leaf, tree, {})
