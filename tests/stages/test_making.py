"""Train, synthesize, transfer, synth on four scenes: deterministic, complete, whole or absent."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from augflow import generators
from augflow.core import io
from augflow.core.errors import DataError, ModelError, ParamsError
from augflow.data.label_maps import SHEET
from augflow.data.scenes import SceneFolder
from augflow.data.synthetic import read_rows, read_set
from augflow.generators.sampling import bin_centres, image_seed
from augflow.stages.synthesize import synthesize
from augflow.stages.train import train
from augflow.stages.transfer import best_content, class_mix, transfer
from augflow.study.params import GeneratorParams, SetParams, TransferParams
from augflow.tools import synth as making
from augflow.tools.latent_sources import LatentSource
from augflow.training.params import TrainingParams

PARAMS = GeneratorParams(
    system="full_glow",
    preset="tiny",
    overrides={"steps": [1, 2, 1], "width": 8, "source_width": 8, "condition_width": 8},
    training=TrainingParams(
        steps=6, batch_size=2, learning_rate=1e-3, ema=0.5, save_every=2, log_every=2,
        eval_every=3, sample_every=6,
    ),
)  # fmt: skip


@pytest.fixture(scope="module")
def generator(prepared, tmp_path_factory):
    root = tmp_path_factory.mktemp("generator")
    train("g", PARAMS, prepared, root / "g", run=root / "run", threads=1)
    return root / "g"


def made(tmp_path, generator, prepared, name="set", **changes):
    params = SetParams(
        **{"generator": "g", "layouts": "val", "temperatures": (0.8,), "rounds": 2, **changes}
    )
    synthesize(name, params, generator, prepared, tmp_path / name, threads=1)
    return tmp_path / name


def test_a_trained_generator_says_what_it_is(generator):
    record = io.read_json(generator / "config.json")
    rows = io.read_csv(generator / "history.csv")
    assert [row["step"] for row in rows] == ["2", "3", "4", "6"]
    assert float(rows[-1]["val_bpd"]) > 0
    assert rows[0]["val_bpd"] == ""
    assert record["facts"]["val_scenes"] == 2
    assert record["facts"]["round_trip"] < 1
    assert (generator / "samples" / "step_000006.png").exists()


def test_a_stage_that_fails_leaves_what_was_there(generator, prepared, tmp_path):
    out = made(tmp_path, generator, prepared)
    before = io.digest_tree(out)
    (tmp_path / "broken").mkdir()
    with pytest.raises(ModelError, match="no generator here"):
        made(tmp_path, tmp_path / "broken", prepared)
    assert io.digest_tree(out) == before
    assert not list(tmp_path.glob(".*part"))


@pytest.mark.parametrize(
    ("error", "words"), [(None, "comes back lost"), (0.8, "comes back 0.8 grey values off")]
)
def test_a_flow_whose_round_trip_fails_makes_no_photographs(
    generator, layouts, prepared, tmp_path, error, words
):
    broken = tmp_path / "broken"
    shutil.copytree(generator, broken)
    record = io.read_json(broken / "config.json")
    record["facts"]["round_trip"] = error
    io.write_json(broken / "config.json", record)
    for make in (
        lambda: made(tmp_path, broken, prepared),
        lambda: transfer("t", TransferParams(generator="g", layouts="val", contents="train"),
                         broken, prepared, tmp_path / "set", threads=1),
        lambda: making.synth(layouts, broken, tmp_path / "set", temperature=0.8),
    ):  # fmt: skip
        with pytest.raises(ModelError, match=words):
            make()
    assert not (tmp_path / "set").exists()


def test_a_set_holds_every_round_of_every_layout_with_its_seed(generator, prepared, tmp_path):
    out = made(tmp_path, generator, prepared, seed=5)
    found = read_set(out)
    names = SceneFolder(prepared, "val").names
    expected = [(name, number) for name in names for number in (0, 1)]
    assert [(row.layout, row.round) for row in found.rows] == expected
    for row in found.rows:
        assert row.seed == image_seed(5, row.layout, row.round)
        assert row.temperature == 0.8
    assert found.facts.generator == io.read_json(generator / "config.json")["weights"]
    assert not np.array_equal(found.image[0], found.image[1])


def test_sets_are_equal_when_made_twice_and_a_part_equals_the_whole(generator, prepared, tmp_path):
    whole = made(tmp_path, generator, prepared)
    again = made(tmp_path, generator, prepared, "again")
    part = made(tmp_path, generator, prepared, "part", limit=1, rounds=1)
    digests = [[row.digest for row in read_rows(folder)] for folder in (whole, again, part)]
    assert digests[0] == digests[1]
    assert digests[2] == digests[0][:1]


def test_bits_in_the_manifest_are_those_of_the_stored_pixels(generator, prepared, tmp_path):
    found = read_set(made(tmp_path, generator, prepared))
    flow = generators.load_unchecked(generator)
    layout = SceneFolder(prepared, "val").scenes([0]).layout
    pixels = torch.from_numpy(found.image[:1]).permute(0, 3, 1, 2)
    bits = flow.bits_per_dim(bin_centres(pixels), flow.condition(layout))
    assert float(bits) == pytest.approx(found.rows[0].log_p_bpd, rel=1e-4)


def test_temperature_zero_is_one_photograph_whatever_the_seed(generator, prepared, tmp_path):
    rows = read_rows(made(tmp_path, generator, prepared, temperatures=(0.0,)))
    assert rows[0].digest == rows[1].digest
    assert rows[0].digest != rows[2].digest


def test_temperatures_of_a_set_are_drawn_from_equal_noise(generator, prepared, tmp_path):
    rows = read_rows(made(tmp_path, generator, prepared, temperatures=(0.8, 0.0)))
    alone = read_rows(made(tmp_path, generator, prepared, "alone"))
    first = rows[:4]
    assert [row.name.split("_")[-2:] for row in first] == [
        ["t0", "r0"], ["t0", "r1"], ["t1", "r0"], ["t1", "r1"],
    ]  # fmt: skip
    assert [row.temperature for row in first] == [0.8, 0.8, 0.0, 0.0]
    assert [row.seed for row in first[:2]] == [row.seed for row in first[2:]]
    assert [r.digest for r in rows if r.temperature == 0.8] == [r.digest for r in alone]


def test_the_likeliest_of_several_are_kept_by_rank(generator, prepared, tmp_path):
    every = read_rows(made(tmp_path, generator, prepared, rounds=5))
    kept = read_rows(made(tmp_path, generator, prepared, "kept", rounds=2, best_of=5))
    for layout in {row.layout for row in every}:
        ranked = sorted((r for r in every if r.layout == layout), key=lambda r: r.log_p_bpd)
        found = [row for row in kept if row.layout == layout]
        assert [row.digest for row in found] == [row.digest for row in ranked[:2]]
        assert [(row.round, row.seed) for row in found] == [
            (rank, row.seed) for rank, row in enumerate(ranked[:2])
        ]


def test_the_likeliest_are_asked_of_conditional_likelihoods_alone(prepared, tmp_path):
    overrides = {"steps": [1, 1, 1], "width": 8}
    params = PARAMS.model_copy(update={"system": "glow", "overrides": overrides})
    train("g", params, prepared, tmp_path / "g", run=tmp_path / "run", threads=1)
    with pytest.raises(
        ParamsError, match=r"sets\.set\.best_of: .*but g knows none given the layout"
    ):
        made(tmp_path, tmp_path / "g", prepared, best_of=3)


@pytest.mark.parametrize("latents", ["style", "z", "eps"])
def test_transferred_photographs_name_their_content(generator, prepared, tmp_path, latents):
    params = TransferParams(generator="g", layouts="val", contents="train", latents=latents)
    transfer("t", params, generator, prepared, tmp_path / "t", threads=1)
    rows = read_rows(tmp_path / "t")
    assert {row.content for row in rows} <= set(SceneFolder(prepared, "train").names)
    assert {row.temperature for row in rows} == {0.5 if latents == "style" else 1.0}
    assert len(rows) == 2


def test_content_moved_into_its_own_layout_is_itself(generator, pictures, tmp_path):
    scene = pictures / "val" / "image"
    photo = sorted(scene.glob("*.png"))[0]
    (tmp_path / "l").mkdir()
    label = pictures / "val" / "classes" / photo.name
    ids = io.read_ids(label)
    io.write_png(tmp_path / "l" / photo.name, ids)
    source = LatentSource(photo, label)
    making.synth_from(
        source, tmp_path / "l", generator, tmp_path / "out", kind="z", labels="train_ids"
    )
    found = read_set(tmp_path / "out")
    assert np.array_equal(found.image[0], io.read_photo(photo))


def test_the_best_content_has_the_same_classes_in_the_same_places():
    left = np.zeros((8, 8), np.uint8)
    left[:, :4] = 1
    right = left[:, ::-1].copy()
    nearly = left.copy()
    nearly[0, 0] = 0
    contents = np.stack([right, nearly, left])
    assert best_content(left, contents, np.array([True, True, True]), 2) == 2
    assert best_content(left, contents, np.array([True, True, False]), 2) == 1
    assert class_mix(left, 2).reshape(16, 2).sum(1).tolist() == [1.0] * 16


@pytest.fixture
def layouts(pictures, tmp_path):
    folder = tmp_path / "layouts"
    for path in sorted((pictures / "val" / "classes").glob("*.png")):
        io.write_png(folder / path.name, io.read_ids(path))
    return folder


def test_synth_names_photographs_after_layouts_and_shows_them(generator, layouts, tmp_path):
    rows = making.synth(layouts, generator, tmp_path / "out", temperature=0.8, samples=2)
    names = sorted(path.stem for path in layouts.glob("*.png"))
    assert [row.name for row in rows] == [f"{n}_s{k}" for n in names for k in (0, 1)]
    found = read_set(tmp_path / "out")
    shown = io.read_photo(tmp_path / "out" / SHEET)
    assert shown.shape[0] > 2 * found.facts.size[0]
    assert np.array_equal(found.classes[0], io.read_ids(layouts / f"{names[0]}.png"))


def test_synth_gives_the_same_bytes_for_one_layout_alone(generator, layouts, tmp_path):
    rows = making.synth(layouts, generator, tmp_path / "all", temperature=0.8, seed=3)
    last = sorted(layouts.glob("*.png"))[-1]
    io.write_png(tmp_path / "one" / last.name, io.read_ids(last))
    alone = making.synth(tmp_path / "one", generator, tmp_path / "alone", temperature=0.8, seed=3)
    assert alone[0].digest == rows[-1].digest
    other = making.synth(tmp_path / "one", generator, tmp_path / "other", temperature=0.8, seed=4)
    assert other[0].digest != alone[0].digest


def test_synth_does_not_write_where_something_would_be_lost(generator, layouts, tmp_path):
    for out in (layouts, layouts / "below", tmp_path):
        with pytest.raises(DataError, match="is, holds or lies in"):
            making.synth(layouts, generator, out, temperature=0.8)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    with pytest.raises(DataError, match=r"holds thesis\.txt"):
        making.synth(layouts, generator, tmp_path / "mine", temperature=0.8)
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "years of work"
    assert len(list(layouts.iterdir())) == 2
    for temperature in (0.8, 0.9):
        kind = {"temperature": temperature, "older": "overwrite"}
        making.synth(layouts, generator, tmp_path / "out", **kind)
    (tmp_path / "out" / "notes.md").write_text("mine")
    with pytest.raises(DataError, match=r"holds notes\.md"):
        making.synth(layouts, generator, tmp_path / "out", temperature=0.8)


def test_the_current_folder_is_not_replaced(generator, layouts, tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    with pytest.raises(DataError, match="current folder"):
        making.synth(layouts, generator, Path(), temperature=0.8)


def test_content_without_a_label_map_is_asked_for(generator, layouts, tmp_path):
    io.write_png(tmp_path / "alone" / "photo.png", np.zeros((32, 48, 3), np.uint8))
    source = LatentSource(tmp_path / "alone" / "photo.png", option="--content-layout")
    with pytest.raises(DataError, match="--content-layout"):
        making.synth_from(source, layouts, generator, tmp_path / "out", kind="z")


def test_a_generator_of_another_size_is_refused(generator, four_scenes_params, tmp_path):
    from augflow.stages.prepare import prepare

    prepare(four_scenes_params.model_copy(update={"size": (16, 24)}), tmp_path / "small")
    with pytest.raises(DataError, match="32x48"):
        made(tmp_path, generator, tmp_path / "small")


@pytest.mark.parametrize("latents", ["style", "z"])
def test_the_command_transfers_as_the_stage_does(generator, prepared, pictures, tmp_path, latents):
    params = TransferParams(
        generator="g", layouts="val", contents="train", latents=latents, limit=1
    )
    transfer("t", params, generator, prepared, tmp_path / "t", threads=2)
    (row,) = read_rows(tmp_path / "t")
    for kind, out in (("classes", "l"), ("boundary", "b")):
        path = pictures / "val" / kind / f"{row.layout}.png"
        io.write_png(tmp_path / out / path.name, io.read_ids(path))
    source = LatentSource(pictures / "train" / "image" / f"{row.content}.png")
    made = making.synth_from(
        source, tmp_path / "l", generator, tmp_path / "out", kind=latents, labels="train_ids",
        maps=tmp_path / "b", temperature=0.5,
    )  # fmt: skip
    assert made[0].digest == row.digest
