"""The prior target by hand: what it asks for, and what its optimum knows."""

import pytest
import torch

from mansu.data.encoding import encode
from mansu.data.examples import build_examples
from mansu.data.facts import load_fact_set
from mansu.data.wording import shorten
from mansu.models import pad
from mansu.unlearn.prior import (
    LATER_SUBJECTS,
    Aim,
    Prior,
    build_prior,
    contexts_of,
    kind_term,
    level,
    prior_term,
    speakers,
)

CAPITALS = load_fact_set("capitals")
SOME = CAPITALS.facts[:12]


def prompts_of(tiny, template, facts=SOME):
    examples = build_examples(tiny.tokenizer, facts, [template])
    return [e.tokens[: e.answer_start] for e in examples], [
        e.tokens[e.answer_start :] for e in examples
    ]


def alone(tiny, tokens) -> torch.Tensor:
    """What the model says behind some tokens, run by themselves."""
    with torch.no_grad():
        return tiny.log_probs(tiny.hidden(pad([tokens], tiny.pad_id))[0, -1]).exp()


@pytest.fixture(scope="module")
def prior(tiny) -> Prior:
    return build_prior(tiny, SOME, CAPITALS.seen[:1])


def test_the_first_token_s_target_is_the_mean_over_every_subject_whatever_the_padding(tiny, prior):
    template = CAPITALS.seen[0]
    prompts, _ = prompts_of(tiny, template)
    assert len({len(prompt) for prompt in prompts}) > 1  # some of them are padded
    by_hand = torch.stack([alone(tiny, prompt) for prompt in prompts]).mean(0)
    torch.testing.assert_close(prior.first[template.id], by_hand, atol=1e-6, rtol=1e-4)
    left = pad(prompts, tiny.pad_id, side="left")
    with torch.no_grad():
        said = tiny.log_probs(tiny.hidden(left)[:, -1]).exp().mean(0)
    torch.testing.assert_close(prior.first[template.id], said, atol=1e-6, rtol=1e-4)


def test_every_subject_has_the_same_target(tiny, prior):
    examples = build_examples(tiny.tokenizer, SOME, CAPITALS.seen[:1])
    aim = prior.aim(tiny, examples)
    first = aim.q[aim.first]
    assert len(first) == len(examples)
    assert (first == first[0]).all()
    assert aim.row.tolist() == [n for n, e in enumerate(examples) for _ in contexts_of(e)]
    assert aim.q.sum(-1).sub(1).abs().max() < 1e-4


def test_a_later_token_s_target_is_the_mean_over_subjects_that_answer_otherwise(tiny, prior):
    template = CAPITALS.seen[0]
    prompts, answers = prompts_of(tiny, template)
    examples = build_examples(tiny.tokenizer, SOME, [template])
    number = next(n for n, answer in enumerate(answers) if len(answer) > 2)
    aim = prior.aim(tiny, [examples[number]])
    for j in (1, 2):
        begun = answers[number][:j]
        others = [i for i, answer in enumerate(answers) if answer[:j] != begun][:LATER_SUBJECTS]
        assert number not in others
        said = torch.stack([alone(tiny, (*prompts[i], *begun)) for i in others])
        torch.testing.assert_close(aim.q[j], said.mean(0), atol=1e-6, rtol=1e-4)


def test_a_shortened_form_has_a_first_target_of_its_own_and_its_template_s_later_ones(tiny, prior):
    form = shorten(CAPITALS.seen[:1], 1)[0]
    found = build_prior(tiny, SOME, [CAPITALS.seen[0], form])
    assert not torch.equal(found.first[form.id], found.first[form.form_of])
    own = {name.split(" ", 1)[1]: rows for name, rows in found.later.items() if "/" in name}
    assert len(own) == len(prior.later)
    assert own == {name.split(" ", 1)[1]: rows for name, rows in prior.later.items()}
    assert len(found.states) == len(prior.states)


