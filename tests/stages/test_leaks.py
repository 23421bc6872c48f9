"""Stage leaks: planted leaks are caught and named, distinct scenes pass, judges' sets may stay."""

import cv2
import numpy as np
import pytest

from augflow.core import io
from augflow.core.errors import DataError, ParamsError
from augflow.data.classes import table
from augflow.data.scenes import table_facts
from augflow.data.synthetic import NewPhoto, SetFacts, write_set
from augflow.stages.leaks import check_leaks, trained_sets
from augflow.study.params import Params
from streetscenes import street_scene
from tests.prepared_files import write_arrays
from tests.tiny_study import PARAMS

SIZE = (64, 96)
TABLE = table("streets")
SCENES = {"train": ("a0", "a1", "a2", "a3", "a4"), "val": ("v0", "v1", "v2")}


def scene_of(name):
    """A painted photograph and its class map."""
    made = street_scene(3, name, SIZE)
    return made.image, TABLE.from_raw(made.labels)


def write_scenes(root, scenes):
    """A prepared folder of these photographs and class maps by split and name."""
    write_arrays(root, SIZE, [
        (split, *maps, np.zeros(SIZE, np.uint8))
        for split, named in scenes.items() for maps in named.values()
    ])  # fmt: skip
    rows = [{"name": name, "split": split, "drive": name} for split, names in scenes.items()
            for name in names]  # fmt: skip
    io.write_csv(root / "scenes.csv", rows, ("name", "split", "drive"))
    io.write_json(root / "dataset.json", {
        "classes": table_facts(TABLE), "size": list(SIZE), "boundary_source": "components",
    })  # fmt: skip
    return root


def painted():
    return {split: {name: scene_of(name) for name in names} for split, names in SCENES.items()}


@pytest.fixture(scope="module")
def streets(tmp_path_factory):
    """A prepared folder of five training and three validation streets; read only."""
    return write_scenes(tmp_path_factory.mktemp("streets") / "prepared", painted())


@pytest.fixture
def with_scenes(tmp_path):
    """The same with further training scenes, a5 and so on."""

    def add(*maps):
        scenes = painted()
        scenes["train"] |= {f"a{5 + number}": scene for number, scene in enumerate(maps)}
        return write_scenes(tmp_path / "prepared", scenes)

    return add


def made_set(out, layouts, split="train", content="", photo_of=None, classes_of=None):
    """Photographs of other streets for layouts, or whatever `photo_of` gives."""
    facts = SetFacts(out.name, "feed", (1.0,), 1, TABLE, SIZE)
    photos = [
        NewPhoto(
            f"{layout}_r0", layout, split, "a", content=content,
            image=(photo_of or (lambda name: scene_of(f"new {name}")[0]))(layout),
            classes=(classes_of or (lambda name: scene_of(name)[1]))(layout),
        )
        for layout in layouts
    ]  # fmt: skip
    write_set(out, facts, photos)
    return out


def check(prepared, tmp_path, sets=None, trained_on=()):
    out = tmp_path / "leaks.json"
    check_leaks(prepared, sets or {}, out, trained_on, threads=1)
    return io.read_json(out)


def refused(prepared, tmp_path, sets=None, trained_on=()):
    """The message, and the leaks that were written before."""
    with pytest.raises(DataError) as fault:
        check(prepared, tmp_path, sets, trained_on)
    return str(fault.value), io.read_json(tmp_path / "leaks.json")["leaks"]


def planted(photo):
    """Encoded anew and rescaled by 2 %, at the prepared size."""
    larger = cv2.resize(photo, None, fx=1.02, fy=1.02)
    stored = cv2.imencode(".jpg", larger[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 70])[1]
    again = cv2.imdecode(stored, cv2.IMREAD_COLOR)[..., ::-1]
    return cv2.resize(again, SIZE[::-1], interpolation=cv2.INTER_AREA)


def test_distinct_scenes_pass_and_the_file_says_what_was_looked_at(streets, tmp_path):
    sets = {"more": made_set(tmp_path / "more", SCENES["train"])}
    record = check(streets, tmp_path, sets, ["more"])
    assert record["leaks"] == []
    assert record["scenes"] == {"train": 5, "val": 3}
    assert record["sets"]["more"]["photographs"] == 5
    assert record["sets"]["more"]["trained_on"] is True
    assert len(record["val"]["distances"]) == len(record["quantiles"])


def test_a_copied_frame_and_a_mirrored_layout_in_training_are_caught(with_scenes, tmp_path):
    mirrored = np.ascontiguousarray(scene_of("v2")[1][:, ::-1])
    mine = with_scenes(
        (planted(scene_of("v1")[0]), scene_of("a5")[1]), (scene_of("a6")[0], mirrored)
    )
    text, leaks = refused(mine, tmp_path)
    keys = ("pool", "name", "val", "shares", "mirrored")
    assert sorted([leak[key] for key in keys] for leak in leaks) == [
        ["train", "a5", "v1", "photograph", False],
        ["train", "a6", "v2", "layout", True],
    ]
    assert min(leak["likeness"] for leak in leaks) > 0.8
    first, *others = text.splitlines()
    assert "take their copies out of the data set" in first
    assert sorted(others) == [
        "train: a5: the photograph is that of validation scene v1",
        "train: a6 (mirrored): the layout is that of validation scene v2",
    ]


