"""What each stage takes on a GPU, against the plan, for a model of a given shape.

    python bench/memory.py [--config FILE] [--device cuda] [--dtype bfloat16] [--set NAME=VALUE]

The weights are random and made on the spot (16 GB for the default shape, Llama-3.1-8B's, in a
temporary folder): memory and time do not depend on what a model knows. The tokenizer is SmolLM2's.
Prints a line a stage: the fullest moment by the plan and by torch's allocator, what the allocator
reserved, host memory, and seconds.
"""

import argparse
import dataclasses
import json
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM

from mansu.models.loading import find_model, load_tokenizer
from mansu.study import stages
from mansu.study.config import make_config
from mansu.study.config_file import parse_config
from mansu.study.folders import Folders
from mansu.study.plan import make_plan
from mansu.study.run import Run
from mansu.study.stages.attack import attack
from mansu.study.stages.fisher import measure_fisher
from mansu.study.state import states

LLAMA_8B = {
    "model_type": "llama",
    "hidden_size": 4096,
    "intermediate_size": 14336,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "head_dim": 128,
    "vocab_size": 128256,
    "rms_norm_eps": 1e-5,
    "tie_word_embeddings": False,
    "max_position_embeddings": 131072,
}


def make_model(shape: dict[str, Any], folder: Path, device: str, dtype: torch.dtype) -> None:
    """Writes a model with random weights and SmolLM2's tokenizer."""
    rest = {name: value for name, value in shape.items() if name != "model_type"}
    config = AutoConfig.for_model(shape["model_type"], **rest)
    with torch.device(device):
        AutoModelForCausalLM.from_config(config, dtype=dtype).save_pretrained(folder)
    load_tokenizer(find_model("smollm2-135m")).save_pretrained(folder)


def stages_in_order() -> dict[str, Callable[[Run], object]]:
    """Every stage, by the plan's name."""

    def measured(origin: str) -> Callable[[Run], object]:
        return lambda run: stages.measure_all(
            run, tuple(state for state in states(run) if state.origin == origin)
        )

    return {
        "base": measured("original"),
        "localize": stages.localize,
        "fisher": measure_fisher,
        "train": stages.train,
        "floor": stages.floor,
        "quantize": measured("unlearned"),
        "analyse": stages.judge,
        "relearn": lambda run: attack(run, "relearn", "unlearned", "nf4", "0.0001"),
    }


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description="Memory of every stage on a GPU, and the plan's.")
    parser.add_argument("--config", type=Path, help="a config.json; default: Llama-3.1-8B's shape")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--dtype", default="bfloat16")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE")
    options = parser.parse_args()
    shape = json.loads(options.config.read_text()) if options.config else LLAMA_8B
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        make_model(shape, folder / "model", options.device, getattr(torch, options.dtype))
        named = {"model": str(folder / "model"), "device": options.device, "dtype": options.dtype}
        given = "\n".join(word.replace("=", ": ", 1) for word in options.set)
        config = make_config({**named, **parse_config(given, "--set")})
        run = Run(config, Folders(folder / "run", folder / "shared"))
        found = [(name, *watch(run, stage)) for name, stage in stages_in_order().items()]
        asked = dataclasses.replace(config, attacks=("relearn",))
        plan = make_plan(asked, stages.localize(run).circuit.layers)
    print("GB: stage, planned on the device, allocated, reserved; in host memory; seconds")
    for name, allocated, reserved, host, seconds in found:
        planned = plan.peak(name).device / 1e9
        told = f"{planned:7.1f} {allocated:7.1f} {reserved:7.1f} {host:7.1f} {seconds:7.1f}"
        print(f"{name:10}{told}  planned / allocated {planned / allocated:.2f}")


def watch(run: Run, stage: Callable[[Run], object]) -> tuple[float, float, float, float]:
    """GB allocated and reserved on the device at most, resident in all so far, and seconds."""
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    start = time.perf_counter()
    stage(run)
    seconds = time.perf_counter() - start
    resident = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    peaks = torch.cuda.max_memory_allocated(), torch.cuda.max_memory_reserved(), resident
    allocated, reserved, host = (peak / 1e9 for peak in peaks)
    return allocated, reserved, host, seconds


if __name__ == "__main__":
    main()
