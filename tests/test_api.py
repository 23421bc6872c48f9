"""The public Python interface: its examples run; arrays go in and come out; faults are one line."""

import doctest
import re

import numpy as np
import pytest
import torch
from PIL import Image

import augflow
from augflow import api
from augflow.core import io
from augflow.core.errors import DataError, ModelError
from augflow.data import scenes
from augflow.data.synthetic import read_rows
from augflow.study import template
from tests import small_makers

IDS = np.repeat(np.array([7, 11, 23, 26], np.uint8), 16)[:, None].repeat(96, 1)
"""Published ids of road, building, sky and car."""


def examples():
    finder = doctest.DocTestFinder(exclude_empty=True)
    found = [*finder.find(augflow, "augflow"), *finder.find(api, "augflow.api")]
    found += [
        test for kind in ("Layout", "Scene") for test in finder.find(getattr(scenes, kind), kind)
    ]
    return [test for test in found if test.examples]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A generator, a label map and an empty project."""
    root = tmp_path_factory.mktemp("api")
    small_makers.save("flow", root).rename(root / "generator")
    small_makers.save("coins", root)
    io.write_png(root / "maps" / "crossing.png", IDS)
    template.create("smoke", None, root / "project")
    return root


@pytest.fixture
def here(folder, monkeypatch):
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def gen(here):
    return augflow.load(here / "generator")


@pytest.fixture
def cond(gen):
    return gen.condition(augflow.Layout.read("maps/crossing.png", like=gen))


@pytest.mark.parametrize("example", examples(), ids=lambda test: test.name)
def test_examples_run_as_printed(here, example):
    example.globs |= {"augflow": augflow, "np": np, "torch": torch}
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    printed = []
    runner.run(example, out=printed.append, clear_globs=False)
    assert not printed, "".join(printed)


def test_every_public_name_has_an_example():
    named = {part for test in examples() for part in test.name.split(".")}
    assert set(augflow.__all__) - {"__version__"} <= named


def test_arrays_tensors_and_images_are_the_same_layout(gen):
    read = augflow.Layout.read("maps/crossing.png", like=gen)
    colours = gen.table.palette[gen.table.from_raw(IDS)]
    given = (IDS, torch.tensor(IDS), Image.fromarray(IDS), IDS.astype(np.int64), colours)
    for values in given:
        made = augflow.Layout.from_array(values, like=gen)
        assert torch.equal(made.classes, read.classes)
        assert torch.equal(made.boundary, read.boundary)


def test_instances_say_where_objects_meet(gen):
    halves = np.zeros(IDS.shape, np.int32)
    halves[:, 48:] = 1
    plain = augflow.Layout.from_array(IDS, like=gen)
    told = augflow.Layout.from_array(IDS, like=gen, instances=halves)
    assert torch.equal(plain.classes, told.classes)
    assert told.boundary[0, :, 23:25].all()
    assert not plain.boundary[0, :, 23:25].all()


def test_images_are_those_of_the_command_with_the_same_noise(gen, cond, here):
    rows = augflow.synthesize(gen, "maps", "made", samples=2, seed=3, older="overwrite")
    assert [row.digest for row in rows] == [row.digest for row in read_rows(here / "made")]
    from augflow.tools.synth import synth

    shared = synth(here / "maps", here / "generator", here / "shared", temperature=0.8, seed=3,
                   samples=2, same_noise=True)  # fmt: skip
    images = gen.sample(cond, n=2, temperature=0.8, seed=3)
    stored = [io.read_photo(here / "shared" / row.photo).transpose(2, 0, 1) for row in shared]
    assert np.array_equal(images, np.stack(stored))
    bits = gen.bits_per_dim(images, cond)
    assert np.allclose(bits, [row.log_p_bpd for row in shared], rtol=1e-6)


def test_a_batch_is_its_rows(gen, cond):
    images = gen.sample(cond, n=3, seed=5)
    backwards = gen.bits_per_dim(images[::-1], cond)[::-1]
    assert np.array_equal(backwards, gen.bits_per_dim(images, cond))
    assert np.array_equal(gen.sample(cond, n=1, seed=5), images[:1])
    assert gen.bits_per_dim(torch.tensor(images[1:2]), cond) == gen.bits_per_dim(images, cond)[1:2]
    latents = gen.encode(images, cond)
    assert all(np.array_equal(a[2:], b) for a, b in
               zip(latents, gen.encode(images[2:], cond), strict=True))  # fmt: skip
    assert gen.sample(cond, n=0).shape == (0, 3, 32, 48)


def test_content_moves_into_another_layout(gen, cond):
    other = gen.condition(augflow.Layout.from_array(IDS[::-1], like=gen))
    images = gen.sample(cond, n=1)
    moved = gen.decode(gen.encode(images, cond), other)
    assert moved.dtype == np.uint8
    assert not np.array_equal(moved, images)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (np.zeros((4, 4), np.float32), "expected (H, W) integers"),
        (np.zeros((4, 4, 4), np.uint8), "got (4, 4, 4) uint8"),
        (np.full((4, 4), 77, np.uint8), "ids 77 are in no row"),
    ],
)
def test_label_maps_of_another_form_are_refused_in_one_line(gen, wrong, words):
    with pytest.raises(DataError, match=re.escape(words)):
        augflow.Layout.from_array(wrong, like=gen)


def test_what_is_no_batch_of_images_is_refused_in_one_line(gen, cond):
    images = gen.sample(cond, n=1)
    for wrong in (images[0], images / 255, images.transpose(0, 2, 3, 1), images[..., 1:]):
        with pytest.raises(DataError, match=r"images: expected \(n, 3, 32, 48\) uint8, got"):
            gen.bits_per_dim(wrong, cond)
    with pytest.raises(DataError, match=r"expected an augflow\.Layout, got ndarray"):
        gen.condition(IDS)
    with pytest.raises(DataError, match="latents: expected 2 levels"):
        gen.decode(gen.encode(images, cond)[:1], cond)


def test_a_generator_without_a_likelihood_says_so(here):
    gen = augflow.load(here / "coins")
    cond = gen.condition(augflow.Layout.read("maps/crossing.png", like=gen))
    images = gen.sample(cond)
    assert not gen.has_likelihood
    with pytest.raises(ModelError, match="load a flow"):
        gen.bits_per_dim(images, cond)


def test_a_study_runs_its_stages_in_its_folder(here):
    study = augflow.Study("project")
    study.run("prepare")
    assert (study.prepared_folder / "dataset.json").is_file()
    assert study.prepared_folder.is_relative_to("project")


def test_an_unknown_name_is_no_attribute():
    with pytest.raises(AttributeError, match="no attribute 'sythesize'"):
        augflow.sythesize  # noqa: B018
