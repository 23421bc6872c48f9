"""The report stage on a made-up study."""

import re
import shutil

import numpy as np
import pytest

from augflow.core import io
from augflow.core.errors import DataError
from augflow.core.images import find_foreign_part
from augflow.stages.report import render_again, report
from tests.fabricated import NAMES, Study


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    root = tmp_path_factory.mktemp("study")
    return Study(title="A <b>bold</b> & made-up study").write(root), root


@pytest.fixture(scope="module")
def made(study, tmp_path_factory):
    out = tmp_path_factory.mktemp("reports") / "madeup"
    report(*study, out)
    return out


def content(folder):
    return {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_a_report_has_all_its_parts(made):
    assert {path.name for path in (made / "figures").iterdir()} == {
        "temperature.png", "classes.png", "segmenters.png", "learning.png", "systems_iou.png",
    }  # fmt: skip
    pictures = {path.relative_to(made / "pictures") for path in (made / "pictures").rglob("*.webp")}
    assert {path.as_posix() for path in pictures} == {
        "samples.webp", "system_pix2pix.webp", "system_dual_glow.webp", "systems.webp",
        "diversity.webp", "transfer.webp", "data.webp",
        *(f"opening/{n}_{kind}.webp" for n in range(2) for kind in ("classes", "real", "made")),
    }  # fmt: skip
    tables = {path.stem for path in (made / "tables").iterdir()}
    assert tables == {
        "systems", "temperature", "references", "judge_per_class", "arms", "runs", "comparisons",
        "comparisons_per_class", "arms_per_class", "generators", "bpd_curve", "data", "classes",
    }  # fmt: skip
    assert {p.name for p in made.iterdir()} == {
        "figures", "pictures", "tables", "scores", "evidence", "report.html", "report.md",
        "claims.json.gz", "metrics.json",
    }  # fmt: skip


def test_the_main_metrics_are_those_of_the_tables(made):
    metrics = io.read_json(made / "metrics.json")
    assert list(metrics) == ["arms", "comparisons", "systems"]
    for table, rows in metrics.items():
        stored = io.read_csv(made / "tables" / f"{table}.csv")
        assert len(rows) == len(stored)
    by_name = {row["arm"]: row for row in io.read_csv(made / "tables" / "arms.csv")}
    assert metrics["arms"] == {
        name: {"class_iou": float(row["class_iou.mean"])} for name, row in by_name.items()
    }
    (one,) = [
        row for row in io.read_csv(made / "tables" / "systems.csv") if row["row"] == "pix2pix"
    ]
    assert metrics["systems"]["pix2pix"] == {"class_iou": float(one["class_iou.mean"])}


def test_the_page_needs_nothing_from_elsewhere(made):
    page = (made / "report.html").read_text()
    assert len(re.findall(r'src="data:image/webp;base64,', page)) == 18
    plain = re.sub(r"data:image/webp;base64,[A-Za-z0-9+/=]+", "", page)
    assert not re.search(
        r"http|@import|url\(|<link|<script [^>]|<iframe|fetch\(|XMLHttp|import\(", plain
    )
    assert not re.search(r'src="(?!")', plain)
    # what is linked lies beside it; without it the page still shows the same
    links = set(re.findall(r'href="([^#"]+)"', plain))
    assert all((made / link).is_file() for link in links)
    inside = {path.relative_to(made).as_posix() for path in made.glob("pictures/**/*.webp")}
    assert inside <= links


def test_a_page_of_large_pictures_stays_light(made, tmp_path):
    """Noise, which no format makes smaller, in as many pixels as a wall of photographs has."""
    out = shutil.copytree(made, tmp_path / "out")
    noise = np.random.default_rng(0).integers(0, 256, (1500, 2400, 3)).astype(np.uint8)
    before = (out / "report.html").stat().st_size
    io.write_webp(out / "pictures" / "transfer.webp", noise)
    render_again(out)
    assert len((out / "pictures" / "transfer.webp").read_bytes()) > 8e6
    assert (out / "report.html").stat().st_size < before + 0.8e6


def test_the_text_opens_as_the_page_does(made):
    """The question, the answer, the effects and the pictures."""
    page, text = (made / "report.html").read_text(), (made / "report.md").read_text()
    top = text.partition("\n## ")[0]
    (question,) = re.findall(r"<h1>(.*?)</h1>", page)
    assert top.startswith(f"# {question}\n")
    (answer,) = re.findall(r'<p class="answer [a-z]+">(.*?)</p>', page)
    assert f"**{re.sub('<.*?>', '', answer)}**" in top
    bars = re.findall(r'<span class="value">(.*?)</span>\n', page)
    assert len(bars) == 2
    for bar in bars:
        value, word, ends = re.fullmatch(r"<b>(.*)</b> (.*) <small>(.*)</small>", bar).groups()
        value, ends = (re.sub("<.*?>", "", part) for part in (value, ends))
        assert f" | {value} | {ends} | {word} |" in top
    assert re.findall(r"\]\((pictures/opening/.*?)\)", top) == re.findall(
        r'<a href="(pictures/opening/.*?)">', page
    )


def test_a_finished_report_is_written_once_more_from_its_own_evidence(made, tmp_path):
    out = shutil.copytree(made, tmp_path / "out")
    shutil.rmtree(out / "tables")
    shutil.rmtree(out / "figures")
    for name in ("report.html", "report.md", "metrics.json"):
        (out / name).write_text("of another time")
    render_again(out)
    assert content(out) == content(made)
    with pytest.raises(DataError, match=r"no claims\.json\.gz in it"):
        render_again(tmp_path)


def test_names_are_escaped(made):
    page, text = (made / "report.html").read_text(), (made / "report.md").read_text()
    assert NAMES[1] not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "A &lt;b&gt;bold&lt;/b&gt; &amp; made-up study" in page
    assert NAMES[1] not in text
    assert r"a\|b\_c" in text


def test_every_row_of_a_markdown_table_is_as_wide_as_its_head(made):
    for block in re.findall(r"(?:^\|.*\n)+", (made / "report.md").read_text(), re.M):
        widths = {len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines()}
        assert len(block.splitlines()) > 2
        assert len(widths) == 1


def test_markdown_links_lead_to_files(made):
    links = re.findall(r"\]\(([^)]+)\)", (made / "report.md").read_text())
    assert len(links) > 15
    assert all((made / link).exists() for link in links)


def test_figures_carry_no_metadata(made):
    for path in (*made.glob("figures/*"), *made.glob("pictures/**/*.webp")):
        assert find_foreign_part(path.read_bytes()) is None


def test_the_sample_grid_shows_the_photographs_of_the_sets(study, made):
    # noise around one colour: the mean of a cell is the mean of its photograph
    grid = io.read_picture(made / "pictures" / "samples.webp").astype(float)
    photo = io.read_photo(
        study[1] / "synthetic" / "sweep" / "leftImg8bit/val/city/val_0_t1_r0_leftImg8bit.png"
    )
    height, width = grid.shape[0], grid.shape[1]
    cell = grid[height // 6 : height // 4, int(width * 0.86) : int(width * 0.98)]
    assert abs(cell.mean((0, 1)) - photo.mean((0, 1))).max() < 4


@pytest.mark.parametrize(
    ("study", "absent"),
    [
        (Study(runs={}), {"segmenters"}),
        (Study(transfers=False), {"transfer"}),
    ],
    ids=["no arms", "no transfers"],
)
def test_missing_parts_shorten_the_report(tmp_path, study, absent):
    report(study.write(tmp_path / "data"), tmp_path / "data", tmp_path / "out")
    out = tmp_path / "out"
    figures = [path.stem for path in (*out.glob("figures/*"), *out.glob("pictures/**/*.webp"))]
    assert not set(figures) & absent
    assert (out / "report.html").read_text().count("<figure") == len(figures)


def test_missing_files_are_listed_in_one_line(study, tmp_path):
    root = shutil.copytree(study[1], tmp_path / "data")
    gone = ("scores/references.json", "scores/pix2pix.json", "prepared/scenes.csv",
            "generators/full_glow/history.csv")  # fmt: skip
    for name in gone:
        (root / name).unlink()
    with pytest.raises(DataError) as fault:
        report(study[0], root, tmp_path / "out")
    assert all(str(root / name) in str(fault.value) for name in gone)
    assert "\n" not in str(fault.value)
    assert not (tmp_path / "out").exists()


def test_a_fault_names_the_studys_file_not_the_copy(study, tmp_path):
    root = shutil.copytree(study[1], tmp_path / "data")
    (root / "scores" / "sweep.json").write_text("[")
    with pytest.raises(DataError, match=re.escape(f"{root}/scores/sweep.json: not JSON")):
        report(study[0], root, tmp_path / "out")


def test_a_repainted_photograph_is_not_shown(study, tmp_path):
    root = shutil.copytree(study[1], tmp_path / "data")
    path = root / "synthetic" / "sweep" / "leftImg8bit/val/city/val_0_t0_r0_leftImg8bit.png"
    pixels = io.read_photo(path).copy()
    pixels[0, 0] ^= 1
    io.write_png(path, pixels)
    with pytest.raises(DataError, match="run synthesize again"):
        report(study[0], root, tmp_path / "out")


def test_a_failed_report_leaves_the_old_one(study, made, tmp_path):
    out = shutil.copytree(made, tmp_path / "out")
    root = shutil.copytree(study[1], tmp_path / "data")
    (root / "prepared" / "val" / "image.npy").unlink()
    with pytest.raises(DataError):
        report(study[0], root, out)
    assert content(out) == content(made)


def test_a_folder_of_other_files_is_not_replaced(study, tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(DataError, match="holds files but no report"):
        report(*study, tmp_path)
    assert (tmp_path / "thesis.tex").read_text() == "years of work"
