"""Whatever is edited in a finished report, `recompute` finds it."""

import re
import shutil

import pytest

from augflow.core import io
from augflow.core.errors import DataError
from augflow.report import claims


@pytest.fixture
def copy(made, tmp_path):
    return shutil.copytree(made, tmp_path / "report")


def replaced(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def places(folder):
    return [mismatch.where for mismatch in claims.recompute(folder)]


def test_a_finished_report_holds(made):
    assert claims.recompute(made) == []


def test_a_claim_says_where_its_number_comes_from(made):
    found = {c["id"]: c for c in io.read_json(made / "claims.json.gz")["claims"]}
    claim = found["temperature.sweep@0.class_iou.mean"]
    assert claim["value"] == pytest.approx(37 / 60)
    assert claim["text"] == "61.67"
    assert claim["file"] == "tables/temperature.csv"
    assert "scores/sweep.json.gz" in claim["from"]
    assert claim["how"] == "temperature"
    assert all((made / source).exists() for c in found.values() for source in c["from"])


def test_every_number_of_a_table_is_claimed(made):
    ids = {c["id"] for c in io.read_json(made / "claims.json.gz")["claims"]}
    for path in (made / "tables").glob("*.csv"):
        cells = [c for row in io.read_csv(path) for c in row.values()]
        numbers = [c for c in cells if re.fullmatch(r"-?[\d.]+(e-?\d+)?", c)]
        assert len([i for i in ids if i.startswith(f"{path.stem}.")]) == len(numbers)


def claim(folder, change):
    stored = io.read_json(folder / "claims.json.gz")
    change({one["id"]: one for one in stored["claims"]})
    io.write_json(folder / "claims.json.gz", stored)


def without_its_last_row(folder):
    path = folder / "tables" / "arms.csv"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))


def with_another_score(folder):
    content = io.read_json(folder / "scores" / "sweep.json.gz")
    content["items"][0]["confusion"][0][0] += 1
    io.write_json(folder / "scores" / "sweep.json.gz", content)


def with_a_black_pixel(folder):
    pixels = io.read_picture(folder / "figures" / "temperature.png").copy()
    pixels[0, 0] = 0
    io.write_png(folder / "figures" / "temperature.png", pixels)


SWEEP = "temperature.sweep@0.class_iou.mean"
BEST = '<data value="verdict.references.best.class_iou">'
EDITS = {
    "a cell": (
        lambda f: replaced(f / "tables/comparisons.csv", "cannot be told", "gain"),
        "tables/comparisons.csv: row real_classic.real, column outcome",
    ),
    "a row": (without_its_last_row, "tables/arms.csv"),
    "a score": (with_another_score, f"claims.json.gz: {SWEEP}: value"),
    "a history": (
        lambda f: replaced(f / "evidence/generators/full_glow.csv", ",4.5,", ",3.5,"),
        "claims.json.gz: bpd_curve.full_glow.200.val_bpd: value",
    ),
    "a table with marks that no cell shows": (
        lambda f: (f / "tables/arms.csv").write_bytes(
            (f / "tables/arms.csv").read_bytes().replace(b"\n", b"\r\n")
        ),
        "tables/arms.csv: line 1",
    ),
    "a table of ones own under a digest": (
        lambda f: (f / "tables/better.csv").write_text("a\n1\n"),
        "tables/better.csv",
    ),
    "a main number": (
        lambda f: replaced(f / "metrics.json", '"class_iou": ', '"class_iou": 9'),
        "metrics.json: line",
    ),
    "a number of the page": (
        lambda f: replaced(f / "report.html", ">61.67</data>", ">91.67</data>"),
        "report.html: systems.full_glow.class_iou.mean",
    ),
    "a number that is gone": (
        lambda f: replaced(f / "report.html", f"{BEST}61.67</data>", "much"),
        "report.html: verdict.references.best.class_iou",
    ),
}


@pytest.mark.parametrize("edit", EDITS)
def test_an_edit_is_found_under_fitting_digests(copy, edit):
    change, found = EDITS[edit]
    change(copy)
    stored = io.read_json(copy / "claims.json.gz")
    io.write_json(copy / "claims.json.gz", {**stored, "files": claims.digests(copy)})
    assert any(where.startswith(found) for where in places(copy))


UNCOVERED = {
    "a claim": (
        lambda f: claim(f, lambda claims: claims[SWEEP].update(value=0.7)),
        f"claims.json.gz: {SWEEP}: value",
    ),
    "a claim that is gone": (
        lambda f: claim(f, lambda claims: claims[SWEEP].update(id="another")),
        f"claims.json.gz: {SWEEP}",
    ),
    "a figure": (with_a_black_pixel, "figures/temperature.png"),
    "a file": (lambda f: (f / "report.md").unlink(), "report.md"),
    "parameters": (lambda f: (f / "evidence/params.yaml").unlink(), "evidence/params.yaml"),
    "a table of ones own": (
        lambda f: (f / "tables/better.csv").write_text("a\n1\n"), "tables/better.csv"
    ),
}  # fmt: skip


@pytest.mark.parametrize("edit", UNCOVERED)
def test_what_is_edited_missing_or_never_written_is_found(copy, edit):
    change, found = UNCOVERED[edit]
    change(copy)
    assert found in places(copy)


def test_damaged_evidence_is_a_mismatch_and_no_crash(copy):
    for name in ("evidence/pixels.csv", "evidence/dataset.json"):
        (copy / name).write_text("{}")
    assert "evidence" in places(copy)


def test_a_folder_without_claims_cannot_be_checked(tmp_path):
    with pytest.raises(DataError, match=r"claims\.json"):
        claims.recompute(tmp_path)


@pytest.mark.parametrize("content", [[], {"claims": {}, "files": {}}, {"claims": [1], "files": {}}])
def test_claims_of_another_kind_cannot_be_checked(copy, content):
    io.write_json(copy / "claims.json.gz", content)
    with pytest.raises(DataError, match="not the claims of a report"):
        claims.recompute(copy)
