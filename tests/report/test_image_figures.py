"""Figures of latents from pictures that are made up."""

from augflow.core import io
from augflow.report import image_figures
from tests.fabricated import SIZE
from tests.report.conftest import reported


def cells(path, rows, columns):
    """The colour in the middle of each cell of a figure without its headings, in tens.

    Figures are stored with losses, of a grey value or two.
    """
    page = io.read_picture(path)
    cell = page.shape[1] / columns
    height = cell * SIZE[0] / SIZE[1]
    return [
        [tuple(10 * round(int(value) / 10) for value in page[
            round(page.shape[0] - (rows - r - 0.5) * height), round((c + 0.5) * cell)])
         for c in range(columns)]
        for r in range(rows)
    ]  # fmt: skip


def test_a_path_is_a_row_per_system_with_its_steps_from_left_to_right(made):
    found = cells(made / "pictures/latents_path.webp", 6, 5)
    steps = [[cell[0] for cell in row[2:]] for row in found]
    assert steps == [[0, 20, 40]] * 6
    assert [row[3][1] for row in found] == [60] * 3 + [150] * 3


def test_a_style_is_one_draw_over_all_layouts(made):
    found = cells(made / "pictures/latents_style.webp", 5, 4)
    assert [[cell[0] for cell in row[1:]] for row in found[1:]] == [
        [style, 30 + style, 60 + style] for style in (0, 10, 0, 10)
    ]
    assert [row[1][1] for row in found[1:]] == [60, 60, 150, 150]


def test_coins_are_left_out_of_paths_and_layouts_that_allow_none_have_no_edits(tmp_path):
    names = {path.name for path in (reported(tmp_path, ("pix2pix",), steps=0, edits=())
                                    / "pictures").glob("latents_*")}  # fmt: skip
    assert names == {"latents_style.webp"}
    assert "### Interpolation, style, edits" in (tmp_path / "out" / "report.md").read_text()


def test_the_report_shows_and_explains_the_three_figures(made):
    text = (made / "report.md").read_text()
    assert "### Interpolation, style, edits" in text
    for name in (image_figures.PATHS, image_figures.STYLES, image_figures.EDITS):
        assert f"pictures/{name}.webp" in text
    assert "along the straight line" in text


def test_edits_stand_under_the_class_maps_they_make(made):
    found = cells(made / "pictures/latents_edits.webp", 3, 4)
    assert [cell[1] for cell in found[0][1:]] == [260] * 3
    assert [[cell[0] for cell in row[1:]] for row in found[1:]] == [[0, 50, 100]] * 2
