"""Models in GGUF, from a Python package or a user's own file, converted once to safetensors.

Such a file is quantized (SmolLM2: Q4_1, at most 16 values per 32 weights; Gemma 3: Q4_K_M); its
dequantized weights are what this project calls the full-precision model. Files of one's own that
were tried, with their SHA-256: README.md, where models are named.
"""

import importlib.util
import io
import shutil
import tempfile
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr
from pathlib import Path

import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

from mansu.errors import InputError, first_line
from mansu.models.cache import DIGESTS, build_once
from mansu.models.fingerprint import hash_file
from mansu.models.gguf_reading import read_gguf
from mansu.models.recipes import PACKAGED, PackagedModel


def packaged_folder(name: str, weights: bool = True) -> Path:
    """Folder with the safetensors form of a packaged model, converted on first use.

    Args:
        name: Its name.
        weights: False gives a folder with configuration and tokenizer alone.

    Raises:
        InputError: The package is not installed, or its file is missing or damaged.
    """
    source = PACKAGED[name]
    files = [_locate(package, file, name, source) for package, file in source.parts]

    def convert(folder: Path) -> None:
        with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
            gguf = Path(scratch) / f"{name}.gguf"
            _join(files, gguf)
            if hash_file(gguf) != source.sha256:
                raise InputError(
                    f"The packaged file of model '{name}' is damaged; reinstall it with: "
                    f"{source.install}"
                )
            _convert(gguf, folder)

    return _built(f"models/{name}-{source.sha256[:12]}", convert, weights)


def gguf_folder(file: Path, weights: bool = True) -> Path:
    """The same of a user's own GGUF file.

    Raises:
        InputError: The file is damaged, or its architecture is not supported.
    """
    place = f"models/{file.stem}-{hash_file(file)[:12]}"
    return _built(place, lambda folder: _convert(file, folder), weights)


def _built(place: str, convert: Callable[[Path], None], weights: bool) -> Path:
    def describe(folder: Path) -> None:
        for path in build_once(place, convert).iterdir():
            if path.suffix != ".safetensors" and path.name != DIGESTS:
                shutil.copyfile(path, folder / path.name)

    # In a folder apart: a build clears away what begins with its name and looks left behind.
    return (
        build_once(place, convert)
        if weights
        else build_once(place.replace("/", "/bare/", 1), describe)
    )


def _locate(package: str, file: str, name: str, source: PackagedModel) -> Path:
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise InputError(f"Model '{name}' is not installed; install it with: {source.install}")
    path = Path(spec.origin).parent / file
    if not path.is_file():
        raise InputError(f"Model file {path} is missing; reinstall it with: {source.install}")
    return path


def _join(parts: Sequence[Path], whole: Path) -> None:
    with whole.open("wb") as target:
        for part in parts:
            with part.open("rb") as stream:
                shutil.copyfileobj(stream, target)


def _convert(gguf: Path, folder: Path) -> None:
    try:
        with redirect_stderr(io.StringIO()):  # a progress bar that no setting turns off
            loaded = read_gguf(gguf)
        tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
    except InputError:
        raise
    except Exception as error:  # whatever a damaged file, or one of another kind, leads to
        raise InputError(
            f"{gguf} cannot be read as a model ({first_line(error)}); give another file."
        ) from error
    tokenizer.save_pretrained(folder)
    # The loaded model carries a GGUF quantization config and refuses to be saved: rebuild it.
    config = AutoConfig.for_model(**loaded.config.to_diff_dict())
    if hasattr(config, "quantization_config"):
        del config.quantization_config  # pyright: ignore
    plain = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    plain.load_state_dict(loaded.state_dict())
    plain.save_pretrained(folder)
