"""Stages select and choose: what is kept, which labels of it, why, and what is refused."""

import numpy as np
import pytest

from augflow.core import io
from augflow.core.errors import DataError, ParamsError
from augflow.data.classes import IGNORE, table
from augflow.data.folds import folds
from augflow.data.scenes import SceneFolder
from augflow.data.synthetic import (
    read_decisions,
    read_set,
    read_weights,
)
from augflow.segmentation.mmseg_model import load_segmenter
from augflow.segmentation.params import SegmenterParams
from augflow.stages.choose import choose
from augflow.stages.judges import read_losses, train_judge
from augflow.stages.retrain import retrain, train_segmenter
from augflow.stages.select import select
from augflow.study.params import ArmParams, ChoiceParams, JudgeParams, SelectionParams
from augflow.study.results import Choice, ChoiceLevel
from tests.stages.conftest import make_judge, make_set

pytestmark = pytest.mark.usefixtures("free_threads")

TEMPERATURES = (0.5, 1.0)


@pytest.fixture(scope="module")
def judge(config, tmp_path_factory):
    folder = make_judge(config, tmp_path_factory.mktemp("judge"), seed=1)
    losses = dict.fromkeys(table("cityscapes").names, 2.9) | {"bus": None}
    io.write_json(folder / "class_losses.json", {"losses": losses})
    return folder


@pytest.fixture(scope="module")
def source(prepared, tmp_path_factory):
    return made_set(prepared, tmp_path_factory.mktemp("sets") / "pool")


def made_set(prepared, out, bits=True, rounds=3):
    """Photographs at two temperatures for every training layout; the real ones at the lower."""
    return make_set(SceneFolder(prepared, "train"), out, rounds, TEMPERATURES, bits)


def run(prepared, source, judge, out, **given):
    chosen = given.pop("chosen", None)
    params = SelectionParams(set="pool", judge="j", reads="prepared", **given)
    return select(out.name, params, source, prepared, judge, out, chosen=chosen, threads=1)


def test_nothing_asked_keeps_all_pixels_and_labels(prepared, source, judge, tmp_path, caplog):
    with caplog.at_level("INFO", "augflow"):
        decisions = run(prepared, source, judge, tmp_path / "all")
    count = len(decisions)
    line = f"all: {count} of {count} photographs kept; 100 % of their labels kept"
    assert line in [one.getMessage() for one in caplog.records]
    before, after = read_set(source), read_set(tmp_path / "all")
    assert all(one.kept for one in decisions)
    np.testing.assert_array_equal(before.image, after.image)
    np.testing.assert_array_equal(before.classes, after.classes)
    assert [row.photo for row in before.rows] == [row.photo for row in after.rows]
    assert [row.log_p_bpd for row in before.rows] == [row.log_p_bpd for row in after.rows]
    assert after.facts.name == "all"
    assert after.facts.generator == before.facts.generator


def test_every_decision_stands_in_the_list(prepared, source, judge, tmp_path):
    out = tmp_path / "strict"
    decisions = run(
        prepared, source, judge, out, temperature=1.0, agreement=0.3, likeliest=1,
        typicality={"low": 0.1, "high": 0.9}, rarity=True,
    )  # fmt: skip
    back = read_decisions(out)
    assert [one.name for one in back] == [row.name for row in read_set(source).rows]
    assert [(a.kept, a.reason) for a in back] == [(b.kept, b.reason) for b in decisions]
    assert {one.reason for one in back} == {
        "", "temperature", "agreement", "typicality", "likelihood",
    }  # fmt: skip
    made = read_set(out)
    assert made.facts.temperatures == (1.0,)
    assert [row.name for row in made.rows] == [one.name for one in back if one.kept]
    weights = read_weights(out, made)
    assert len(set(weights)) > 1
    assert np.mean(weights) == pytest.approx(1)
    facts = io.read_json(out / "selection.json")
    assert facts["judge"] == load_segmenter(judge).digest()
    assert facts["settings"]["agreement"] == 0.3
    low, high = (facts["thresholds"]["bits"][0][key] for key in ("low", "high"))
    assert all(low - 1e-6 <= one.log_p_bpd <= high + 1e-6 for one in back if one.kept)
    least = facts["thresholds"]["agreement"]
    assert all(one.agreement >= least - 1e-7 for one in back if one.kept)


def test_labels_the_judge_contradicts_are_ignored(prepared, source, judge, tmp_path):
    decisions = run(prepared, source, judge, tmp_path / "pixels", pixel_filter=1.05, ignore_band=1)
    before, after = read_set(source), read_set(tmp_path / "pixels")
    dropped = (after.classes == IGNORE) & (before.classes != IGNORE)
    assert 0 < dropped.mean() < 1
    same = after.classes == before.classes
    assert (same | (after.classes == IGNORE)).all()
    known = (before.classes != IGNORE).sum(axis=(1, 2))
    shares = [one.trusted for one in decisions]
    np.testing.assert_allclose(shares, (after.classes != IGNORE).sum(axis=(1, 2)) / known)
    thresholds = io.read_json(tmp_path / "pixels" / "selection.json")["thresholds"]
    for name, loss in thresholds["class_loss"].items():
        assert (loss is None) == (thresholds["pixel_loss"][name] is None)
        if loss is not None:
            assert thresholds["pixel_loss"][name] == pytest.approx(1.05 * loss)


