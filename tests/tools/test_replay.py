"""`augflow replay`: equal where it can be, different where pixels were changed, or refused."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from augflow.core import io
from augflow.data.synthetic import read_rows
from augflow.data.synthetic.manifest import label_path
from tests import commands, small_makers, traced
from tests.commands import run
from tests.traced import DATA, MOVED, T05


def replay(photo, *words):
    return run("replay", photo, *words)


def refused(photo, *words):
    return commands.refused("replay", photo, *words)


def all_equal(folder, *words):
    rows = read_rows(folder)
    for row in rows:
        result = replay(folder / row.photo, *words)
        assert result.exit_code == 0, result.output + result.stderr
        assert result.stdout == f"{folder / row.photo}: equal\n"
    return rows


def test_photographs_of_the_study_are_made_again(study):
    all_equal(T05)
    all_equal(MOVED)


def test_selected_photographs_are_made_again_though_their_labels_have_holes(study):
    traced.select(T05, DATA / "selected/lax", {})
    all_equal(DATA / "selected/lax")
    traced.select(MOVED, DATA / "selected/some", {})
    shutil.rmtree(MOVED)
    all_equal(DATA / "selected/some")


def test_changed_pixels_are_measured(study):
    row = read_rows(T05)[0]
    pixels = io.read_photo(T05 / row.photo).copy()
    old = int(pixels[3, 4, 1])
    pixels[3, 4, 1] = 255 - old
    io.write_png(T05 / row.photo, pixels)
    result = replay(T05 / row.photo, "--out", "again.png")
    assert result.exit_code == 1
    # one pixel of 32 x 48
    assert f"by up to {abs(255 - 2 * old)} grey values at 0.07% of the pixels" in result.stdout
    assert "the pixels that its manifest records are those made again" in result.stdout
    assert io.digest_array(io.read_photo(Path("again.png"))) == row.digest


def test_the_photograph_itself_is_not_written_over(study):
    photo = T05 / read_rows(T05)[0].photo
    assert "not over it" in refused(photo, "--out", photo)


def test_another_temperature_in_the_manifest_gives_other_pixels(study):
    path = T05 / "manifest.csv"
    path.write_text(path.read_text().replace(",0.5,", ",0.9,"))
    facts = T05 / "set.json"
    facts.write_text(facts.read_text().replace("0.5", "0.9"))
    assert replay(T05 / read_rows(T05)[0].photo).exit_code == 1


def test_the_generator_is_found_by_its_digest_or_given(study):
    photo = T05 / read_rows(T05)[0].photo
    shutil.move(DATA / "generators/flow", "kept")
    line = refused(photo)
    assert "cannot be made again" in line
    assert "no generator here has the digest" in line
    assert replay(photo, "--generator", "kept").exit_code == 0
    shutil.move("kept", DATA / "generators/renamed")
    assert replay(photo).exit_code == 0
    other = small_makers.save("plain", Path("others"))
    assert f"{other} has the digest" in refused(photo, "--generator", other)
    assert "config.json: no such file" in refused(photo, "--generator", "nowhere")


def test_a_layout_that_is_gone_cannot_be_used(study):
    row = read_rows(T05)[0]
    scenes = DATA / "prepared/scenes.csv"
    scenes.write_text(scenes.read_text().replace(f"{row.layout},", "another,", 1))
    (T05 / label_path(row.photo, "labelIds")).unlink()
    line = refused(T05 / row.photo)
    assert f"its layout {row.layout!r} is no prepared scene, and {T05}" in line
    assert replay(T05 / read_rows(T05)[-1].photo).exit_code == 0


def test_moved_content_needs_the_section_that_says_how(study):
    row = read_rows(MOVED)[0]
    params = Path("params.yaml")
    params.write_text(params.read_text().replace("  moved:", "  other:"))
    assert f"its content was moved from {row.content}" in refused(MOVED / row.photo)


@pytest.fixture(scope="module")
def inputs(pictures, tmp_path_factory):
    """Two layouts twice as large as the makers' photographs, with boundaries of their own."""
    root = tmp_path_factory.mktemp("inputs")
    for number, path in enumerate(sorted((pictures / "val" / "classes").glob("*.png"))):
        large = io.read_ids(path).repeat(2, 0).repeat(2, 1)
        edges = np.zeros(large.shape, np.uint8)
        edges[5 + 7 * number :: 9] = 255
        io.write_png(root / "classes" / path.name, large)
        io.write_png(root / "boundary" / path.name, edges)
    return root


