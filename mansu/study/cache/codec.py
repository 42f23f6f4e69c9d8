"""Any result as JSON values and tensors, and back: one codec for every stage.

A result is a dataclass of numbers, texts, tensors, arrays, and dataclasses, tuples and dictionaries
(with text keys) of them. Tensors and arrays leave the tree under the path that led to them; what
remains is JSON. pydantic builds the result again by its type.
"""

from functools import cache
from typing import Any, TypeVar

import numpy as np
import torch
from pydantic import ConfigDict, TypeAdapter

T = TypeVar("T")
_TENSOR, _ARRAY, _RANGE, _SHORT = "$tensor", "$array", "$range", "$short"


def pack(kind: type[T], value: T) -> tuple[Any, dict[str, torch.Tensor]]:
    """A result as a JSON value and its tensors by path.

    Args:
        kind: The result's type.
        value: The result.
    """
    tensors: dict[str, torch.Tensor] = {}
    return _take_out(_adapter(kind).dump_python((value,))[0], "", tensors), tensors


def unpack(kind: type[T], tree: Any, tensors: dict[str, torch.Tensor]) -> T:
    """The result that :func:`pack` was given.

    Raises:
        ValueError: It is not one of that type.
        KeyError: A tensor is missing.
    """
    return _adapter(kind).validate_python((_put_back(tree, tensors),))[0]


@cache
def _adapter(kind: Any) -> TypeAdapter[tuple[Any]]:
    # Around a tuple, because a type that is a dataclass itself takes no configuration.
    around: Any = tuple.__class_getitem__(kind)
    return TypeAdapter(around, config=ConfigDict(arbitrary_types_allowed=True))


def _take_out(value: Any, path: str, tensors: dict[str, torch.Tensor]) -> Any:
    if isinstance(value, dict):
        return {key: _take_out(v, f"{path}/{key}", tensors) for key, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_take_out(v, f"{path}/{i}", tensors) for i, v in enumerate(value)]
    while path in tensors:  # keys that hold a slash
        path += "'"
    if isinstance(value, np.ndarray):
        tensors[path] = torch.tensor(value).contiguous()
        return {_ARRAY: path}
    if not isinstance(value, torch.Tensor):
        return value
    value = value.detach().cpu().contiguous()
    if value.dtype == torch.int64 and value.ndim == 1 and value.numel():
        if torch.equal(value, torch.arange(value.numel())):
            return {_RANGE: value.numel()}
        short = value.to(torch.int32)
        if torch.equal(short.long(), value):
            tensors[path] = short  # indices: half the file
            return {_SHORT: path}
    shared = {other.untyped_storage().data_ptr() for other in tensors.values()}
    # Two that share memory cannot lie in one file.
    tensors[path] = value.clone() if value.untyped_storage().data_ptr() in shared else value
    return {_TENSOR: path}


def _put_back(tree: Any, tensors: dict[str, torch.Tensor]) -> Any:
    if isinstance(tree, list):
        return [_put_back(value, tensors) for value in tree]
    if not isinstance(tree, dict):
        return tree
    match tree:
        case {"$tensor": path}:
            return tensors[path]
        case {"$array": path}:
            return tensors[path].numpy()
        case {"$short": path}:
            return tensors[path].long()
        case {"$range": count}:
            return torch.arange(count)
    return {key: _put_back(value, tensors) for key, value in tree.items()}
