"""The memory and files a run needs, by accounting from the configuration alone."""

from mansu.study.plan.plan import Plan as Plan
from mansu.study.plan.plan import make_plan as make_plan
from mansu.study.plan.table import plan_table as plan_table
from mansu.study.plan.table import study_table as study_table
