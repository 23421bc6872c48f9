"""A set of new layouts: they are made again by their names and compared."""

from pathlib import Path

import numpy as np

from augflow.core import io
from augflow.data.synthetic import read_rows
from augflow.data.synthetic.manifest import label_path
from augflow.study.environment import Machines
from augflow.verify.remade_photos import check_photos
from augflow.verify.scores import check_scores
from augflow.verify.sets import check_sets

NEW = Path("data/mini/synthetic/new")


def lines(check):
    return [str(finding) for finding in check.violations]


def test_a_set_of_new_layouts_holds(study, space):
    rows = read_rows(NEW)
    assert [row.layout[-5:] for row in rows] == ["_new0", "_new1", "_new0", "_new0", "_new1"]
    for check in (check_sets(space), check_scores(space), check_photos(space, Machines(study))):
        assert check.state == "holds", lines(check)


def test_forged_labels_and_ids_of_a_new_layout_are_named(space):
    photo = read_rows(NEW)[1].photo
    for kind, value in (("labelIds", 23), ("instanceIds", 9)):
        path = NEW / label_path(photo, kind)
        pixels = io.read_ids(path).astype(np.uint8 if kind == "labelIds" else np.uint16)
        pixels[-1, 0] = value
        io.write_png(path, pixels)
    found = lines(check_sets(space))
    assert len(found) == 2
    for line, kind in zip(found, ("labelIds", "instanceIds"), strict=True):
        assert line.startswith(f"{NEW / label_path(photo, kind)}: row 31, column 0: expected")


def test_a_photograph_of_another_new_layout_is_named(space):
    import csv

    path = NEW / "manifest.csv"
    rows = io.read_csv(path)
    name = rows[1]["layout"]
    rows[1]["layout"] = f"{name[:-1]}7"
    with path.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, rows[0].keys(), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    found = "\n".join(lines(check_sets(space)))
    assert f"{name}, temperature 0.8, round 0: expected a photograph, got none" in found
    assert f"{name[:-1]}7, temperature 0.8, round 0: expected no photograph, got one" in found


def test_other_classes_in_the_facts_are_named(space):
    content = io.read_json(NEW / "set.json")
    content["new_layouts"]["boost"] = ["person"]
    io.write_json(NEW / "set.json", content)
    assert f"{NEW / 'set.json'}: new_layouts: expected" in lines(check_sets(space))[0]


def test_a_forged_pixel_is_found_by_making_layout_and_photograph_again(study, space):
    row = read_rows(NEW)[0]
    pixels = io.read_photo(NEW / row.photo).copy()
    pixels[3, 4] = 255 - pixels[3, 4]
    io.write_png(NEW / row.photo, pixels)
    section = space.project.params.verify
    everything = section.model_copy(update={"items": 100})
    space.project.__dict__["params"] = space.project.params.model_copy(
        update={"verify": everything}
    )  # fmt: skip
    found = lines(check_photos(space, Machines(study)))
    assert [line.partition(": expected")[0] for line in found] == [
        f"{NEW / row.photo}: row 3, column 4"
    ]  # fmt: skip
