import math

import pytest
import torch

from mansu.data.text import utility_text
from mansu.errors import InputError
from mansu.metrics.perplexity import WINDOW, perplexity


def test_perplexity_is_the_exponential_of_the_mean_loss_over_windows(tiny):
    text = utility_text()
    tokens = tiny.tokenizer(text)["input_ids"]
    losses = []
    for start in range(0, len(tokens), WINDOW):
        window = torch.tensor([tokens[start : start + WINDOW]])
        if window.shape[1] < 2:
            continue
        with torch.no_grad():
            log_probs = tiny.module(window).logits[0, :-1].log_softmax(-1)
        losses += (-log_probs.gather(1, window[0, 1:, None])[:, 0]).tolist()
    assert perplexity(tiny, text) == pytest.approx(math.exp(sum(losses) / len(losses)), rel=1e-4)


def test_a_text_too_short_to_predict_anything_is_refused(tiny):
    with pytest.raises(InputError):
        perplexity(tiny, "")
