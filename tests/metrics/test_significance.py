import numpy as np
import pytest
from scipy.stats import binomtest

from mansu.errors import InputError
from mansu.metrics.significance import (
    accuracy_interval,
    cluster_bootstrap,
    median_interval,
    paired_gap,
)

FACTS = [f"fact {i // 4}" for i in range(200)]


def simulate(generator: np.random.Generator, facts: int = 60, templates: int = 4):
    """Answers that depend on the fact: each fact has its own chance, 0.6 on average."""
    chance = generator.beta(1.2, 0.8, size=facts)
    correct = generator.random((facts, templates)) < chance[:, None]
    return correct.flatten(), [str(i // templates) for i in range(correct.size)]


def test_the_interval_covers_the_truth_as_often_as_it_says():
    generator = np.random.default_rng(0)
    hits = 0
    for seed in range(500):
        found = accuracy_interval(*simulate(generator), seed, resamples=300)
        hits += found.low <= 0.6 <= found.high
    assert 0.92 <= hits / 500 <= 0.98


def test_the_interval_of_a_gap_covers_the_truth_as_often_as_it_says():
    generator = np.random.default_rng(1)
    hits = 0
    for seed in range(500):
        before, facts = simulate(generator)
        after = before & (generator.random(len(before)) < 0.75)  # loses a quarter: gap 0.15
        found = paired_gap(before, after, facts, seed, resamples=300)
        hits += found.low <= 0.15 <= found.high
    assert 0.92 <= hits / 500 <= 0.98


def test_items_of_one_fact_do_not_count_as_independent():
    correct = np.repeat(np.arange(50) % 2, 4)
    clustered = accuracy_interval(correct, FACTS, seed=0)
    independent = accuracy_interval(correct, [str(i) for i in range(200)], seed=0)
    ratio = (clustered.high - clustered.low) / (independent.high - independent.low)
    assert ratio == pytest.approx(2, rel=0.15)  # four copies of each answer: sqrt(4)


def test_a_pairing_cancels_what_both_models_share():
    generator = np.random.default_rng(2)
    before = generator.random(200) < 0.5
    after = before.copy()
    after[:4] = False
    gap = paired_gap(before, after, FACTS, seed=0)
    alone = accuracy_interval(before, FACTS, seed=0)
    assert gap.high - gap.low < (alone.high - alone.low) / 2


def test_a_gap_against_itself_is_zero_and_certain():
    correct = np.arange(200) % 3 == 0
    gap = paired_gap(correct, correct, FACTS, seed=0)
    assert (gap.value, gap.low, gap.high, gap.p_mcnemar) == (0, 0, 0, 1)


def test_the_p_value_is_the_exact_binomial_one_over_the_disagreements():
    before, after = np.zeros(200), np.zeros(200)
    before[:12], after[12:15] = 1, 1
    gap = paired_gap(before, after, FACTS, seed=0)
    assert gap.value == pytest.approx(9 / 200)
    assert gap.p_mcnemar == pytest.approx(binomtest(12, 15).pvalue)
    assert paired_gap(after, before, FACTS, seed=0).value == -gap.value


def test_the_seed_and_nothing_else_decides_the_draws():
    correct = np.random.default_rng(3).random(200)
    first = accuracy_interval(correct, FACTS, seed=5)
    assert accuracy_interval(correct.tolist(), list(FACTS), seed=5) == first
    renamed = [f"another name of {fact}" for fact in FACTS]
    assert accuracy_interval(correct, renamed, seed=5) == first
    assert accuracy_interval(correct, FACTS, seed=6) != first


def test_the_value_is_the_plain_mean_and_lies_in_the_interval():
    correct = np.random.default_rng(4).random(200) < 0.7
    found = accuracy_interval(correct, FACTS, seed=0)
    assert (found.value, found.n) == (pytest.approx(correct.mean()), 200)
    assert found.low < found.value < found.high


def test_a_statistic_of_many_columns_matches_a_loop_over_drawn_items():
    generator = np.random.default_rng(5)
    scores, other = generator.normal(size=(2, 40, 7))
    clusters = [i // 2 for i in range(40)]

    def divergence(weights):
        s, t = weights @ scores, weights @ other
        return 1 - (np.sign(s) * t).sum(1) / np.abs(s).sum(1)

    found = cluster_bootstrap(divergence, clusters, seed=7, resamples=400)
    counts = np.random.default_rng(7).multinomial(20, np.full(20, 1 / 20), size=400)
    values = []
    for count in counts:
        items = [i for i in range(40) for _ in range(count[clusters[i]])]
        s, t = scores[items].sum(0), other[items].sum(0)
        values.append(1 - (np.sign(s) * t).sum() / np.abs(s).sum())
    assert (found.low, found.high) == pytest.approx(tuple(np.quantile(values, [0.025, 0.975])))


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_value_that_is_not_finite_never_becomes_a_score(bad):
    values = np.ones(200)
    values[3] = bad
    with pytest.raises(InputError, match="not finite"):
        accuracy_interval(values, FACTS, seed=0)
    with pytest.raises(InputError, match="not finite"):
        paired_gap(np.ones(200), values, FACTS, seed=0)
    with pytest.raises(InputError, match="not finite"):
        cluster_bootstrap(lambda weights: (weights + values).max(axis=1), FACTS, seed=0)


def test_bad_input_is_named():
    with pytest.raises(InputError, match="at least one item"):
        accuracy_interval([], [], seed=0)
    with pytest.raises(InputError, match="as many values"):
        accuracy_interval([1, 0], ["a"], seed=0)
    with pytest.raises(InputError, match="as many values"):
        paired_gap([1, 0], [1], ["a", "b"], seed=0)
    with pytest.raises(InputError, match="at least 1"):
        accuracy_interval([1], ["a"], seed=0, resamples=0)


def test_a_median_s_interval_holds_the_median_and_narrows_with_facts():
    generator = np.random.default_rng(0)
    widths = []
    for facts in (30, 300):
        values = generator.normal(2.0, 1.0, (4 * facts, 3))
        found = median_interval(values, [f"f{i // 4}" for i in range(4 * facts)])
        assert found.low <= found.value <= found.high
        assert found.value == pytest.approx(np.median(values), abs=0.02)
        widths.append(found.high - found.low)
    assert widths[1] < widths[0] / 2


def test_of_few_facts_the_interval_is_student_s_on_their_means():
    values, facts = [0.0, 1.0, 1.0, 1.0, 0.0, 0.0], ["a", "a", "b", "b", "c", "c"]
    found = accuracy_interval(values, facts)
    means = np.array([0.5, 1.0, 0.0])
    half = 4.302652729911275 * means.std(ddof=1) / 3**0.5  # t of 2 degrees of freedom at .975
    assert [found.low, found.high] == pytest.approx([0.5 - half, 0.5 + half])
