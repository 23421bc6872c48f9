"""The loop: a step depends on seed and number alone; a killed run ends as an undisturbed one."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from augflow import generators
from augflow.core import seeding
from augflow.core.errors import BusyError, ModelError
from augflow.core.io import exclusive_lock
from augflow.core.signals import Stopped
from augflow.data.scenes import SceneFolder
from augflow.study.params import GeneratorParams
from augflow.training import loop
from augflow.training.batches import random_flip
from augflow.training.learner import schedule
from augflow.training.likelihood import LikelihoodLearner
from augflow.training.memory import Budget
from augflow.training.params import TrainingParams
from tests.generators.conftest import VARIANTS, built, scenes

NAMES = [f"scene{n}" for n in range(8)]


def learner(steps=12, **changes):
    torch.set_num_threads(1)
    params = TrainingParams(
        steps=steps, batch_size=2, learning_rate=1e-3, ema=0.9, clip_norm=5.0, flip=True, **changes
    )
    made = LikelihoodLearner(built(VARIANTS["full_glow ours"]), params)
    made.initialise(scenes(8))
    return made


def trained(run=None, steps=12, **changes):
    made = learner(12, **changes)
    history = loop.fit(
        made, scenes(8), steps=steps, batch_size=2, seed=3, columns=("loss",), names=NAMES,
        run=run, save_every=5, log_every=4,
    )  # fmt: skip
    return made.state(), history


def same(ours, theirs):
    return ours.keys() == theirs.keys() and all(torch.equal(ours[k], theirs[k]) for k in ours)


def test_two_runs_end_with_equal_bits():
    first, second = trained(), trained()
    assert same(first[0], second[0])
    assert first[1] == second[1]


def test_a_run_that_was_stopped_ends_as_an_undisturbed_one(tmp_path):
    whole, history = trained()
    trained(tmp_path / "run", steps=7)
    resumed, again = trained(tmp_path / "run")
    assert same(whole, resumed)
    assert [row["step"] for row in history] == [4, 8, 12]
    assert [row["step"] for row in again] == [4, 7, 8, 12]
    assert again[-1] == history[-1]


KILLED = """
import sys, time
from pathlib import Path
from tests.training.test_loop import trained
from augflow.training.resume import ResumeState
real = ResumeState.write
def slow(self, step):
    real(self, step)
    print("saved", step, flush=True)
