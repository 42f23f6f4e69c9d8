"""Fact sets: the built-in ones by their names, and files of JSON Lines.

Source: this project (``data/README.md``). The collection of every set that names none.
"""

from mansu.collections.base import Collection
from mansu.data.companions import load_companions
from mansu.data.facts import load_fact_set

COLLECTION = Collection("facts", load_fact_set, load_companions)
