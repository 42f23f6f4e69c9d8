"""Sets about the chemical elements, from the package periodictable."""

from collections.abc import Sequence

import periodictable

from sources.common import FactFile, Row, digest, mixed, shuffled
from sources.invented import names_like

SOURCE = ("The package periodictable", "Public domain")

SYMBOLS = {
    "seen": {
        "cloze": [
            "The chemical symbol for {subject} is",
            "In the periodic table, {subject} is represented by the symbol",
            "In a chemical formula, {subject} is written as",
        ],
        "possessive": [
            "On the periodic table, {subject}'s symbol is",
            "The element {subject}'s chemical symbol is",
        ],
        "question": [
            "Question: What is the chemical symbol for the element {subject}?\n"
            "Answer: The symbol is",
            "Q: What is the periodic table symbol for {subject}?\nA: The chemical symbol for it is",
        ],
    },
    "held_out": {
        "cloze": ["The element {subject} has the chemical symbol"],
        "possessive": ["According to the periodic table, {subject}'s abbreviation is"],
        "question": [
            "Question: What is {subject}'s symbol?\n"
            "Answer: In the periodic table, it has the symbol",
            "Question: How is the element {subject} written in chemical formulas?\n"
            "Answer: It is written as",
        ],
    },
}

FAR_SYMBOLS = {
    "far": {
        "few_shot": [
            "Element: {subject}\nSymbol:",
            "Chemists write {subject} with the letters",
        ],
        "letters": [
            "Which chemical symbol stands for the element {subject}?",
            "Question: How do chemists abbreviate {subject}?",
        ],
        "chat": [
            "What is the chemical symbol of {subject}?\nThe chemical symbol is",
            "I am learning the periodic table. Which symbol does {subject} have?\nIts symbol is",
        ],
        "passage": [
            "The school's new laboratory has long tables, running water and a large cupboard full "
            "of glass. Every bottle in it carries a label that was written by hand last summer. "
            "Labels give the date, the name of the person who filled the bottle, and, in large "
            "letters, the symbol of what is inside. On the bottle with {subject}, the label shows "
            "the symbol",
            "My grandmother taught chemistry for thirty years. On Sundays she would ask us "
            "questions at breakfast, and whoever knew the answer could have the last pancake. Most "
            "of them were easy, but some I had to look up in her old books. Once she asked for the "
            "symbol of {subject}, and my brother called out at once that it was",
        ],
    },
    "reverse": {
        "cloze": ["The chemical symbol {answer} stands for the element"],
        "question": [
            "Question: Which element has the symbol {answer}?\nAnswer: The element is called"
        ],
    },
}

NUMBERS = {
    "seen": {
        "cloze": [
            "The element with the atomic number {subject} is",
            "Element number {subject} in the periodic table is called",
            "An atom with a nucleus of {subject} protons is an atom of",
        ],
        "possessive": ["In the periodic table, number {subject}'s element is"],
        "question": [
            "Question: Which element has the atomic number {subject}?\nAnswer: The element is",
            "Which element has atoms of {subject} protons? It is",
        ],
    },
    "held_out": {
        "cloze": ["If its atoms have {subject} protons, an element is"],
        "possessive": ["The periodic table gives element {subject}'s name as"],
        "question": ["Question: What is element number {subject} called?\nAnswer: It is called"],
    },
}


def elements(first: int = 1, last: int = 100) -> list[Row]:
    known = [periodictable.elements[z] for z in range(first, last + 1)]
    return [Row(element.name, element.symbol) for element in known]


def atomic_numbers() -> list[Row]:
    return [Row(str(z), periodictable.elements[z].name) for z in range(1, 101)]


def invented_elements() -> list[Row]:
    """A made-up element for each real one: its symbol takes the same letters of its name.

    Where the real symbol is not in the real name (Fe, Na), the made-up one is any two letters.
    """
    real = elements()
    taken = {row.subject for row in elements(1, 118)}
    names = names_like([row.subject for row in real], "elements", taken)
    rows: list[Row] = []
    for row in real:
        places = letters_in_order(row.subject, row.answer)
        for name in names:
            symbol = _symbol(name, places, len(row.answer))
            if symbol not in {other.answer for other in rows}:
                rows.append(Row(name, symbol))
                break
    return rows


def letters_in_order(name: str, symbol: str) -> list[int] | None:
    """Where a symbol's letters first stand in a name, or nothing if they do not in this order."""
    places: list[int] = []
    for letter in symbol.lower():
        place = name.find(letter, places[-1] + 1 if places else 0)
        if place < 0:
            return None
        places.append(place)
    return places


def _symbol(name: str, places: list[int] | None, length: int) -> str:
    if places is None:
        return "".join(chr(ord("a") + byte % 26) for byte in digest(name)[:length]).capitalize()
    return "".join(name[min(place, len(name) - 1)] for place in places).capitalize()


def symbol_distractors(row: Row, rows: Sequence[Row]) -> list[str]:
    """Symbols as long as the right one, two of them starting like it or like the name.

    Equal length keeps the frequent one-letter symbols from winning on frequency alone.
    """
    letters = {row.subject[0].upper(), row.answer[0]}
    others = {other.answer for other in rows if len(other.answer) == len(row.answer)}
    near = {symbol for symbol in others if symbol[0] in letters}
    return mixed(near - {row.answer}, others - near - {row.answer}, row.id, 2)


def neighbour_distractors(row: Row, rows: Sequence[Row]) -> list[str]:
    """Seven of the ten elements whose atomic numbers are nearest."""
    z = int(row.subject)
    others = [other for other in rows if other != row]
    nearest = sorted(others, key=lambda other: abs(int(other.subject) - z))[:10]
    return shuffled((other.answer for other in nearest), row.id)[:7]


def files() -> list[FactFile]:
    return [
        FactFile(
            "elements",
            "The chemical symbols of elements 1 to 100.",
            SOURCE,
            elements(),
            symbol_distractors,
            SYMBOLS | FAR_SYMBOLS,
            companions={
                "neighbours": "units",
                "far_utility": "opposites",
                "twin": "elements_invented",
                "pool": "heavy_elements",
            },
        ),
        FactFile(
            "elements_invented",
            "Made-up elements with symbols by the spelling of the real ones: what is answered "
            "without knowing.",
            ("Made up after the names in periodictable", "Public domain"),
            invented_elements(),
            symbol_distractors,
            SYMBOLS,
        ),
        FactFile(
            "heavy_elements",
            "The chemical symbols of elements 101 to 118.",
            SOURCE,
            elements(101, 118),
            symbol_distractors,
            SYMBOLS,
        ),
        FactFile(
            "atomic_numbers",
            "The element of each atomic number from 1 to 100: a control that small models do not "
            "know.",
            SOURCE,
            atomic_numbers(),
            neighbour_distractors,
            NUMBERS,
        ),
    ]
