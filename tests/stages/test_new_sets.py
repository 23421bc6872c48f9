"""Sets whose layouts are every K-th of a split, or new ones: written, scored, read again."""

import numpy as np
import pytest

from augflow.core import io
from augflow.core.errors import DataError
from augflow.data.boundaries import boundary_map
from augflow.data.params import NewLayoutsParams
from augflow.data.scenes import SceneFolder
from augflow.data.synthetic import NewPhoto, read_rows, read_set, write_set
from augflow.data.synthetic.manifest import label_path
from augflow.stages.score import score_set
from augflow.stages.synthesize import layout_maker, layout_names, synthesize, used_rows
from augflow.study.params import SetParams

NEW = {"boost": ("car",), "ratio": 1.5, "seed": 3}


@pytest.fixture
def generator(makers):
    return makers["flow"]


def section(**changes):
    return SetParams.model_validate(
        {"generator": "g", "layouts": "train", "temperatures": (0.8,), **changes}
    )


def made(tmp_path, generator, prepared, name="set", **changes):
    synthesize(name, section(**changes), generator, prepared, tmp_path / name, threads=1)
    return tmp_path / name


@pytest.mark.parametrize(
    ("one_in", "limit", "rows"),
    [(1, None, list(range(10))), (3, None, [0, 3, 6, 9]), (3, 2, [0, 9]), (20, 4, [0]),
     (1, 2, [0, 9])],
)  # fmt: skip
def test_every_kth_row_and_of_these_some_evenly(one_in, limit, rows):
    assert used_rows(10, section(one_in=one_in, limit=limit)) == rows


def test_every_second_layout_is_used(generator, prepared, tmp_path):
    names = SceneFolder(prepared, "train").names
    rows = read_rows(made(tmp_path, generator, prepared, one_in=2))
    assert [row.layout for row in rows] == names[::2]
    whole = {row.layout: row.digest for row in read_rows(made(tmp_path, generator, prepared, "w"))}
    assert [row.digest for row in rows] == [whole[name] for name in names[::2]]


def test_a_set_of_scenes_says_nothing_of_new_layouts(generator, prepared, tmp_path):
    out = made(tmp_path, generator, prepared)
    assert sorted(io.read_json(out / "set.json")) == [
        "classes", "generator", "rounds", "set", "size", "temperatures"
    ]  # fmt: skip
    assert read_set(out).facts.new_layouts is None
    assert not list(out.rglob("*instanceIds*"))


def test_photographs_are_made_for_new_layouts_with_their_ids(generator, prepared, tmp_path):
    params, scenes = section(new_layouts=NEW, rounds=2), SceneFolder(prepared, "train")
    out = made(tmp_path, generator, prepared, new_layouts=NEW, rounds=2)
    assert io.read_json(out / "set.json")["new_layouts"] == {
        "boost": ["car"], "ratio": 1.5, "seed": 3
    }  # fmt: skip
    found, maker = read_set(out), layout_maker(scenes, params)
    assert found.facts.new_layouts == NewLayoutsParams(**NEW)
    names = layout_names(scenes, params)
    assert len(names) == 6
    assert [(row.layout, row.round) for row in found.rows] == [
        (n, r) for n in names for r in (0, 1)
    ]
    assert {row.split for row in found.rows} == {"train"}
    boundary = found.scenes().layout.boundary.numpy()
    for place, row in enumerate(found.rows):
        new = maker.from_name(row.layout)
        ids = io.read_ids(out / label_path(row.photo, "instanceIds"))
        assert np.array_equal(ids, new.ids)
        assert np.array_equal(found.classes[place], new.classes)
        assert np.array_equal(boundary[place], boundary_map(new.ids))
        assert row.photo.split("/")[2] == new.source.split("_")[0]


def test_new_layouts_are_made_of_every_kth_and_begin_as_some_of_these(prepared):
    scenes = SceneFolder(prepared, "train")
    params = section(new_layouts={**NEW, "ratio": 2}, one_in=2, limit=1)
    names = layout_names(scenes, params)
    assert names == [f"{scenes.names[0]}_new{number}" for number in (0, 1)]
    maker = layout_maker(scenes, params)
    assert list(maker.pool) == scenes.names[::2]


def test_new_layouts_have_the_faint_edges_of_the_pool(generator, tmp_path):
    from augflow.data.params import DataParams, StreetsParams
    from augflow.stages.prepare import prepare

    streets = StreetsParams(train=4, val=1, size=(64, 96))
    root = str(tmp_path / "raw")
    data = DataParams(reader="streets", root=root, size=(32, 48), levels=2, streets=streets)
    prepare(data, tmp_path / "prepared")
    scenes = SceneFolder(tmp_path / "prepared", "train")
    maker = layout_maker(scenes, section(new_layouts={"boost": ("car",)}))
    assert 0.3 < maker.strength < 0.9
    new = maker.make(scenes.names[0], 0)
    assert set(np.unique(new.boundary)) == {0, np.float32(maker.strength)}


def test_a_class_without_objects_is_named_with_its_place(generator, prepared, tmp_path):
    words = r"params\.yaml: sets\.set\.new_layouts: boost bus: 4 layouts hold no bus; .*car \("
    with pytest.raises(DataError, match=words):
        made(tmp_path, generator, prepared, new_layouts={"boost": ["bus"]})
    assert not list(tmp_path.iterdir())


def test_a_set_of_new_layouts_is_scored_against_its_labels(generator, prepared, judge, tmp_path):
    out = made(tmp_path, generator, prepared, new_layouts=NEW)
    score_set(prepared, out, judge, tmp_path / "set.json", threads=1)
    items = io.read_json(tmp_path / "set.json")["items"]
    found = read_set(out)
    for item, classes in zip(items, found.classes, strict=True):
        sums = np.array(item["confusion"]).sum(axis=1)
        assert sums.tolist() == np.bincount(classes[classes < 19], minlength=19).tolist()


@pytest.mark.parametrize(
    ("layout", "words"),
    [("atlantis_0_new0", "began as no scene of split train"),
     ("alphaville_000000_000019", "began as no scene of split train"),
     ("alphaville_000000_000019_new0", "labels are not those of")],
)  # fmt: skip
def test_a_set_of_other_layouts_is_refused(generator, prepared, judge, tmp_path, layout, words):
    facts = read_set(made(tmp_path, generator, prepared, new_layouts=NEW, limit=1)).facts
    image = np.zeros((*facts.size, 3), np.uint8)
    photos = [
        NewPhoto(name=f"p{turn}", layout=layout, split="train", city="a", image=image,
                 classes=np.full(facts.size, turn, np.uint8), temperature=0.8, round=turn)
        for turn in range(2)
    ]  # fmt: skip
    write_set(tmp_path / "other", facts, photos)
    with pytest.raises(DataError, match=words):
        score_set(prepared, tmp_path / "other", judge, tmp_path / "other.json")
