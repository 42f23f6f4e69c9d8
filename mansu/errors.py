"""The two ways a run can end badly, each told in one sentence that names the way out."""


class InputError(ValueError):
    """What the user asked for cannot be done; the command line exits with code 2."""


class RunError(RuntimeError):
    """A run went wrong on the way (non-finite loss, full disk); finished stages are kept."""
