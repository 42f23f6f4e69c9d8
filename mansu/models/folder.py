"""What a model's folder says of it before any weight is loaded."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from transformers import AutoConfig, PretrainedConfig

from mansu.errors import InputError, first_line
from mansu.models.families import Family, family_named

INDEX = "model.safetensors.index.json"
# Where a configuration says how its weights are quantized: everybody, of old, and MLX.
SCHEMES = ("quantization_config", "compression_config", "quantization")
# How safetensors calls what holds a weight itself; masks are BOOL.
NOT_CODES = ("F64", "F32", "F16", "BF16", "BOOL")


def read_config(folder: Path) -> PretrainedConfig:
    """The model's configuration; its family and how its weights are stored are checked.

    Raises:
        InputError: The configuration is missing, unreadable, or of an unsupported architecture; or
            the weights are quantized or damaged.
    """
    file = folder / "config.json"
    if not file.is_file():
        raise InputError(f"{folder} has no config.json; give the folder of a saved model.")
    try:
        declared = json.loads(file.read_text(encoding="utf-8"))
        model_type = declared["model_type"]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        if file.read_bytes().startswith(b"\xef\xbb\xbf"):
            raise InputError(
                f"{file} begins with a byte order mark; save it as UTF-8 without."
            ) from error
        raise InputError(f"{file} is not a model configuration; save the model again.") from error
    family_named(model_type)
    for part in (declared, declared.get("text_config")):
        for key in SCHEMES if isinstance(part, Mapping) else ():
            if part.get(key):
                raise _quantized(folder, _name(part[key]))
    try:
        config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
        text = config.get_text_config()
        padding = getattr(text, "pad_token_id", None)
        if padding is not None and not -text.vocab_size <= padding < text.vocab_size:
            text.pad_token_id = None  # the model would not be built, and nothing here reads it
    except Exception as error:  # whatever the architecture's own checks raise
        raise InputError(
            f"{file} does not describe a model of type '{model_type}' ({first_line(error)}); fetch "
            "it again."
        ) from error
    _check_storage(folder)
    return config


def context_of(config: PretrainedConfig) -> int | None:
    """How many tokens a decoder reads at most, with the same result however they are batched.

    Above their original context, models with ``longrope`` or ``dynamic`` rotary scaling turn
    every position otherwise; what they say then depends on what else was read.
    """
    limits = [getattr(config, "max_position_embeddings", None)]
    scaling: Any = getattr(config, "rope_parameters", None) or {}
    for kind in (scaling, *scaling.values()):  # one for all layers, or one a type of layer
        if isinstance(kind, dict) and kind.get("rope_type") == "longrope":
            limits.append(kind.get("original_max_position_embeddings"))
    return min((limit for limit in limits if limit is not None), default=None)


def row_lengths(config: PretrainedConfig) -> set[int]:
    """How long the rows of a decoder's matrices are: how many inputs each of them has."""
    heads = config.num_attention_heads * Family.head_size(config)
    return {config.hidden_size, config.intermediate_size, heads}


def weight_files(folder: Path) -> list[Path]:
    """The files that the weights are read from; a folder may hold the same weights twice.

    Raises:
        InputError: There are none, or their index is damaged.
    """
    index = folder / INDEX
    if index.is_file() and not (folder / "model.safetensors").is_file():
        try:
            names = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
            return [folder / name for name in sorted(names)]
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise InputError(f"{index} is damaged; fetch the model again.") from error
    return [path for path in [folder / "model.safetensors"] if path.is_file()]


def _check_storage(folder: Path) -> None:
    """Refuses weights that are stored as codes, by the files' headers alone.

    Raises:
        InputError: They are, or a file is damaged.
    """
    for path in filter(Path.is_file, weight_files(folder)):
        try:
            with safe_open(path, framework="pt") as stored:
                kinds = {name: stored.get_slice(name).get_dtype() for name in stored.keys()}  # noqa: SIM118 (not a dictionary)
        except (OSError, SafetensorError) as error:
            raise InputError(
                f"{path} is damaged ({first_line(error)}); fetch the model again."
            ) from error
        for name, kind in kinds.items():
            # A vision tower may number its positions in integers; a decoder block holds weights.
            if kind not in NOT_CODES and (".layers." in name or "weight" in name):
                raise _quantized(folder, f"{name} is stored as {kind}")


def _name(scheme: Any) -> str:
    """What a configuration says of its quantization: ``bitsandbytes nf4``, ``gptq 4-bit``, …."""
    if not isinstance(scheme, Mapping):
        return "by an unknown method"
    if scheme.get("load_in_4bit"):
        return f"bitsandbytes {scheme.get('bnb_4bit_quant_type', 'fp4')}"
    if scheme.get("load_in_8bit"):
        return "bitsandbytes int8"
    bits = scheme.get("bits")
    kind = f"{bits}-bit" if bits else scheme.get("format", "")
    return f"{scheme.get('quant_method', 'by an unknown method')} {kind}".strip()


def _quantized(folder: Path, how: str) -> InputError:
    return InputError(f"The model in {folder} is quantized ({how}); give the full-precision model.")
