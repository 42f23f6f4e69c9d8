"""The prior target: answer as a model that knows the form and not the fact [O].

For a template t, q_t is the mean over all subjects of the set of what θ₀ says next: one
distribution a template, the same for every subject, so that the optimum carries nothing about the
subject. Behind an answer's first tokens a_<j stands one distribution for (t, a_<j): the mean over a
few subjects whose own answer does not begin so; for a shortened form of t, that of t. Where a model
knows long answers by heart, it would go on with them behind anybody's prompt: there it is what θ₀
says when it sees the last ``WINDOW`` tokens alone. The forget term of a row is

    KL(q ‖ p)                                  mean over the answer's tokens
    + ½ [KL(q_A ‖ p_A) + KL(p_A ‖ q_A)]        at the answer's first token, times ``CONDITIONAL``

A are the first tokens of the set's answers and wrong options, p_A is p among them alone. By the
chain rule KL(q ‖ p) weighs what is said about A with q(A) only: where a prompt is mostly continued
otherwise (" the"), the fact would stay under an unlikely kind, and a choice among options still
finds it. The second term has the same optimum and lifts that weight; its reverse half is large
where p_A is peaked, on facts that are still known.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

import torch
from transformers import DynamicCache

from mansu.data.encoding import encode
from mansu.data.examples import Example, build_examples
from mansu.data.templates import Fact, Template
from mansu.models import LanguageModel, pad
from mansu.models.batch import cuts
from mansu.models.targets import mean_by_row

CONDITIONAL = 1.0
LATER_SUBJECTS = 8  # subjects that a distribution behind an answer's first tokens is a mean over
WINDOW = 2  # tokens that tell little more of a passage than its language
FLOOR = 1e-12  # probability below which a target says nothing
BATCH_TAILS = 256

# Where an answer's next token is predicted: the template, and the answer's tokens so far.
Context = tuple[str, tuple[int, ...]]


@dataclass(frozen=True)
class Prior:
    """Targets of a forget set, in host memory.

    Attributes:
        first: q_t by template id, float32, ``[vocabulary]``.
        later: Rows of ``states`` by context (:func:`name_of`).
        states: Final hidden states of θ₀ whose next-token probabilities are averaged,
            ``[rows, width]``.
        kinds: A, ascending token ids, ``[kinds]``.
        levelled: Whether the mass on A was spread equally over A.
    """

    first: dict[str, torch.Tensor]
    later: dict[str, tuple[int, int]]
    states: torch.Tensor
    kinds: torch.Tensor
    levelled: bool

    def aim(self, model: LanguageModel, examples: Sequence[Example]) -> "Aim":
        """q at every answer token of some examples."""
        contexts = [contexts_of(example) for example in examples]
        behind = [name_of(context) for row in contexts for context in row if context[1]]
        means = iter(self._means(model, behind) if behind else ())
        q = [
            next(means) if begun else self.first[template].to(model.device)
            for row in contexts
            for template, begun in row
        ]
        rows = torch.arange(len(contexts)).repeat_interleave(torch.tensor([*map(len, contexts)]))
        first = torch.tensor([not begun for row in contexts for _, begun in row])
        return Aim(*(t.to(model.device) for t in (torch.stack(q), rows, first, self.kinds)))

    def _means(self, model: LanguageModel, names: Sequence[str]) -> torch.Tensor:
        """Mean probabilities behind some contexts, ``[names, vocabulary]``."""
        distinct = list(dict.fromkeys(names))
        ranges = [torch.arange(*self.later[name]) for name in distinct]
        owner = torch.cat([torch.full_like(r, n) for n, r in enumerate(ranges)]).to(model.device)
        states = self.states[torch.cat(ranges)].to(model.device)
        with torch.no_grad():
            said = model.log_probs(states).exp()
        sums = said.new_zeros(len(distinct), said.shape[1]).index_add(0, owner, said)
        means = sums / owner.bincount()[:, None]
        return means[[distinct.index(name) for name in names]]


@dataclass(frozen=True)
class Aim:
    """What the answers of one step's forget examples should be.

    Attributes:
        q: The target at every answer token, ``[tokens, vocabulary]``.
        row: The example each belongs to, ``[tokens]``.
        first: Whether it is its answer's first token, ``[tokens]``.
        kinds: A, ``[kinds]``.
    """

    q: torch.Tensor
    row: torch.Tensor
    first: torch.Tensor
    kinds: torch.Tensor

    def term(self, log_probs: torch.Tensor) -> torch.Tensor:
        """The forget term, a mean over the examples, in nats.

        Args:
            log_probs: What θ says at the answer tokens, ``[tokens, vocabulary]``.
        """
        whole = mean_by_row(prior_term(log_probs, self.q), self.row)
        among = kind_term(log_probs[self.first], self.q[self.first], self.kinds)
        return (whole + CONDITIONAL * among).mean()


def contexts_of(example: Example) -> list[Context]:
    """The context of each of an example's answer tokens."""
    answer = example.tokens[example.answer_start :]
    return [(example.template_id, answer[:j]) for j in range(len(answer))]