ResumeState.write = slow
trained(Path(sys.argv[1]))
"""


def test_sigkill_at_any_moment_changes_nothing(tmp_path):
    whole, _ = trained()
    rng = np.random.default_rng(0)
    for attempt in range(3):
        process = subprocess.Popen(
            [sys.executable, "-c", KILLED, str(tmp_path / "run")],
            stdout=subprocess.PIPE, cwd=Path.cwd(), env={**os.environ, "OMP_NUM_THREADS": "1"},
        )  # fmt: skip
        assert process.stdout is not None
        if attempt < 2:
            process.stdout.readline()
            time.sleep(float(rng.uniform(0, 0.05)))
            process.send_signal(signal.SIGKILL)
        process.wait()
    resumed, _ = trained(tmp_path / "run")
    assert same(whole, resumed)


def test_a_second_start_is_told_who_trains(tmp_path):
    expected = rf"held by process {os.getpid()} on .* since 2"
    with exclusive_lock(tmp_path), pytest.raises(BusyError, match=expected):
        trained(tmp_path)


def signalled(run, monkeypatch, at):
    """A training that is asked to stop while it does the step after `at` steps."""
    real = LikelihoodLearner.step

    def asked(self, scene, rng, step):
        if step == at:
            os.kill(os.getpid(), signal.SIGTERM)
        return real(self, scene, rng, step)

    with monkeypatch.context() as patched:
        patched.setattr(LikelihoodLearner, "step", asked)
        trained(run)


@pytest.mark.parametrize("at", [2, 11])
def test_a_signal_lets_the_step_end_and_keeps_what_was_done(tmp_path, monkeypatch, at):
    whole, history = trained()
    run = tmp_path / "run"
    message = rf"^stopped after step {at + 1} of 12, what was done is kept; start again to go on$"
    with pytest.raises(Stopped, match=message):
        signalled(run, monkeypatch, at)
    resumed, again = trained(run)
    assert same(whole, resumed)
    assert again == history


def test_a_training_without_a_run_folder_says_that_nothing_is_kept(monkeypatch):
    with pytest.raises(Stopped, match="stopped after step 3 of 12, nothing is kept"):
        signalled(None, monkeypatch, 2)


def flipped_byte(path):
    content = bytearray(path.read_bytes())
    content[-100] ^= 1
    path.write_bytes(content)


def cut(path):
    path.write_bytes(path.read_bytes()[:1000])


def emptied(path):
    path.write_bytes(b"")


DAMAGES = [flipped_byte, cut, emptied]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_state_is_named_and_the_one_before_it_is_taken(tmp_path, damage, caplog):
    whole, history = trained()
    trained(tmp_path, steps=12)
    assert sorted(path.name for path in tmp_path.glob("*.safetensors")) == [
        "previous.safetensors", "state.safetensors"
    ]  # fmt: skip
    damage(tmp_path / "state.safetensors")
    with caplog.at_level("INFO", "augflow"):
        resumed, again = trained(tmp_path)
    assert "state.safetensors: damaged state" in caplog.text
    assert "the one before it is taken" in caplog.text
    assert "going on at step 10" in caplog.text
    assert same(whole, resumed)
    assert again == history


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_states_alone_are_named_and_left(tmp_path, damage):
    trained(tmp_path, steps=10)
    for name in ("state", "previous"):
        damage(tmp_path / f"{name}.safetensors")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    message = r"state\.safetensors: damaged state .*previous\.safetensors: damaged .*delete them"
    with pytest.raises(ModelError, match=message) as caught:
        trained(tmp_path)
    assert "\n" not in str(caught.value)
    after = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert {**before, "lock": b""} == {**after, "lock": b""}


def test_a_state_that_may_not_be_read_is_not_called_damaged(tmp_path, monkeypatch):
    trained(tmp_path, steps=5)

    def refused(*words, **more):
        raise PermissionError(13, "Permission denied", str(tmp_path / "state.safetensors"))

    monkeypatch.setattr("safetensors.safe_open", refused)
    with pytest.raises(PermissionError):
        trained(tmp_path)


def test_a_state_between_its_writing_and_its_renaming_is_taken(tmp_path, caplog):
    whole, _ = trained()
    trained(tmp_path, steps=10)
    (tmp_path / "state.safetensors").rename(tmp_path / "next.safetensors")
    with caplog.at_level("INFO", "augflow"):
        resumed, _ = trained(tmp_path)
    assert "going on at step 10" in caplog.text
    assert same(whole, resumed)


def test_a_state_of_another_network_is_refused(tmp_path):
    trained(tmp_path, steps=5)
    made = LikelihoodLearner(built(VARIANTS["glow"]), TrainingParams(steps=12, batch_size=2))
    made.initialise(scenes(8))
    with pytest.raises(ModelError, match=r"state of another network .*to start over"):
        loop.fit(
            made, scenes(8), steps=12, batch_size=2, seed=3, columns=("loss",), names=NAMES,
            run=tmp_path,
        )  # fmt: skip


def test_weights_that_are_not_finite_after_a_step_are_not_kept(tmp_path):
    trained(tmp_path, steps=5)
    before = (tmp_path / "state.safetensors").read_bytes()
    made = learner()
    real = made.step

    def poisoned(scene, rng, step):
        numbers = real(scene, rng, step)
        if step == 9:
            with torch.no_grad():
                made.generator.target.levels[1].nets.second[0, 0, 0] = float("nan")
        return numbers

    made.step = poisoned
    message = (
        r"step 9: weights\S*second.* not finite.*scene\d, scene\d; the last good state, of step 5"
    )
    with pytest.raises(ModelError, match=message):
        loop.fit(
            made, scenes(8), steps=12, batch_size=2, seed=3, columns=("loss",), names=NAMES,
            run=tmp_path, save_every=5, log_every=4,
        )  # fmt: skip
    assert (tmp_path / "state.safetensors").read_bytes() == before


def test_a_loss_that_is_not_finite_names_layer_and_scenes_and_keeps_the_last_state(tmp_path):
    trained(tmp_path, steps=5)
    before = (tmp_path / "state.safetensors").read_bytes()
    made = learner()
    real = made.step

    def poisoned(scene, rng, step):
        if step == 6:
            with torch.no_grad():
                made.generator.target.levels[1].nets.second[0, 0, 0] = float("nan")
        return real(scene, rng, step)

    made.step = poisoned
    message = r"step 6: .*first seen in target.*scene\d, scene\d.*last good"
    with pytest.raises(ModelError, match=message):
        loop.fit(
            made, scenes(8), steps=12, batch_size=2, seed=3, columns=("loss",), names=NAMES,
            run=tmp_path, save_every=5, log_every=4,
        )  # fmt: skip
    assert (tmp_path / "state.safetensors").read_bytes() == before


@pytest.mark.parametrize(
    ("fault", "micro_batch", "expected"),
    [
        (torch.OutOfMemoryError("CUDA out of memory"), None,
         r"^step 3: out of memory with 2 rows at once \(batch_size 2, micro_batch null; 0.02 GiB "
         r"by the estimate, 0.02 GiB were free\): set training.micro_batch to 1, the largest"),
        (MemoryError(), 1, r"with 1 rows at once \(batch_size 2, micro_batch 1; .*not even one"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), None, "micro_batch to 1,"),
    ],
)  # fmt: skip
def test_want_of_memory_says_what_was_tried_and_what_fits(fault, micro_batch, expected):
    made = learner(micro_batch=micro_batch)
    real = made.step

    def greedy(scene, rng, step):
        if step == 3:
            raise fault
        return real(scene, rng, step)

    made.step = greedy
    with pytest.raises(ModelError, match=expected) as caught:
        loop.fit(
            made, scenes(8), steps=12, batch_size=2, seed=3, columns=("loss",), names=NAMES,
            budget=Budget(20 * 2**20, lambda rows: rows * 12 * 2**20),
        )  # fmt: skip
    assert "\n" not in str(caught.value)


def test_want_of_memory_while_measuring_is_told_from_that_of_a_step():
    def watch(step):
        raise torch.OutOfMemoryError("CUDA out of memory")

    message = "step 1: out of memory while held-out scenes were looked at: set training.micro_batch"
    with pytest.raises(ModelError, match=message):
        loop.fit(
            learner(), scenes(8), steps=2, batch_size=2, seed=3, columns=("loss",), names=NAMES,
            watch=watch,
        )  # fmt: skip


def test_other_faults_stay_what_they_are():
    made = learner()

    def broken(scene, rng, step):
        raise RuntimeError("shapes do not fit")

    made.step = broken
    with pytest.raises(RuntimeError, match=r"^shapes do not fit$"):
        loop.fit(made, scenes(8), steps=2, batch_size=2, seed=3, columns=("loss",), names=NAMES)


def test_every_epoch_shows_every_scene_once():
    rows = [row for step in range(6) for row in loop.batch_rows(0, step, 4, 8)]
    for epoch in range(3):
        assert sorted(rows[8 * epoch : 8 * epoch + 8]) == list(range(8))
    assert rows[:8] != rows[8:16]


def test_a_batch_larger_than_the_set_goes_on_in_the_next_epoch():
    rows = loop.batch_rows(0, 0, 7, 3)
    assert len(rows) == 7
    assert sorted(rows[:3]) == sorted(rows[3:6]) == [0, 1, 2]


def test_scenes_from_disk_train_as_those_in_memory(prepared):
    folder = SceneFolder(prepared, "train")
    ends = []
    for source in (folder, folder.scenes()):
        config = generators.config_of(GeneratorParams(system="glow", preset="tiny", training={
            "steps": 3}), folder.size)  # fmt: skip
        made = LikelihoodLearner(generators.build("glow", config, folder.table), TrainingParams(
            steps=5, batch_size=3, flip=True))  # fmt: skip
        made.initialise(folder.scenes())
        history = loop.fit(
            made, source, steps=5, batch_size=3, seed=3, columns=("loss",), names=folder.names,
            log_every=1,
        )  # fmt: skip
        ends.append((made.state(), history))
    assert same(ends[0][0], ends[1][0])
    assert ends[0][1] == ends[1][1]


def test_a_fault_of_reading_scenes_ends_the_training(prepared, monkeypatch):
    folder = SceneFolder(prepared, "train")
    real = SceneFolder.__getitem__

    def broken(self, rows):
        if rows == loop.batch_rows(3, 2, 2, 4):
            raise OSError("disk gone")
        return real(self, rows)

    monkeypatch.setattr(SceneFolder, "__getitem__", broken)
    seen = []
    made = learner()
    made.step = lambda scene, rng, step: seen.append(step) or {"loss": 0.0}
    with pytest.raises(OSError, match="disk gone"):
        loop.fit(made, folder, steps=9, batch_size=2, seed=3, columns=("loss",), names=folder.names)
    assert seen == [0, 1]


def test_schedule_warms_up_stays_and_falls_to_zero():
    params = TrainingParams(steps=100, warmup_steps=10, decay_from=0.5)
    assert schedule(params, 0) == pytest.approx(0.1)
    assert schedule(params, 9) == schedule(params, 49) == 1.0
    assert schedule(params, 75) == pytest.approx(0.5)
    assert 0 < schedule(params, 99) < 0.03


def test_a_mirrored_scene_is_mirrored_as_a_whole():
    scene = scenes(16)
    mirrored = random_flip(scene, seeding.generator(0, "coins"))
    turned = 0
    for n in range(16):
        same_way = torch.equal(mirrored.image[n], scene.image[n])
        turned += not same_way
        for ours, theirs in (
            (mirrored.image[n], scene.image[n]),
            (mirrored.layout.classes[n], scene.layout.classes[n]),
            (mirrored.layout.boundary[n], scene.layout.boundary[n]),
        ):
            assert torch.equal(ours, theirs if same_way else theirs.flip(-1))
    assert 0 < turned < 16


def test_averaged_weights_are_lent_and_given_back():
    made = learner()
    made.step(scenes(2), seeding.generator(0, 1), 0)
    own = {k: v.clone() for k, v in made.generator.state_dict().items()}
    with made.ema_weights() as generator:
        lent = generator.state_dict()
        assert any(not torch.equal(own[k], lent[k]) for k in own)
    assert all(torch.equal(own[k], v) for k, v in made.generator.state_dict().items())


def test_generators_are_listed_for_an_unknown_name():
    with pytest.raises(Exception, match="did you mean 'full_glow'"):
        generators.system("ful_glow")
