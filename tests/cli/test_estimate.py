"""`augflow estimate`: what a study takes, against what it has really written."""

from __future__ import annotations

import hashlib
import json
import shutil
from functools import partial
from pathlib import Path

import pytest
import yaml
from dvc.repo import Repo

from augflow.cli.estimate import duration
from augflow.core.hardware import binary
from augflow.estimate import estimate
from augflow.estimate.estimate import cache_of
from augflow.study import disk_usage
from augflow.study.project import Project
from tests import commands, tiny_study
from tests.mini_network import MINI, MINI_PY

WITHIN = 1.25
"""Disk is told within this factor."""

NOISE = 2.0
"""And pictures within this: what a flow paints that has hardly learned is noise, which PNG makes no
smaller, so that at this size it takes two blocks where a photograph takes one."""


run = partial(commands.run, "estimate")


def told(*words):
    result = run("--json", *words)
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


@pytest.fixture
def lay(tmp_path, monkeypatch):
    """Lays out a study that nothing is made of, and goes to its folder."""

    def go(content=tiny_study.PARAMS):
        (tmp_path / "mini.json").write_text(MINI)
        (tmp_path / "params.yaml").write_text(yaml.safe_dump(content))
        monkeypatch.chdir(tmp_path)
        return tmp_path

    return go


@pytest.fixture(scope="module")
def before(tmp_path_factory):
    """What is told of the tiny study before there is anything but its parameters."""
    root = tmp_path_factory.mktemp("before")
    (root / "mini.json").write_text(MINI)
    (root / "params.yaml").write_text(yaml.safe_dump(tiny_study.PARAMS, sort_keys=False))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        found = told("--no-timing")
        assert sorted(path.name for path in root.iterdir()) == ["mini.json", "params.yaml"]
    return found


