"""The rows of a scorecard, from what was measured in each state."""

from mansu.study.rows.behaviour import behaviour_rows as behaviour_rows
from mansu.study.rows.depth import depth_rows as depth_rows
from mansu.study.rows.kept import VIEWS as VIEWS
from mansu.study.rows.kept import Kept as Kept
from mansu.study.rows.kept import keep_items as keep_items
from mansu.study.rows.kept import kept_of as kept_of
from mansu.study.rows.kept import references as references
from mansu.study.rows.level import level_rows as level_rows
from mansu.study.rows.own import BENCHMARK as BENCHMARK
from mansu.study.rows.own import RETRAINED as RETRAINED
from mansu.study.rows.own import Questions as Questions
from mansu.study.rows.own import own_rows as own_rows
from mansu.study.rows.replies import reply_rows as reply_rows
from mansu.study.rows.speech import speech_rows as speech_rows
from mansu.study.rows.structure import structure_rows as structure_rows
from mansu.study.rows.weights import weight_rows as weight_rows
