"""The method's guarantees, computed numerically on a run instead of taken on trust."""

from mansu.theory.bounds import RetainCost as RetainCost
from mansu.theory.bounds import Sharpness as Sharpness
from mansu.theory.crossings import Crossings as Crossings
from mansu.theory.crossings import cross as cross
from mansu.theory.lanczos import Eigenvalue as Eigenvalue
from mansu.theory.lanczos import largest_eigenvalue as largest_eigenvalue
from mansu.theory.off_diagonal import FisherBlock as FisherBlock
from mansu.theory.off_diagonal import FisherForms as FisherForms
from mansu.theory.retain_loss import RetainLoss as RetainLoss
from mansu.theory.survey import draw_sample as draw_sample
from mansu.theory.survey import survey as survey
from mansu.theory.uniform import UniformCap as UniformCap
from mansu.theory.uniform import uniform_caps as uniform_caps
