import pytest
import torch

from mansu.models import pad
from mansu.models.split import split
from mansu.models.swap import swapped


@pytest.mark.parametrize("layer", [0, 1, 3])
def test_the_two_halves_compute_what_the_whole_decoder_computes(each_tiny, layer):
    batch = pad([(40, 50, 60, 70), (41, 51)], each_tiny.pad_id)
    lower, upper = split(each_tiny, layer)
    with torch.no_grad():
        stream = lower(**batch.inputs(), use_cache=False).last_hidden_state
        final = upper(
            inputs_embeds=stream,
            attention_mask=batch.attention_mask,
            position_ids=batch.position_ids,
            use_cache=False,
        ).last_hidden_state
        whole = each_tiny.hidden(batch)
    real = batch.attention_mask.bool()
    torch.testing.assert_close(final[real], whole[real], atol=1e-6, rtol=1e-5)


def test_splitting_leaves_the_model_as_it_was(tiny):
    decoder = tiny.module.get_decoder()
    before = list(decoder.layers), decoder.norm, decoder.config.num_hidden_layers
    split(tiny, 2)
    assert (list(decoder.layers), decoder.norm, decoder.config.num_hidden_layers) == before


def test_swapped_weights_are_used_and_the_originals_return_even_after_an_error(tiny):
    name = "model.layers.1.mlp.up_proj.weight"
    original = tiny.module.get_parameter(name).data
    kept = original.clone()
    with pytest.raises(RuntimeError), swapped(tiny.module, {name: torch.zeros_like(original)}):
        assert not tiny.module.get_parameter(name).any()
        raise RuntimeError
    assert tiny.module.get_parameter(name).data_ptr() == original.data_ptr()
    assert torch.equal(tiny.module.get_parameter(name), kept)
