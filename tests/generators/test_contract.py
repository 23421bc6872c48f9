"""What every row of the generator table keeps to, likelihood or not."""

import numpy as np
import pytest
import torch

from augflow import generators
from augflow.core.errors import DataError, ParamsError
from augflow.core.seeding import Noise
from augflow.data.classes import table
from augflow.generators import SYSTEMS, load_unchecked, save
from augflow.generators.presets import make_config
from augflow.generators.sampling import bin_centres, sample_images
from augflow.training import loop
from augflow.training.learners import LEARNERS, learner_of
from augflow.training.likelihood import LikelihoodLearner
from augflow.training.params import TrainingParams
from tests.generators.conftest import VARIANTS, built, fitted, scenes

NAMES = [str(n) for n in range(8)]


def learner(variant, **changes):
    torch.set_num_threads(1)
    generator = built(variant)
    params = TrainingParams(
        steps=12, batch_size=2, learning_rate=1e-3, ema=0.9, clip_norm=5.0, flip=True, **changes
    )
    made = learner_of(generator, params)
    scene = fitted(scenes(8), generator.size)
    made.on_fit_start(scene)
    made.initialise(scene)
    return made, scene


def trained(variant, run=None, steps=12):
    made, scene = learner(variant)
    history = loop.fit(
        made, scene, steps=steps, batch_size=2, seed=3, columns=made.columns, names=NAMES,
        run=run, save_every=5, log_every=4, watch=lambda step: {},
    )  # fmt: skip
    return made, history


@pytest.fixture(scope="module", params=VARIANTS.keys())
def fit(request):
    """Each variant after a dozen steps: its learner, its history, and the variant."""
    return *trained(VARIANTS[request.param]), VARIANTS[request.param]


def test_every_system_has_a_variant():
    assert {name for name, _ in VARIANTS.values()} == set(SYSTEMS)


def test_samples_have_shape_and_range_and_follow_their_seeds(fit):
    made, _, _ = fit
    scene = fitted(scenes(3), made.generator.size)
    with made.ema_weights() as generator:
        conditions = generator.condition(scene.layout)
        first, again, other = (
            generator.sample(conditions, Noise(s), 1.0) for s in ([1, 2, 3], [1, 2, 3], [4, 5, 6])
        )
        assert len(conditions) == 3
    assert first.shape == (3, 3, *made.generator.size)
    assert first.min() >= 0
    assert first.max() <= 1
    assert torch.equal(first, again)
    if made.generator.latent_shapes():
        assert (first - other).abs().max() > 1e-4


def test_at_temperature_0_seeds_do_not_matter(fit):
    made, _, _ = fit
    if getattr(made.generator.config, "fixed_temperature", None) is not None:
        return
    conditions = made.generator.condition(fitted(scenes(2), made.generator.size).layout)
    cold, other = (made.generator.sample(conditions, Noise(s), 0.0) for s in ([1, 2], [3, 4]))
    assert torch.equal(cold, other)


def test_rows_of_a_batch_do_not_influence_each_other(fit):
    made, _, _ = fit
    scene = fitted(scenes(4), made.generator.size)
    with made.ema_weights() as generator:
        conditions = generator.condition(scene.layout)
        whole = generator.sample(conditions, Noise([1, 2, 3, 4]), 0.7)
        for n in range(4):
            alone = generator.sample(generator.condition(scene[[n]].layout), Noise([n + 1]), 0.7)
            torch.testing.assert_close(whole[[n]], alone, atol=2e-3, rtol=0)
            row = generator.sample(conditions.rows([n]), Noise([n + 1]), 0.7)
            torch.testing.assert_close(whole[[n]], row, atol=2e-3, rtol=0)


