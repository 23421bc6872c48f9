"""Score files that are damaged or do not belong to the study are named, all of them."""

import pytest

from augflow.core import io
from augflow.core.errors import DataError
from augflow.report import evidence as evidences
from augflow.stages.report import gather
from tests.fabricated import SIZE, Study, item


@pytest.fixture
def folder(tmp_path):
    gather(Study().write(tmp_path / "data"), tmp_path / "data", tmp_path / "report")
    return tmp_path / "report"


def edited(path, change):
    content = io.read_json(path)
    change(content)
    io.write_json(path, content)


FAULTS = {
    "another judge": (
        "sweep",
        lambda c: c.update(judge="other"),
        "judge other is not the reference",
    ),
    "other classes": (
        "sweep",
        lambda c: c.update(classes=["a", "b"]),
        "classes a, b are not those",
    ),
    "a narrow matrix": (
        "sweep",
        lambda c: c["items"].append(item("x", [[1, 2], [3, 4]])),
        "confusion of x: expected 3 rows of 3 counts",
    ),
    "a negative count": (
        "arms",
        lambda c: c["runs"]["real-0"]["items"][0]["confusion"][0].__setitem__(0, -1),
        "greater than or equal to 0",
    ),
    "no pixel scored": (
        "references",
        lambda c: c["rows"].update(flat=[item("x", [[0] * 3] * 3)]),
        "not one pixel of x .. x was scored",
    ),
    "another temperature": (
        "sweep",
        lambda c: c.update(temperatures=[0.3]),
        "temperatures 0.3 are not those of params (0.8, 1)",
    ),
    "a temperature without photographs": (
        "dual_glow",
        lambda c: c.update(items=c["items"][:2]),
        "no image of temperature 1; score it again",
    ),
    "a photograph of another temperature": (
        "pix2pix",
        lambda c: c["items"][0].update(temperature=0.3),
        "images of temperature 0.3, not in params",
    ),
    "no items": (
        "pix2pix",
        lambda c: c.update(items=[]),
        "items: List should have at least 1 item",
    ),
}


@pytest.mark.parametrize(("name", "change", "message"), FAULTS.values(), ids=FAULTS.keys())
def test_a_fault_is_named_with_its_file(folder, name, change, message):
    edited(folder / "scores" / f"{name}.json.gz", change)
    with pytest.raises(DataError, match=f"{name}.json.gz") as fault:
        evidences.load(folder)
    assert message in str(fault.value)
    assert "\n" not in str(fault.value)


def test_all_faults_are_listed(folder):
    (folder / "scores" / "sweep.json.gz").unlink()
    (folder / "scores" / "references.json.gz").write_text("{")
    edited(folder / "scores" / "pix2pix.json.gz", lambda c: c.update(classes=["a"]))
    with pytest.raises(DataError) as fault:
        evidences.load(folder)
    for part in (
        "sweep.json.gz: no such file",
        "references.json.gz: not gzip",
        "pix2pix.json.gz: classes a",
    ):
        assert part in str(fault.value)


def test_pixels_are_counted_per_scene(folder):
    rows = io.read_csv(folder / "evidence" / "pixels.csv")
    assert len(rows) == 10
    first = rows[0]
    assert (first["scene"], first["255"], first["1"]) == ("train_0", "6", str(2 * SIZE[1]))
