"""An adapter's folder, as peft writes it: a small update to be merged into its base model."""

import json
import warnings
from pathlib import Path

from safetensors import SafetensorError, safe_open
from transformers import PreTrainedModel

from mansu.errors import InputError, first_line
from mansu.models.fingerprint import hash_file, hash_files
from mansu.models.loading import find_model, fingerprint
from mansu.paths import expand

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"


def is_adapter(folder: Path) -> bool:
    """Whether a folder holds an adapter and no model of its own."""
    return (folder / CONFIG).is_file() and not (folder / "config.json").is_file()


def adapter_fingerprint(folder: Path) -> str:
    """SHA-256 over an adapter's files."""
    return hash_files([folder / CONFIG, folder / WEIGHTS])


def require_base(folder: Path, name: str) -> None:
    """Refuses an adapter that was trained on another model, as far as it says on which.

    Args:
        folder: The adapter's.
        name: The model that it is to be merged into.

    Raises:
        InputError: It was trained on another, or its files are missing or damaged.
    """
    if not (folder / WEIGHTS).is_file():
        raise InputError(f"{folder} has no {WEIGHTS}; save the adapter as safetensors.")
    try:
        with safe_open(folder / WEIGHTS, framework="pt") as stored:
            stored.keys()
    except (OSError, SafetensorError) as error:
        raise InputError(
            f"{folder / WEIGHTS} is damaged ({first_line(error)}); save the adapter again."
        ) from error
    try:
        base = json.loads((folder / CONFIG).read_text(encoding="utf-8"))["base_model_name_or_path"]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise InputError(f"{folder / CONFIG} is damaged; save the adapter again.") from error
    if base and not _is_same(str(base), name):
        raise InputError(
            f"The adapter in {folder} was trained on {base}, not on {name}; give that model as the "
            f"original, or, where it is the same one, its name as base_model_name_or_path in "
            f"{CONFIG}."
        )


def require_mergeable(folder: Path, skeleton: PreTrainedModel) -> None:
    """Refuses an adapter that cannot be merged into its base, as far as shapes tell.

    Some kinds begin at the base's own values (PiSSA, for one); those are told of when it is merged.

    Args:
        folder: The adapter's.
        skeleton: The base without values; it changes.

    Raises:
        InputError: It is one.
    """
    try:
        with warnings.catch_warnings(action="ignore"):  # of weights that have no values
            merge(folder, skeleton)
    except InputError as error:
        cause = error.__cause__
        if not isinstance(cause, RuntimeError) or "size mismatch" in str(cause):
            raise


def merge(folder: Path, module: PreTrainedModel) -> PreTrainedModel:
    """A model with an adapter merged into its weights, which change.

    Raises:
        InputError: The adapter does not fit the model, or is damaged.
    """
    from peft import PeftModel

    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("error", ".*missing adapter keys")  # peft would go on without
            merged = PeftModel.from_pretrained(module, str(folder)).merge_and_unload()  # pyright: ignore
    except Exception as error:  # every kind of adapter has errors of its own
        raise InputError(
            f"The adapter in {folder} cannot be merged into the original ({first_line(error)}); "
            "give the model it was trained on, or merge it and give the merged model."
        ) from error
    return merged.requires_grad_(False).eval()  # pyright: ignore


def _is_same(base: str, name: str) -> bool:
    """Whether two names are of one model: the same files where both are here, or the same name."""
    if expand(base).is_dir() or base.count("/") != 1:
        try:
            here = find_model(base), find_model(name)
        except InputError:
            return Path(base).name in Path(name).parts
        if not (here[0] / "config.json").is_file():
            return False
        configs = [hash_file(folder / "config.json") for folder in here]
        return configs[0] == configs[1] and fingerprint(base) == fingerprint(name)
    owned = base.replace("/", "--")  # as the hub's own cache names it
    found = str(find_model(name, weights=False))
    return base == name or owned in found or base.split("/")[1] in Path(found).parts
