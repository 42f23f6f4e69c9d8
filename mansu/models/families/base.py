"""What one model family must tell: where its decoder keeps what the circuit graph reads.

All supported families share Llama's decoder (``layers[i].self_attn.q_proj`` and so on); a family
file states only what differs. Adding a family is one file in this folder with one value `FAMILY`.

What needs no word here, because it is read from the model or because the gradients are taken where
it makes no difference: grouped queries, q/k-norms, biases, scaled embeddings, sliding windows,
rotary variants, tied heads, soft-capped attention, and soft-capped logits.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import nn
from transformers import PretrainedConfig, PreTrainedModel

MLP_PROJECTIONS = ("gate_proj", "up_proj", "down_proj")


@dataclass(frozen=True)
class Family:
    """Module names and conventions of one architecture.

    Attributes:
        name: Family name shown to people.
        model_types: The ``config.model_type`` values it serves.
        attention_norm: Norm in front of the q, k and v projections, a child of the block.
        mlp_norm: Norm in front of the MLP, a child of the block.
        attention_post_norm: Norm between the attention output and the residual stream, if any.
        mlp_post_norm: Norm between the MLP output and the residual stream, if any.
        gain_offset: The norm's gain is ``weight + gain_offset`` (Gemma: 1).
    """

    name: str
    model_types: tuple[str, ...]
    attention_norm: str = "input_layernorm"
    mlp_norm: str = "post_attention_layernorm"
    attention_post_norm: str | None = None
    mlp_post_norm: str | None = None
    gain_offset: Literal[0, 1] = 0

    def blocks(self, model: PreTrainedModel) -> nn.ModuleList:
        """The decoder blocks, first to last."""
        return model.get_decoder().layers  # pyright: ignore

    def final_norm(self, model: PreTrainedModel) -> nn.Module:
        """The norm in front of the output head."""
        return model.get_decoder().norm  # pyright: ignore

    def logits(self, model: PreTrainedModel, hidden: torch.Tensor) -> torch.Tensor:
        """Output logits of final hidden states."""
        return cap_logits(model, model.get_output_embeddings()(hidden))  # pyright: ignore

    def mlp_weight_names(self, model: PreTrainedModel, layer: int) -> tuple[str, ...]:
        """State-dict names of the weights of one MLP sublayer."""
        prefix = decoder_name(model)
        return tuple(f"{prefix}.layers.{layer}.mlp.{name}.weight" for name in MLP_PROJECTIONS)

    def linear_weight_names(self, model: PreTrainedModel) -> tuple[str, ...]:
        """Names of the weights that deployment quantizes: the decoder's linear layers, no head."""
        prefix = decoder_name(model)
        return tuple(
            f"{prefix}.{name}.weight"
            for name, module in model.get_decoder().named_modules()  # pyright: ignore
            if isinstance(module, nn.Linear)
        )

    @staticmethod
    def head_size(config: PretrainedConfig) -> int:
        """Width of one attention head."""
        explicit = getattr(config, "head_dim", None)
        return explicit or config.hidden_size // config.num_attention_heads


def decoder_name(model: PreTrainedModel) -> str:
    """The decoder's place in the model; deeper than ``model`` where it also reads images."""
    decoder = model.get_decoder()
    return next(name for name, module in model.named_modules() if module is decoder)


def cap_logits(model: PreTrainedModel, logits: torch.Tensor) -> torch.Tensor:
    """Logits as the model returns them: ``cap · tanh(logits / cap)`` where it has a soft cap."""
    cap = getattr(model.config.get_text_config(), "final_logit_softcapping", None)
    return logits if cap is None else cap * torch.tanh(logits / cap)
