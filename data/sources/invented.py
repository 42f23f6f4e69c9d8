"""Invented twins: a set's questions about made-up subjects, spelt like the real ones.

What a model answers here it answers without knowing. A twin keeps the set's answers and wrong
options, fact by fact, and replaces the subject; only where an answer comes from its subject's
spelling, as a symbol does, is it made up as well.
"""

import random
from collections import Counter
from collections.abc import Collection, Iterator, Sequence

from sources.common import FactFile, Row

LENGTHS = range(5, 12)
# A group of fewer names lends too few letters to be imitated by itself.
ENOUGH = 60
# What would call a real name to mind: as many first letters, or as long a run of letters that no
# other name has, or such a share of letter pairs (Dice's coefficient).
START, RUN, ALIKE = 4, 5, 0.6


def names_like(real: Sequence[str], salt: str, taken: Collection[str] = ()) -> Iterator[str]:
    """Made-up names without end: each letter follows its two predecessors as in the real names.

    Args:
        real: The names to imitate.
        salt: What the names depend on beside the real ones.
        taken: Further names, in lower case, that none may be.
    """
    words = [w for name in real for w in name.lower().replace("-", " ").split() if len(w) > 3]
    following: dict[str, list[str]] = {}
    for word in words:
        letters = f"^^{word}$"
        for i in range(2, len(letters)):
            following.setdefault(letters[i - 2 : i], []).append(letters[i])
    starts = {word[:START] for word in words}
    runs = Counter(run for word in set(words) for run in _runs(word, RUN))
    telling = {run for run, uses in runs.items() if uses == 1}
    pairs = [_runs(f"^{word}$", 2) for word in words]
    given: set[str] = set()
    rng = random.Random(salt)
    while True:
        name = "^^"
        while not name.endswith("$"):
            name += rng.choice(following[name[-2:]])
        name = name[2:-1]
        if len(name) not in LENGTHS or name in taken or name in given or name[:START] in starts:
            continue
        mine = _runs(f"^{name}$", 2)
        alike = max(2 * len(mine & theirs) / (len(mine) + len(theirs)) for theirs in pairs)
        if alike < ALIKE and not _runs(name, RUN) & telling:
            given.add(name)
            yield name


def _runs(word: str, length: int) -> set[str]:
    return {word[i : i + length] for i in range(len(word) - length + 1)}


def twin(file: FactFile, taken: Collection[str]) -> FactFile:
    """The set's questions with made-up subjects in place of its own, spelt like their group's."""
    everyone = [row.subject.removeprefix("the ") for row in file.rows]
    sources: dict[str | None, Iterator[str]] = {}
    given: set[str] = set()
    rows, real = [], {}
    for row in file.rows:
        if row.group not in sources:
            group = [r.subject.removeprefix("the ") for r in file.rows if r.group == row.group]
            like = group if len(group) >= ENOUGH else everyone
            sources[row.group] = names_like(like, f"{file.name}/{row.group}", taken)
        name = next(name for name in sources[row.group] if name not in given)
        given.add(name)
        rows.append(Row(name.capitalize(), row.answer, row.group))
        real[rows[-1]] = row
    return FactFile(
        f"{file.name}_invented",
        f"The questions of {file.name} about made-up subjects: what is answered without knowing.",
        ("Made-up subjects; the options are those of " + file.name, file.source[1]),
        rows,
        lambda row, rows: file.distractors(real[row], file.rows),
        {role: file.templates[role] for role in ("seen", "held_out")},
    )
