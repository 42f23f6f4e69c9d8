"""Loads a model by name: packaged, tiny, a local folder, or a hub id."""

import json
from pathlib import Path

import torch
from huggingface_hub import snapshot_download
from safetensors import SafetensorError
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer
from transformers.utils.logging import disable_progress_bar

from mansu.errors import InputError
from mansu.models.families import family_of
from mansu.models.fingerprint import hash_files
from mansu.models.language_model import LanguageModel
from mansu.models.packaged import PACKAGED, packaged_folder
from mansu.models.tiny import TINY, tiny_folder

# Progress bars belong to the caller; transformers would draw its own into every notebook.
disable_progress_bar()

# Weights, configuration and tokenizer, and nothing that could carry code.
HUB_FILES = ["*.json", "*.safetensors", "*.model", "*.txt"]


def is_named(name: str) -> bool:
    """Whether this is the name of a model that comes with mansu or with a package."""
    return name in PACKAGED or name in TINY


def find_model(name: str, weights: bool = True) -> Path:
    """The local folder that holds a model, converted or downloaded first where necessary.

    Args:
        name: A packaged or tiny model's name, a local folder, or a hub id such as ``owner/model``.
        weights: False leaves a hub model's weights where they are and fetches the rest.

    Raises:
        InputError: Nothing of that name can be had, or its file is damaged.
    """
    if name in PACKAGED:
        return packaged_folder(name)
    if name in TINY:
        return tiny_folder(name)
    if Path(name).is_dir():
        return Path(name)
    if name.count("/") == 1 and not name.startswith((".", "/", "~")):
        try:
            wanted = [p for p in HUB_FILES if weights or "safetensors" not in p]
            return Path(snapshot_download(name, allow_patterns=wanted))
        except (OSError, ValueError) as error:
            raise InputError(
                f"Model '{name}' is not a folder here and could not be had from the hub "
                f"({type(error).__name__}); check the name and the connection, or give a folder."
            ) from error
    known = ", ".join([*PACKAGED, *TINY])
    raise InputError(
        f"Unknown model '{name}'; give one of {known}, a local folder, or a hub id (owner/model)."
    )


def read_config(folder: Path):
    """The model's configuration; its family is checked, no weight is read.

    Raises:
        InputError: The configuration is missing, unreadable, or of an unsupported architecture.
    """
    file = folder / "config.json"
    if not file.is_file():
        raise InputError(f"{folder} has no config.json; give the folder of a saved model.")
    try:
        declared = json.loads(file.read_text(encoding="utf-8"))
        model_type = declared["model_type"]
    except (UnicodeDecodeError, json.JSONDecodeError, TypeError, KeyError) as error:
        raise InputError(
            f"{file} is not a model configuration; give a whole model's folder."
        ) from error
    try:
        config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise InputError(
            f"Architecture '{model_type}' in {file} is not supported by this version."
        ) from error
    family_of(config)
    return config


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
    weights = sorted(folder.glob("*.safetensors"))
    if not weights:
        raise InputError(f"{folder} has no .safetensors weights; save the model as safetensors.")
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
        module, info = AutoModelForCausalLM.from_pretrained(  # pyright: ignore
            folder,
            config=config,
            dtype=dtype,
            trust_remote_code=False,
            use_safetensors=True,
            output_loading_info=True,
        )
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        reason = f"{type(error).__name__}: {str(error).splitlines()[0][:120]}"
        raise InputError(
            f"The model in {folder} is damaged or incomplete ({reason}); put a whole copy there."
        ) from error
    if info["missing_keys"] or info["mismatched_keys"]:
        raise InputError(
            f"The weights in {folder} do not match its config.json; put a whole copy there."
        )
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    module.requires_grad_(False).eval().to(device)
    files = [folder / "config.json", *sorted(folder.glob("tokenizer*")), *weights]
    return LanguageModel(name, module, tokenizer, family_of(config), hash_files(files))
