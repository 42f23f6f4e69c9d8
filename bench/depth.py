"""What unlearning depth costs beside one attribution of the same pairs.

    python bench/depth.py [--models NAME,NAME] [--pairs 48] [--repeats 3] [--threads 1]

Depth of one state in full: both sources' streams, the original patched with each at every layer,
and the lens. The judged state is the model's own NF4 form, which differs at every layer, so that no
patch can be left out; an unlearned model is patched above its first changed layer only. EAP-IG
takes K = 5 steps. Both are timed in turns, in one process. The bound is 3.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import torch

from mansu.circuit import answer_streams, attribute, lens_ranks, patched_drops
from mansu.data.facts import load_fact_set
from mansu.data.pairs import Pair, build_pairs
from mansu.models import LanguageModel, load_model
from mansu.quant.deployed import deployed

STEPS, BOUND = 5, 3.0
FORGET = "elements"


def measure(model: LanguageModel, pairs: tuple[Pair, ...]) -> None:
    """All that the depth of one state takes, quantizing included."""
    patched_drops(model, pairs, answer_streams(model, pairs, corrupted=True))
    with deployed(model, "nf4"):
        streams = answer_streams(model, pairs)
    patched_drops(model, pairs, streams)
    lens_ranks(model, pairs, streams)


def timed(work: Callable[[], object]) -> float:
    """Wall-clock seconds."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description="Times unlearning depth against an attribution.")
    parser.add_argument("--models", default="tiny-llama,smollm2-135m")
    parser.add_argument("--pairs", type=int, default=48)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    print(f"depth and EAP-IG, K = {STEPS}, float32, {options.threads} thread(s), bound {BOUND:g}")
    print("       model  pairs  attribute s  depth s  ratio")
    for name in options.models.split(","):
        model = load_model(name)
        pairs = build_pairs(load_fact_set(FORGET), model.tokenizer, options.pairs, seed=0)
        work: list[Callable[[], object]] = [
            lambda model=model, pairs=pairs: attribute(model, pairs, steps=STEPS),
            lambda model=model, pairs=pairs: measure(model, pairs),
        ]
        for task in work:
            task()  # warm-up
        rows = [[timed(task) for task in work] for _ in range(options.repeats)]
        wall = [statistics.median(row[i] for row in rows) for i in range(2)]
        ratio = statistics.median(row[1] / row[0] for row in rows)
        print(f"{name:>12}  {len(pairs):5}  {wall[0]:11.2f}  {wall[1]:7.2f}  {ratio:5.2f}")


if __name__ == "__main__":
    main()
