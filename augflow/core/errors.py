"""What can go wrong by the user's hand: one line each: where, what, what to do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager


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


class Faults:
    """The faults of several files, kept until all of them can be told at once, each once."""

    def __init__(self) -> None:
        """None so far."""
        self.lines: list[str] = []

    @contextmanager
    def collect(self) -> Iterator[None]:
        """Keeps the lines of a `DataError` of the body, which ends there."""
        try:
            yield
        except DataError as fault:
            self.lines += str(fault).splitlines()

    def raise_if_any(self) -> None:
        """Goes on where there are none.

        Raises:
            DataError: with all of them, one a line.
        """
        if self.lines:
            raise DataError("\n".join(dict.fromkeys(self.lines)))


def on_one_line(value: object, most: int | None = None) -> str:
    """A text with its line breaks and whatever else cannot be printed escaped.

    Of a longer one than `most` characters the beginning is shown.
    """
    text = str(value)
    if most is not None and len(text) > most:
        text = f"{text[:most]}..."
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def suggest(word: str, known: Sequence[str]) -> str:
    """A sentence that lists the known names and, where one is close, asks whether it was meant."""
    import difflib

    close = difflib.get_close_matches(word, known, n=1)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    return f"known: {', '.join(known)}{hint}"
