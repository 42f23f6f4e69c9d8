"""Min-K % and PrivLeak against values worked out by hand, and a plain forward pass."""

import math

import numpy as np
import pytest
import torch

from mansu.errors import InputError, RunError
from mansu.metrics.membership import (
    CHUNK,
    held_out_auc,
    min_k,
    privacy_leakage,
    token_log_probs,
)
from mansu.models.swap import swapped

TEXTS = ("Iron is a metal.", "The capital of France is Paris, and that of Japan is Tokyo.")


def test_min_k_is_the_mean_of_the_least_likely_tokens() -> None:
    values = np.array([-1.0, -5.0, -2.0, -4.0, -3.0])
    assert min_k(values) == -4.5  # two of five
    assert min_k(values[:4]) == -5.0  # 40 % of four, rounded down
    assert min_k(values, 0.6) == -4.0
    assert min_k(values[:1]) == -1.0  # one at least
    assert min_k(values, 1.0) == values.mean()


def test_auc_counts_the_pairs_in_which_what_was_held_out_scores_above() -> None:
    def texts(*scores: float) -> list[np.ndarray]:
        return [np.array([score, 0.0, 0.0, 0.0]) for score in scores]

    # Of the four pairs: -3 above -5, -3 below -2, -2 above -5, -2 as -2.
    assert held_out_auc(texts(-5.0, -2.0), texts(-3.0, -2.0)) == 2.5 / 4
    assert held_out_auc(texts(-1.0), texts(-3.0, -2.0)) == 0.0  # all of it is known
    assert held_out_auc(texts(-9.0), texts(-3.0, -2.0)) == 1.0


def test_privleak_is_how_far_the_auc_lies_from_a_retrained_model_s() -> None:
    assert privacy_leakage(0.25, 0.5) == -0.5
    assert privacy_leakage(0.6, 0.48) == pytest.approx(0.25)
    assert privacy_leakage(0.5, 0.5) == 0.0
    assert privacy_leakage(0.5, 0.0) is None


def test_every_token_is_as_likely_as_a_plain_forward_pass_says(each_tiny, monkeypatch) -> None:
    expected = []
    for text in TEXTS:
        ids = torch.tensor([each_tiny.tokenizer(text)["input_ids"]])
        with torch.no_grad():
            found = each_tiny.module(ids).logits[0].double().log_softmax(-1)
        expected.append(found[:-1].gather(1, ids[0, 1:, None])[:, 0].numpy())
    reports: list[tuple[int, int]] = []
    found = token_log_probs(each_tiny, TEXTS, lambda *done: reports.append(done))
    assert reports == [(1, 2), (2, 2)]
    assert min(len(values) for values in expected) > 5
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-4)
    monkeypatch.setattr("mansu.metrics.membership.CHUNK", 3)
    for whole, cut in zip(found, token_log_probs(each_tiny, TEXTS), strict=True):
        np.testing.assert_allclose(cut, whole, atol=1e-5)
    assert CHUNK > 3


def test_what_cannot_be_read_or_is_not_finite_is_refused(tiny) -> None:
    with pytest.raises(InputError, match="Text 2 has one token"):
        token_log_probs(tiny, [TEXTS[0], "a"])
    broken = {name: w * math.nan for name, w in tiny.module.named_parameters() if "norm" in name}
    with swapped(tiny.module, broken), pytest.raises(RunError, match="not finite"):
        token_log_probs(tiny, TEXTS)
