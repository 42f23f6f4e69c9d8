"""Language models: where they come from and how their families differ."""

from mansu.models.batch import Batch as Batch
from mansu.models.batch import pad as pad
from mansu.models.families import Family as Family
from mansu.models.language_model import LanguageModel as LanguageModel
from mansu.models.loading import load_model as load_model
