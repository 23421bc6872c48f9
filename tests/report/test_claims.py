"""Whatever is edited in a finished report, `recompute` finds it."""

import re
import shutil

import pytest

from augflow.core import io
from augflow.core.errors import DataError
from augflow.report import claims
from augflow.stages.report import report
from tests.fabricated import Study


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    root = tmp_path_factory.mktemp("made")
    report(Study().write(root / "data"), root / "data", root / "report")
    return root / "report"


@pytest.fixture
def copy(made, tmp_path):
    return shutil.copytree(made, tmp_path / "report")


def replaced(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def rewritten(folder):
    """Digests made to fit again, as someone who covers a change up would."""
    stored = io.read_json(folder / "claims.json")
    io.write_json(folder / "claims.json", {**stored, "files": claims.digests(folder)})


def places(folder):
    return [mismatch.where for mismatch in claims.recompute(folder)]


def test_a_finished_report_holds(made):
    assert claims.recompute(made) == []


def test_a_claim_says_where_its_number_comes_from(made):
    found = {c["id"]: c for c in io.read_json(made / "claims.json")["claims"]}
    claim = found["temperature.sweep@0.class_iou.mean"]
    assert claim["value"] == pytest.approx(37 / 60)
    assert claim["text"] == "61.67"
    assert claim["file"] == "tables/temperature.csv"
    assert "scores/sweep.json" in claim["from"]
    assert claim["how"] == "temperature"
    assert all((made / source).exists() for c in found.values() for source in c["from"])


def test_every_number_of_a_table_is_claimed(made):
    ids = {c["id"] for c in io.read_json(made / "claims.json")["claims"]}
    for path in (made / "tables").glob("*.csv"):
        cells = [c for row in io.read_csv(path) for c in row.values()]
        numbers = [c for c in cells if re.fullmatch(r"-?[\d.]+(e-?\d+)?", c)]
        assert len([i for i in ids if i.startswith(f"{path.stem}.")]) == len(numbers)


def test_an_edited_cell_is_found(copy):
    replaced(copy / "tables" / "temperature.csv", "0.61666667", "0.71666667")
    assert "tables/temperature.csv: row sweep@0, column class_iou.mean" in places(copy)


def test_an_edited_cell_is_found_under_fitting_digests(copy):
    replaced(copy / "tables" / "comparisons.csv", "cannot be told", "gain")
    rewritten(copy)
    assert places(copy) == ["tables/comparisons.csv: row real_classic.real, column outcome"]


def test_a_dropped_row_is_found(copy):
    path = copy / "tables" / "arms.csv"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))
    rewritten(copy)
    assert places(copy) == ["tables/arms.csv"]


def test_an_edited_claim_is_found(copy):
    stored = io.read_json(copy / "claims.json")
    claim = next(c for c in stored["claims"] if c["id"] == "temperature.sweep@0.class_iou.mean")
    claim["value"] += 0.01
    io.write_json(copy / "claims.json", stored)
    assert places(copy) == ["claims.json: temperature.sweep@0.class_iou.mean: value"]


def test_a_removed_claim_is_found(copy):
    stored = io.read_json(copy / "claims.json")
    gone = stored["claims"].pop()
    io.write_json(copy / "claims.json", stored)
    assert places(copy) == [f"claims.json: {gone['id']}"]


def test_an_edited_score_is_found_under_fitting_digests(copy):
    content = io.read_json(copy / "scores" / "sweep.json")
    content["items"][0]["confusion"][0][0] += 1
    io.write_json(copy / "scores" / "sweep.json", content)
    rewritten(copy)
    found = places(copy)
    assert "claims.json: temperature.sweep@0.class_iou.mean: value" in found
    assert "tables/temperature.csv: row sweep@0, column class_iou.mean" in found


def test_an_edited_history_is_found(copy):
    path = copy / "evidence" / "generators" / "full_glow.csv"
    path.write_text(path.read_text().replace(",4.5,", ",3.5,"))
    assert "claims.json: bpd_curve.full_glow.200.val_bpd: value" in places(copy)


def test_an_edited_number_of_the_page_is_found_under_fitting_digests(copy):
    replaced(copy / "report.html", ">61.67</data>", ">91.67</data>")
    rewritten(copy)
    assert places(copy) == ["report.html: verdict.references.best.class_iou"]


def test_a_number_that_left_the_verdict_is_found(copy):
    path = copy / "report.html"
    pattern = r"<data value=\"verdict\.references\.best\.class_iou\">[^<]*</data>"
    path.write_text(re.sub(pattern, "much", path.read_text()))
    rewritten(copy)
    assert places(copy) == ["report.html: verdict.references.best.class_iou"]


def test_a_repainted_figure_is_found(copy):
    path = copy / "figures" / "temperature.png"
    pixels = io.read_photo(path).copy()
    pixels[0, 0] = 0
    io.write_png(path, pixels)
    assert places(copy) == ["figures/temperature.png"]


@pytest.mark.parametrize("name", ["report.md", "evidence/params.yaml", "figures/arms.png"])
def test_a_missing_file_is_found(copy, name):
    (copy / name).unlink()
    assert name in places(copy)


def test_a_file_that_was_never_written_is_found(copy):
    (copy / "tables" / "better.csv").write_text("a\n1\n")
    assert places(copy) == ["tables/better.csv"]


def test_damaged_evidence_is_a_mismatch_and_no_crash(copy):
    for name in ("evidence/pixels.csv", "evidence/dataset.json"):
        (copy / name).write_text("{}")
    assert "evidence" in places(copy)


def test_a_folder_without_claims_cannot_be_checked(tmp_path):
    with pytest.raises(DataError, match=r"claims\.json"):
        claims.recompute(tmp_path)


@pytest.mark.parametrize("content", [[], {"claims": {}, "files": {}}, {"claims": [1], "files": {}}])
def test_claims_of_another_kind_cannot_be_checked(copy, content):
    io.write_json(copy / "claims.json", content)
    with pytest.raises(DataError, match="not the claims of a report"):
        claims.recompute(copy)
