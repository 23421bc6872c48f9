"""`augflow interpolate` and `augflow synth` with given latents, as a user runs them."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from augflow.core import io
from augflow.data.synthetic import read_rows, read_set
from tests.commands import run


@pytest.fixture(scope="module")
def layouts(pictures, tmp_path_factory):
    """The two held-out layouts, and their boundary maps beside them."""
    root = tmp_path_factory.mktemp("inputs")
    for kind in ("classes", "boundary"):
        for path in sorted((pictures / "val" / kind).glob("*.png")):
            io.write_png(root / kind / path.name, io.read_ids(path))
    return root / "classes"


@pytest.fixture(scope="module")
def photos(pictures):
    return sorted((pictures / "train" / "image").glob("*.png"))


def made(out, *words):
    result = run(*words, "--labels", "train_ids", "--out", out)
    assert result.exit_code == 0, result.output + result.stderr
    return read_rows(out)


def refused(tmp_path, *words):
    """The one line of a run that was refused; nothing was written."""
    result = run(*words, "--out", tmp_path / "refused")
    assert result.exit_code == 2, result.output
    [line] = result.stderr.splitlines()
    assert not (tmp_path / "refused").exists()
    return line


def test_a_path_of_more_photographs_than_the_disk_holds_is_refused_at_once(
    makers, layouts, tmp_path
):
    line = refused(tmp_path, "interpolate", "--layouts", layouts, "--generator", makers["plain"],
                   "--labels", "train_ids", "--from", "seed:3", "--to", "seed:8", "--steps",
                   10**9)  # fmt: skip
    assert "a set of 2000000000 photographs" in line


def test_ends_are_the_photographs_of_their_seeds(makers, layouts, tmp_path):
    given = ["--layouts", layouts, "--generator", makers["flow"], "--boundary",
             layouts.parent / "boundary"]  # fmt: skip
    rows = made(tmp_path / "way", "interpolate", *given, "--from", "seed:3", "--to", "seed:8",
                "--steps", 3)  # fmt: skip
    names = [path.stem for path in sorted(layouts.glob("*.png"))]
    assert [row.name for row in rows] == [f"{name}_p{k}" for name in names for k in range(3)]
    assert {row.content for row in rows} == {"seed:3 to seed:8"}
    assert [row.round for row in rows] == [0, 1, 2] * 2
    for seed, place in ((3, 0), (8, 2)):
        alone = made(tmp_path / str(seed), "synth", *given, "--latent-from", f"seed:{seed}")
        assert [row.digest for row in alone] == [rows[place].digest, rows[3 + place].digest]
        assert {row.seed for row in alone} == {seed}
    assert len({row.digest for row in rows}) == 6
    read_set(tmp_path / "way")
    assert io.read_json(tmp_path / "way" / "path.json") == {
        "from": "seed:3", "to": "seed:8", "steps": 3, "path": "spherical", "temperature": 0.8,
    }  # fmt: skip


def test_strips_frame_the_ends_and_frames_show_all_in_time(makers, layouts, tmp_path):
    (label,) = [path for path in sorted(layouts.glob("*.png"))][:1]
    rows = made(tmp_path / "way", "interpolate", "--layouts", label, "--generator", makers["plain"],
                "--from", "seed:0", "--to", "seed:1", "--steps", 3, "--path", "linear",
                "--frames")  # fmt: skip
    shown = [io.read_photo(tmp_path / "way" / row.photo) for row in rows]
    strip = io.read_photo(tmp_path / "way" / "strips" / f"{label.stem}.png")
    # four tiles of 32x48 pixels, drawn twice as large in frames of 2 pixels, with gaps of 2
    assert strip.shape == (68, 4 * 100 + 3 * 2, 3)
    edges = [tuple(strip[0, 102 * place].tolist()) for place in range(4)]
    assert edges == [(255,) * 3, (220, 90, 20), (255,) * 3, (220, 90, 20)]
    assert np.array_equal(strip[2:66:2, 104:200:2], shown[0])
    with Image.open(tmp_path / "way" / "frames" / f"{label.stem}.png") as image:
        assert image.n_frames == 3
        image.seek(1)
        assert np.array_equal(np.asarray(image.convert("RGB")), shown[1])
        assert (image.info["duration"], image.info["loop"]) == (125, 0)
    assert {row.log_p_bpd for row in rows} == {None}


def test_a_photographs_latents_are_its_transferred_content_by_a_label_map_beside_it_or_given(
    makers, layouts, pictures, photos, tmp_path
):
    given = ["--layouts", layouts, "--generator", makers["flow"]]
    one = made(tmp_path / "one", "synth", *given, "--latent-from", photos[2])
    two = made(tmp_path / "two", "transfer", *given, "--content", photos[2], "--latents", "eps")
    assert [row.digest for row in one] == [row.digest for row in two]
    assert {(row.content, row.temperature) for row in one} == {(photos[2].stem, 1.0)}
    mine = tmp_path / "mine" / "photo.png"
    io.write_png(mine, io.read_photo(photos[2]))
    line = refused(tmp_path, "synth", *given, "--latent-from", mine)
    assert line.endswith("its label map is not beside it; give it with --latent-layout")
    rows = made(tmp_path / "out", "synth", *given, "--latent-from", mine,
                "--latent-layout", pictures / "train" / "classes" / photos[2].name)  # fmt: skip
    assert {row.content for row in rows} == {"photo"}


def test_photographs_as_ends_are_found_again_in_their_own_layouts(
    makers, pictures, photos, tmp_path
):
    label = pictures / "train" / "classes" / photos[0].name
    boundary = pictures / "train" / "boundary" / photos[0].name
    rows = made(tmp_path / "way", "interpolate", "--layouts", label, "--generator", makers["flow"],
                "--from", photos[0], "--to", photos[1], "--steps", 3,
                "--boundary", boundary)  # fmt: skip
    assert rows[0].digest == io.digest_array(io.read_photo(photos[0]))
    assert rows[0].content == f"{photos[0].stem} to {photos[1].stem}"
    assert {row.temperature for row in rows} == {1.0}


@pytest.mark.parametrize("name", ["flow", "coins"])
def test_shared_noise_does_not_depend_on_the_layouts_name(makers, layouts, tmp_path, name):
    label = sorted(layouts.glob("*.png"))[0]
    for copy in "ab":
        io.write_png(tmp_path / "twins" / f"{copy}.png", io.read_ids(label))
    given = ["synth", "--layouts", tmp_path / "twins", "--generator", makers[name], "--samples", 2]
    own = made(tmp_path / "own", *given)
    assert len({row.digest for row in own}) == 4
    rows = made(tmp_path / "same", *given, "--same-noise", "--frames")
    assert [row.digest for row in rows[:2]] == [row.digest for row in rows[2:]]
    assert len({row.seed for row in rows}) == 2
    assert sorted(path.name for path in (tmp_path / "same" / "frames").iterdir()) == [
        "layouts_s0.png", "layouts_s1.png"
    ]  # fmt: skip
    again = made(tmp_path / "same", *given, "--same-noise", "--overwrite")
    assert [row.digest for row in again] == [row.digest for row in rows]
    assert not (tmp_path / "same" / "frames").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--same-noise", "--seed", "2"], "--latent-from and --seed, --same-noise: "),
        (["--samples", "3"], "--latent-from and --samples: "),
        (["--latent-layout", "x.png"], "--latent-layout: --latent-from seed:1 is no photograph"),
    ],
)
def test_options_that_contradict_given_latents_are_refused(makers, layouts, tmp_path, words, said):
    given = ["synth", "--layouts", layouts, "--generator", makers["flow"]]
    assert said in refused(tmp_path, *given, "--latent-from", "seed:1", *words)
    alone = refused(tmp_path, *given, "--latent-layout", "x.png")
    assert "--latent-layout: give the photograph it belongs to with --latent-from" in alone


def test_a_temperature_is_refused_where_nothing_is_drawn(makers, layouts, photos, tmp_path):
    given = ["--layouts", layouts, "--generator", makers["flow"], "--temp", "0.5"]
    line = refused(tmp_path, "synth", *given, "--latent-from", photos[0])
    assert "--temp 0.5: --latent-from is a photograph" in line
    line = refused(tmp_path, "interpolate", *given, "--from", photos[0], "--to", photos[1])
    assert "--temp 0.5: both ends are photographs" in line


@pytest.mark.parametrize(
    "words", [["synth"], ["interpolate", "--from", "seed:1", "--to", "seed:2"]]
)
def test_a_temperature_that_a_manifest_does_not_hold_is_refused(makers, layouts, tmp_path, words):
    given = ["--layouts", layouts, "--generator", makers["flow"], "--temp", "0.123456789"]
    line = refused(tmp_path, *words, *given)
    assert "temperature: 0.123456789 has more digits than tables hold; round it to 0.1234" in line


@pytest.mark.parametrize("text", ["seed:x", "seed:-1", "seed:99999999999999999999"])
def test_seeds_are_whole_numbers(makers, layouts, tmp_path, text):
    line = refused(tmp_path, "interpolate", "--layouts", layouts, "--generator", makers["flow"],
                   "--from", text, "--to", "seed:1")  # fmt: skip
    assert f"--from {text}: expected seed:N" in line


def test_what_a_generator_cannot_do_is_said_in_one_line(makers, layouts, photos, tmp_path):
    ends = ["interpolate", "--layouts", layouts, "--to", "seed:1"]
    line = refused(tmp_path, *ends, "--generator", makers["coins"], "--from", "seed:0")
    assert "draws coins (dropout)" in line
    for name in ("coins", "plain"):
        line = refused(tmp_path, *ends, "--generator", makers[name], "--from", photos[0])
        assert "cannot tell the latents of a photograph, only a flow can" in line


@pytest.mark.parametrize(
    "command", [("synth",), ("interpolate", "--from", "seed:1", "--to", "seed:2", "--steps", 2)]
)
def test_a_set_whose_video_fails_is_not_in_place_and_the_old_one_stays(
    makers, layouts, tmp_path, monkeypatch, command
):
    label = next(layouts.glob("*.png"))
    words = [*command, "--layouts", label, "--generator", makers["plain"], "--labels", "train_ids",
             "--out", tmp_path / "set"]  # fmt: skip
    assert run(*words).exit_code == 0
    before = {path: path.read_bytes() for path in (tmp_path / "set").rglob("*") if path.is_file()}

    def full(*_):
        raise OSError("no space left on device")

    monkeypatch.setattr("augflow.data.visualize.write_animation", full)
    assert run(*words, "--frames", "--temp", "0.5", "--overwrite").exit_code != 0
    after = {path: path.read_bytes() for path in (tmp_path / "set").rglob("*") if path.is_file()}
    assert after == before
