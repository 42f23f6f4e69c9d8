"""Loads a model by name: packaged, tiny, a local folder or GGUF file, or a hub id."""

from functools import lru_cache
from pathlib import Path

import torch
from huggingface_hub import snapshot_download
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from transformers.utils.logging import disable_progress_bar

from mansu.errors import InputError, RunError, first_line
from mansu.models.completeness import require_weights
from mansu.models.families import family_of
from mansu.models.fingerprint import hash_files
from mansu.models.folder import read_config, weight_files
from mansu.models.language_model import LanguageModel
from mansu.models.packaged import gguf_folder, packaged_folder
from mansu.models.recipes import PACKAGED, TINY, is_gguf, taught
from mansu.models.taught import taught_folder
from mansu.models.tiny import tiny_folder
from mansu.paths import expand

# Progress bars belong to the caller; transformers would draw its own into every notebook.
disable_progress_bar()

# Weights, configuration, tokenizer and chat templates, and nothing that could carry code.
HUB_FILES = ["*.json", "*.safetensors", "*.model", "*.txt", "*.jinja"]
# The same weights once more, in other forms: whatever lies in a folder but further templates.
NOT_FETCHED = ["consolidated*", *(f"*/{kind}" for kind in HUB_FILES if kind != "*.jinja")]


def find_model(name: str, weights: bool = True) -> Path:
    """The local folder that holds a model, converted or downloaded first where necessary.

    Args:
        name: A packaged or tiny model's name, a local folder or GGUF file, or a hub id such as
            ``owner/model``; with ``+verbatim`` behind it, the same model taught a poem's passages.
        weights: False leaves the weights where they are, or unmade, and gives the rest.

    Raises:
        InputError: Nothing of that name can be had, or its file is damaged.
    """
    base, lesson = taught(name)
    if lesson:
        learner = find_model(base, weights)
        if weights:
            require_weights(learner)
        return taught_folder(learner, lesson, weights)
    if name in PACKAGED:
        return packaged_folder(name, weights)
    if name in TINY:
        return tiny_folder(name, weights)
    folder = expand(name)
    if is_gguf(name) and folder.is_file():
        return gguf_folder(folder, weights)
    if folder.is_dir():
        return folder
    if name.count("/") == 1 and not name.startswith((".", "/", "~", "$")):
        try:
            wanted = [p for p in HUB_FILES if weights or "safetensors" not in p]
            return Path(snapshot_download(name, allow_patterns=wanted, ignore_patterns=NOT_FETCHED))
        except (OSError, ValueError) as error:
            raise InputError(
                f"Model '{name}' is not a folder here and could not be had from the hub "
                f"({type(error).__name__}); check the name and the connection, or give a folder."
            ) from error
    known = ", ".join([*PACKAGED, *TINY])
    raise InputError(
        f"Unknown model '{name}'; give one of {known}, a local folder or GGUF "
        "file, or a hub id (owner/model)."
    )


def require_model(name: str) -> None:
    """Refuses a model in a user's own folder whose weights are not all there; none is read.

    What is fetched, converted or trained for a run is whole once it is had.

    Raises:
        InputError: As :func:`mansu.models.completeness.require_weights`.
    """
    base, _ = taught(name)
    folder = expand(base)
    if base not in PACKAGED and base not in TINY and folder.is_dir():
        require_weights(folder)


def is_available(device: str) -> bool:
    """Whether this machine can compute on a device."""
    try:
        torch.ones(1, device=device).item()
    except (RuntimeError, AssertionError):
        return False
    return True


def load_model(
    name: str,
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float32,
) -> LanguageModel:
    """Loads a frozen language model and its tokenizer.

    Args:
        name: See :func:`find_model`.
        device: Where the weights go.
        dtype: What the weights are held in; float32 is "full precision" on a CPU.

    Raises:
        InputError: No such model, an unsupported architecture, or missing or damaged files.
    """
    folder = find_model(name)
    config = read_config(folder)
    tokenizer = load_tokenizer(folder)
    module = load_module(folder, device, dtype)
    found = _hash(folder, weight_files(folder))
    return LanguageModel(name, module, tokenizer, family_of(config), found)


def load_module(folder: Path, device: torch.device | str, dtype: torch.dtype) -> PreTrainedModel:
    """The frozen model in a folder, without its tokenizer.

    Raises:
        InputError: An unsupported architecture, missing or damaged files, or weights that are not
            finite.
        RunError: It does not fit into memory.
    """
    config = read_config(folder)
    require_weights(folder)
    try:
        module = AutoModelForCausalLM.from_pretrained(
            folder,
            config=config,
            dtype=dtype,
            trust_remote_code=False,
            use_safetensors=True,
        )
        module.to(device)  # pyright: ignore
    except Exception as error:  # whatever an architecture raises on weights that do not fit it
        if isinstance(error, MemoryError | torch.OutOfMemoryError) or "allocate" in str(error):
            raise RunError(
                f"The model in {folder} does not fit into the memory of '{device}' "
                f"({first_line(error)}); `mansu plan` prints what a run needs."
            ) from error
        raise InputError(
            f"The model in {folder} is damaged or incomplete ({first_line(error)}); fetch or save "
            "it again."
        ) from error
    for name, weight in module.named_parameters():
        # Either end is not a number where any weight is none; nothing of the matrix's size is made.
        if not torch.stack(weight.aminmax()).isfinite().all():
            raise InputError(
                f"{name} in {folder} holds values that are not finite in "
                f"{str(dtype).removeprefix('torch.')}; fetch or save the model again, or give "
                "another dtype."
            )
    return module.requires_grad_(False).eval()


def fingerprint(name: str) -> str:
    """SHA-256 over a model's configuration, tokenizer and weight files."""
    folder = find_model(name)
    require_weights(folder)
    return _hash(folder, weight_files(folder))


def _hash(folder: Path, weights: list[Path]) -> str:
    return hash_files([folder / "config.json", *sorted(folder.glob("tokenizer*")), *weights])


def load_tokenizer(folder: Path) -> PreTrainedTokenizerBase:
    """The tokenizer of a model's folder, one object for as long as its files stay as they are.

    Raises:
        InputError: There is none, or it is damaged.
    """
    files = [(p.name, p.stat()) for p in sorted(folder.iterdir()) if p.is_file()]
    return _tokenizer(folder, tuple((name, s.st_size, s.st_mtime_ns) for name, s in files))


@lru_cache(maxsize=8)
def _tokenizer(folder: Path, _files: tuple[tuple[str, int, int], ...]) -> PreTrainedTokenizerBase:
    try:
        return AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
    except Exception as error:  # the libraries of old kinds of tokenizers raise what they like
        raise InputError(
            f"The tokenizer in {folder} is missing or damaged ({first_line(error)}); fetch or save "
            "the model with its tokenizer again."
        ) from error
