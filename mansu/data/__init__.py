"""Fact sets, the multiple-choice items built from them, and clean/corrupted prompt pairs."""

from mansu.data.companions import Companions as Companions
from mansu.data.companions import load_companions as load_companions
from mansu.data.encoding import Encoded as Encoded
from mansu.data.encoding import encode as encode
from mansu.data.facts import FactSet as FactSet
from mansu.data.facts import Template as Template
from mansu.data.facts import fact_set_names as fact_set_names
from mansu.data.facts import load_fact_set as load_fact_set
from mansu.data.facts import require_disjoint as require_disjoint
from mansu.data.far import build_far_items as build_far_items
from mansu.data.far import build_reverse_items as build_reverse_items
from mansu.data.fitting import check_fits as check_fits
from mansu.data.items import Item as Item
from mansu.data.items import build_items as build_items
from mansu.data.pairs import Pair as Pair
from mansu.data.pairs import build_pairs as build_pairs
from mansu.data.templates import Fact as Fact
