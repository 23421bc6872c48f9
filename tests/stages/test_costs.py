"""Stage costs: what arms share they share, and counts are those of the work itself."""

import numpy as np
import pytest

from augflow import generators
from augflow.core import io
from augflow.data.scenes import SceneFolder
from augflow.segmentation.params import SegmenterParams
from augflow.stages.costs import costs
from augflow.stages.retrain import train_segmenter
from augflow.study.params import Params
from augflow.training.learners import learner_of
from augflow.training.meta_modes import Operations

pytestmark = pytest.mark.usefixtures("free_threads")

STEPS, BATCH = 3, 4


def study(config, **generator):
    """A study of three arms: real alone, a set, and a selection of it."""
    network = {"config": config, "steps": STEPS, "batch_size": BATCH}
    return Params.model_validate({
        "study": "s",
        "data": {"reader": "folder", "root": "r", "size": [16, 24], "levels": 2},
        "generators": {"maker": generator},
        "sets": {"more": {"generator": "maker", "layouts": "train", "temperatures": [0.5, 1.0],
                          "rounds": 2},
                 "shown": {"generator": "maker", "layouts": "val", "temperatures": [0.5]}},
        "judge": network,
        "judges": {"own": {**network, "folds": 2}},
        "choices": {"best": {"set": "more", "folds": 2, "segmenter": network}},
        "selections": {
            "fit": {"set": "more", "judge": "own", "reads": "chosen/best.json",
                    "temperature": "chosen"},
        },
        "arms": {
            "real": {"train_on": ["real"], "reads": "prepared"},
            "both": {"train_on": ["real", "more"], "reads": "synthetic/more"},
            "picked": {"train_on": ["real", "fit"], "reads": "selected/fit"},
        },
        "retrain": {"segmenter": network, "seeds": [0, 1]},
    })  # fmt: skip


MAKERS = {
    "full_glow": {"overrides": {
        "steps": [1, 1], "width": 8, "source_width": 4, "condition_width": 4,
        "head_hidden": [4, 4, 4], "features": 4,
    }},
    "imle": {"overrides": {
        "widths": [4, 4], "noise": 2, "style": 3, "encoder_width": 4,
        "set_size": 4, "candidates": 2, "outer": 2,
    }},
    "caglow": {"overrides": {
        "steps": [1, 1], "width": 8, "encoder_widths": [4, 4], "block_widths": [4, 4],
    }},
}  # fmt: skip


def counted(work):
    with Operations() as done:
        work()
    return done.total


@pytest.mark.parametrize("system", MAKERS)
def test_every_part_is_what_the_work_takes(prepared, config, system, tmp_path):
    training = {"steps": 5, "batch_size": 2}
    params = study(config, system=system, preset="tiny", training=training, **MAKERS[system])
    costs(params, prepared, tmp_path / "costs.json", threads=1)
    found = io.read_json(tmp_path / "costs.json")["arms"]
    train = SceneFolder(prepared, "train")

    network = SegmenterParams(config=config, steps=STEPS, batch_size=BATCH)
    own = counted(lambda: train_segmenter(train.names, train.scenes(), train.table, network, 0))
    assert found["real"] == {
        "training": own, "generator": 0, "photographs": 0, "judge": 0, "choice": 0,
    }  # fmt: skip
    assert found["both"] == found["picked"] | {"judge": 0, "choice": 0}

    maker = params.generators["maker"]
    built = generators.build(system, generators.config_of(maker, train.size), train.table)
    learner = learner_of(built, maker.training)
    learner.on_fit_start(train)
    learner.initialise(train.scenes())
    rng = np.random.default_rng(0)
    steps = sum(
        counted(lambda step=step: learner.step(train.scenes([0, 1]), rng, step))
        for step in range(5)
    )
    assert found["both"]["generator"] == steps

    segmenter, _ = train_segmenter(train.names, train.scenes(), train.table, network, 0)
    look = counted(lambda: segmenter.log_probs(train.scenes([0]).image[0].float() / 255))
    # two temperatures, two rounds, and the training photographs once
    photographs = 4 * len(train)
    assert found["picked"]["judge"] == 3 * own + (len(train) + photographs) * look
    assert found["picked"]["choice"] == 2 * (2 * own + len(train) * look)
    assert found["picked"]["photographs"] % len(train) == 0
    assert found["picked"]["photographs"] > 0
