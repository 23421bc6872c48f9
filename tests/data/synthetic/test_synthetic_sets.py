"""Synthetic sets: what is written is read back, and nothing damaged is read at all."""

import csv
import shutil

import numpy as np
import pytest

from augflow.core import io
from augflow.core.errors import DataError
from augflow.data.boundaries import boundary_map
from augflow.data.classes import table
from augflow.data.synthetic import NewPhoto, SetFacts, read_facts, read_rows, read_set, write_set
from augflow.data.synthetic.selected import Decision, read_decisions, write_decisions

SIZE = (6, 8)
FACTS = SetFacts("t08", "0123abcd", (0.5, 0.8), 2, table("streets"), SIZE)


def photo(number, **changes):
    draw = np.random.default_rng(number)
    classes = draw.integers(0, 10, SIZE).astype(np.uint8)
    classes[0, 0] = 255
    given = {
        "name": f"ulm_{number}",
        "layout": "ulm_0",
        "split": "val",
        "city": "ulm",
        "image": draw.integers(0, 256, (*SIZE, 3)).astype(np.uint8),
        "classes": classes,
        "temperature": 0.8,
        "round": number,
        "seed": 2**62 + number,
        "log_p_bpd": 3.5,
        "instances": draw.integers(0, 30000, SIZE),
    }
    return NewPhoto(**{**given, **changes})


@pytest.fixture
def folder(tmp_path):
    write_set(tmp_path / "set", FACTS, [photo(0), photo(1, log_p_bpd=None, content="ulm_7")])
    return tmp_path / "set"


def test_what_is_written_is_read_back(tmp_path):
    photos = [photo(0), photo(1, log_p_bpd=None, content="ulm_7")]
    rows = write_set(tmp_path / "set", FACTS, iter(photos))
    read = read_set(tmp_path / "set")
    assert (read.facts, list(read.rows)) == (FACTS, rows)
    assert [row.seed for row in rows] == [2**62, 2**62 + 1]
    assert [row.log_p_bpd for row in rows] == [3.5, None]
    assert rows[1].content == "ulm_7"
    scenes = read.scenes()
    for row, given in enumerate(photos):
        assert (scenes.image[row].permute(1, 2, 0).numpy() == given.image).all()
        assert (scenes.layout.classes[row].numpy() == given.classes).all()
        assert (scenes.layout.boundary[row].numpy() == boundary_map(given.instances)).all()


def test_set_is_in_the_cityscapes_layout(folder):
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("ulm_0*"))
    assert names == [
        "gtFine/val/ulm/ulm_0_gtFine_instanceIds.png",
        "gtFine/val/ulm/ulm_0_gtFine_labelIds.png",
        "leftImg8bit/val/ulm/ulm_0_leftImg8bit.png",
    ]
    ids = io.read_ids(folder / names[1])
    assert (ids == table("streets").raw_ids[photo(0).classes]).all()
    assert read_rows(folder)[0].photo == names[2]


def test_instances_are_guessed_where_one_photograph_has_none(tmp_path):
    flat = np.zeros(SIZE, np.uint8)
    flat[2:4, 2:4] = 8
    write_set(tmp_path / "set", FACTS, [photo(0), photo(1, classes=flat, instances=None)])
    edges = read_set(tmp_path / "set").scenes([1]).layout.boundary[0].numpy()
    assert (edges == boundary_map(flat)).all()


def test_city_becomes_a_plain_folder_name(tmp_path):
    rows = write_set(
        tmp_path / "set", FACTS, [photo(0, city="../0001_TP x"), photo(1, city="_"), photo(2)]
    )
    assert [row.photo.split("/")[2] for row in rows] == ["0001-TP-x", "scenes", "ulm"]


def test_nothing_is_left_when_making_a_photograph_fails(tmp_path):
    def failing():
        yield photo(0)
        raise RuntimeError("out of paint")

    with pytest.raises(RuntimeError, match="out of paint"):
        write_set(tmp_path / "set", FACTS, failing())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "ulm_0"}, "comes twice"),
        ({"image": np.zeros((6, 9, 3), np.uint8)}, r"image of 'ulm_1' is uint8 \(6, 9, 3\)"),
        ({"image": np.zeros((6, 8, 3))}, "float64"),
        ({"classes": np.zeros((6, 8, 1), np.uint8)}, "classes of 'ulm_1'"),
        ({"instances": np.full(SIZE, 70000)}, "instances of 'ulm_1' hold 70000"),
        ({"instances": np.zeros((6, 9), int)}, r"instances of 'ulm_1' are int64 \(6, 9\)"),
        ({"name": "../ulm_1"}, "no file name"),
        ({"temperature": 0.6}, r"'ulm_1' has temperature 0\.6, the set has 0\.5, 0\.8"),
    ],
)
def test_wrong_photographs_are_refused(tmp_path, changes, message):
    with pytest.raises(ValueError, match=message):
        write_set(tmp_path / "set", FACTS, [photo(0), photo(1, **changes)])