def name_of(context: Context) -> str:
    """A context as a text."""
    return f"{context[0]} {' '.join(map(str, context[1]))}"


def build_prior(
    model: LanguageModel,
    facts: Sequence[Fact],
    templates: Sequence[Template],
    progress: Callable[[int, int], None] = lambda done, total: None,
    recited: bool = False,
) -> Prior:
    """The targets of a set, not levelled.

    Args:
        model: θ₀.
        facts: Its facts, in the order in which later tokens take their subjects.
        templates: The templates to train on, a shortened form behind what it is a form of.
        progress: Called with (templates done, templates in all).
        recited: Whether answers are long, and known by heart.
    """
    first: dict[str, torch.Tensor] = {}
    later: dict[str, tuple[int, int]] = {}
    states = [torch.empty(0, model.config.hidden_size, dtype=model.module.dtype)]
    rows = 0
    for done, template in enumerate(templates, start=1):
        examples = build_examples(model.tokenizer, facts, [template])
        prompts = [e.tokens[: e.answer_start] for e in examples]
        answers = [e.tokens[e.answer_start :] for e in examples]
        first[template.id] = mean_first(model, prompts)
        begun = sorted({so_far for e in examples for _, so_far in contexts_of(e) if so_far})
        if template.form_of is not None:
            shared = {tail: later.get(name_of((template.form_of, tail))) for tail in begun}
            later |= {name_of((template.id, t)): r for t, r in shared.items() if r is not None}
            begun = [tail for tail in begun if shared[tail] is None]
        behind = window_states if recited else later_states
        for tail, found in zip(begun, behind(model, prompts, answers, begun), strict=True):
            later[name_of((template.id, tail))] = (rows, rows + len(found))
            states.append(found)
            rows += len(found)
        progress(done, len(templates))
    return Prior(first, later, torch.cat(states), kinds_of(model, facts, templates), False)


def mean_first(model: LanguageModel, prompts: Iterable[Sequence[int]]) -> torch.Tensor:
    """Mean over prompts of what the model says next, float32 in host memory, ``[vocabulary]``."""
    rows = sorted(prompts, key=len)
    total = torch.zeros(())
    for some in cuts([len(row) for row in rows]):
        batch = pad(rows[some], model.pad_id, model.device)
        with torch.no_grad():
            hidden = model.hidden(batch)
            row = torch.arange(len(hidden), device=model.device)
            said = model.log_probs(hidden[row, batch.last]).exp()
        total = total + said.sum(0).float().cpu()
    return total / len(rows)


def speakers(
    answers: Sequence[tuple[int, ...]], begun: tuple[int, ...], most: int = LATER_SUBJECTS
) -> list[int]:
    """The first subjects whose own answer does not begin so; all of them, where every one does."""
    others = [i for i, answer in enumerate(answers) if answer[: len(begun)] != begun]
    return (others or list(range(len(answers))))[:most]


