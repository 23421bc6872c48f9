"""`augflow explain`: what is known of a photograph, and what is said where it is not."""

from __future__ import annotations

import json
import shutil
from functools import partial
from pathlib import Path

import pytest

from augflow.core import io
from augflow.data.synthetic import read_rows
from tests import commands, traced
from tests.traced import DATA, MOVED, T05

run = partial(commands.run, "explain")


def facts(photo):
    result = run(photo, "--json")
    assert result.exit_code == 0, result.output + result.stderr
    (found,) = json.loads(result.stdout)
    return found


refused = partial(commands.refused, "explain")


def test_facts_are_those_of_the_manifest_and_the_generators_record(study):
    row = read_rows(T05)[1]
    found = facts(T05 / row.photo)
    record = io.read_json(DATA / "generators/flow/config.json")
    assert found["set"] == {"name": "t05", "folder": str(T05)}
    assert found["generator"] == {
        "digest": record["weights"], "name": "flow", "system": "full_glow", "preset": "tiny",
        "folder": str(DATA / "generators/flow"),
    }  # fmt: skip
    assert (found["layout"], found["split"], found["content"]) == (row.layout, "val", "")
    assert (found["temperature"], found["seed"], found["round"]) == (0.5, row.seed, 1)
    assert found["log_p_bpd"] == row.log_p_bpd
    assert found["pixels"] == {"recorded": row.digest, "found": row.digest, "unchanged": True}
    assert (found["judge"], found["selections"]) == (None, [])


def test_a_transferred_photograph_names_its_content(study):
    row = read_rows(MOVED)[0]
    assert facts(MOVED / row.photo)["content"] == row.content != ""
    assert f"content      {row.content}" in run(MOVED / row.photo).stdout


@pytest.mark.parametrize("scores", ["data/mini/scores/t05.json", "reports/mini/scores/t05.json.gz"])
def test_agreement_is_worked_out_per_class_from_the_confusion_matrix(study, scores):
    traced.score(T05, Path(scores))
    judge = facts(T05 / read_rows(T05)[0].photo)["judge"]
    assert judge["digest"] == "feedbeef"
    # 60 of 80 pixels of the first class, 40 of 40 of the second
    assert judge["agreement"] == pytest.approx(100 / 120)
    assert judge["classes"] == {
        "road": {"agreement": 0.75, "pixels": 80}, "sidewalk": {"agreement": 1.0, "pixels": 40}
    }  # fmt: skip


def test_every_selection_says_what_it_decided_and_why(study):
    rows = read_rows(T05)
    traced.select(T05, DATA / "selected/strict", {rows[0].name: "agreement"})
    traced.select(T05, DATA / "selected/lax", {})
    traced.select(DATA / "synthetic/more", DATA / "selected/others", {})
    lax, strict = facts(T05 / rows[0].photo)["selections"]
    assert (lax["name"], lax["kept"], lax["weight"], lax["why"]) == ("lax", True, 1.0, "")
    assert (strict["name"], strict["kept"], strict["weight"]) == ("strict", False, None)
    assert strict["why"] == "agreement: agreement 0.2, threshold agreement 0.3125"
    shown = run(T05 / rows[0].photo, T05 / rows[1].photo).stdout
    assert "selection    strict: dropped, agreement: agreement 0.2" in shown
    assert "strict: kept, weight 3, agreement 25.0%, trusted labels 50.0%" in shown


def test_a_selected_photograph_is_explained_by_the_set_that_it_comes_from(study):
    traced.select(T05, DATA / "selected/lax", {})
    traced.score(T05, DATA / "scores/t05.json")
    row = read_rows(T05)[2]
    found = facts(DATA / "selected/lax" / row.photo)
    assert found["set"] == {"name": "t05", "folder": str(T05)}
    assert found["judge"]["agreement"] == pytest.approx(100 / 120)
    assert [one["name"] for one in found["selections"]] == ["lax"]


def test_a_selection_of_an_older_set_is_said_to_be_one(study):
    row = read_rows(T05)[0]
    traced.select(T05, DATA / "selected/old", {row.name: "agreement"})
    path = DATA / "selected/old/selection.csv"
    path.write_text(path.read_text().replace(row.name, "gone"))
    assert "old: not judged, it was no candidate" in run(T05 / row.photo).stdout


def test_changed_pixels_are_told_not_refused(study):
    row = read_rows(T05)[0]
    pixels = io.read_photo(T05 / row.photo).copy()
    pixels[0, 0] ^= 1
    io.write_png(T05 / row.photo, pixels)
    assert facts(T05 / row.photo)["pixels"] == {
        "recorded": row.digest, "found": io.digest_array(pixels), "unchanged": False
    }  # fmt: skip
    assert f"CHANGED: the manifest records {row.digest}" in run(T05 / row.photo).stdout


def test_outside_of_a_project_the_set_alone_is_explained(study, tmp_path, monkeypatch):
    shutil.copytree(T05, tmp_path / "elsewhere")
    monkeypatch.chdir(tmp_path)
    row = read_rows(Path("elsewhere"))[0]
    found = facts(Path("elsewhere") / row.photo)
    assert found["set"] == {"name": "elsewhere", "folder": "elsewhere"}
    assert (found["generator"]["digest"], found["generator"]["name"]) == (row.generator, "")


def test_what_is_no_photograph_of_a_set_is_refused_in_one_line(study):
    row = read_rows(T05)[0]
    assert refused("absent.png").startswith("augflow: absent.png: no such file")
    image = next((DATA / "raw" / "leftImg8bit").rglob("*.png"))
    assert f"{image}: is in no set: no folder above it holds set.json" in refused(image)
    stray = T05 / "stray.png"
    shutil.copy(image, stray)
    assert f"{stray}: {T05 / 'manifest.csv'} does not list it; give one of its" in refused(stray)
    (T05 / row.photo).write_bytes((T05 / row.photo).read_bytes()[:200])
    assert "not a whole image" in refused(T05 / row.photo)
    path = DATA / "selected/bad/selection.json"
    traced.select(T05, path.parent, {}, judge="x")
    path.write_text(path.read_text().replace('"thresholds"', '"limits"'))
    assert "run select again" in refused(T05 / read_rows(T05)[1].photo)
