"""How far work has come: silence about what is soon done, a line now and then about more."""

import logging
import sys

import pytest

from augflow.tools import progress
from augflow.tools.progress import show_progress


@pytest.fixture
def lines(caplog):
    caplog.set_level(logging.INFO, "augflow")
    return lambda: [record.getMessage() for record in caplog.records]


def test_what_is_soon_done_is_silent(lines):
    assert list(show_progress("abc", 3, "letters")) == ["a", "b", "c"]
    assert lines() == []


def test_of_more_there_is_a_line_now_and_then_with_the_time_that_is_left(lines, monkeypatch):
    clock = iter([0, 4, 12, 16, 30, 40])
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    assert list(show_progress("abcde", 5, "letters")) == [*"abcde"]
    assert lines() == [
        "2 of 5 letters, about 18 s left",
        "4 of 5 letters, about 8 s left",
    ]


def test_on_a_terminal_a_bar_takes_the_items_as_they_are_made(lines, monkeypatch, capsys):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    made = []

    def letters():
        for letter in "abc":
            made.append(letter)
            yield letter

    for number, letter in enumerate(show_progress(letters(), 3, "letters"), start=1):
        assert (letter, len(made)) == ("abc"[number - 1], number)
    assert lines() == []
    assert "letters" in capsys.readouterr().err
