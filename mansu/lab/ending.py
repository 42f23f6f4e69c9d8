"""How a notebook ends whose method has no result: with the reason, and not as one that failed."""

from typing import Any

from IPython import get_ipython

from mansu.errors import NoResultError


def end_where_there_is_no_result() -> None:
    """From now on a cell that meets `NoResultError` shows the reason alone and ends the notebook.

    Nothing below it is executed. Papermill takes the name `SystemExit` for a notebook that chose to
    end, so that a sweep goes on to the next one.
    """
    shell = get_ipython()
    if shell is not None:
        shell.set_custom_exc((NoResultError,), _tell)


def _tell(shell: Any, _kind: Any, error: NoResultError, *_trace: Any, **_more: Any) -> None:
    shell._showtraceback(SystemExit, SystemExit(), [str(error)])
