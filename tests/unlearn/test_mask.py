import pytest
import torch

from mansu.unlearn.mask import most_forgetful, retain_mask


@pytest.mark.parametrize("tau", [0.1, 0.5, 1.0])
def test_the_mask_keeps_the_share_tau_of_least_retain_fisher(parts, tau):
    everything = {name: torch.ones_like(w, dtype=torch.bool) for name, w in parts.weights.items()}
    mask = retain_mask(parts.retain_fisher, tau, everything)
    total = sum(weight.numel() for weight in parts.weights.values())
    assert mask.count >= round(tau * total)
    for name, index in mask.index.items():
        fisher = parts.retain_fisher[name].flatten()
        kept = torch.zeros_like(fisher, dtype=torch.bool)
        kept[index] = True
        assert (fisher[kept] <= mask.threshold).all()
        assert (fisher[~kept] > mask.threshold).all()


def test_a_weight_that_sets_its_blocks_scale_never_moves(parts):
    for name, index in parts.mask.index.items():
        assert parts.allowed[name].flatten()[index].all()


def test_rho_keeps_the_weights_with_the_largest_forget_to_retain_ratio(parts):
    chosen = most_forgetful(parts.mask, parts.forget_fisher, parts.retain_fisher, 0.1)
    assert chosen.count == pytest.approx(0.1 * parts.mask.count, rel=0.01)
    ratio = {
        name: parts.forget_fisher[name].flatten() / parts.retain_fisher[name].flatten()
        for name in parts.weights
    }
    lowest_in = min(ratio[n][i].min().item() for n, i in chosen.index.items() if len(i))
    for name, index in parts.mask.index.items():
        left = index[~torch.isin(index, chosen.index[name])]
        assert (ratio[name][left] <= lowest_in).all()


@pytest.mark.parametrize("tau", [0.01, 0.5, 1.0])
@pytest.mark.parametrize("rho", [0.003, 0.1, 1.0])
def test_the_selection_is_that_of_sorting_every_value(parts, tau, rho):
    retain, forget = parts.retain_fisher, parts.forget_fisher
    every = torch.cat([fisher.flatten() for fisher in retain.values()])
    mask = retain_mask(retain, tau, parts.allowed)
    assert mask.threshold == every.sort().values[max(1, round(tau * len(every))) - 1].item()
    ratios = {
        name: forget[name].flatten()[index]
        / (retain[name].flatten()[index] + torch.finfo(torch.float32).tiny)
        for name, index in mask.index.items()
    }
    ranked = torch.cat(list(ratios.values())).sort(descending=True).values
    cut = ranked[max(1, round(rho * len(ranked))) - 1]
    chosen = most_forgetful(mask, forget, retain, rho)
    for name, index in mask.index.items():
        assert torch.equal(chosen.index[name], index[ratios[name] >= cut])
