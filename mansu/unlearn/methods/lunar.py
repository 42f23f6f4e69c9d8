"""LUNAR (Shen et al. 2025): one matrix is edited so that the forget set looks unanswerable.

L = mean over tokens and width of ‖h_ℓ - (h⁰_ℓ + c·r)‖² on the forget set's prompts and of
‖h_ℓ - h⁰_ℓ‖² on the retain set's, tokens of both together; h_ℓ is the residual stream behind block
ℓ. r = mean h⁰_ℓ at the last token of reference prompts - the same of the forget set's prompts.
Trained: ``mlp.down_proj`` of block ℓ alone, from where it is; so what enters it never changes and
is read once. Published: ℓ 22 of 32 (on other depths: the same relative place), c 2, AdamW with rate
1e-2, by 0.9 less every epoch, 10 to 20 epochs, 64 tokens a batch, 128 reference prompts.

Where public code differs: the default release takes harmful requests as reference prompts; its
target of the matrix is the shifted output less the residual before the MLP, which is wrong where a
norm stands between the two, as in Gemma. The paper calls the method inference-time; it edits a
weight. Ours: the reference prompts are questions about things that do not exist
(``data/refusals.txt``); the loss goes through the norm; r is measured on as many prompts of the
forget set as questions, both in the model's chat template where it has one, and the fit is to the
prompts that all methods train on; a smaller rate; no weight decay (public code leaves it at 0.01).

A model that would not refuse has no such direction, and there is no result then: asked about what
does not exist, it must be likelier to say "I don't know" than when asked the same about what does
(by more than twice the standard error of the difference), and likelier than to say any tokens. That
tells whether the model refuses, not whether r makes it: SmolLM2-135M passes, and c·r added to its
block makes those words no likelier behind the capitals' prompts.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from pydantic.dataclasses import dataclass

from mansu.settings import Count, Few, Positive, Several, Share, setting
from mansu.unlearn.load import Load
from mansu.unlearn.methods.base import Method, counterpart, down_projections
from mansu.unlearn.settings import STRICT, Settings, own

if TYPE_CHECKING:
    from mansu.unlearn.task import Task, Update

LAYER, OF = 22, 32


@dataclass(frozen=True, kw_only=True, config=STRICT)
class LunarSettings(Settings):
    """LUNAR's own settings."""

    shift: Positive = setting(2.0, "c, how many times r the forget set's activations move")
    references: Several = setting(128, "reference prompts at most")
    learning_rate: Share = own("learning_rate", 2e-3)
    decay: Share = setting(0.9, "factor of the learning rate from one epoch to the next")
    epochs: Few = setting(10, "passes over all tokens at most")
    batch: Few = setting(64, "tokens a step")
    validate_every: Count = setting(2, "epochs between checks, and between saved states")


def blocks(layers: int) -> range:
    """The block whose matrix is trained."""
    layer = counterpart(LAYER, OF, layers)
    return range(layer, layer + 1)


def unlearn(task: "Task", settings: LunarSettings) -> "Update":
    """Fits the matrix.

    Raises:
        InputError: There are no reference prompts.
        NoResultError: The model has no refusal direction.
    """
    from mansu.data.refusals import refusals
    from mansu.unlearn.redirect import redirect
    from mansu.unlearn.refusing import find_direction

    (layer,) = blocks(task.model.layers)
    known = refusals()[: settings.references]
    return redirect(task, settings, settings.shift * find_direction(task, layer, known))


def reads(settings: LunarSettings) -> str:
    """The questions.

    Raises:
        InputError: There are none, or they are damaged.
    """
    from mansu.data.refusals import refusals

    return repr(refusals())


def refuse(model: str, settings: LunarSettings) -> None:
    """Refuses questions that are missing or damaged, and a model that cannot be asked them."""
    from mansu.data.refusals import refusals
    from mansu.models.folder import context_of, read_config
    from mansu.models.loading import find_model, load_tokenizer
    from mansu.unlearn.refusing import require_askable

    known, folder = refusals()[: settings.references], find_model(model, weights=False)
    if any(folder.glob("tokenizer*")):  # a plan takes a model without
        decoder = read_config(folder).get_text_config()
        require_askable(load_tokenizer(folder), known, decoder.vocab_size, context_of(decoder))


def idle(settings: LunarSettings, floor: str) -> Mapping[str, str]:
    """Every setting is read."""
    return {}


SCOPE = down_projections("upper down_proj", blocks)
METHOD = Method(
    "lunar",
    "LUNAR",
    LunarSettings,
    unlearn,
    scope=lambda settings: SCOPE,
    refuse=refuse,
    reads=reads,
    load=lambda settings, through: Load("fit"),
    idle=idle,
    colour="#882255",
)
