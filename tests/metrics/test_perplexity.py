import json
import math

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, processors

from mansu.data import build_items, load_fact_set
from mansu.data.text import utility_text
from mansu.errors import InputError
from mansu.metrics.generation import continue_prompt
from mansu.metrics.mcq import score_items
from mansu.metrics.perplexity import WINDOW, TextLosses, text_losses
from mansu.metrics.text import loss_change
from mansu.models import load_model


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
    assert text_losses(tiny, text).perplexity == pytest.approx(
        math.exp(sum(losses) / len(losses)), rel=1e-4
    )


def test_a_text_too_short_to_predict_anything_is_refused(tiny):
    with pytest.raises(InputError):
        text_losses(tiny, "")


def test_an_end_token_that_the_tokenizer_appends_changes_no_figure(tiny, model_folder):
    appending_tokenizer(model_folder)
    model = load_model(str(model_folder))
    assert model.tokenizer("The")["input_ids"][-1] == tiny.tokenizer.eos_token_id
    ours, theirs = (text_losses(m, utility_text()) for m in (model, tiny))
    assert ours.nats.tolist() == theirs.nats.tolist()
    facts = load_fact_set("capitals")
    items = build_items(facts.facts[:4], facts.templates, seed=0)
    ours, theirs = (score_items(m, items) for m in (model, tiny))
    assert ours.log_probs.tolist() == theirs.log_probs.tolist()
    ours, theirs = (continue_prompt(m, items[0].prompt, 4) for m in (model, tiny))
    assert ours == theirs


def appending_tokenizer(folder):
    """Has a folder's tokenizer end each text with its end token."""
    path = folder / "tokenizer.json"
    tokenizer = Tokenizer.from_file(str(path))
    tokenizer.post_processor = processors.TemplateProcessing(  # pyright: ignore
        single="$A <end>", special_tokens=[("<end>", tokenizer.token_to_id("<end>"))]
    )
    tokenizer.save(str(path))


def test_no_text_is_longer_than_what_the_model_reads(model_folder):
    path = model_folder / "config.json"
    dynamic = {"rope_type": "dynamic", "factor": 2.0, "rope_theta": 10_000.0}
    changes = {"rope_parameters": dynamic, "max_position_embeddings": 32}
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    model, facts = load_model(str(model_folder)), load_fact_set("capitals")
    items = build_items(facts.facts[:4], facts.seen[:1], seed=0)
    before = score_items(model, items).log_probs
    # Beyond its context, such a model would turn later positions otherwise than before.
    assert math.isfinite(text_losses(model, utility_text()).mean)
    assert score_items(model, items).log_probs.tolist() == before.tolist()
    frequencies = model.module.get_decoder().rotary_emb
    assert torch.equal(frequencies.inv_freq, frequencies.original_inv_freq)


def test_a_rise_of_the_loss_is_a_token_s_and_paired_by_window():
    tokens = np.array([255.0, 255.0, 100.0])
    before = TextLosses(np.array([900.0, 500.0, 100.0]), tokens)
    after = TextLosses(before.nats + 0.1 * tokens, tokens)
    rise = loss_change(after, before)
    # What differs between windows is common to both.
    assert [rise.value, rise.low, rise.high] == pytest.approx([0.1, 0.1, 0.1])
    assert after.mean - before.mean == pytest.approx(0.1)
