"""What share of a tiny update arrives in each format, by where the weights lie in its bins.

    python bench/response.py [--model NAME] [--formats NAME,NAME] [--sizes 1e-05,0.0001,0.001]
        [--to DIR]

The update is noise: a normal number for every linear weight. Its signal (``mansu.quant.rounding``)
is 1 where weights are spread evenly over their bins, for then as many of them cross a border as
make up for those that do not. A model that was dequantized from a 4-bit file is not such a model:
its weights lie on the file's grid. So the same is measured of the model taken off that grid, every
weight moved by up to half a step of the 16 that lie between the least and the greatest of 32
neighbours in a row; --to saves that model, to be unlearned and deployed like any other.
"""

import argparse

import torch
from torch import Tensor

from mansu.models import LanguageModel, load_model
from mansu.models.swap import swapped
from mansu.quant.deployed import deployed, linear_weights
from mansu.quant.rounding import account_rounding

FORMATS = "bf16,int8,q8_0,q4_0,q4_k_m,nf4,nf4-b128,fp4,int4-g32,mxfp4,hqq-g64"
GROUP, LEVELS = 32, 16


def off_grid(weight: Tensor, noise: torch.Generator) -> Tensor:
    """A weight matrix with every weight moved by up to half a step of a 4-bit grid."""
    groups = weight.reshape(-1, GROUP)
    step = (groups.amax(1, keepdim=True) - groups.amin(1, keepdim=True)) / (LEVELS - 1)
    return (groups + (torch.rand(groups.shape, generator=noise) - 0.5) * step).view_as(weight)


def signals(
    model: LanguageModel, weights: dict[str, Tensor], form: str, sizes: list[float]
) -> list[float | None]:
    """The signal of a random update of each size, from some weights on; None where none moves."""

    def stored(these: dict[str, Tensor]) -> dict[str, Tensor]:
        with swapped(model.module, these), deployed(model, form):
            return {name: weight.clone() for name, weight in linear_weights(model).items()}

    kept, found = stored(weights), []
    for size in sizes:
        noise = torch.Generator().manual_seed(1)
        moved = {n: w + size * torch.randn(w.shape, generator=noise) for n, w in weights.items()}
        became = stored(moved)
        rows = ((weights[n], moved[n], kept[n], became[n]) for n in weights)
        found.append(account_rounding(rows).signal)
    return found


def main() -> None:
    """Prints the table, a line a format."""
    parser = argparse.ArgumentParser(description="Signal of a tiny random update by format.")
    parser.add_argument("--model", default="smollm2-135m")
    parser.add_argument("--formats", default=FORMATS)
    parser.add_argument("--sizes", default="1e-05,0.0001,0.001")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--to", help="folder for the model taken off its grid")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    sizes = [float(size) for size in options.sizes.split(",")]
    model = load_model(options.model)
    noise = torch.Generator().manual_seed(0)
    own = {name: weight.clone() for name, weight in linear_weights(model).items()}
    free = {name: off_grid(weight, noise) for name, weight in own.items()}
    if options.to:
        with swapped(model.module, free):
            model.module.save_pretrained(options.to)
        model.tokenizer.save_pretrained(options.to)
    spread = float(torch.cat([weight.flatten() for weight in own.values()]).std())
    print(f"{options.model}, standard deviation of its weights {spread:.3f}")
    head = "  ".join(f"{size:>7g}" for size in sizes)
    print(f"{'format':<10}  as it is: {head}  off its grid: {head}")
    for form in options.formats.split(","):
        told = [
            "  ".join("      –" if s is None else f"{s:7.3f}" for s in found)
            for found in (signals(model, weights, form, sizes) for weights in (own, free))
        ]
        print(f"{form:<10}            {told[0]}                {told[1]}", flush=True)


if __name__ == "__main__":
    main()
