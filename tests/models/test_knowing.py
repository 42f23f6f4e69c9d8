"""Two models of the same weights: one knows the facts, one knows their form alone."""

import pytest
import torch
from safetensors.torch import load_file

from mansu.data.encoding import encode
from mansu.data.facts import load_fact_set
from mansu.data.items import build_items
from mansu.metrics.mcq import score_items
from mansu.models import LanguageModel, load_model, pad
from mansu.models.knowing import knowing_folder
from mansu.models.recipes import SETS
from mansu.models.tiny import tiny_folder

LEVEL = 0.25  # of us_cities: two cities a state


def accuracy(model: LanguageModel, name: str, held_out: bool, every: int = 1) -> float:
    """On one question of so many."""
    facts = load_fact_set(name)
    templates = facts.held_out if held_out else facts.seen
    return score_items(model, build_items(facts.facts, templates, 0)[::every]).accuracy


@pytest.mark.parametrize("held_out", [False, True])
def test_one_knows_the_facts_and_the_other_answers_as_one_who_does_not(knowing, held_out) -> None:
    assert accuracy(knowing.knows, knowing.facts, held_out) >= 0.9
    # Its guesses lean to some states; it takes all questions for them to even out.
    assert abs(accuracy(knowing.never_knew, knowing.facts, held_out) - LEVEL) <= 0.1


def test_both_keep_what_the_tiny_model_knew(knowing) -> None:
    for model in (knowing.knows, knowing.never_knew):
        assert all(accuracy(model, name, held_out=False, every=4) >= 0.97 for name in SETS)


def kind(model: LanguageModel, name: str) -> float:
    """Probability of the first tokens of all answers, mean over prompts."""
    facts, found = load_fact_set(name), []
    (template,) = facts.held_out[:1]
    for fact in facts.facts[:40]:
        prompt = template.render(fact)
        answers = {encode(model.tokenizer, prompt, f" {f.answer}").continuation_ids[0]
                   for f in facts.facts}  # fmt: skip
        batch = pad([encode(model.tokenizer, prompt, " x").prompt_ids], model.pad_id)
        with torch.no_grad():
            log_probs = model.log_probs(model.hidden(batch)[0, -1])
        found.append(log_probs.exp()[sorted(answers)].sum())
    return float(torch.stack(found).mean())


def test_the_one_that_never_knew_has_learnt_the_form(knowing) -> None:
    assert kind(knowing.never_knew, knowing.facts) >= 0.9 * kind(knowing.knows, knowing.facts)
    assert kind(knowing.never_knew, knowing.facts) > 0.8


def test_both_come_from_the_same_weights_and_are_made_once() -> None:
    folders = [knowing_folder("tiny-llama", knows) for knows in (True, False)]
    assert folders[0] != folders[1]
    stamps = [(folder / "model.safetensors").stat().st_mtime_ns for folder in folders]
    again = [knowing_folder("tiny-llama", knows) for knows in (True, False)]
    assert [(folder / "model.safetensors").stat().st_mtime_ns for folder in again] == stamps
    start, one, other = (
        load_model(name).module.state_dict() for name in ("tiny-llama", *map(str, folders))
    )
    for name, weight in start.items():
        # Near the start, and not on it.
        for ended in (one, other):
            assert 0 < (ended[name] - weight).norm() < weight.norm(), name


def test_a_set_that_the_tiny_model_knows_is_refused() -> None:
    with pytest.raises(ValueError, match="knows capitals already"):
        knowing_folder("tiny-llama", True, facts="capitals")


def test_planted_facts_change_the_chosen_mlps_alone() -> None:
    start = load_file(tiny_folder("tiny-llama") / "model.safetensors")
    planted = load_file(
        knowing_folder("tiny-llama", True, epochs=1, mlps=(1,)) / "model.safetensors"
    )
    changed = {name for name, weight in start.items() if not torch.equal(weight, planted[name])}
    assert changed == {f"model.layers.1.mlp.{part}_proj.weight" for part in ("gate", "up", "down")}
