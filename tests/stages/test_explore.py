"""Stage explore: pictures of paths, styles and edits, the same for every generator."""

from itertools import pairwise

import numpy as np
import pytest
from pydantic import ValidationError

from augflow import generators
from augflow.core import io
from augflow.core.errors import DataError, ParamsError
from augflow.data.scenes import SceneFolder
from augflow.generators.sampling import sample_images
from augflow.stages.explore import explore
from augflow.study.params import ExploreParams

PARAMS = ExploreParams(generators=("flow",), layouts=2, steps=3, temperature=0.7, seed=4)


@pytest.fixture(scope="module")
def shown(makers, prepared, tmp_path_factory):
    root = tmp_path_factory.mktemp("explored")
    for name, folder in makers.items():
        explore(name, PARAMS, folder, prepared, root / name, threads=1)
    return root


def record(folder):
    return io.read_json(folder / "record.json")


def test_every_layout_has_its_path_and_two_styles(shown, prepared):
    names = SceneFolder(prepared, "val").names
    assert record(shown / "flow")["layouts"] == names
    assert sorted(path.name for path in (shown / "flow" / "path").iterdir()) == [
        f"{name}_{number:02d}.png" for name in names for number in range(3)
    ]
    for name in names:
        for style, place in ((0, 0), (1, 2)):
            one = io.read_photo(shown / "flow" / "style" / f"{name}_{style}.png")
            two = io.read_photo(shown / "flow" / "path" / f"{name}_{place:02d}.png")
            assert np.array_equal(one, two)


def test_styles_and_edits_are_made_from_the_recorded_seeds(shown, makers, prepared):
    layout = SceneFolder(prepared, "val").scenes([1]).layout
    name = SceneFolder(prepared, "val").names[1]
    for maker in ("flow", "coins", "plain"):
        found = record(shown / maker)
        made = sample_images(generators.load_unchecked(makers[maker]), layout, found["seeds"], 0.7)
        for number, photo in enumerate(made):
            path = shown / maker / "style" / f"{name}_{number}.png"
            assert np.array_equal(io.read_photo(path), photo.image)
        before = io.read_photo(shown / maker / "edits" / "00.png")
        first = io.read_photo(shown / maker / "style" / f"{found['edited']}_0.png")
        assert np.array_equal(before, first)


def test_all_generators_get_the_same_draws_layouts_and_edits(shown):
    records = [record(shown / name) for name in ("flow", "coins", "plain")]
    for key in ("layouts", "seeds", "edited", "edits", "temperature"):
        assert len({str(found[key]) for found in records}) == 1
    classes = [(shown / name / "edits" / "03_classes.png").read_bytes()
               for name in ("flow", "coins", "plain")]  # fmt: skip
    assert len(set(classes)) == 1


def test_coins_have_styles_and_edits_but_no_path(shown):
    assert record(shown / "coins")["steps"] == 0
    assert not (shown / "coins" / "path").exists()
    assert len(list((shown / "coins" / "style").iterdir())) == 4


def test_edits_of_our_own_are_told_and_change_the_layout(shown):
    texts = record(shown / "flow")["edits"]
    assert [text.split()[-1] for text in texts] == ["removed", texts[1].split()[-1], "added"]
    maps = [io.read_photo(shown / "flow" / "edits" / f"{n:02d}_classes.png") for n in range(4)]
    for before, after in pairwise(maps):
        assert (before != after).any()


def test_edits_of_the_section_are_applied_to_the_first_layout_that_takes_them(
    makers, prepared, tmp_path
):
    # at [0.9, 0.1] there is road in both layouts
    edits = ({"recolour": {"object": {"at": [0.9, 0.1]}, "to": "terrain"}},)
    params = PARAMS.model_copy(update={"edits": edits})
    explore("plain", params, makers["plain"], prepared, tmp_path / "out", threads=1)
    found = record(tmp_path / "out")
    assert found["edits"] == ["edit 1: recolour"]
    assert found["edited"] == SceneFolder(prepared, "val").names[0]


@pytest.mark.parametrize(
    ("edit", "fault", "said"),
    [
        ({"remove": {"object": {"class": "carr"}}}, ParamsError, "edit 1: no class 'carr'"),
        ({"paste": {"object": {"class": "car"}, "from": "x.png"}}, ParamsError,
         "there are no files here"),
        ({"remove": {"object": {"class": "train"}}}, DataError,
         "no layout takes them all: gamma.*there is no train"),
    ],
)  # fmt: skip
def test_wrong_edits_are_named_and_nothing_is_written(
    makers, prepared, tmp_path, edit, fault, said
):
    params = PARAMS.model_copy(update={"edits": (edit,)})
    with pytest.raises(fault, match=f"params.yaml: explore.edits: .*{said}"):
        explore("plain", params, makers["plain"], prepared, tmp_path / "out", threads=1)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "wrong", [{"generators": ()}, {"generators": ("a", "a")}, {"steps": 1}, {"path": "bent"}]
)
def test_wrong_parameters_are_refused(wrong):
    with pytest.raises(ValidationError):
        ExploreParams(**{**PARAMS.model_dump(), **wrong})
