"""Stage diversity: many photographs of a few layouts, measured and not kept."""

import numpy as np
import pytest
from pydantic import ValidationError

from augflow import generators
from augflow.core import io
from augflow.core.errors import ModelError
from augflow.core.seeding import derive
from augflow.data.scenes import SceneFolder
from augflow.generators import weights_digest
from augflow.generators.sampling import sample_images
from augflow.metrics.diversity import Spread, clustered_map
from augflow.stages.diversity import diversity
from augflow.study.params import DiversityParams

PARAMS = DiversityParams(
    generators=("flow",), layouts=2, samples=4, clusters=3, repeats=2, temperatures=(0.0, 0.7),
    seed=3,
)  # fmt: skip


@pytest.fixture(scope="module")
def maker(makers):
    return makers["flow"]


@pytest.fixture(scope="module")
def content(maker, prepared, tmp_path_factory):
    out = tmp_path_factory.mktemp("scores") / "flow.json"
    diversity("flow", PARAMS, maker, prepared, out, threads=1)
    return io.read_json(out)


def test_says_what_was_measured_and_of_whom(content, maker, prepared):
    assert content["kind"] == "diversity"
    assert content["generator"] == "flow"
    assert content["weights"] == weights_digest(generators.load_unchecked(maker).state_dict())
    assert content["layouts"] == SceneFolder(prepared, "val").names
    assert (content["samples"], content["clusters"], content["repeats"]) == (4, 3, 2)
    assert [level["temperature"] for level in content["temperatures"]] == [0.0, 0.7]


def test_no_noise_is_no_diversity(content):
    cold, warm = (level["mean"] for level in content["temperatures"])
    for measure in ("clustered", "variance", "perceptual"):
        assert cold[measure]["overall"] == pytest.approx(0, abs=1e-12)
        assert warm[measure]["overall"] > 1e-4


def test_means_are_those_of_the_layouts(content):
    warm = content["temperatures"][1]
    assert list(warm["layouts"]) == content["layouts"]
    values = [one["variance"]["overall"] for one in warm["layouts"].values()]
    assert warm["mean"]["variance"]["overall"] == pytest.approx(np.mean(values))


def test_photographs_are_drawn_by_layout_and_number(content, maker, prepared):
    flow, val = generators.load_unchecked(maker), SceneFolder(prepared, "val")
    name, layout = val.names[1], val.scenes([1]).layout
    made = sample_images(flow, layout, [derive(3, name, number) for number in range(4)], 0.7)
    expected = clustered_map(np.stack([photo.image for photo in made]), 3, 2, derive(3, name))
    found = content["temperatures"][1]["layouts"][name]["clustered"]
    assert found["overall"] == pytest.approx(expected.mean())
    ids = layout.classes[0].numpy()
    road = Spread(tuple(found["per_class"]), found["overall"]).per_class[0]
    assert road == pytest.approx(expected[ids == 0].mean())


def test_weights_of_features_are_read_before_anything_is_made(maker, prepared, tmp_path):
    params = PARAMS.model_copy(update={"features": "vgg19", "weights": str(tmp_path / "no.pth")})
    with pytest.raises(ModelError, match=r"no\.pth: no such file"):
        diversity("flow", params, maker, prepared, tmp_path / "out.json", threads=1)


@pytest.mark.parametrize(
    "wrong", [{"samples": 1}, {"temperatures": ()}, {"generators": ("a", "a")}, {"features": "x"}]
)
def test_wrong_parameters_are_refused(wrong):
    with pytest.raises(ValidationError):
        DiversityParams(**{**PARAMS.model_dump(), **wrong})
