"""The loop: a step depends on seed and number alone; a killed run ends as an undisturbed one."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

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


def fit(made, run=None, source=None, **changes):
    usual = {"steps": 12, "batch_size": 2, "save_every": 5, "log_every": 4, "names": NAMES}
    source = scenes(8) if source is None else source
    return loop.fit(made, source, seed=3, columns=("loss",), run=run, **{**usual, **changes})


def trained(run=None, steps=12, **changes):
    made = learner(12, **changes)
    history = fit(made, run, steps=steps)
    return made.state(), history


@pytest.fixture(scope="module")
def undisturbed():
    """The state and the history of a training that nothing disturbs."""
    return trained()


def poison(made, at, after=False):
    """Has a learner lose a weight before a step of that number, or `after` it."""
    real = made.step

    def poisoned(scene, rng, step):
        if step == at and not after:
            lose()
        numbers = real(scene, rng, step)
        if step == at and after:
            lose()
        return numbers

    @torch.no_grad()
    def lose():
        made.generator.target.levels[1].nets.second[0, 0, 0] = float("nan")

    made.step = poisoned
    return made


def same(ours, theirs):
    return ours.keys() == theirs.keys() and all(torch.equal(ours[k], theirs[k]) for k in ours)


def test_a_run_that_was_stopped_ends_as_an_undisturbed_one(undisturbed, tmp_path):
    whole, history = undisturbed
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


def test_sigkill_at_any_moment_changes_nothing(undisturbed, tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(tmp_path / "run")],
        stdout=subprocess.PIPE, cwd=Path.cwd(), env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert process.stdout is not None
    process.stdout.readline()
    time.sleep(0.03)
    process.kill()
    process.wait()
    resumed, _ = trained(tmp_path / "run")
    assert same(undisturbed[0], resumed)


def test_a_second_start_is_told_who_trains(tmp_path):
    expected = rf"held by process {os.getpid()} on .* since 2"
    with exclusive_lock(tmp_path), pytest.raises(BusyError, match=expected):
        trained(tmp_path)


def test_the_first_row_of_a_training_is_told_without_the_rest(undisturbed, tmp_path):
    steps = []
    made = learner()
    made.step = lambda *asked, step=made.step: steps.append(asked[2]) or step(*asked)
    assert loop.first_row(lambda: fit(made, tmp_path)) == undisturbed[1][0]
    assert steps == [0, 1, 2, 3]
    assert not list(tmp_path.rglob("*.safetensors"))
    assert loop.first_row(lambda: fit(made, steps=0)) is None
    assert len(fit(learner(), steps=12)) == 3


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
def test_a_signal_lets_the_step_end_and_keeps_what_was_done(undisturbed, tmp_path, monkeypatch, at):
    whole, history = undisturbed
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


def emptied(path):
    path.write_bytes(b"")


@pytest.mark.parametrize("damage", [flipped_byte, emptied])
def test_a_damaged_state_is_named_and_the_one_before_it_is_taken(
    undisturbed, tmp_path, damage, caplog
):
    whole, history = undisturbed
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


def test_damaged_states_alone_are_named_and_left(tmp_path):
    trained(tmp_path, steps=10)
    flipped_byte(tmp_path / "state.safetensors")
    emptied(tmp_path / "previous.safetensors")
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


def test_a_state_between_its_writing_and_its_renaming_is_taken(undisturbed, tmp_path, caplog):
    whole, _ = undisturbed
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
        fit(made, tmp_path)


@pytest.mark.parametrize(
    ("at", "after", "message"),
    [
        (9, True, r"step 9: weights\S*second.* not finite.*scene\d, scene\d; the last good state, "
         r"of step 5"),
        (6, False, r"step 6: .*first seen in target.*scene\d, scene\d.*last good"),
    ],
    ids=["a weight after a step", "the loss"],
)  # fmt: skip
def test_what_is_not_finite_is_named_with_its_scenes_and_the_last_state_is_kept(
    tmp_path, at, after, message
):
    trained(tmp_path, steps=5)
    before = (tmp_path / "state.safetensors").read_bytes()
    with pytest.raises(ModelError, match=message):
        fit(poison(learner(), at, after), tmp_path)
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
        fit(made, budget=Budget(20 * 2**20, lambda rows: rows * 12 * 2**20))
    assert "\n" not in str(caught.value)


def test_want_of_memory_while_measuring_is_told_from_that_of_a_step():
    def watch(step):
        raise torch.OutOfMemoryError("CUDA out of memory")

    message = "step 1: out of memory while held-out scenes were looked at: set training.micro_batch"
    with pytest.raises(ModelError, match=message):
        fit(learner(), steps=2, watch=watch)


def test_other_faults_stay_what_they_are():
    made = learner()

    def broken(scene, rng, step):
        raise RuntimeError("shapes do not fit")

    made.step = broken
    with pytest.raises(RuntimeError, match=r"^shapes do not fit$"):
        fit(made, steps=2)


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
        history = fit(made, None, source, steps=5, batch_size=3, names=folder.names, log_every=1)
        ends.append((made.state(), history))
    assert same(ends[0][0], ends[1][0])
    assert ends[0][1] == ends[1][1]


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
