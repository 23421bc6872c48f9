"""Contenders that train for equal time: turns are fair, and both are asked the same question."""

import json

import pytest
import torch
import typer
from typer.testing import CliRunner

from augflow.data.scenes import SceneFolder
from benchmarks import equal_time
from benchmarks.contenders import Work
from benchmarks.equal_time import Point, Rival, raced


class Clocked:
    """Trains in steps that take a known time by a clock of the test's own."""

    def __init__(self, name, clock, takes):
        self.name, self.clock, self.takes, self.photographs = name, clock, takes, 0

    def step(self):
        self.clock[0] += self.takes
        self.photographs += 1

    def bits(self, held_out):
        self.clock[0] += 100.0  # being asked does not count
        return 8.0 / (1 + self.photographs)


def test_both_train_equally_long_and_questions_do_not_count(monkeypatch):
    clock, shown = [0.0], []
    monkeypatch.setattr(equal_time.time, "perf_counter", lambda: clock[0])
    quick, slow = Clocked("quick", clock, 1.0), Clocked("slow", clock, 5.0)
    found = raced([quick, slow], None, 20.0, 2, shown.append)
    assert found == shown
    assert found == [
        Point("quick", 10.0, 10, 8 / 11), Point("slow", 10.0, 2, 8 / 3),
        Point("quick", 20.0, 20, 8 / 21), Point("slow", 20.0, 4, 8 / 5),
    ]  # fmt: skip


@pytest.fixture
def small(monkeypatch):
    """The paper's model, made small."""
    monkeypatch.setattr(
        equal_time, "Work", lambda size, steps: equal_time_work(size, (1,) * (len(steps) - 2))
    )


def equal_time_work(size, steps):
    return Work(size, steps, width=8, condition_width=4)


def test_race_of_the_library_and_the_paper_is_written_down(prepared, small, tmp_path):
    args = [str(prepared), "--seconds", "0.2", "--turns", "1", "--preset", "tiny", "--batch", "2",
            "--threads", "1", "--out", str(tmp_path)]  # fmt: skip
    app = typer.Typer()
    app.command()(equal_time.main)
    result = CliRunner().invoke(app, args)
    assert result.exit_code == 0, result.output
    content = json.loads((tmp_path / "equal_time.json").read_text())
    assert [point["contender"] for point in content["points"]] == ["ours", "plain"]
    assert all(0 < point["bits"] < 20 for point in content["points"])
    assert all(point["photographs"] > 0 for point in content["points"])


def test_the_rival_is_asked_through_its_own_weights(prepared, small):
    folder = SceneFolder(prepared, "train")
    rival = Rival(folder, "")
    held_out = SceneFolder(prepared, "val").scenes()
    before = rival.bits(held_out)
    with torch.no_grad():
        for p in rival.contender.model.parameters():
            p.add_(0.05)
    assert rival.bits(held_out) != pytest.approx(before, abs=1e-3)
