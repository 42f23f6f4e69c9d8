"""MANSU without a circuit (ablation D): mask and quantizer over every matrix of the blocks.

Everything is MANSU's (see ``mansu``): L_forget + λ·KL, the retain-Fisher quantile τ, of those below
it the share ρ with the largest forget/retain ratio, training through the quantizer. What differs is
where the quantiles are taken and what is trained: all matrices of the blocks, not the circuit's MLP
layers. Published as an ablation without settings of its own; the defaults are MANSU's, so that the
circuit is all that differs.
"""

from dataclasses import replace

from mansu.unlearn.methods.base import BLOCKS
from mansu.unlearn.methods.mansu import METHOD as MANSU

METHOD = replace(
    MANSU,
    name="mansu-global",
    title="MANSU, no circuit",
    scope=lambda settings: BLOCKS,
    colour="#4c72b0",
)
