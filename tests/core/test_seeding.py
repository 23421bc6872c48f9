from __future__ import annotations

import random
import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from augflow.core.seeding import Noise, derive, deterministic, exact, generator, torch_seeded

names = st.lists(st.text(max_size=6), max_size=4)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 2**62), names, names)
def test_different_chains_of_names_give_different_seeds(seed, one, other):
    assert (derive(seed, *one) == derive(seed, *other)) == (one == other)
    assert 0 <= derive(seed, *one) < 2**63


def test_a_derived_seed_never_changes_between_versions():
    assert derive(0) == 0x5FECEB66FFC86F38 >> 1
    assert derive(7, "train", 3) == 1707331500321738691
    assert derive(0, "a/b") != derive(0, "a", "b")
    assert (generator(1, "a").random(8) == generator(1, "a").random(8)).all()


def test_an_image_never_depends_on_the_batch_it_is_drawn_in():
    together = Noise([3, 4, 5])
    first, second = together.normal(2, 3), together.uniform(4)
    assert (together.uniform(4) != second).any()
    for row, seed in enumerate([3, 4, 5]):
        alone = Noise([seed])
        assert (alone.normal(2, 3)[0] == first[row]).all()
        assert (alone.uniform(4)[0] == second[row]).all()


def test_normal_noise_is_standard_normal():
    draws = Noise(range(4)).normal(100, 100)
    assert draws.dtype == np.float32
    assert draws.shape == (4, 100, 100)
    assert abs(draws.mean()) < 0.02
    assert abs(draws.std() - 1) < 0.02


@pytest.fixture
def _restored():
    threads = torch.get_num_threads()
    yield
    torch.use_deterministic_algorithms(False)
    torch.set_num_threads(threads)


@pytest.mark.usefixtures("_restored")
def test_deterministic_seeds_every_global_generator():
    def draws():
        return random.random(), np.random.rand(), torch.rand(1).item()

    deterministic(11, threads=1)
    first = draws()
    deterministic(11)
    assert draws() == first
    deterministic(12)
    assert all(one != other for one, other in zip(draws(), first, strict=True))
    assert torch.get_num_threads() == 1


@pytest.mark.usefixtures("_restored")
def test_kernels_are_as_deterministic_as_torch_makes_them():
    def settings():
        return (
            torch.are_deterministic_algorithms_enabled(),
            torch.is_deterministic_algorithms_warn_only_enabled(),
            torch.get_deterministic_debug_mode(),
        )

    torch.use_deterministic_algorithms(True, warn_only=True)
    expected = settings()
    torch.use_deterministic_algorithms(False)
    assert settings() != expected
    deterministic(11)
    assert settings() == expected


def test_torchs_compiler_is_not_imported_for_it():
    code = """
import sys
from augflow.core.seeding import deterministic
deterministic(0)
print(*[name for name in ("torch._inductor", "torch._dynamo") if name in sys.modules])
"""
    words = [sys.executable, "-c", code]
    done = subprocess.run(words, check=True, capture_output=True, text=True)
    assert done.stdout.strip() == ""


def test_layers_made_inside_draw_from_the_seed_and_leave_the_generator_outside_alone():
    torch.manual_seed(3)
    undisturbed = torch.rand(4)
    torch.manual_seed(3)
    with torch_seeded(5):
        first = torch.nn.Linear(3, 2).weight
    assert (torch.rand(4) == undisturbed).all()
    with torch_seeded(5):
        assert (torch.nn.Linear(3, 2).weight == first).all()
    with torch_seeded(6):
        assert (torch.nn.Linear(3, 2).weight != first).any()


def test_float32_is_float32_on_gpus(monkeypatch):
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":16:8")
    exact()
    assert not torch.backends.cudnn.allow_tf32
    assert not torch.backends.cuda.matmul.allow_tf32
