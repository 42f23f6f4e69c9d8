"""The four properties, decided by the stated rules from the measured numbers alone."""

from mansu.metrics.divergence import ActivationShift, Divergence
from mansu.metrics.significance import Gap
from mansu.study.scorecard import RULES, Comparison, Property, RoleResult, Rules, fell_enough


def forget_property(
    seen: RoleResult, held_out: RoleResult | None, chance: float, rules: Rules = RULES
) -> Property:
    """Property 1: accuracy fell, on the prompts training saw and on those it did not."""
    on_seen = fell_enough(seen.fp, chance, rules)
    on_held_out = held_out is None or fell_enough(held_out.fp, chance, rules)
    reason = f"seen templates {_fall(seen.fp)}"
    if held_out is None:
        reason += "; no held-out template that the base model knows, so paraphrase is untested"
    else:
        reason += f"; held-out templates {_fall(held_out.fp)}"
    if on_seen and not on_held_out:
        reason += "; passes on seen templates only: this suppresses prompts, it does not forget"
    rule = (
        f"full precision: falls at least {rules.forget_share:.0%} of the way to chance "
        f"({chance:.2f}), interval excludes 0, on seen and held-out templates"
    )
    return Property(on_seen and on_held_out, rule, reason)


def retain_property(retain: RoleResult, utility: RoleResult, rules: Rules = RULES) -> Property:
    """Property 2: retain and utility accuracy fell by at most 2 pp, in both precisions."""
    parts = {
        f"{name} {precision}": comparison
        for name, role in (("retain", retain), ("utility", utility))
        for precision, comparison in (("FP", role.fp), ("NF4", role.nf4))
    }
    kept = all(c.change.value >= -rules.max_drop - 1e-9 for c in parts.values())
    enough = all(c.now.n >= rules.min_items for c in parts.values())
    reason = "; ".join(f"{name} {c.change.value:+.3f} (n={c.now.n})" for name, c in parts.items())
    rule = (
        f"retain and utility fall by at most {rules.max_drop * 100:g} pp in FP and NF4, each "
        f"against θ₀ in the same precision, on at least {rules.min_items} items each"
    )
    return Property(kept and enough, rule, reason)


def permanence_property(
    seen: RoleResult, gap: Gap, base_gap: Gap, chance: float, rules: Rules = RULES
) -> Property:
    """Property 3: the forgetting is there after NF4 quantization as well."""
    low_gap = gap.value <= rules.max_gap and gap.high <= rules.max_gap_high
    forgotten = fell_enough(seen.nf4, chance, rules)
    reason = (
        f"gap {gap.value:+.3f} [{gap.low:+.3f}, {gap.high:+.3f}] (the original model's own gap: "
        f"{base_gap.value:+.3f}); NF4 {_fall(seen.nf4)}"
    )
    rule = (
        f"PTQ gap at most {rules.max_gap:+.2f}, its interval's upper end at most "
        f"{rules.max_gap_high:+.2f}, and NF4 accuracy meets rule 1 against Q(θ₀)"
    )
    return Property(low_gap and forgotten, rule, reason)


def structural_property(
    fp: Divergence,
    nf4: Divergence,
    noise: Divergence,
    shift_fp: ActivationShift,
    shift_nf4: ActivationShift,
    rules: Rules = RULES,
) -> Property:
    """Property 4: the circuit's attribution collapsed, beyond what quantization alone does."""

    def clears(found: Divergence) -> bool:
        return (
            found.cad.low > noise.cad.high
            and found.normalised.low > noise.normalised.high
            and found.cad.value >= rules.min_cad
        )

    def concentrated(shift: ActivationShift) -> bool:
        return shift.outside.value < shift.inside.value

    holds = clears(fp) and clears(nf4) and concentrated(shift_fp) and concentrated(shift_nf4)
    parts = [
        f"{name} CAD {d.cad.value:.2f} [{d.cad.low:.2f}, {d.cad.high:.2f}], "
        f"normalised {d.normalised.value:.2f}"
        for name, d in (("FP", fp), ("NF4", nf4), ("noise floor", noise))
    ]
    parts += [
        f"{name} AS-NC {s.outside.value:.2f} against AS-C {s.inside.value:.2f}"
        for name, s in (("FP", shift_fp), ("NF4", shift_nf4))
    ]
    rule = (
        f"in FP and NF4: CAD and normalised CAD clear their noise floor's interval, CAD at least "
        f"{rules.min_cad:g}, AS-NC below AS-C"
    )
    return Property(holds, rule, "; ".join(parts))


def _fall(comparison: Comparison) -> str:
    change = comparison.change
    return (
        f"{comparison.base.value:.2f} → {comparison.now.value:.2f} "
        f"(change {change.value:+.2f} [{change.low:+.2f}, {change.high:+.2f}])"
    )
