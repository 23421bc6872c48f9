"""Level 3: what a report says is counted again, so that records that agree do not help a lie."""

import math
from pathlib import Path

import numpy as np
import pytest

from augflow.core import io
from augflow.metrics import scores
from augflow.study import template
from augflow.verify.reports import check_claims
from tests.oracles import recount
from tests.verify.forging import claimed, edit, edit_json, edit_rows

REPORT = Path("reports/mini")


def lines(project):
    return [str(v) for check in check_claims(project) for v in check.violations]


def test_the_report_of_a_study_is_what_its_images_say(study):
    found = list(check_claims(study))
    assert {check.state for check in found} == {"holds"}, [c.violations for c in found]
    assert all(check.compared for check in found)
    (REPORT / "claims.json.gz").unlink()
    assert {check.state for check in check_claims(study)} == {"cannot be checked"}


def test_a_file_that_is_not_there_is_one_line(study):
    (REPORT / "scores/references.json.gz").unlink()
    found = [line for line in lines(study) if "No such file" in line]
    assert found == [
        f"{REPORT}: expected readable content, got ValueError: {REPORT}/scores/references.json.gz: "
        "No such file or directory"
    ] * len(found)
    assert found


def test_an_installed_package_brings_what_counts_again(study, tmp_path, monkeypatch):
    """As the wheel has it: files of the source tree below `project_files`."""
    place = tmp_path / "package" / "project_files"
    oracle = place / "tests" / "oracles" / "recount.py"
    oracle.parent.mkdir(parents=True)
    oracle.write_bytes(Path(recount.__file__).read_bytes())
    monkeypatch.setattr(template, "_PACKAGE", place.parent)
    assert lines(study) == []
    oracle.unlink()
    with pytest.raises(FileNotFoundError):
        lines(study)


def test_the_recount_imports_nothing_of_the_project():
    text = Path(recount.__file__).read_text()
    assert "import augflow" not in text
    assert "from augflow" not in text


def test_formulas_agree_with_those_of_the_project():
    draw = np.random.default_rng(0)
    for _ in range(20):
        matrix = draw.integers(0, 50, (4, 4))
        matrix[draw.integers(4)] = 0
        ours, theirs = recount.scores(matrix.tolist()), scores(matrix)
        for kind in recount.MEASURES:
            assert getattr(ours, kind) == pytest.approx(getattr(theirs, kind))
        assert ours.ious == pytest.approx(theirs.per_class_iou)


def test_numbers_that_all_records_agree_on_are_counted_again(study):
    """Those that the lies leave alone."""
    forged = [
        ("temperature", "t05", "class_iou.std"),
        ("comparisons", "both", "difference"),
        ("comparisons_per_class", "both", "difference"),
    ]
    for table, key, column in forged:
        rows = io.read_csv(REPORT / "tables" / f"{table}.csv")
        value = next(row for row in rows if row[next(iter(row))] == key)[column]
        assert value
        edit(REPORT / "tables" / f"{table}.csv", value, f"{float(value) + 0.3:.8f}")
    edit_rows(
        REPORT / "tables" / "systems.csv",
        lambda rows: rows[0].update({"class_iou.mean": "0.99", "temperature": "0.7"}),
    )
    claimed(REPORT)
    checks = {check.title: check for check in check_claims(study)}
    assert checks["claims: ranks"].state == "does not hold"
    found = lines(study)
    for table, key, _ in forged:
        assert any(line.startswith(f"tables/{table}.csv: {key}") for line in found)


@pytest.mark.parametrize(
    ("name", "items"),
    [
        ("t05", lambda content: content["items"]),
        ("references", lambda content: content["rows"]["flat"]),
        ("arms", lambda content: content["runs"]["both-1"]["items"]),
        ("predictors/maps", lambda content: content["samples"][0]["items"]),
    ],
)
def test_matrices_of_every_kind_add_up_to_the_pixels(study, name, items):
    def one_more(content):
        items(content)[1]["confusion"][0][0] += 1

    edit_json(REPORT / f"scores/{name}.json.gz", one_more)
    found = recount.count_matrices(recount.Report(REPORT))
    [wrong] = [one.where for one in found if not one.holds]
    assert wrong.startswith(f"scores/{name}.json.gz: ")
    assert wrong.endswith(": pixels of each class")