@pytest.fixture
def laid(tmp_path, monkeypatch):
    """Lays the tiny study's parameters, with others in their place, in the working directory."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mini.json").write_text(MINI)

    def lay(**changes):
        (tmp_path / "params.yaml").write_text(yaml.safe_dump({**tiny_study.PARAMS, **changes}))

    lay()
    return lay


def outputs(project):
    """Stage -> the folders and files that it has written."""
    with Repo(str(project.root)) as repo:
        return {stage.addressing: [out.fs_path for out in stage.outs]
                for stage in repo.index.stages}  # fmt: skip


def written(paths):
    found = (Path(path) for path in paths)
    return sum(
        disk_usage.tree(path).size
        if path.is_dir()
        else disk_usage.one_file(path.stat().st_size, path).size
        for path in found
    )


def test_stages_are_those_of_the_pipeline(before, whole_study, monkeypatch):
    monkeypatch.chdir(whole_study)
    assert {row["stage"] for row in before["stages"]} == set(outputs(Project()))


def test_disk_is_what_is_really_written(before, whole_study, monkeypatch):
    monkeypatch.chdir(whole_study)
    real = {stage: written(paths) for stage, paths in outputs(Project()).items()}
    rows = {row["stage"]: row["disk"] for row in before["stages"] if not row["disk_is_least"]}
    assert rows.keys() == real.keys() - {"report"}
    whole = sum(real[stage] for stage in rows)
    assert whole / WITHIN < sum(rows.values()) < WITHIN * whole
    large = [stage for stage in rows if real[stage] > whole / 50]
    assert len(large) > 5
    for stage in large:
        within = NOISE if stage.startswith(("synthesize", "select", "explore")) else WITHIN
        assert real[stage] / within < rows[stage] < within * real[stage], stage


def test_the_cache_is_what_dvc_has_kept(before, whole_study):
    """But for the report, which `dvc repro` leaves to git and `dvc commit` has put there."""
    report = (path for path in (whole_study / "reports").rglob("*") if path.is_file())
    others = {hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest() for path in report}
    cache = [path for path in (whole_study / ".dvc" / "cache" / "files").rglob("*")
             if path.is_file() and path.parent.name + path.name not in others]  # fmt: skip
    kept = sum(disk_usage.one_file(path.stat().st_size, path.parent).size for path in cache)
    assert before["cache_copies"]
    assert kept / WITHIN < before["total"]["cache"] < WITHIN * kept


def test_every_row_is_known_and_totals_are_their_sums_and_the_most(before):
    rows, total = before["stages"], before["total"]
    for part in ("operations", "disk", "cache"):
        assert total[part] == sum(row[part] or 0 for row in rows)
    for part in ("memory", "resume"):
        assert total[part] == max(row[part] or 0 for row in rows)
    assert before["left"] == total
    needed = sum(total[part] for part in ("disk", "cache", "resume"))
    assert [disk["needed"] for disk in before["disks"]] == [needed]
    assert before["missing"] == []
    for row in before["stages"]:
        assert row["disk"] > 0, row
        assert row["seconds"] is None
        assert row["memory"] or row["stage"] in ("prepare", "report"), row
        assert (row["resume"] > 0) == (
            row["stage"].partition("@")[0] in ("train", "predict", "judge", "judges", "retrain")
        ), row


def test_of_a_study_that_is_made_only_what_is_gone_is_left_and_linked_caches_hold_nothing(study):
    assert cache_of(study.root) == (study.root.absolute() / ".dvc/cache/files/md5", True)
    tiny_study.dvc(study.root, "config", "cache.type", "hardlink")
    shutil.rmtree(study.generator("flow"))
    found = told("--no-timing")
    [left] = [row for row in found["stages"] if not row["made"]]
    assert left["stage"] == "train@flow"
    assert [found["left"][part] for part in ("operations", "resume")] == [
        left["operations"], left["resume"]
    ]  # fmt: skip
    assert (found["cache_copies"], found["total"]["cache"]) == (False, 0)


@pytest.mark.usefixtures("laid")
def test_the_table_shows_the_numbers_of_the_json_and_a_disk_that_cannot_hold_it_is_one_line(before):
    result = run("--no-timing", "--disk", "1MiB")
    assert result.exit_code == 2
    [line] = result.stderr.splitlines()
    needed = binary(before["disks"][0]["needed"])
    assert f"the study takes about {needed} more, but 1 MiB are free" in line
    lines = [line for line in result.stdout.splitlines() if line.startswith("│")]
    cells = {first: rest for first, *rest in
             ([c.strip() for c in line.strip("│").split("│")] for line in lines)}  # fmt: skip
    for row in before["stages"]:
        shown = cells[row["stage"]]
        assert shown[1] == "?"
        assert (shown[2] == "?") == (row["memory"] is None)
        assert shown[3].removeprefix("over ") == binary(row["disk"])
    assert cells["all"][3] == binary(before["total"]["disk"])
    assert "an estimate" in result.stdout
    assert "counted on the study's own networks" in result.stdout

    wrong = run("--disk", "much")
    assert wrong.exit_code == 2
    assert wrong.stderr.startswith("augflow: --disk: expected a size as 11GiB")


@pytest.mark.usefixtures("free_threads")
def test_seconds_follow_from_operations_and_rates_of_a_trusted_config_too(
    laid, tmp_path, monkeypatch
):
    (tmp_path / "mini.py").write_text(MINI_PY)
    laid(judge={**tiny_study.PARAMS["judge"], "config": "mini.py", "trust_config": True})
    monkeypatch.setattr(estimate, "operations_per_second", lambda network, kind, device: 1e6)
    monkeypatch.setattr(estimate, "start_seconds", lambda segmenting: 2.0 if segmenting else 1.0)
    found = told()
    rows = {row["stage"]: row for row in found["stages"]}
    for stage, start in {"train@flow": 1, "synthesize@t05": 1, "judge": 2}.items():
        assert rows[stage]["seconds"] == pytest.approx(start + rows[stage]["operations"] / 1e6)
    assert rows["prepare"]["seconds"] > 1
    assert rows["report"]["seconds"] is None
    known = [row["seconds"] for row in rows.values() if row["seconds"] is not None]
    assert found["total"]["seconds"] == pytest.approx(sum(known))


def test_data_that_are_not_there_or_cannot_be_read_are_named(laid, tmp_path):
    data = {"reader": "cityscapes", "root": "nowhere", "size": [32, 48], "levels": 2}
    laid(data=data)
    found = told("--no-timing")
    [line] = found["missing"]
    assert line.startswith("nowhere: no data there (data.root)")
    rows = {row["stage"]: row for row in found["stages"]}
    assert rows["prepare"]["disk"] is None
    assert rows["synthesize@t05"]["operations"] is None
    assert rows["train@flow"]["operations"] > 0
    assert rows["train@flow"]["resume"] > rows["train@flow"]["disk"] > 0
    (tmp_path / "nowhere").mkdir()
    empty = run("--no-timing")
    assert empty.exit_code == 2
    assert "no photos at" in empty.stderr


@pytest.mark.parametrize("content", ["{}", "[" * 100_000])
@pytest.mark.usefixtures("laid")
def test_a_damaged_record_of_scenes_is_one_line(tmp_path, content):
    prepared = tmp_path / "data/mini/prepared"
    prepared.mkdir(parents=True)
    (prepared / "dataset.json").write_text(content)
    result = run("--no-timing")
    assert result.exit_code == 2, result.exception
    [line] = result.stderr.splitlines()
    assert "dataset.json: not " in line


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, "?"), (7.04, "7 s"), (600, "10 min"), (3 * 3600, "3 h"), (10 * 86400, "10 days")],
)
def test_durations_are_said_as_people_say_them(seconds, text):
    assert duration(seconds) == text
