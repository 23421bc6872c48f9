"""Every command that takes images lists all that is wrong with them, exits 2 and writes nothing."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from augflow import generators
from augflow.cli import app
from augflow.core import io
from augflow.core.errors import DataError, on_one_line
from augflow.data.classes import table
from augflow.data.params import DataParams
from augflow.generators.c_glow_predictor import NAME, CGlowPredictor, CGlowPredictorConfig
from tests import small_makers
from tests.bad_input import corpus

LABELS = "_gtFine_labelIds.png"
TEXTS = {"empty": "an empty file", "text": "text, not an image", "pointer": "a Git LFS pointer"}
"""What is said of a data set's files that are none, in other words."""

KINDS = (
    "empty", "text", "pointer", "noise", "gif", "moving_png", "webp", "no_end", "few_rows",
    "damaged_text", "bomb", "flat",
)  # fmt: skip


def spoil(folder: Path, suffix: str, elsewhere: Path, as_what: str = "ids") -> dict[str, str]:
    """Fills a folder of PNGs; returns the words that each file's line has, by its name."""
    folder.mkdir(parents=True, exist_ok=True)
    elsewhere.mkdir(exist_ok=True)
    good = corpus.saved(corpus.IDS, "PNG")
    (elsewhere / "far.png").write_bytes(good)
    said = {}
    for kind in KINDS:
        (folder / f"{kind}{suffix}").write_bytes(corpus.kinds()[kind].content)
        said[kind] = str(getattr(corpus.kinds()[kind], as_what))
    cut = f"cut -- ä {chr(0x1F600)}"
    (folder / f"{cut}{suffix}").write_bytes(good[:-5])
    said[cut] = "not a whole image"
    os.mkfifo(folder / f"pipe{suffix}")
    said["pipe"] = "is a pipe"
    for name, target, words in (
        ("link", elsewhere / "far.png", "is a link out of"),
        ("circle", folder / f"circle{suffix}", "cannot be read"),
        ("nowhere", folder / "nothing", "no such file"),
    ):
        (folder / f"{name}{suffix}").symlink_to(target)
        said[name] = words
    long = "n" * 200
    for name, words in {
        "two\nlines": "has a line break", "latin-\udce9": "bytes that are no text",
        long: "has a name of 200 bytes", "-2+3": "has a name that begins with -",
        "right\u202eleft": "a character that cannot be printed",
    }.items():  # fmt: skip
        (folder / f"{name}{suffix}").write_bytes(good)
        said[on_one_line(name)] = words
    return said


def tree(root: Path) -> set[str]:
    """Everything below a folder."""
    return {str(Path(place) / name) for place, folders, names in os.walk(root)
            for name in (*folders, *names)}  # fmt: skip


@pytest.fixture(autouse=True)
def _in_time():
    """A command that waits for a pipe is stopped."""

    def stop(*_):
        raise AssertionError("it hangs")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(600)  # of a machine that does much else
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture(scope="module")
def makers(tmp_path_factory):
    root = tmp_path_factory.mktemp("makers")
    config = CGlowPredictorConfig(
        size=(16, 24), steps=(1, 1), width=4, conv_channels=2, linear_width=2, features=2,
        matrix="lu", actnorm="log", floor=0.3, samples=2,
    )  # fmt: skip
    generators.save(root / "predictor", NAME, CGlowPredictor(config, table("cityscapes"), 3), {})
    saved = {name: small_makers.save(name, root) for name in ("flow", "plain")}
    return {**saved, "predictor": root / "predictor"}