def test_a_photograph_and_its_bits_are_the_same_whatever_is_made_beside_it(fit):
    made, _, _ = fit
    layout = fitted(scenes(1), made.generator.size).layout
    with made.ema_weights() as generator:
        several = sample_images(generator, layout, [3, 4, 5], 0.8)
        alone = sample_images(generator, layout, [4], 0.8)
    np.testing.assert_array_equal(several[1].image, alone[0].image)
    assert several[1].log_p_bpd == alone[0].log_p_bpd
    assert (alone[0].log_p_bpd is None) == (made.generator.likelihood == "none")
    if made.generator.likelihood != "none":
        stored = bin_centres(torch.from_numpy(alone[0].image).permute(2, 0, 1)[None])
        with made.ema_weights() as generator:
            bits = generator.bits_per_dim(stored, generator.condition(layout))
        assert alone[0].log_p_bpd == pytest.approx(float(bits), rel=1e-5)


def test_saved_and_loaded_generators_make_the_same_photographs(fit, tmp_path):
    made, _, (name, _) = fit
    layout = fitted(scenes(1), made.generator.size).layout
    with made.ema_weights() as generator:
        save(tmp_path, name, generator, {})
        before = sample_images(generator, layout, [1], 0.8)[0]
    after = sample_images(load_unchecked(tmp_path), layout, [1], 0.8)[0]
    np.testing.assert_array_equal(before.image, after.image)


def test_layouts_of_another_size_are_refused_with_the_right_one(fit):
    made, _, _ = fit
    layout = scenes(1).layout
    small = type(layout)(layout.classes[:, :8, :8], layout.boundary[:, :8, :8])
    height, width = made.generator.size
    with pytest.raises(DataError, match=f"{height}x{width}"):
        made.generator.condition(small)


def test_a_run_that_was_stopped_ends_as_an_undisturbed_one(fit, tmp_path):
    whole, history, variant = fit
    trained(variant, tmp_path / "run", steps=7)
    resumed, again = trained(variant, tmp_path / "run")
    ours, theirs = whole.state(), resumed.state()
    assert ours.keys() == theirs.keys()
    different = [key for key in ours if not torch.equal(ours[key], theirs[key])]
    assert not different
    assert again[-1] == history[-1]


def test_histories_hold_what_the_learner_says(fit):
    made, history, _ = fit
    assert set(history[-1]) == {"step", *made.columns}
    assert np.isfinite(history[-1]["loss"])


def test_held_out_numbers_are_columns_of_the_history(fit):
    made, _, _ = fit
    scene = fitted(scenes(3, seed=1), made.generator.size)
    measured = made.measure_held_out(scene)
    assert measured
    assert set(measured) <= set(made.columns)
    assert measured == made.measure_held_out(scene)


@pytest.mark.parametrize("name", VARIANTS)
def test_likelihood_and_learner_agree(name):
    row = SYSTEMS[VARIANTS[name][0]].generator
    assert not issubclass(LEARNERS[row.learner], LikelihoodLearner) or row.likelihood != "none"


@pytest.mark.parametrize(
    ("name", "preset"), [(name, preset) for name, row in SYSTEMS.items() for preset in row.presets]
)
def test_every_preset_can_be_built(name, preset):
    row = SYSTEMS[name]
    config = make_config(row.config, row.presets, preset, {})
    with torch.device("meta"):
        assert generators.build(name, config, table("cityscapes")).size == config.size


HALVED = {"steps": (1, 1, 1), "width": 4}


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("full_glow", {"size": (30, 48), **HALVED}, "3 levels .*24x48 and 32x48"),
        ("glow", {"size": (48, 30), **HALVED}, "48x24 and 48x32"),
        ("c_glow", {"size": (4, 24), **HALVED}, "8x24 and 8x24"),
        ("caflow", {"size": (48, 72), "last": "squeeze"}, "last: squeeze, .*48x64 and 48x80"),
        ("pix2pix", {"size": (20, 24), "patch": 16}, "16x24 and 24x24, or set downs to less"),
        ("imle", {"size": (26, 48), "widths": (8, 8, 8)}, r"3 modules \(widths\).*24x48 and 28x48"),
    ],
)
def test_a_size_that_cannot_be_halved_so_often_names_the_next(name, changes, message):
    def build():
        row = SYSTEMS[name]
        preset = next(preset for preset in row.presets if preset.endswith("tiny"))
        config = make_config(row.config, row.presets, preset, changes)
        generators.build(name, config, table("idd_lite"))

    with pytest.raises(ParamsError, match=message):
        build()
