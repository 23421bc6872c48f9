"""Stage retrain: any arm, equal steps, equal bytes, and faults named before anything is trained."""

from functools import partial

import numpy as np
import pytest
import torch

from augflow.core import io
from augflow.core.errors import DataError, ModelError, ParamsError
from augflow.data.classes import table
from augflow.data.scenes import SceneFolder
from augflow.data.synthetic import NewPhoto, SetFacts, write_set
from augflow.segmentation.learner import SupervisedLearner
from augflow.segmentation.mmseg_config import read_config
from augflow.segmentation.mmseg_model import MmsegSegmenter, load_segmenter
from augflow.segmentation.params import SegmenterParams
from augflow.stages.retrain import retrain
from augflow.study.params import ArmParams
from augflow.training import loop
from tests.stages.conftest import make_set

pytestmark = pytest.mark.usefixtures("free_threads")


@pytest.fixture(scope="module")
def synthetic(prepared, tmp_path_factory):
    """A set of two photographs for every training layout."""
    return make_set(SceneFolder(prepared, "train"), tmp_path_factory.mktemp("sets") / "t08")


def run(prepared, config, out, *train_on, sets=None, augment="none", seed=3, **changes):
    given = {"config": config, "steps": 3, "batch_size": 4, **changes}
    made = [name for name in train_on if name != "real"]
    reads = f"synthetic/{made[0]}" if made else "prepared"
    arm = ArmParams(train_on=train_on, reads=reads, augment=augment)
    retrain(
        prepared, sets or {}, arm, SegmenterParams(**given), seed, out, out.with_suffix(".run"),
        threads=1,
    )  # fmt: skip
    return out


@pytest.mark.parametrize("augment", ["classic", "copy_paste"])
def test_twice_gives_equal_bytes(prepared, synthetic, config, tmp_path, augment):
    sets = {"t08": synthetic}
    first, second = (
        run(prepared, config, tmp_path / name, "real", "t08", sets=sets, augment=augment)
        for name in "ab"
    )
    names = sorted(path.name for path in first.iterdir())
    assert names == ["config.json", "history.csv", "weights.safetensors"]
    for name in names:
        assert (first / name).read_bytes() == (second / name).read_bytes()


def test_folder_says_how_it_was_trained(prepared, synthetic, config, tmp_path):
    sets = {"t08": synthetic}
    out = run(prepared, config, tmp_path / "a", "t08", "real", sets=sets, augment="classic")
    back = load_segmenter(out)
    assert back.names == table("cityscapes").names
    assert back.training == {
        "train_on": ["t08", "real"], "augment": "classic", "photographs": 12,
        "seed": 3, "steps": 3, "batch_size": 4,
    }  # fmt: skip
    rows = io.read_csv(out / "history.csv")
    assert list(rows[0]) == ["step", "loss", "learning_rate"]
    assert rows[-1]["step"] == "3"


def test_arms_and_seeds_give_different_networks(prepared, synthetic, config, tmp_path):
    sets = {"t08": synthetic}
    digests = [
        load_segmenter(run(prepared, config, tmp_path / "a", "real")).digest(),
        load_segmenter(run(prepared, config, tmp_path / "b", "real", seed=4)).digest(),
        load_segmenter(run(prepared, config, tmp_path / "c", "t08", sets=sets)).digest(),
        load_segmenter(run(prepared, config, tmp_path / "d", "real", "t08", sets=sets)).digest(),
        load_segmenter(run(prepared, config, tmp_path / "e", "real", augment="classic")).digest(),
        load_segmenter(
            run(prepared, config, tmp_path / "f", "real", augment="copy_paste")
        ).digest(),
    ]
    assert len(set(digests)) == 6


def test_classes_are_balanced_unless_switched_off(prepared, config, tmp_path):
    classes = SceneFolder(prepared, "train").scenes().layout.classes
    pixels = [int((classes == index).sum()) for index in range(19)]
    balanced, plain = (
        load_segmenter(run(prepared, config, tmp_path / str(on), "real", balance_classes=on))
        for on in (True, False)
    )
    loss = balanced.config.model["decode_head"]["loss_decode"]
    rarest = min(index for index in range(19) if pixels[index] == min(filter(None, pixels)))
    assert loss["class_weight"][rarest] == max(loss["class_weight"])
    assert loss["class_weight"][pixels.index(0)] == 1
    assert "class_weight" not in plain.config.model["decode_head"]["loss_decode"]
    assert balanced.digest() != plain.digest()


def test_killed_training_goes_on_where_it_stopped(prepared, config, tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "fit", partial(loop.fit, save_every=4))
    whole = run(prepared, config, tmp_path / "a", "real", steps=7)
    step, done = SupervisedLearner.step, []

    def killed(self, scene, rng, number):
        if number == 6:
            raise KeyboardInterrupt
        return step(self, scene, rng, number)

    def counted(self, scene, rng, number):
        done.append(number)
        return step(self, scene, rng, number)

    monkeypatch.setattr(SupervisedLearner, "step", killed)
    with pytest.raises(KeyboardInterrupt):
        run(prepared, config, tmp_path / "b", "real", steps=7)
    assert not (tmp_path / "b").exists()
    monkeypatch.setattr(SupervisedLearner, "step", counted)
    resumed = run(prepared, config, tmp_path / "b", "real", steps=7)
    assert done == [4, 5, 6]
    for path in whole.iterdir():
        assert path.read_bytes() == (resumed / path.name).read_bytes()


def test_checkpoint_without_steps_is_used_as_it_is(prepared, config, tmp_path):
    own = MmsegSegmenter(read_config(config, 19), table("cityscapes").names, seed=9)
    torch.save({"state_dict": own.network.state_dict()}, tmp_path / "own.pth")
    checkpoint = str(tmp_path / "own.pth")
    out = run(prepared, config, tmp_path / "a", "real", steps=0, checkpoint=checkpoint)
    assert load_segmenter(out).digest() == own.digest()
    trained = run(prepared, config, tmp_path / "b", "real", steps=1, checkpoint=checkpoint)
    fresh = run(prepared, config, tmp_path / "c", "real", steps=1)
    assert len({load_segmenter(folder).digest() for folder in (out, trained, fresh)}) == 3


@pytest.mark.parametrize(
    ("changes", "train_on", "error", "message"),
    [
        ({}, ("real", "t8"), ParamsError, "no 't8'; known: real, t08; did you mean 't08'"),
        ({"config": "nowhere"}, ("real",), ParamsError, "'nowhere' is neither a file nor"),
        ({"checkpoint": "s3://a"}, ("real",), ModelError, "is an address"),
    ],
)
def test_arm_that_cannot_be_trained_is_refused(
    prepared, synthetic, config, tmp_path, changes, train_on, error, message
):
    given = {"config": config, "sets": {"t08": synthetic}, **changes}
    with pytest.raises(error, match=message):
        run(prepared, given.pop("config"), tmp_path / "a", *train_on, **given)
    assert not (tmp_path / "a").exists()


def test_set_of_another_study_is_refused(prepared, config, tmp_path):
    facts = SetFacts("other", "feed", (1.0,), 1, table("kitti"), (32, 40))
    image, classes = np.zeros((32, 40, 3), np.uint8), np.zeros((32, 40), np.uint8)
    write_set(tmp_path / "x", facts, [NewPhoto("p", "l", "train", "a", image, classes)])
    with pytest.raises(DataError, match=r"table 'kitti', expected 'cityscapes'; .* 32x40, "):
        run(prepared, config, tmp_path / "a", "x", sets={"x": tmp_path / "x"})
