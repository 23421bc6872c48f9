"""`augflow estimate`: what a study takes, against what it has really written."""

from __future__ import annotations

import copy
import hashlib
import json
import shutil
from pathlib import Path

import pytest
import yaml
from dvc.repo import Repo
from typer.testing import CliRunner

from augflow.cli import app
from augflow.cli.estimate import duration
from augflow.core.hardware import binary
from augflow.estimate import estimate, throughput
from augflow.study import disk_usage
from augflow.study.project import Project
from tests import tiny_study
from tests.mini_network import MINI, MINI_PY

WITHIN = 1.25
"""Disk is told within this factor."""

NOISE = 2.0
"""And pictures within this: what a flow paints that has hardly learned is noise, which PNG makes no
smaller, so that at this size it takes two blocks where a photograph takes one."""


def run(*words):
    return CliRunner().invoke(app, ["estimate", *(str(word) for word in words)])


def told(*words):
    result = run("--json", *words)
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


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


def test_totals_are_sums_and_the_most(before):
    rows, total = before["stages"], before["total"]
    for part in ("operations", "disk", "cache"):
        assert total[part] == sum(row[part] or 0 for row in rows)
    for part in ("memory", "resume"):
        assert total[part] == max(row[part] or 0 for row in rows)
    assert before["left"] == total
    [disk] = before["disks"]
    parts = ("disk", "cache", "resume", "pixels")
    assert disk["needed"] == sum(total[part] for part in parts)


def test_every_row_is_known(before):
    assert before["missing"] == []
    for row in before["stages"]:
        assert row["disk"] > 0, row
        assert row["seconds"] is None
        assert row["memory"] or row["stage"] in ("prepare", "report"), row
        assert (row["resume"] > 0) == (
            row["stage"].partition("@")[0] in ("train", "predict", "judge", "judges", "retrain")
        ), row


def test_nothing_is_left_of_a_study_that_is_made(study):
    found = told("--no-timing")
    assert all(row["made"] for row in found["stages"])
    parts = ("operations", "disk", "cache", "resume")
    assert [found["left"][part] for part in parts] == [0] * len(parts)
    shutil.rmtree(study.generator("flow"))
    left = {row["stage"]: row for row in told("--no-timing")["stages"] if not row["made"]}
    assert set(left) == {"train@flow"}


def test_the_table_shows_the_numbers_of_the_json(before, tmp_path, monkeypatch):
    (tmp_path / "mini.json").write_text(MINI)
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(tiny_study.PARAMS))
    monkeypatch.chdir(tmp_path)
    result = run("--no-timing")
    assert result.exit_code == 0
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


def test_a_disk_that_cannot_hold_it_is_one_line_and_exit_2(before, tmp_path, monkeypatch):
    (tmp_path / "mini.json").write_text(MINI)
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(tiny_study.PARAMS))
    monkeypatch.chdir(tmp_path)
    result = run("--no-timing", "--disk", "1MiB")
    assert result.exit_code == 2
    [line] = result.stderr.splitlines()
    needed = binary(before["disks"][0]["needed"])
    assert f"the study takes about {needed} more, but 1 MiB are free" in line
    assert "train@flow" in result.stdout
    wrong = run("--disk", "much")
    assert wrong.exit_code == 2
    assert wrong.stderr.startswith("augflow: --disk: expected a size as 11GiB")


@pytest.mark.usefixtures("free_threads")
def test_seconds_follow_from_operations_and_rates(tmp_path, monkeypatch):
    (tmp_path / "mini.json").write_text(MINI)
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(tiny_study.PARAMS))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(throughput.Throughput, "rate", lambda self, kind: 1e6)
    monkeypatch.setattr(estimate, "start_seconds", lambda segmenting: 2.0 if segmenting else 1.0)
    found = told()
    rows = {row["stage"]: row for row in found["stages"]}
    for stage, start in {
        "train@flow": 1,
        "synthesize@t05": 1,
        "retrain@both": 2,
        "judge": 2,
    }.items():
        assert rows[stage]["seconds"] == pytest.approx(start + rows[stage]["operations"] / 1e6)
    assert rows["prepare"]["seconds"] > 1
    assert rows["report"]["seconds"] is None
    known = [row["seconds"] for row in rows.values() if row["seconds"] is not None]
    assert found["total"]["seconds"] == pytest.approx(sum(known))


def test_without_data_it_says_what_is_missing(tmp_path, monkeypatch):
    content = {**tiny_study.PARAMS, "data": {
        "reader": "cityscapes", "root": "nowhere", "size": [32, 48], "levels": 2,
    }}  # fmt: skip
    (tmp_path / "mini.json").write_text(MINI)
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(content))
    monkeypatch.chdir(tmp_path)
    found = told("--no-timing")
    [line] = found["missing"]
    assert line.startswith("nowhere: no data there (data.root)")
    rows = {row["stage"]: row for row in found["stages"]}
    assert rows["prepare"]["disk"] is None
    assert rows["synthesize@t05"]["operations"] is None
    assert rows["train@flow"]["operations"] > 0
    assert rows["train@flow"]["resume"] > rows["train@flow"]["disk"] > 0


def test_a_config_that_is_trusted_is_gone_through(tmp_path, monkeypatch):
    content = copy.deepcopy(tiny_study.PARAMS)
    networks = [content["judge"], *content["judges"].values(), content["retrain"]["segmenter"]]
    networks += [choice["segmenter"] for choice in content["choices"].values()]
    for section in networks:
        section |= {"config": "mini.py", "trust_config": True}
    (tmp_path / "mini.py").write_text(MINI_PY)
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(content))
    monkeypatch.chdir(tmp_path)
    rows = {row["stage"]: row for row in told("--no-timing")["stages"]}
    assert rows["judge"]["operations"] > 0


def test_data_that_cannot_be_read_are_said_to_be_there(tmp_path, monkeypatch):
    content = {**tiny_study.PARAMS, "data": {
        "reader": "cityscapes", "root": "here", "size": [32, 48], "levels": 2,
    }}  # fmt: skip
    (tmp_path / "here").mkdir()
    (tmp_path / "mini.json").write_text(MINI)
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(content))
    monkeypatch.chdir(tmp_path)
    result = run("--no-timing")
    assert result.exit_code == 2
    assert "no photos at" in result.stderr


@pytest.mark.parametrize("content", ["{}", '{"classes": 3, "size": [1, 2]}', "[" * 100_000])
def test_a_damaged_record_of_scenes_is_one_line(tmp_path, monkeypatch, content):
    (tmp_path / "mini.json").write_text(MINI)
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(tiny_study.PARAMS))
    prepared = tmp_path / "data/mini/prepared"
    prepared.mkdir(parents=True)
    (prepared / "dataset.json").write_text(content)
    monkeypatch.chdir(tmp_path)
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


def test_a_cache_that_links_holds_no_second_copy(study):
    from augflow.estimate.estimate import cache_of

    assert cache_of(study.root) == (study.root.absolute() / ".dvc/cache/files/md5", True)
    tiny_study.dvc(study.root, "config", "cache.type", "hardlink")
    assert cache_of(study.root)[1] is False
    found = told("--no-timing")
    assert (found["cache_copies"], found["total"]["cache"]) == (False, 0)
