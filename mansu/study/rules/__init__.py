"""When a rule of the verdict holds, decided from a scorecard's rows alone. One rule a file."""

from mansu.study.rules.base import RULES as RULES
from mansu.study.rules.base import Case as Case
from mansu.study.rules.base import Rules as Rules
from mansu.study.rules.paper import paper_properties as paper_properties
from mansu.study.rules.verdict import RULE_NAMES as RULE_NAMES
from mansu.study.rules.verdict import describe_model as describe_model
from mansu.study.rules.verdict import judge_case as judge_case
from mansu.study.rules.verdict import no_verdicts as no_verdicts
