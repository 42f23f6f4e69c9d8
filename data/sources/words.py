"""Words: opposites, far from every other set, and units, near the elements' symbols."""

from sources.common import FactFile, Row, any_distractors

WRITTEN = ("Written for this project", "Apache-2.0")

OPPOSITES = """
above: below; accept: reject; ancient: modern; arrival: departure; before: after; begin: end;
big: small; black: white; brave: cowardly; buy: sell; cheap: expensive; clean: dirty; day: night;
deep: shallow; early: late; east: west; failure: success; false: true; fast: slow; first: last;
forget: remember; friend: enemy; full: empty; generous: selfish; good: bad; guilty: innocent;
happy: sad; hard: soft; heavy: light; high: low; hot: cold; increase: decrease; inside: outside;
king: queen; laugh: cry; left: right; life: death; long: short; loud: quiet; love: hate;
male: female; maximum: minimum; north: south; old: young; open: closed; peace: war; past: future;
polite: rude; positive: negative; public: private; push: pull; question: answer; rich: poor;
safe: dangerous; sharp: blunt; simple: complex; smooth: rough; strong: weak; summer: winter;
sweet: sour; teach: learn; thick: thin; up: down; victory: defeat; wet: dry; wide: narrow;
win: lose
"""

UNITS = """
ampere: A; becquerel: Bq; bit: b; byte: B; calorie: cal; candela: cd; centimeter: cm; coulomb: C;
decibel: dB; farad: F; foot: ft; gallon: gal; gigabyte: GB; gigahertz: GHz; gram: g; hectare: ha;
henry: H; hertz: Hz; hour: h; inch: in; joule: J; kelvin: K; kilobyte: kB; kilogram: kg;
kilojoule: kJ; kilometer: km; kilowatt: kW; liter: L; lumen: lm; lux: lx; megabyte: MB;
megahertz: MHz; meter: m; mile: mi; milligram: mg; milliliter: mL; millimeter: mm;
millisecond: ms; minute: min; mole: mol; newton: N; ounce: oz; pascal: Pa; pound: lb; radian: rad;
second: s; sievert: Sv; tesla: T; ton: t; volt: V; watt: W; weber: Wb; yard: yd
"""

UNIT_WORDING = {
    "seen": {
        "cloze": [
            "The symbol for the unit {subject} is",
            "In physics, the unit {subject} is abbreviated as",
        ],
        "possessive": ["In the table of units, the {subject}'s abbreviation is"],
        "question": ["Question: What is the abbreviation for {subject}?\nAnswer: It is"],
    },
    "held_out": {
        "cloze": ["Instead of the word {subject}, engineers write"],
        "question": ["Question: How is the unit {subject} abbreviated?\nAnswer: The symbol is"],
    },
}

WORDING = {
    "seen": {
        "cloze": ["The opposite of {subject} is", "{subject} is the opposite of the word"],
        "question": ["Question: What is the opposite of {subject}?\nAnswer: The opposite is"],
    },
    "held_out": {
        "cloze": ["The word {subject} means the opposite of the word"],
        "question": ["Question: Which word is the antonym of {subject}?\nAnswer: The word is"],
    },
}


def listed(pairs: str) -> list[Row]:
    """Rows from ``subject: answer; subject: answer``."""
    split = [pair.split(": ") for pair in pairs.replace("\n", " ").strip().split("; ")]
    return sorted((Row(subject, answer) for subject, answer in split), key=lambda row: row.id)


def files() -> list[FactFile]:
    return [
        FactFile(
            "opposites",
            "Words and their opposites.",
            WRITTEN,
            listed(OPPOSITES),
            any_distractors,
            WORDING,
        ),
        FactFile(
            "units",
            "Units of measurement and their symbols.",
            WRITTEN,
            listed(UNITS),
            any_distractors,
            UNIT_WORDING,
        ),
    ]
