"""Every family's real architecture, small and random, through the whole method."""

import json
import math

import pytest
import torch

from mansu.models import load_model
from mansu.models.families import families
from mansu.models.loading import read_config
from mansu.study.config import make_config
from mansu.study.folders import Folders
from mansu.study.pipeline import run_study
from mansu.study.run import Run
from tests.models.real_configs import REAL, real_config, save_shrunk
from tests.study.small_sets import hurry

SETTINGS = {
    "top_k": 2,
    "pairs": 4,
    "ig_steps": 2,
    "fisher_examples": 8,
    "steps": 3,
    "validate_every": 1,
    "learning_rate": 0.02,
}


@pytest.fixture(scope="module")
def few_facts(tmp_path_factory, tiny) -> dict[str, str]:
    """Three small fact sets, so that a study takes seconds."""
    folder = tmp_path_factory.mktemp("facts")
    sets = {}
    for role, subjects in (("forget", "ABCDEFGH"), ("retain", "KLMNOPQR"), ("utility", "STUVWXYZ")):
        path = folder / f"{role}.jsonl"
        path.write_text(_fact_set(role, subjects))
        sets[role] = str(path)
    return sets


@pytest.mark.parametrize("name", REAL)
def test_a_real_configuration_shrunk_goes_from_localize_to_cad(
    name, few_facts, tiny, tmp_path, monkeypatch
):
    hurry(monkeypatch)
    model = save_shrunk(name, tiny.tokenizer, tmp_path / "model")
    config = make_config({"model": str(model), **few_facts, **SETTINGS})
    card = run_study(Run(config, Folders(tmp_path / "run", tmp_path / "shared")))
    weights = {row.metric: row.value for row in card.rows.where(set="weights")}
    assert (weights["changed"] or 0) > 0
    assert weights["survival"] == 1
    assert weights["collateral"] == 0
    found = card.rows.where(metric="cad", origin="unlearned")
    assert {row.format for row in found} == {"fp", "nf4"}
    assert all(row.value is not None and math.isfinite(row.value) for row in found)


@pytest.mark.parametrize("name", REAL)
def test_a_real_configuration_is_served_by_one_family(name):
    config = real_config(name)
    serving = [family for family in families() if config.model_type in family.model_types]
    assert len(serving) == 1


def test_the_paper_s_multimodal_model_is_read_by_its_decoder(tiny, tmp_path):
    folder = save_shrunk("Gemma-3-4B", tiny.tokenizer, tmp_path)
    assert read_config(folder).get_text_config().num_hidden_layers == 4
    model = load_model(str(folder))
    names = model.family.linear_weight_names(model.module)
    assert model.layers == 4
    assert not any("vision" in name for name in names)
    assert set(model.family.mlp_weight_names(model.module, 3)) <= set(names)


@pytest.mark.parametrize("name", ["Gemma-2-2B", "Gemma-3-1B", "Qwen3-4B", "Gemma-3-4B"])
def test_log_probabilities_are_those_of_the_models_own_logits(name, tiny, tmp_path):
    model = load_model(str(save_shrunk(name, tiny.tokenizer, tmp_path)))
    tokens = torch.tensor([[5, 6, 7, 8]])
    own = model.module(input_ids=tokens).logits.log_softmax(-1)
    hidden = model.module.get_decoder()(input_ids=tokens).last_hidden_state
    torch.testing.assert_close(model.log_probs(hidden), own)


def _fact_set(role: str, subjects: str) -> str:
    templates = [
        {"id": "seen", "kind": "cloze", "role": "seen", "text": "After {subject} comes"},
        {"id": "held", "kind": "cloze", "role": "held_out", "text": "Behind {subject} stands"},
    ]
    records: list[dict[str, object]] = [{"record": "set", "name": role, "templates": templates}]
    for place, subject in enumerate(subjects):
        others = [s for s in subjects if s != subject]
        records.append(
            {
                "record": "fact",
                "id": subject,
                "subject": subject,
                "answer": others[place % len(others)],
                "distractors": [s for s in others if s != others[place % len(others)]][:3],
                "split": "held_out" if place % 2 else "train",
            }
        )
    return "\n".join(json.dumps(record) for record in records)