def study_of(seeds=4, scenes=12, gain=0.0, drives=6):
    """Two arms of noisy matrices of three classes, of which one may be better."""
    draw = np.random.default_rng(3)
    hits, unions = {}, {}
    base = draw.integers(40, 60, (scenes, 3)).astype(float)
    for arm, more in (("ours", gain), ("theirs", 0.0)):
        hits[arm] = {s: base * (0.6 + more) + draw.normal(0, 2, base.shape) for s in range(seeds)}
        unions[arm] = {s: base + 5 for s in range(seeds)}
    groups = [f"d{n % drives}" for n in range(scenes)]
    return recount.Arms(["a", "b", "c"], groups, hits, unions)


def test_intervals_hold_zero_or_not():
    same, better = (study_of(gain=gain).difference("ours", "theirs") for gain in (0.0, 0.1))
    assert same.low.middle < 0 < same.high.middle
    assert 0 < better.low.middle < better.difference < better.high.middle
    assert better.difference == pytest.approx(0.1 * 50 / 55, rel=0.2)


def test_slack_is_small_beside_the_interval():
    found = study_of().difference("ours", "theirs")
    width = found.high.middle - found.low.middle
    assert 0 < found.low.slack(100) < 0.2 * width


def test_a_single_scene_and_seed_have_no_interval():
    found = study_of(seeds=1, scenes=1, drives=1).difference("ours", "theirs")
    assert found.low is None
    assert math.isfinite(found.difference)


def test_holm_steps_down():
    chances = {"a": "0.01", "b": "0.04", "c": "0.03", "d": "0.005"}
    assert recount.surviving(chances) == {"a", "d"}
    assert recount.surviving({"a": "0.05"}) == {"a"}
    assert recount.surviving({}) == set()


def test_degrees_of_freedom_of_two_equal_variances_add():
    assert recount.degrees_of_freedom((3, 1.0), (3, 1.0)) == pytest.approx(6)
    assert recount.degrees_of_freedom((0, 1.0), (5, 2.0)) == 5


def written_report(folder, seeds, drives, outcome):
    """A report of two arms of which ours is better throughout, as far as differences go."""
    scenes = [f"s{n:02d}" for n in range(12)]
    pixels = [{"scene": name, "split": "val", "drive": f"d{n % drives}"}
              for n, name in enumerate(scenes)]  # fmt: skip
    io.write_csv(folder / "evidence/pixels.csv", pixels, tuple(pixels[0]))
    runs = {
        f"{arm}-{seed}": {"arm": arm, "seed": seed, "items": [
            {"name": name, "confusion": [[hits + n, 50 - hits], [40 - hits, hits + seed]]}
            for n, name in enumerate(scenes)
        ]}
        for arm, hits in (("ours", 35), ("theirs", 20)) for seed in range(seeds)
    }  # fmt: skip
    io.write_json(folder / "scores/arms.json.gz", {"classes": ["road", "car"], "runs": runs})
    common = {"arm": "ours", "against": "theirs", "difference": 0.3, "low": 0.2, "high": 0.4}
    row = common | {"seeds": seeds, "groups": 12, "outcome": outcome}
    io.write_csv(folder / "tables/comparisons.csv", [row], tuple(row))
    of_class = {"gain": "helps", "worse": "hurts"}.get(outcome, outcome)
    rows = [common | {"class": name, "p": 0.001, "survives": "yes", "outcome": of_class}
            for name in ("road", "car")]  # fmt: skip
    io.write_csv(folder / "tables/comparisons_per_class.csv", rows, tuple(rows[0]))
    return recount.Report(folder)


@pytest.mark.parametrize(
    ("seeds", "outcome", "holds"),
    [(1, "gain", False), (1, "unclear", True), (2, "gain", True), (2, "unclear", False)],
)
def test_of_a_single_seed_no_outcome_is_accepted(tmp_path, seeds, outcome, holds):
    found = recount.count_differences(written_report(tmp_path, seeds, 6, outcome))
    told = {one.where.split("theirs: ")[1]: one.holds for one in found}
    assert told["outcome says gain"] == holds
    assert told["road: outcome says helps"] == told["car: outcome says helps"] == holds
    assert told["outcome says worse"]
    assert told["road: outcome says hurts"]


@pytest.mark.parametrize(("drives", "groups"), [(2, 12), (4, 12), (5, 5), (6, 6)])
def test_intervals_are_over_drives_where_there_are_five(tmp_path, drives, groups):
    arms = recount.Arms.read(written_report(tmp_path, 2, drives, "gain"))
    assert len(set(arms.groups)) == groups