@pytest.fixture(scope="module")
def spoilt(tmp_path_factory):
    """Folders of bad labels and photographs, with what is expected to be said of their files."""
    root = tmp_path_factory.mktemp("spoilt")
    labels = spoil(root / "l", LABELS, root / "elsewhere")
    for name, ids, words in (
        ("unknown", np.full_like(corpus.IDS, 90), "ids 90 are in no row"),
        ("wide", corpus.WIDE, "ids 24000, 25000, 26000, 27000 are in no row"),
        ("colours", corpus.NOISE, "is not one of table"),
    ):
        io.write_png(root / "l" / f"{name}{LABELS}", ids)
        labels[name] = words
    for name in ("good", "Twin", "twin"):
        io.write_png(root / "l" / f"{name}{LABELS}", np.full_like(corpus.IDS, 24))
    labels["Twin"] = "names that come twice"
    photos = spoil(root / "p", ".png", root / "elsewhere", "photo")
    io.write_png(root / "p" / "good.png", corpus.PHOTO)
    (root / "edits.yaml").write_text(
        "- add: {class: car, shape: {ellipse: {centre: [0.5, 0.5], size: [0.3, 0.3]}}}\n"
    )
    io.write_png(root / "good.png", corpus.PHOTO)
    io.write_png(root / "good_ids.png", corpus.IDS)
    return root, labels, photos


def refused(tmp_path, *words):
    """The lines of a command that was refused and left nothing behind."""
    before = tree(tmp_path)
    result = CliRunner().invoke(app, [str(word) for word in words])
    assert isinstance(result.exception, SystemExit), result.exception
    assert result.exit_code == 2, result.output
    assert tree(tmp_path) == before
    return result.stderr.removeprefix("augflow: ").splitlines()


def require_each(lines, folder, said, suffix):
    """One line for each file, with the words that are expected, and no others."""
    for name, words in said.items():
        wanted = f"{folder}: {words}" if name == "Twin" else f"{folder}/{name}{suffix}: "
        found = [line for line in lines if line.startswith(wanted)]
        assert len(found) == 1, f"{name}: {found or lines}"
        assert words in found[0]
    assert len(lines) == len(said), set(lines)


@pytest.mark.parametrize("command", ["synth", "transfer", "interpolate", "edit-layout", "layouts"])
def test_all_bad_label_maps_are_listed(command, makers, spoilt, tmp_path):
    root, labels, _ = spoilt
    maker = ["--generator", makers["flow"], "--layouts", root / "l"]
    content = ["--content", root / "good.png", "--content-layout", root / "good_ids.png"]
    words = {
        "synth": maker,
        "transfer": [*maker, *content],
        "interpolate": [*maker, "--from", "seed:1", "--to", "seed:2"],
        "edit-layout": ["--layout", root / "l", "--edits", root / "edits.yaml", "--classes",
                        "cityscapes"],
        "layouts": ["--layouts", root / "l", "--boost", "person", "--classes", "cityscapes"],
    }[command]  # fmt: skip
    lines = refused(tmp_path, command, *words, "--out", tmp_path / "new" / "out")
    require_each(lines, root / "l", labels, LABELS)


def test_all_bad_photographs_and_label_maps_are_listed_together(makers, spoilt, tmp_path):
    root, labels, photos = spoilt
    lines = refused(
        tmp_path, "predict", "--images", root / "p", "--predictor", makers["predictor"],
        "--layouts", root / "l", "--out", tmp_path / "out",
    )  # fmt: skip
    pictured = [line for line in lines if line.startswith(f"{root / 'p'}/")]
    require_each(pictured, root / "p", photos, ".png")
    require_each([line for line in lines if line not in pictured], root / "l", labels, LABELS)


@pytest.mark.parametrize("command", ["transfer", "interpolate", "synth"])
def test_faults_of_contents_and_layouts_are_listed_together(command, makers, spoilt, tmp_path):
    root, labels, _ = spoilt
    file = corpus.kinds()["moving_png"]
    photo, second, other = (tmp_path / f"{name}.png" for name in ("content", "second", "ids"))
    for path in (photo, second):
        path.write_bytes(file.content)
    io.write_png(other, np.full_like(corpus.IDS, 90))
    words = {
        "transfer": ["--content", photo, "--content-layout", other],
        "interpolate": ["--from", photo, "--from-layout", other, "--to", second, "--to-layout",
                        tmp_path / "nowhere.png"],
        "synth": ["--latent-from", photo, "--latent-layout", other],
    }[command]  # fmt: skip
    lines = refused(tmp_path, command, "--generator", makers["flow"], "--layouts", root / "l",
                    *words, "--out", tmp_path / "out")  # fmt: skip
    expected = [(photo, file.photo), (other, "ids 90"), (second, file.photo),
                (tmp_path / "nowhere.png", "no such file")]  # fmt: skip
    expected = expected if command == "interpolate" else expected[:2]
    for line, (path, said) in zip(lines, expected, strict=False):
        assert line.startswith(f"{path}: ")
        assert said in line
    require_each(lines[len(expected) :], root / "l", labels, LABELS)


