"""What `tests/test_ranks.py` has two processes do at once, started by torchrun.

    python -m torch.distributed.run --standalone --nproc-per-node 2 -m tests.two_ranks PREPARED OUT

Every trial leaves its results under OUT: `SYSTEM/run/state.safetensors` of trainings, and what each
rank says in `TRIAL.RANK.txt`.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch

from augflow.core import io
from augflow.core.distributed import ALONE, Ranks, requested_devices, start
from augflow.core.errors import AugflowError, DataError
from augflow.stages.train import train
from augflow.study.params import GeneratorParams
from augflow.training import loop
from augflow.training.learners import learner_of
from augflow.training.memory import Budget
from augflow.training.params import TrainingParams
from tests.generators.conftest import VARIANTS, built, scenes

TRAINING = {
    "steps": 5, "mean_steps": 2, "batch_size": 3, "learning_rate": 1e-3, "warmup_steps": 2,
    "clip_norm": 5.0, "ema": 0.9, "flip": True, "init_scenes": 4, "log_every": 1,
    "sample_every": 3,
}  # fmt: skip
SYSTEMS = {
    "full_glow": {"overrides": {"steps": (1, 1, 1)}},
    "pix2pix": {"overrides": {"patch": 16, "norm": "batch", "downs": 3}},
    "caglow": {"overrides": {"steps": (1, 1, 1)}},
}
"""Trained on the four scenes, in batches that two ranks do not divide."""
OTHERS = ("imle", "crn", "cglow")
"""Trained on drawn scenes."""
NAMES = [str(n) for n in range(8)]


def trained_on(prepared: Path, out: Path, system: str, ranks: Ranks = ALONE) -> None:
    """A training of the stage; its resume state stays in `out/SYSTEM/run`."""
    section = GeneratorParams(system=system, preset="tiny", training=TRAINING, **SYSTEMS[system])
    where = out / system
    train(system, section, prepared, where / "made", run=where / "run", threads=1, ranks=ranks)


def fitted(system: str, run: Path, steps: int, ranks: Ranks = ALONE, **changes: object):
    """The first steps of a training of 6, whose learner's methods may be changed."""
    torch.set_num_threads(1)
    generator = built(VARIANTS[system]).to(ranks.device)
    learner = learner_of(generator, TrainingParams(**{**TRAINING, "steps": 6}))
    for name, method in changes.pop("methods", {}).items():
        setattr(learner, name, method(learner))
    scene = scenes(8)
    scene.layout.classes[:3, :6] = 255
    learner.join(ranks)
    learner.on_fit_start(scene)
    learner.initialise(scene)
    settings = {"batch_size": 3, "log_every": 1, **changes}
    history = loop.fit(
        learner, scene, steps=steps, seed=3, columns=learner.columns, names=NAMES, run=run,
        **settings,
    )  # fmt: skip
    return learner, history


def first_only(step: int) -> dict[str, float]:
    """A watch of which all but the first rank must know nothing."""
    if step == 2:
        raise DataError("the disk is full")
    return {}


def out_of_memory(learner):
    """Has the second rank run out of memory at its second step."""
    real = learner._accumulate_gradients

    def broken(parts, losses):
        if learner.ranks.rank == 1 and learner.optimizers["generator"].state:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return real(parts, losses)

    return broken


def poisoned(learner):
    """Has the numbers of the second rank's rows be none."""
    real = learner._losses

    def losses(image, *rest):
        return real(image * float("nan") if learner.ranks.rank == 1 else image, *rest)

    return losses


def mistaken(learner):
    """Has the second rank fail by a fault of the code, before it has rows to look at."""
    real = learner.step

    def step(scene, rng, number):
        return real(None if learner.ranks.rank == 1 and number == 1 else scene, rng, number)

    return step


TRIALS = {
    "memory": {
        "methods": {"_accumulate_gradients": out_of_memory},
        "budget": Budget(10 * 2**20, lambda rows: rows * 5 * 2**20),
    },
    "nan": {"methods": {"_losses": poisoned}},
    "mistake": {"methods": {"step": mistaken}},
    "watch": {"watch": first_only},
    "small": {"batch_size": 1},
}


def main(prepared: Path, out: Path) -> None:
    """All trials, one after the other."""
    ranks = start(requested_devices(), "float32")
    written: list[str] = []
    real_write, real_held = io.atomic_write, io.exclusive_lock

    def write(path: Path, content: bytes, synced: bool = True) -> None:
        written.append(f"wrote {path.name}")
        real_write(path, content, synced)

    def held(folder: Path):
        written.append(f"held {folder.name}")
        return real_held(folder)

    io.atomic_write, io.exclusive_lock = write, held
    for system in SYSTEMS:
        trained_on(prepared, out, system, ranks)
    for system in OTHERS:
        fitted(system, out / system / "run", 3, ranks)
    fitted("full_glow ours", out / "stopped", 3, ranks, save_every=1)
    (out / f"written.{ranks.rank}.txt").write_text("\n".join(written))
    for name, changes in TRIALS.items():
        ranks, said = start(requested_devices(), "float32"), "well"
        try:
            fitted("full_glow ours", out / name, 3, ranks, **changes)
        except (AugflowError, RuntimeError) as fault:
            said = f"{type(fault).__name__}: {fault}"
        (out / f"{name}.{ranks.rank}.txt").write_text(said)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
