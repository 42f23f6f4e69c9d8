"""What a wheel carries besides the package: the data, the notebooks and the studies beside it."""

from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).parent
SHIPPED = (
    *(
        "data/*.jsonl",
        "data/*.json",
        "data/*.txt",
        "data/README.md",
        "notebooks/*.py",
        "notebooks/*.ipynb",
    ),
    *(
        "papermill_runs/Snakefile",
        "papermill_runs/profiles/*/*",
        "papermill_runs/studies/*",
        "papermill_runs/reference/*",
    ),
)


class Build(build_py):
    """Copies them into ``mansu/shipped``; an editable install reads them where they lie."""

    def run(self) -> None:
        """Builds the package, then copies."""
        super().run()
        for pattern in () if self.editable_mode else SHIPPED:
            for source in ROOT.glob(pattern):
                target = Path(self.build_lib, "mansu", "shipped", source.relative_to(ROOT))
                target.parent.mkdir(parents=True, exist_ok=True)
                self.copy_file(str(source), str(target))


setup(cmdclass={"build_py": Build})
