import pytest
import torch

from mansu.models import pad
from mansu.models.swap import swapped
from mansu.quant import deployed


@pytest.mark.parametrize("precision", ["fp", "nf4"])
def test_a_view_computes_what_the_whole_model_computes_with_the_same_weights(
    tiny, parts, precision
):
    view = parts.views[precision]
    rows = [example.tokens for example in parts.forget[:5]]
    torch.manual_seed(0)
    weights = {name: w + 0.01 * torch.randn_like(w) for name, w in parts.weights.items()}
    batch = pad(rows, tiny.pad_id)
    with torch.no_grad():
        found = view.hidden(batch, view.streams(rows).lower, weights)
        # The circuit's weights are handed in as they are; all others are those of the precision.
        with deployed(tiny, precision), swapped(tiny.module, weights):
            expected = tiny.hidden(batch)
    real = batch.attention_mask.bool()
    torch.testing.assert_close(found[real], expected[real], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("precision", ["fp", "nf4"])
def test_streams_keep_the_original_models_final_states_in_the_given_order(tiny, parts, precision):
    rows = [parts.forget[0].tokens, parts.retain[0].tokens[:3], parts.forget[1].tokens]
    streams = parts.views[precision].streams(rows)
    for tokens, final in zip(rows, streams.final, strict=True):
        with deployed(tiny, precision), torch.no_grad():
            alone = tiny.hidden(pad([tokens], tiny.pad_id))[0]
        torch.testing.assert_close(final, alone, atol=1e-5, rtol=1e-4)