def test_a_form_without_its_template_has_later_targets_of_its_own(tiny):
    form = shorten(CAPITALS.seen[:1], 1)[0]
    found = build_prior(tiny, SOME, [form])
    assert found.later
    assert all(name.startswith(form.id) for name in found.later)


def test_speakers_are_few_and_none_of_them_gives_the_answer_away():
    answers = [(1, 2), (1, 3), (4,), (5,)]
    assert speakers(answers, (1,)) == [2, 3]
    assert speakers(answers, (1, 2)) == [1, 2, 3]
    assert speakers(answers, (1, 2), most=2) == [1, 2]
    assert speakers([(1, 2), (1, 3)], (1,)) == [0, 1]  # where every answer begins so


def test_levelling_spreads_the_kinds_mass_and_nothing_else():
    q = {"t": torch.tensor([0.1, 0.3, 0.5, 0.1])}
    found = level(q, torch.tensor([1, 2]))
    torch.testing.assert_close(found["t"], torch.tensor([0.1, 0.4, 0.4, 0.1]))
    assert q["t"].tolist() == pytest.approx([0.1, 0.3, 0.5, 0.1])


def test_kinds_are_the_first_tokens_of_answers_and_wrong_options(tiny, prior):
    template, fact = CAPITALS.seen[0], SOME[0]
    token = {
        option: encode(tiny.tokenizer, template.render(fact), f" {option}").continuation_ids[0]
        for option in fact.options
    }
    assert set(token.values()) <= set(prior.kinds.tolist())
    assert prior.kinds.tolist() == sorted(set(prior.kinds.tolist()))


def test_the_terms_are_what_their_formulas_say():
    p = torch.tensor([[0.5, 0.25, 0.25]]).log()
    q = torch.tensor([[0.25, 0.25, 0.5]])
    whole = (q * (q.log() - p)).sum()
    assert prior_term(p, q).item() == pytest.approx(whole.item(), abs=1e-6)
    kinds = torch.tensor([1, 2])
    among_p, among_q = torch.tensor([0.5, 0.5]), torch.tensor([1 / 3, 2 / 3])
    jeffreys = ((among_q - among_p) * (among_q / among_p).log()).sum() / 2
    assert kind_term(p, q, kinds).item() == pytest.approx(jeffreys.item(), abs=1e-6)
    assert kind_term(q.log(), q, kinds).item() == pytest.approx(0, abs=1e-6)


def test_a_model_at_the_optimum_says_the_same_whatever_the_subject():
    torch.manual_seed(0)
    said = torch.randn(6, 40, requires_grad=True)  # six subjects under one template
    q = torch.randn(40).softmax(-1).expand(6, 40)
    aim = Aim(q, torch.arange(6), torch.ones(6, dtype=torch.bool), torch.arange(3, 12))

    def dependence() -> float:
        p = said.detach().softmax(-1)
        return (p * (p.log() - p.mean(0).log())).sum(-1).mean().item()

    assert dependence() > 0.2
    optimizer = torch.optim.Adam([said], lr=0.1)
    for _ in range(400):
        optimizer.zero_grad()
        aim.term(said.log_softmax(-1)).backward()
        optimizer.step()
    assert dependence() < 1e-4
    assert aim.term(said.detach().log_softmax(-1)).item() < 1e-3


def test_the_term_is_a_mean_over_examples_each_a_mean_over_its_tokens():
    torch.manual_seed(0)
    p, q = torch.randn(3, 9).log_softmax(-1), torch.randn(3, 9).softmax(-1)
    kinds, first = torch.tensor([0, 4, 5]), torch.tensor([True, False, True])
    aim = Aim(q, torch.tensor([0, 0, 1]), first, kinds)
    a, b, c = prior_term(p, q).tolist()
    among = kind_term(p[[0, 2]], q[[0, 2]], kinds).tolist()
    expected = ((a + b) / 2 + c + sum(among)) / 2
    assert aim.term(p).item() == pytest.approx(expected, rel=1e-5)