def written(out, maker, inputs, command, *words, boundary=True):
    maps = ["--boundary", inputs / "boundary"] if boundary else []
    result = run(command, "--layouts", inputs / "classes", "--labels", "train_ids", "--generator",
                 maker, *maps, *words, "--out", out)  # fmt: skip
    assert result.exit_code == 0, result.output + result.stderr
    return out


@pytest.mark.parametrize(
    ("name", "words"),
    [("flow", ["--samples", 2, "--temp", 0.7]), ("coins", ["--same-noise"]),
     ("plain", ["--temp", 0.7, "--same-noise"])],
)  # fmt: skip
def test_photographs_for_layouts_of_ones_own_are_made_again(makers, inputs, tmp_path, name, words):
    out = written(tmp_path / "set", makers[name], inputs, "synth", *words)
    all_equal(out, "--generator", makers[name])


@pytest.mark.parametrize("latents", ["style", "z", "eps"])
def test_content_of_a_photograph_of_ones_own_is_moved_again(
    makers, inputs, pictures, tmp_path, latents
):
    photo = sorted((pictures / "train" / "image").glob("*.png"))[0]
    words = ["--content", photo, "--latents", latents]
    maker = makers["styled" if latents == "style" else "flow"]
    out = written(tmp_path / "set", maker, inputs, "transfer", *words)
    all_equal(out, "--generator", maker)
    out = written(tmp_path / "two", makers["flow"], inputs, "synth", "--latent-from", photo)
    all_equal(out, "--generator", makers["flow"])


def test_points_of_a_path_are_made_again(makers, inputs, pictures, tmp_path):
    photo = sorted((pictures / "train" / "image").glob("*.png"))[0]
    for name, ends in {"seeds": ("seed:3", "seed:4"), "mixed": (photo, "seed:4")}.items():
        words = ["--from", ends[0], "--to", ends[1], "--steps", 3]
        out = written(tmp_path / name, makers["flow"], inputs, "interpolate", *words)
        all_equal(out, "--generator", makers["flow"])


def test_without_the_stored_boundary_map_it_is_said_what_is_missing(makers, inputs, tmp_path):
    out = written(tmp_path / "set", makers["coins"], inputs, "synth")
    shutil.rmtree(out / "origin")
    line = refused(out / read_rows(out)[0].photo, "--generator", makers["coins"])
    assert "cannot be made again" in line
    assert "the boundary map of its layout" in line


def test_where_the_boundary_map_follows_from_the_labels_none_needs_to_be_stored(
    makers, pictures, tmp_path
):
    inputs = tmp_path / "inputs"
    shutil.copytree(pictures / "val" / "classes", inputs / "classes")
    out = written(tmp_path / "set", makers["coins"], inputs, "synth", boundary=False)
    shutil.rmtree(out / "origin")
    all_equal(out, "--generator", makers["coins"])
    photo = out / read_rows(out)[0].photo
    io.write_png(photo, 255 - io.read_photo(photo))
    assert replay(photo, "--generator", makers["coins"]).exit_code == 1


def test_an_older_set_is_replaced_with_what_it_keeps(makers, inputs, tmp_path):
    for temperature in (0.5, 0.9):
        words = ["--temp", temperature, "--overwrite"]
        out = written(tmp_path / "set", makers["flow"], inputs, "synth", *words)
    assert {row.temperature for row in all_equal(out, "--generator", makers["flow"])} == {0.9}


def test_new_pixels_replace_no_file(tmp_path):
    (tmp_path / "mine.png").write_bytes(b"mine")
    line = refused(tmp_path / "photo.png", "--out", tmp_path / "mine.png")
    assert "mine.png: is there already; give another name" in line
    assert (tmp_path / "mine.png").read_bytes() == b"mine"


def test_a_photograph_of_no_set_is_refused(tmp_path):
    io.write_png(tmp_path / "x.png", np.zeros((4, 4, 3), np.uint8))
    assert "is in no set" in refused(tmp_path / "x.png")
