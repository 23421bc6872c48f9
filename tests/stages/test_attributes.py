"""Stage attributes: a reader of real photographs looks at synthetic ones."""

import pytest
import torch

from augflow import generators
from augflow.core import io
from augflow.data.attributes import LIGHT, Attributes
from augflow.data.scenes import SceneFolder
from augflow.generators.caglow import CAGlowConfig
from augflow.generators.presets import GlowConfig
from augflow.stages.attributes import attributes, recolour_layouts, trained_reader
from augflow.stages.runner import run_stage
from augflow.study.params import AttributesParams
from augflow.study.project import Project
from tests import tiny_study

GLOW = {"size": (32, 48), "steps": (1, 1), "width": 8, "floor": 0.05, "actnorm": "log"}
PARAMS = AttributesParams(
    generators=("glow", "caglow"), layouts=2, samples=3, changes=3, steps=40, batch_size=4, seed=3
)


@pytest.fixture(scope="module")
def makers(tmp_path_factory, prepared):
    """An unconditional flow, and CAGlow whose light is a shift of all its top latents."""
    classes = SceneFolder(prepared, "train").table
    folders = {}
    for name, config in (
        ("glow", GlowConfig(**GLOW)),
        ("caglow", CAGlowConfig(**GLOW, encoder_widths=(4, 4), block_widths=(4, 4))),
    ):
        folders[name] = tmp_path_factory.mktemp(name)
        maker = generators.build(name, config, classes, 0)
        if name == "caglow":
            with torch.no_grad():
                maker.encoder.told[1].weight[:, 0] = 5.0
                maker.encoder.out[1].bias.zero_()
                maker.encoder.out[1].weight[:, 0] = 0.3
        generators.save(folders[name], name, maker, {})
    return folders


def made(makers, prepared, out):
    attributes(PARAMS, makers, prepared, out, threads=1)
    return io.read_json(out)


@pytest.fixture(scope="module")
def content(makers, prepared, tmp_path_factory):
    return made(makers, prepared, tmp_path_factory.mktemp("scores") / "attributes.json")


def test_light_is_asked_of_those_alone_that_take_it(content):
    plain, asked = content["generators"]["glow"], content["generators"]["caglow"]
    assert content["names"][:2] == ["dark", "bright"]
    assert (plain["light"], asked["light"]) == (False, True)
    assert plain["accuracy_each"][:2] == [None, None]
    assert None not in asked["accuracy_each"]


def test_a_flow_that_ignores_the_layout_does_not_move_when_classes_change(content):
    moves = content["generators"]["glow"]["changes"]
    assert len(moves) == 3
    assert moves[0] == pytest.approx(0, abs=1e-12)


def test_changed_light_moves_what_should_have_stayed(content):
    assert content["generators"]["caglow"]["changes"][0] > 1e-6


def test_the_reader_learns_the_training_photographs(prepared):
    train = SceneFolder(prepared, "train")
    names = Attributes.measure(train.scenes(), train.table.names)
    reader = trained_reader(train, names, PARAMS.model_copy(update={"steps": 300}))
    scenes = train.scenes()
    right = (reader.read(scenes.image) >= 0.5) == names.of(scenes).numpy().astype(bool)
    # of four photographs, two have a light that is a tercile itself: neither answer is wrong
    assert right[[0, 1]].all()
    assert right[:, len(LIGHT) :].all()


def test_recoloured_layouts_have_one_class_less_at_each_change(prepared):
    folder = SceneFolder(prepared, "val")
    layout = folder.scenes([0]).layout
    steps = recolour_layouts(layout, folder.table, 3, seed=1)
    assert steps
    before = layout
    for after, (old, new) in steps:
        assert (after.classes == old).sum() == 0
        turned = before.classes == old
        assert (after.classes[turned] == new).all()
        assert torch.equal(after.classes[~turned], before.classes[~turned])
        before = after


def test_without_a_section_the_stage_leaves_a_file_without_generators(tmp_path):
    tiny_study.write_params(tmp_path, {**tiny_study.PARAMS, "attributes": None})
    project = Project(tmp_path)
    run_stage(project, "attributes")
    assert io.read_json(project.score("attributes"))["generators"] == {}