def test_decisions_are_read_back_as_they_were_written(tmp_path):
    kept = Decision("a_r0", "a", 0, 0.5, True, "", 2.5, 0.75, 1.0, 3.5)
    dropped = Decision("a_r1", "a", 1, 0.8, False, "agreement", None, 0.25, 0.5, None)
    write_decisions(tmp_path, [kept, dropped], {})
    assert read_decisions(tmp_path) == [kept, dropped]


def edit(folder, change):
    """Rewrites the manifest with its lines changed."""
    path = folder / "manifest.csv"
    with path.open(newline="") as stream:
        lines = list(csv.reader(stream))
    change(lines)
    with path.open("w", newline="") as stream:
        csv.writer(stream, lineterminator="\n").writerows(lines)


def replaced(path, old, new):
    path.write_text(path.read_text().replace(old, new))


def pixel(path):
    pixels = io.read_ids(path).copy()
    pixels.flat[5] ^= 1
    io.write_png(path, pixels)


PHOTO = "leftImg8bit/val/ulm/ulm_0_leftImg8bit.png"
LABELS = "gtFine/val/ulm/ulm_0_gtFine_labelIds.png"
DAMAGES = {
    "photo missing": (lambda f: (f / PHOTO).unlink(), "ulm_0_leftImg8bit.png: no such file"),
    "one pixel": (lambda f: pixel(f / PHOTO), "pixels have digest .*, manifest.csv says"),
    "photo of another size": (lambda f: io.write_png(f / PHOTO, np.zeros((8, 8, 3), np.uint8)),
                              "set.json says 6x8 pixels"),
    "labels missing": (lambda f: (f / LABELS).unlink(), "labelIds.png: no such file"),
    "labels of an unknown class": (lambda f: io.write_png(f / LABELS, np.full(SIZE, 77, np.uint8)),
                                   "labelIds.png: ids 77 are in no row"),
    "labels as colours": (lambda f: io.write_png(f / LABELS, np.zeros((*SIZE, 3), np.uint8)),
                          r"labelIds.png: shape \(6, 8, 3\)"),
    "photo not listed": (lambda f: shutil.copy(f / PHOTO, f / PHOTO.replace("ulm_0", "ulm_9")),
                         "ulm_9_leftImg8bit.png: not in manifest.csv"),
    "line doubled": (lambda f: edit(f, lambda rows: rows.append(rows[1])), "name ulm_0 is in 2"),
    "line cut": (lambda f: edit(f, lambda rows: rows[1].pop()), "line 2 has not as many cells"),
    "no lines": (lambda f: edit(f, lambda rows: rows.__delitem__(slice(1, 3))), "no photograph"),
    "column renamed": (lambda f: edit(f, lambda rows: rows[0].__setitem__(1, "map")),
                       "columns are name,map,split"),
    "seed unreadable": (lambda f: edit(f, lambda rows: rows[2].__setitem__(4, "x")),
                        "line 3: invalid literal"),
    "photo of another line": (lambda f: edit(f, lambda rows: rows[1].__setitem__(10, rows[2][10])),
                              "line 2: photo '.*ulm_1_leftImg8bit.png' is not that of 'ulm_0'"),
    "unknown split": (lambda f: replaced(f / "manifest.csv", "val", "test"),
                      "line 2: split is 'test', expected one of train, val"),
    "manifest missing": (lambda f: (f / "manifest.csv").unlink(), "manifest.csv: no such file"),
    "facts without size": (lambda f: io.write_json(f / "set.json", {"set": "t08"}),
                           "set.json: not the facts of a synthetic set"),
}  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_named(folder, damage):
    break_it, message = DAMAGES[damage]
    break_it(folder)
    with pytest.raises(DataError, match=message):
        read_set(folder)


def test_every_fault_is_listed(folder):
    pixel(folder / PHOTO)
    (folder / LABELS.replace("ulm_0", "ulm_1")).unlink()
    edit(folder, lambda rows: rows.append(rows[1]))
    with pytest.raises(DataError) as fault:
        read_set(folder)
    lines = str(fault.value).splitlines()
    for part in ("name ulm_0", "photo leftImg8bit", "pixels have digest", "ulm_1_gtFine_labelIds"):
        assert any(part in line for line in lines), part


def test_facts_are_read_without_the_photographs(folder):
    shutil.rmtree(folder / "leftImg8bit")
    assert read_facts(folder) == FACTS
    assert [row.name for row in read_rows(folder)] == ["ulm_0", "ulm_1"]