def test_a_photograph_and_its_label_map_have_one_size(makers, spoilt, tmp_path):
    root = spoilt[0]
    io.write_png(tmp_path / "small.png", corpus.IDS[:8])
    [line] = refused(
        tmp_path, "transfer", "--content", root / "good.png", "--content-layout",
        tmp_path / "small.png", "--layouts", root / "good_ids.png", "--generator", makers["flow"],
        "--out", tmp_path / "out",
    )  # fmt: skip
    assert line.endswith("small.png: 8x24, its photograph 16x24; make them equal")


def test_a_palette_of_other_classes_than_its_indices_is_refused(makers, tmp_path):
    city = table("cityscapes")
    image = corpus.palette(np.zeros((16, 24), np.uint8))
    image.putpalette([*city.palette[10], *city.palette[0]])  # index 0 shows sky, not road
    (tmp_path / "a.png").write_bytes(corpus.saved(image, "PNG"))
    [line] = refused(tmp_path, "synth", "--layouts", tmp_path / "a.png", "--generator",
                     makers["flow"], "--out", tmp_path / "out")  # fmt: skip
    assert "colours are other classes than its indices" in line


@pytest.fixture
def data_set(tmp_path):
    """Bad label maps, each with a good photograph, as KITTI publishes them."""
    root = tmp_path / "data" / "training"
    said = spoil(root / "semantic", ".png", tmp_path / "elsewhere")
    (root / "image_2").mkdir()
    for path in list((root / "semantic").iterdir()):
        (root / "image_2" / path.name).write_bytes(corpus.saved(corpus.PHOTO, "PNG"))
    return root.parent, {**said, **TEXTS}


def test_check_data_lists_all(data_set, tmp_path):
    root, said = data_set
    before = tree(tmp_path)
    result = CliRunner().invoke(app, ["check-data", str(root), "--reader", "kitti", "--every"])
    assert result.exit_code == 2
    assert tree(tmp_path) == before
    cells = [[cell.strip() for cell in line.split("│")] for line in result.stdout.splitlines()]
    for name, words in said.items():
        [row] = [row for row in cells if f"training/semantic/{name}.png" in row]
        assert words in row[3]
        assert row[4]


def test_prepare_lists_all_and_writes_nothing(data_set, tmp_path):
    from augflow.stages.prepare import prepare

    root, said = data_set
    before = tree(tmp_path)
    params = DataParams(reader="kitti", root=str(root), size=(16, 24))
    with pytest.raises(DataError) as fault:
        prepare(params, tmp_path / "new" / "prepared")
    assert tree(tmp_path) == before
    lines = str(fault.value).splitlines()
    for name, words in said.items():
        [line] = [line for line in lines if f"training/semantic/{name}.png: " in line]
        assert words in line


def test_names_with_blanks_dashes_and_letters_of_any_script_are_read(makers, tmp_path):
    names = ["a b", "c-", "a --out", "d.e", "é", "漢字", "a'b\"c", "%s{0}", "$HOME"]
    for name in names:
        io.write_png(tmp_path / "l" / f"{name}.png", corpus.IDS)
    (tmp_path / "l" / "inside.png").symlink_to(tmp_path / "l" / "a b.png")
    (tmp_path / "x").mkdir()
    result = CliRunner().invoke(app, [
        "synth", "--layouts", str(tmp_path / "x" / ".." / "l"), "--generator",
        str(makers["plain"]), "--out", str(tmp_path / "out"),
    ])  # fmt: skip
    assert result.exit_code == 0, result.stderr
    written = {path.stem for path in (tmp_path / "out").rglob("*_leftImg8bit.png")}
    assert len(written) == len(names) + 1
