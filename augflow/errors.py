"""What can go wrong by the user's hand: one line each: where, what, what to do."""

from __future__ import annotations

from collections.abc import Sequence


class AugflowError(Exception):
    """The user's fault; the command line prints it on stderr and exits with `exit_code`."""

    exit_code = 2


class ParamsError(AugflowError):
    """A parameter is missing, misspelt, of the wrong type or out of range."""


class DataError(AugflowError):
    """Files of a data set, a layout folder or a synthetic set are not what they should be."""


class ModelError(AugflowError):
    """A saved model cannot be read, does not fit, or stopped being finite."""


class BusyError(AugflowError):
    """Another live process holds the run folder."""

    exit_code = 4


def nearest(word: str, known: Sequence[str]) -> str:
    """A sentence that lists the known names and, where one is close, asks whether it was meant."""
    import difflib

    close = difflib.get_close_matches(word, known, n=1)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    return f"known: {', '.join(known)}{hint}"
