"""Level 3: what a report says is counted again, so that records that agree do not help a lie."""

import math
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from augflow.core import io
from augflow.metrics import scores
from augflow.report import claims
from augflow.verify import recounted, redrawn
from augflow.verify.recounted import check_claims, measured
from augflow.verify.reports import check_reports

REPORT = Path("reports/mini")


def states(project):
    return {check.title: check.state for check in check_claims(project)}


def lines(project):
    return [str(v) for check in check_claims(project) for v in check.violations]


def forged(name, old, new, count=1):
    """Edits a file of the report, and the digests in its claims with it."""
    path = REPORT / name
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, count), encoding="utf-8")
    record = io.read_json(REPORT / "claims.json")
    record["files"] = claims.digests(REPORT)
    io.write_json(REPORT / "claims.json", record)


def test_the_report_of_a_study_is_what_its_photographs_say(study):
    found = list(check_claims(study))
    assert {check.state for check in found} == {"holds"}, [c.violations for c in found]
    assert all(check.compared for check in found)


def test_formulas_agree_with_those_of_the_project():
    draw = np.random.default_rng(0)
    for _ in range(20):
        matrix = draw.integers(0, 50, (4, 4))
        matrix[draw.integers(4)] = 0
        ours, theirs = measured(matrix.tolist()), scores(matrix)
        for kind in recounted.MEASURES:
            assert getattr(ours, kind) == pytest.approx(getattr(theirs, kind))
        assert ours.ious == pytest.approx(theirs.per_class_iou)


def cell(table, key, column):
    rows = io.read_csv(REPORT / "tables" / f"{table}.csv")
    return next(row for row in rows if row[next(iter(row))] == key)[column]


@pytest.mark.parametrize(
    ("table", "key", "column"),
    [
        ("runs", "both", "class_iou"),
        ("arms", "both", "class_iou.mean"),
        ("temperature", "t05", "class_iou.std"),
        ("references", "wrong", "class_iou"),
        ("comparisons", "both", "difference"),
        ("comparisons", "both", "low"),
        ("comparisons_per_class", "both", "difference"),
    ],
)
def test_a_number_that_all_records_agree_on_is_counted_again(study, table, key, column):
    value = cell(table, key, column)
    assert value
    forged(f"tables/{table}.csv", value, f"{float(value) + 0.3:.8f}")
    assert any(line.startswith(f"tables/{table}.csv: {key}") for line in lines(study))


def test_a_word_of_a_sentence_is_read(study):
    forged("report.md", "cannot be told", "yes")
    forged("report.html", "cannot be told", "yes")
    found = lines(study)
    assert any(line.startswith("report.md: line") for line in found)
    assert any(line.startswith("report.html: line") for line in found)


def test_an_outcome_against_its_interval_is_named(study):
    rows = io.read_csv(REPORT / "tables" / "comparisons.csv")
    for row in rows:
        row["outcome"] = "gain" if float(row["low"] or -1) <= 0 else "worse"
    io.write_csv(REPORT / "tables" / "comparisons.csv", rows, list(rows[0]))
    assert any("outcome says gain" in line for line in lines(study))


def test_a_swapped_order_is_named(study):
    rows = io.read_csv(REPORT / "tables" / "systems.csv")
    rows[0]["class_iou.mean"] = "0.99"
    rows[0]["temperature"] = "0.7"
    io.write_csv(REPORT / "tables" / "systems.csv", rows, list(rows[0]))
    assert states(study)["claims: ranks"] == "does not hold"


def test_without_a_report_nothing_can_be_counted(study):
    (REPORT / "claims.json").unlink()
    assert set(states(study).values()) == {"cannot be checked"}


def test_level_0_does_not_see_what_is_forged_in_matrices_but_their_copies_do(space, study):
    """A forged report that follows from forged scores is caught by the study's own scores."""
    path = REPORT / "scores" / "arms.json"
    record = io.read_json(path)
    for item in record["runs"]["both-0"]["items"]:
        matrix = np.array(item["confusion"])
        item["confusion"] = np.diag(matrix.sum(1)).tolist()
    io.write_json(path, record)
    assert any("a copy of" in str(v) for v in check_reports(space).violations)


def study_of(seeds=4, scenes=12, gain=0.0, drives=6):
    """Two arms of noisy matrices of three classes, of which one may be better."""
    draw = np.random.default_rng(3)
    hits, unions = {}, {}
    base = draw.integers(40, 60, (scenes, 3)).astype(float)
    for arm, more in (("ours", gain), ("theirs", 0.0)):
        hits[arm] = {s: base * (0.6 + more) + draw.normal(0, 2, base.shape) for s in range(seeds)}
        unions[arm] = {s: base + 5 for s in range(seeds)}
    groups = [f"d{n % drives}" for n in range(scenes)]
    return redrawn.Study(["a", "b", "c"], groups, hits, unions)


def test_intervals_hold_zero_or_not():
    same, better = (study_of(gain=gain).compared("ours", "theirs") for gain in (0.0, 0.1))
    assert same.low.middle < 0 < same.high.middle
    assert 0 < better.low.middle < better.difference < better.high.middle
    assert better.difference == pytest.approx(0.1 * 50 / 55, rel=0.2)


def test_slack_is_small_beside_the_interval():
    found = study_of().compared("ours", "theirs")
    width = found.high.middle - found.low.middle
    assert 0 < found.low.slack(100) < 0.2 * width


def test_a_single_scene_and_seed_have_no_interval():
    found = study_of(seeds=1, scenes=1, drives=1).compared("ours", "theirs")
    assert found.low is None
    assert math.isfinite(found.difference)


def test_holm_steps_down():
    chances = {"a": "0.01", "b": "0.04", "c": "0.03", "d": "0.005"}
    assert redrawn.surviving(chances) == {"a", "d"}
    assert Counter(redrawn.surviving({"a": "0.05"})) == {"a": 1}
    assert redrawn.surviving({}) == set()
