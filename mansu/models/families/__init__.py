"""One adapter per model family."""

from mansu.models.families.base import Family as Family
from mansu.models.families.registry import family_named as family_named
from mansu.models.families.registry import family_of as family_of