def test_chosen_temperature_is_read(prepared, source, judge, tmp_path):
    Choice(
        choice="c", set="pool", temperature=0.5, folds=[["a"], ["b"]], seeds=[0], steps=1,
        rows=[ChoiceLevel(temperature=0.5, class_iou=[0.5])],
    ).write(tmp_path / "c.json")  # fmt: skip
    decisions = run(
        prepared, source, judge, tmp_path / "s", temperature="chosen", chosen=tmp_path / "c.json"
    )
    assert {one.temperature for one in decisions if one.kept} == {0.5}


def test_an_arm_trains_on_what_is_left(prepared, source, judge, config, tmp_path):
    decisions = run(prepared, source, judge, tmp_path / "s", temperature=0.5, rarity=True)
    arm = ArmParams(train_on=("real", "s"), reads="selected/s", ratio=1.0)
    params = SegmenterParams(config=config, steps=3, batch_size=4)
    retrain(prepared, {"s": tmp_path / "s"}, arm, params, 0, tmp_path / "out", tmp_path / "run", 1)
    training = load_segmenter(tmp_path / "out").training
    assert training["photographs"] == 4 + sum(one.kept for one in decisions)
    assert training["ratio"] == 1.0


def test_likelihood_is_needed_where_it_is_asked_for(prepared, judge, tmp_path):
    source = made_set(prepared, tmp_path / "pool", bits=False, rounds=1)
    with pytest.raises(ParamsError, match=r"selections\.s: likeliest need the likelihood"):
        run(prepared, source, judge, tmp_path / "s", likeliest=1)
    assert not (tmp_path / "s").exists()


def test_nothing_left_is_refused(prepared, source, judge, tmp_path):
    with pytest.raises(DataError, match=r"nothing is left of 24 photographs \(temperature 24\)"):
        run(prepared, source, judge, tmp_path / "s", temperature=0.7)
    assert not (tmp_path / "s").exists()


def test_decisions_about_other_photographs_are_refused(prepared, source, judge, tmp_path):
    run(prepared, source, judge, tmp_path / "s", temperature=0.5)
    path = tmp_path / "s" / "selection.csv"
    path.write_text(path.read_text().replace("_r0,", "_r9,"))
    with pytest.raises(DataError, match="run select again"):
        read_weights(tmp_path / "s", read_set(tmp_path / "s"))


def test_photographs_that_train_better_are_chosen(prepared, source, config, tmp_path):
    params = ChoiceParams(
        set="pool", folds=2,
        segmenter=SegmenterParams(config=config, steps=15, batch_size=4, learning_rate=0.01),
        seeds=(0, 1),
    )  # fmt: skip
    best = choose("c", params, source, prepared, tmp_path / "c.json", threads=1)
    content = io.read_json(tmp_path / "c.json")
    assert content["temperature"] == best
    values = {row["temperature"]: row["class_iou"] for row in content["rows"]}
    assert set(values) == set(TEMPERATURES)
    assert all(len(found) == 2 for found in values.values())
    assert np.mean(values[best]) == max(np.mean(found) for found in values.values())
    # at 0.5 stand the real photographs, at 1.0 noise
    assert best == 0.5
    held = [name for fold in content["folds"] for name in fold]
    assert sorted(held) == sorted(SceneFolder(prepared, "train").names)


def test_class_losses_are_of_photographs_that_a_network_has_not_seen(prepared, config, tmp_path):
    train = SceneFolder(prepared, "train")
    given = {"config": config, "steps": 20, "batch_size": 4, "learning_rate": 0.01}
    for count in (1, 2):
        params = JudgeParams(folds=count, **given)
        train_judge("j", params, prepared, tmp_path / str(count), tmp_path / "run", 1)
    # the judge is one and the same, and has learned from all scenes
    assert load_segmenter(tmp_path / "1").digest() == load_segmenter(tmp_path / "2").digest()
    assert load_segmenter(tmp_path / "2").training["photographs"] == len(train)
    sums, pixels = np.zeros(256), np.zeros(256)
    for fold in folds(train.drives, 2, "judges.j"):
        learned = [train.names[n] for n in fold.fit]
        network, _ = train_segmenter(learned, train.scenes(fold.fit), train.table, params, 0)
        held = train.scenes(fold.held_out)
        for image, classes in zip(held.image, held.layout.classes.numpy(), strict=True):
            probs = network.log_probs(image.float() / 255).numpy()
            for k in np.unique(classes[classes != IGNORE]):
                sums[k] -= probs[k][classes == k].sum()
                pixels[k] += (classes == k).sum()
    there = pixels[: train.table.count] > 0
    found = read_losses(tmp_path / "2", train.table.names)
    np.testing.assert_array_equal(~np.isnan(found), there)
    np.testing.assert_allclose(
        found[there], (sums / np.maximum(pixels, 1))[: len(there)][there], rtol=1e-4
    )
    assert not np.allclose(read_losses(tmp_path / "1", train.table.names)[there], found[there])


def test_judge_without_class_losses_is_refused(prepared, source, judge, tmp_path):
    load_segmenter(judge).save(tmp_path / "judge")
    with pytest.raises(DataError, match=r"class_losses\.json"):
        run(prepared, source, tmp_path / "judge", tmp_path / "s", hardness=True)
    io.write_json(tmp_path / "judge" / "class_losses.json", {"losses": {"a": 1.0}})
    with pytest.raises(DataError, match="losses of a; expected those of road"):
        run(prepared, source, tmp_path / "judge", tmp_path / "s", hardness=True)