def later_states(
    model: LanguageModel,
    prompts: Sequence[tuple[int, ...]],
    answers: Sequence[tuple[int, ...]],
    begun: Sequence[tuple[int, ...]],
) -> list[torch.Tensor]:
    """Final hidden states behind answers' first tokens, in host memory.

    Args:
        model: θ₀.
        prompts: One template's prompts, in the order in which subjects are taken.
        answers: Their own answers.
        begun: Distinct beginnings of answers.

    Returns:
        For each beginning the states behind it after its speakers' prompts, ``[≤ 8, width]``.
    """
    spoken = {tail: speakers(answers, tail) for tail in begun}
    # Prompts of one length together: padding would count in a sliding window.
    pairs = sorted(
        ((tail, i) for tail in begun for i in spoken[tail]),
        key=lambda pair: (len(prompts[pair[1]]), len(pair[0]), pair),
    )
    found: dict[tuple[tuple[int, ...], int], torch.Tensor] = {}
    for _, group in groupby(pairs, key=lambda pair: len(prompts[pair[1]])):
        together = list(group)
        for start in range(0, len(together), BATCH_TAILS):
            part = together[start : start + BATCH_TAILS]
            found |= dict(zip(part, _behind(model, prompts, part), strict=True))
    return [torch.stack([found[tail, i] for i in spoken[tail]]) for tail in begun]


def window_states(
    model: LanguageModel,
    prompts: Sequence[tuple[int, ...]],
    answers: Sequence[tuple[int, ...]],
    begun: Sequence[tuple[int, ...]],
) -> list[torch.Tensor]:
    """The same where all that is seen of prompt and answer are the last tokens.

    Returns:
        For each beginning the state behind the last tokens of it and of its own prompt,
        ``[1, width]``.
    """
    own = {
        answer[:j]: prompt
        for prompt, answer in zip(prompts, answers, strict=True)
        for j in range(1, len(answer))
    }
    seen = [(*own[tail], *tail)[-WINDOW:] for tail in begun]
    found: list[torch.Tensor] = []
    for start in range(0, len(seen), BATCH_TAILS):
        batch = pad(seen[start : start + BATCH_TAILS], model.pad_id, model.device)
        with torch.no_grad():
            hidden = model.hidden(batch)
        found += hidden[torch.arange(len(hidden), device=model.device), batch.last].cpu().split(1)
    return found


def _behind(
    model: LanguageModel,
    prompts: Sequence[tuple[int, ...]],
    pairs: Sequence[tuple[tuple[int, ...], int]],
) -> torch.Tensor:
    """The last hidden state of each (tail, prompt), ``[pairs, width]``; a prompt is read once."""
    used = sorted({i for _, i in pairs})
    batch, cache = pad([prompts[i] for i in used], model.pad_id, model.device), DynamicCache()
    tails = pad([tail for tail, _ in pairs], model.pad_id, model.device)
    with torch.no_grad():
        model.hidden(batch, cache)
        parents = torch.tensor([used.index(i) for _, i in pairs], device=model.device)
        cache.batch_select_indices(parents)
        hidden = model.hidden(tails.behind(batch.attention_mask[parents]), cache)
    return hidden[torch.arange(len(pairs), device=model.device), tails.last].cpu()


def kinds_of(
    model: LanguageModel, facts: Sequence[Fact], templates: Sequence[Template]
) -> torch.Tensor:
    """First tokens of all answers and wrong options of a set, ascending, ``[kinds]``."""
    first = {
        encode(model.tokenizer, t.render(fact), t.follow(fact, option)).continuation_ids[0]
        for fact in facts
        for t in templates
        for option in fact.options
    }
    return torch.tensor(sorted(first))


def level(q: Mapping[str, torch.Tensor], kinds: torch.Tensor) -> dict[str, torch.Tensor]:
    """Targets with the mass on the kinds spread equally over them."""
    levelled = {name: row.clone() for name, row in q.items()}
    for row in levelled.values():
        row[kinds] = row[kinds].mean()
    return levelled


def prior_term(log_probs: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """KL(q ‖ p) at each position, ``[positions, vocabulary] -> [positions]``, in nats."""
    return (target * ((target + FLOOR).log() - log_probs)).sum(-1)


def kind_term(log_probs: torch.Tensor, target: torch.Tensor, kinds: torch.Tensor) -> torch.Tensor:
    """Half of Jeffreys' divergence between q and p among the kinds, ``[positions]``, in nats."""
    p = log_probs[:, kinds].log_softmax(-1)
    q = (target[:, kinds] + FLOOR).log().log_softmax(-1)
    return ((q.exp() - p.exp()) * (q - p)).sum(-1) / 2
