"""Figures of latents from pictures that are made up."""

import numpy as np
import pytest

from augflow.core import io
from augflow.report import image_figures
from augflow.stages.report import report
from augflow.study.params import ExploreParams
from tests.fabricated import SIZE, Study

LAYOUTS = ["val_0", "val_1", "val_2"]


def plain(red, green=0):
    return np.full((*SIZE, 3), (red, green, 0), np.uint8)


def write(root, name, number, steps=3, edits=("car removed", "tree to road")):
    """Pictures whose green says which generator, and whose red says which picture."""
    for at, layout in enumerate(LAYOUTS):
        for step in range(steps):
            io.write_png(root / f"path/{layout}_{step:02d}.png", plain(20 * step, number))
        for style in range(2):
            io.write_png(root / f"style/{layout}_{style}.png", plain(30 * at + style, number))
    for step in range(len(edits) + 1):
        io.write_png(root / f"edits/{step:02d}_classes.png", plain(0, 255))
        io.write_png(root / f"edits/{step:02d}.png", plain(50 * step, number))
    io.write_json(root / "record.json", {
        "generator": name, "weights": "feed", "layouts": LAYOUTS, "seeds": [1, 2], "steps": steps,
        "path": "linear", "temperature": 0.8, "edited": "val_0", "edits": list(edits),
    })  # fmt: skip


def params(*generators):
    section = ExploreParams(generators=generators, layouts=3, steps=3, path="linear")
    return Study().params().model_copy(update={"explore": section})


@pytest.fixture
def made(tmp_path):
    """Makes the report of a study in which some generators were explored."""

    def run(*generators, **changes):
        data = tmp_path / "data"
        Study().write(data)
        for number, name in enumerate(generators):
            write(data / "explored" / name, name, 60 + 90 * number, **changes)
        report(params(*(generators or ("full_glow",))), data, tmp_path / "out")
        return tmp_path / "out"

    return run


def cells(path, rows, columns):
    """The colour in the middle of each cell of a figure without its headings."""
    page = io.read_photo(path)
    cell = page.shape[1] / columns
    height = cell * SIZE[0] / SIZE[1]
    return [
        [tuple(page[round(page.shape[0] - (rows - r - 0.5) * height), round((c + 0.5) * cell)])
         for c in range(columns)]
        for r in range(rows)
    ]  # fmt: skip


def test_a_path_is_a_row_per_system_with_its_steps_from_left_to_right(made):
    found = cells(made("full_glow", "dual_glow") / "figures/latents_path.png", 6, 5)
    steps = [[cell[0] for cell in row[2:]] for row in found]
    assert steps == [[0, 20, 40]] * 6
    assert [row[3][1] for row in found] == [60] * 3 + [150] * 3


def test_a_style_is_one_draw_over_all_layouts(made):
    found = cells(made("full_glow", "dual_glow") / "figures/latents_style.png", 5, 4)
    assert [[cell[0] for cell in row[1:]] for row in found[1:]] == [
        [style, 30 + style, 60 + style] for style in (0, 1, 0, 1)
    ]
    assert [row[1][1] for row in found[1:]] == [60, 60, 150, 150]


def test_edits_stand_under_the_class_maps_they_make(made):
    found = cells(made("full_glow", "dual_glow") / "figures/latents_edits.png", 3, 4)
    assert [cell[1] for cell in found[0][1:]] == [255] * 3
    assert [[cell[0] for cell in row[1:]] for row in found[1:]] == [[0, 50, 100]] * 2


def test_the_report_shows_and_explains_the_three_figures(made):
    text = (made("full_glow") / "report.md").read_text()
    assert "## Latents: interpolation, style, edits" in text
    for name in (image_figures.PATHS, image_figures.STYLES, image_figures.EDITS):
        assert f"figures/{name}.png" in text
    assert "along the straight line" in text


def test_coins_are_left_out_of_paths_alone(made):
    figures = made("pix2pix", steps=0) / "figures"
    assert not (figures / "latents_path.png").exists()
    assert (figures / "latents_style.png").exists()


def test_layouts_that_allow_no_edit_have_no_figure_of_edits(made):
    figures = made("full_glow", edits=()) / "figures"
    assert not (figures / "latents_edits.png").exists()
    assert (figures / "latents_path.png").exists()


def test_a_study_that_explored_nothing_says_nothing_of_latents(made):
    out = made()
    assert not list((out / "figures").glob("latents_*"))
    assert "Latents: interpolation" not in (out / "report.md").read_text()
