"""One run of the method: its configuration, its stages, its scorecard."""

from mansu.study.config import StudyConfig as StudyConfig
from mansu.study.config import make_config as make_config
from mansu.study.folders import Folders as Folders
from mansu.study.folders import study_folders as study_folders
from mansu.study.run import Run as Run
