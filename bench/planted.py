"""Does attribution find knowledge where it was put? Facts planted into chosen MLPs of tiny models.

    python bench/planted.py --out DIR [--seeds 2] [--pairs 48] [--epochs 20]

Each tiny model is fine-tuned on a set that it has never read, and only the MLPs of one layer, or of
two, may change: what it then knows of the set stands nowhere else. Every ranking of the MLPs is
asked for the k that were trained (recall at k, mean with its 95 % interval over the models that
learned), and a random one finds k of all layers. The change of the weights would find them by
construction, where the model before is at hand. Goes on where it was stopped.
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

from mansu.circuit import EdgeScores
from mansu.circuit.selection import attribution_mass, published_mass, rank
from mansu.metrics.significance import accuracy_interval
from mansu.models.knowing import KNOWN, knowing_folder
from mansu.models.recipes import TINY
from mansu.study.cache.records import write_text
from mansu.study.cells import columns
from mansu.study.config import make_config
from mansu.study.folders import Folders
from mansu.study.run import Run
from mansu.study.stages.localize import score_original

SETS = {"forget": KNOWN, "retain": "capitals", "utility": "cities"}
LAYERS = 4
LEARNED = 0.9  # of the pairs: the answer stands before its partner


@dataclass(frozen=True)
class Planted:
    """A model with facts in chosen MLPs, and what each ranking finds.

    Attributes:
        family: The tiny model that it was made from.
        mlps: The layers that were trained.
        learned: Share of the pairs whose answer stands before its partner.
        recalls: By ranking, the share of ``mlps`` among its first ``len(mlps)``.
    """

    family: str
    mlps: tuple[int, ...]
    learned: float
    recalls: dict[str, float]


def plant(family: str, mlps: tuple[int, ...], seed: int, options: argparse.Namespace) -> Planted:
    """Makes one model and ranks its MLPs in every way."""
    folder = knowing_folder(family, True, seed=seed, epochs=options.epochs, mlps=mlps)
    found = {
        method: _scores(folder, method, options.out, options.pairs) for method in ("eap-ig", "eap")
    }
    recalls = {}
    for method, scores in found.items():
        for place, mass in (("last position", attribution_mass), ("all", published_mass)):
            first = rank(mass(scores))[: len(mlps)]
            recalls[f"{method}, {place}"] = len({*first} & {*mlps}) / len(mlps)
    learned = (found["eap-ig"].metric > 0).double().mean().item()
    return Planted(family, mlps, learned, recalls)


def _scores(folder: Path, method: str, out: Path, pairs: int) -> EdgeScores:
    config = make_config(
        {
            "model": str(folder),
            **SETS,
            "attribution": method,
            "pairs": pairs,
            "items": 100,
            "top_k": 1,
        }
    )
    place = out / folder.name
    return score_original(Run(config, Folders(place / method, place / "shared")))


def rows_of(planted: Sequence[Planted]) -> list[list[str]]:
    """The table, a heading first."""
    rows = [["ranking", "planted in", "models", "recall at k", "95 % interval", "random"]]
    learned = [one for one in planted if one.learned >= LEARNED]
    for size in sorted({len(one.mlps) for one in learned}):
        same = [one for one in learned if len(one.mlps) == size]
        for ranking in same[0].recalls:
            recalls = [one.recalls[ranking] for one in same]
            mean = accuracy_interval(recalls, [str(number) for number in range(len(same))])
            rows.append(
                [
                    *(ranking, f"{size} of {LAYERS} MLPs", str(mean.n), f"{mean.value:.2f}"),
                    *(f"{mean.low:.2f} to {mean.high:.2f}", f"{size / LAYERS:.2f}"),
                ]
            )
    return rows


def main() -> None:
    """Makes the models, ranks their MLPs and prints the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--pairs", type=int, default=48)
    parser.add_argument("--epochs", type=int, default=20)
    options = parser.parse_args()
    places = [*combinations(range(LAYERS), 1), *combinations(range(LAYERS), 2)]
    planted: list[Planted] = []
    for family in TINY:
        for mlps in places:
            for seed in range(options.seeds):
                planted.append(plant(family, mlps, seed, options))
                print(f"{family} {mlps} {seed}: {planted[-1].learned:.2f} learned", flush=True)
    write_text(options.out / "planted.json", json.dumps([*map(vars, planted)], indent=1))
    print("\n".join(columns(rows_of(planted), "llrrrr")))


if __name__ == "__main__":
    main()