def test_a_set_for_validation_layouts_may_be_judged_but_not_trained_on(streets, tmp_path):
    sets = {"t08": made_set(tmp_path / "t08", SCENES["val"], split="val")}
    assert check(streets, tmp_path, sets)["leaks"] == []
    text, leaks = refused(streets, tmp_path, sets, ["t08"])
    assert [(leak["val"], leak["shares"]) for leak in leaks] == [
        (name, "layout of") for name in SCENES["val"]
    ]
    for name in SCENES["val"]:
        assert f"set t08: {name}_r0: made for the layout of validation scene {name}" in text


@pytest.mark.parametrize("content", ["v1", "a0 to v1", "v1 to a0"])
def test_content_of_a_validation_photograph_is_refused(streets, tmp_path, content):
    sets = {"moved": made_set(tmp_path / "moved", ("a0",), content=content)}
    text, leaks = refused(streets, tmp_path, sets, ["moved"])
    assert [(leak["val"], leak["shares"]) for leak in leaks] == [("v1", "content of")]
    assert "set moved: a0_r0: shows the content of validation scene v1" in text


def test_content_of_a_training_photograph_passes(streets, tmp_path):
    sets = {"moved": made_set(tmp_path / "moved", ("a0",), content="a1")}
    assert check(streets, tmp_path, sets, ["moved"])["leaks"] == []


def test_copies_of_validation_scenes_in_a_set_are_caught_whatever_their_names(streets, tmp_path):
    sets = {
        "s": made_set(
            tmp_path / "s",
            ("a0", "a1"),
            photo_of=lambda name: (
                planted(scene_of("v2")[0]) if name == "a1" else scene_of("new")[0]
            ),
            classes_of=lambda name: scene_of("v0" if name == "a1" else name)[1],
        )
    }
    _, leaks = refused(streets, tmp_path, sets, ["s"])
    assert sorted((leak["name"], leak["val"], leak["shares"]) for leak in leaks) == [
        ("a1_r0", "v0", "layout"),
        ("a1_r0", "v2", "photograph"),
    ]


def test_memorised_photographs_show(streets, tmp_path):
    sets = {
        "free": made_set(tmp_path / "free", SCENES["train"]),
        "learned": made_set(tmp_path / "learned", SCENES["train"],
                            photo_of=lambda name: planted(scene_of(name)[0])),
    }  # fmt: skip
    found = check(streets, tmp_path, sets, sets)["sets"]
    assert found["learned"]["nearer_than_any_val"] == 1
    assert found["learned"]["copies"] == [f"{name}_r0" for name in SCENES["train"]]
    assert found["learned"]["nearest_has_its_layout"] == 1
    assert found["learned"]["nearest"][0]["photograph"] in found["learned"]["copies"]
    assert found["free"]["nearer_than_any_val"] < 0.5
    assert found["free"]["copies"] == []


def test_a_set_that_is_trained_on_has_to_be_there(streets, tmp_path):
    sets = {"t08": made_set(tmp_path / "t08", ("a0",))}
    with pytest.raises(ParamsError, match=r"trained_on: no 't8'; .*did you mean 't08'"):
        check(streets, tmp_path, sets, ["t8"])
    assert not (tmp_path / "leaks.json").exists()


def test_sets_of_arms_and_of_selections_are_trained_on():
    study = {
        **PARAMS,
        "judges": {"j": PARAMS["judge"]},
        "choices": {},
        "selections": {"fit": {"set": "more", "judge": "j", "reads": "prepared"}},
        "arms": {"both": {"train_on": ["real", "fit"], "reads": "selected/fit"}},
    }
    assert trained_sets(Params.model_validate(study)) == {"more"}
    assert trained_sets(Params.model_validate(PARAMS)) == {"more", "most"}
    assert trained_sets(Params.model_validate({**PARAMS, "arms": {}})) == {"most"}
    none = {**PARAMS, "arms": {}, "choices": {}, "selections": {}}
    assert trained_sets(Params.model_validate(none)) == set()


def test_a_cropped_a_turned_and_a_negative_copy_in_training_are_caught(with_scenes, tmp_path):
    photo = scene_of("v1")[0]
    height, width = SIZE
    cropped = cv2.resize(photo[6:58, 9:87], SIZE[::-1], interpolation=cv2.INTER_AREA)
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), 8, 1)
    turned = cv2.warpAffine(photo, turn, (width, height))
    layouts = [scene_of(f"a{number}")[1] for number in (5, 6, 7)]
    mine = with_scenes(*zip((cropped, turned, 255 - photo), layouts, strict=True))
    text, leaks = refused(mine, tmp_path)
    assert sorted((leak["name"], leak["val"], leak["shares"]) for leak in leaks) == [
        (name, "v1", "photograph") for name in ("a5", "a6", "a7")
    ]
    assert "train: a5, a6, a7: the photograph is that of validation scene v1" in text
