"""A study as the other stages leave it, made up so that its numbers can be worked out by hand."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from augflow.core import io
from augflow.data.classes import ClassRow, ClassTable
from augflow.data.scenes import table_facts
from augflow.data.synthetic import NewPhoto, SetFacts, write_set
from augflow.study.params import Params
from tests.prepared_files import write_arrays

SIZE = (16, 24)
NAMES = ("road", "<script>alert(1)</script>", "a|b_c")
TABLE = ClassTable(
    "made up",
    tuple(
        ClassRow(name, index, index, index == 1, (60 + 60 * index, 90, 200 - 50 * index))
        for index, name in enumerate(NAMES)
    ),
)

PERFECT = [[8, 0, 0], [0, 4, 0], [0, 0, 0]]
SWEEP = {
    # set -> temperature -> a matrix per round
    "sweep": {
        # mean class IoU of a round: (6/9 + 3/6) / 2 = 7/12, and (8/10 + 2/4) / 2 = 13/20
        0.8: [[[6, 2, 0], [1, 3, 0], [0, 0, 0]], [[8, 0, 0], [2, 2, 0], [0, 0, 0]]],
        # (4/8 + 2/6) / 2 = 5/12, twice
        1.0: [[[4, 4, 0], [0, 2, 0], [0, 0, 0]]] * 2,
    },
    # pictures of another system: 0.8, then 0.5
    "pix2pix": {1.0: [[[8, 1, 0], [1, 8, 0], [0, 0, 0]]] * 2},
    "dual_glow": {
        0.5: [[[2, 1, 0], [1, 2, 0], [0, 0, 0]]] * 2,
        1.0: [[[2, 2, 0], [1, 1, 0], [0, 0, 0]]] * 2,
    },
}
MAKERS = {"sweep": "full_glow", "pix2pix": "pix2pix", "dual_glow": "dual_glow"}
"""The generator of each set of the sweep."""

HALF, SIX, SEVEN, EIGHT = (
    [[hits, misses, 0], [misses, hits, 0], [0, 0, 0]]
    for hits, misses in ((2, 1), (6, 2), (14, 3), (8, 1))
)
"""Matrices whose mean class IoU is 0.5, 0.6, 0.7 and 0.8."""

RUNS = {"real": [HALF, SIX], "real_classic": [SIX, SIX], "real_synthetic": [EIGHT, SEVEN]}

ARMS = {
    "real": {"train_on": ["real"], "reads": "prepared"},
    "real_classic": {"train_on": ["real"], "reads": "prepared", "augment": "classic"},
    "real_synthetic": {"train_on": ["real", "pool"], "reads": "synthetic/pool"},
}


@dataclass
class Study:
    """What is made up; tests change what they are about."""

    title: str = "A made-up study"
    scenes: dict[str, int] = field(default_factory=lambda: {"train": 6, "val": 4})
    sweep: dict = field(default_factory=lambda: dict(SWEEP))
    runs: dict = field(default_factory=lambda: dict(RUNS))
    arms: dict = field(default_factory=lambda: dict(ARMS))
    transfers: bool = True
    boundary_source: str = "components"
    time: str | None = "30 minutes"

    def params(self) -> Params:
        """The study's `params.yaml`."""
        network = {"steps": 100}
        return Params.model_validate({
            "study": "madeup",
            "data": {"reader": "folder", "root": "photos", "size": SIZE, "levels": 2},
            "generators": {
                "full_glow": {"system": "full_glow", "preset": "tiny", "training": {"steps": 300}},
                **{name: {"system": name, "preset": "tiny", "training": {"steps": 300}}
                   for name in ("glow", "dual_glow", "pix2pix")},
            },
            "sets": {
                name: {"generator": MAKERS[name], "layouts": "val", "temperatures": list(found),
                       "rounds": len(next(iter(found.values())))}
                for name, found in self.sweep.items()
            } | {"pool": {"generator": "full_glow", "layouts": "train", "temperatures": [0.8]}},
            "transfers": {"moved": {"generator": "full_glow", "layouts": "val"}}
            if self.transfers else {},
            "judge": network,
            "arms": self.arms,
            "retrain": {"segmenter": network, "seeds": [0, 1]},
            "report": {"title": self.title, "sweep": list(self.sweep), "layouts": 3,
                       "temperatures": [0.5, 0.8, 1.0], "training_time": self.time},
        })  # fmt: skip

    def write(self, root: Path) -> Params:
        """Writes `data/STUDY` to `root` and returns the params."""
        params = self.params()
        _prepared(root / "prepared", self.scenes, self.boundary_source)
        for name in params.generators:
            _generator(root / "generators" / name, name)
        for name in self.sweep:
            section = params.sets[name]
            _synthetic(root / "synthetic" / name, name, section.temperatures, section.rounds)
            _scores(root / "scores" / f"{name}.json", name, self.sweep[name])
        if self.transfers:
            _synthetic(root / "synthetic" / "moved", "moved", (1.0,), 1, content="train_1")
        _references(root / "scores" / "references.json")
        if self.runs:
            _arms(root / "scores" / "arms.json", self.runs, self.scenes["val"])
        for name in (
            "judge",
            *(f"{arm}/{s}" for arm, ms in self.runs.items() for s in range(len(ms))),
        ):
            _history(root / "segmenters" / name / "history.csv", ("loss", "learning_rate"))
        return params


def classes_of(index: int) -> np.ndarray:
    """Class map of a scene: class 0 above, class 1 below in a share that grows, no class 2."""
    classes = np.zeros(SIZE, np.uint8)
    classes[SIZE[0] - 2 - index % 4 :] = 1
    classes[0, :6] = 255
    return classes


def photo(*seed: int) -> np.ndarray:
    """Noise of one's own colour, (H, W, 3) uint8."""
    rng = np.random.default_rng(seed)
    return np.clip(rng.integers(40, 200, 3) + rng.normal(0, 12, (*SIZE, 3)), 0, 255).astype(
        np.uint8
    )


def item(name: str, matrix: list, layout: str = "", turn: int = 0) -> dict:
    """A scored photograph."""
    return {"name": name, "layout": layout or name, "round": turn, "confusion": matrix}


def _prepared(root: Path, scenes: dict[str, int], boundary_source: str) -> None:
    rows, maps = [], []
    for split, count in scenes.items():
        for index in range(count):
            name = f"{split}_{index}"
            edges = np.zeros(SIZE, np.uint8)
            edges[SIZE[0] - 3 - index % 4] = 255
            maps.append((split, photo(index, len(split)), classes_of(index), edges))
            rows.append({"name": name, "split": split, "drive": f"{split}-{index // 2}"})
    write_arrays(root, SIZE, maps)
    io.write_csv(root / "scenes.csv", rows, ("name", "split", "drive"))
    io.write_json(root / "dataset.json", {
        "classes": table_facts(TABLE), "size": list(SIZE), "levels": 2, "reader": "folder",
        "boundary_source": boundary_source, "counts": scenes,
    })  # fmt: skip


def _generator(root: Path, name: str) -> None:
    if name == "pix2pix":
        rows = [{"step": step, "loss_d": 1 / step} for step in range(10, 310, 10)]
        io.write_csv(root / "history.csv", rows, ("step", "loss_d"))
        facts = {"likelihood": "none", "val_scenes": 4, "val_distance": 0.25}
        io.write_json(root / "config.json", {"parameters": 777, "facts": facts})
        return
    lower = {"full_glow": 0.0, "glow": 0.5, "dual_glow": -0.25}[name]
    rows = [
        {"step": step, "loss": 6 * 0.99**step + 3 + lower,
         "val_bpd": 4 + lower + 100 / step if step % 100 == 0 else None,
         "round_trip": 2e-4 if step % 100 == 0 else None}
        for step in range(10, 310, 10)
    ]  # fmt: skip
    io.write_csv(root / "history.csv", rows, ("step", "loss", "val_bpd", "round_trip"))
    facts = {"likelihood": "unconditional"} if name == "glow" else {}
    facts |= {"val_bpd": 4.25 + lower, "val_scenes": 4, "round_trip": 0.0003}
    io.write_json(root / "config.json", {"parameters": 123456, "facts": facts})


def _history(path: Path, columns: tuple[str, ...]) -> None:
    rows = [{"step": s, **{c: 2.0 / s for c in columns}} for s in range(1, 101)]
    io.write_csv(path, rows, ("step", *columns))


def _synthetic(
    root: Path, name: str, degrees: tuple[float, ...], rounds: int, content: str = ""
) -> None:
    facts = SetFacts(name, "weights", degrees, rounds, TABLE, SIZE)
    write_set(root, facts, [
        NewPhoto(f"val_{index}_t{place}_r{turn}", f"val_{index}", "val", "city",
                 photo(index, turn, int(10 * degree), len(name)), classes_of(index), degree, turn,
                 content=content)
        for index in range(4) for place, degree in enumerate(degrees) for turn in range(rounds)
    ])  # fmt: skip


def _scores(path: Path, name: str, sweep: dict) -> None:
    nothing = np.zeros((3, 3), int).tolist()
    # a round's matrix is split over two photographs: scores must come from their sum
    items = [
        {**item(f"val_{place}_t{index}_r{turn}", part, f"val_{place}", turn), "temperature": degree}
        for index, (degree, matrices) in enumerate(sweep.items())
        for turn, matrix in enumerate(matrices)
        for place, part in enumerate(
            ([matrix[0], nothing[1], nothing[2]], [nothing[0], matrix[1], matrix[2]])
        )
    ]
    content = {"kind": "set", "set": name, "temperatures": list(sweep), "classes": list(NAMES),
               "judge": "the judge", "items": items}  # fmt: skip
    io.write_json(path, content)


def _references(path: Path) -> None:
    rows = {"real": PERFECT, "flat": HALF, "wrong": [[4, 4, 0], [2, 2, 0], [0, 0, 0]]}
    io.write_json(path, {
        "kind": "references", "classes": list(NAMES), "judge": "the judge",
        "rows": {kind: [item("val_0", matrix)] for kind, matrix in rows.items()},
    })  # fmt: skip


def _arms(path: Path, runs: dict, scenes: int) -> None:
    io.write_json(path, {
        "kind": "arms", "classes": list(NAMES),
        "runs": {
            f"{arm}-{seed}": {"arm": arm, "seed": seed, "steps": 100,
                              "segmenter": "a network",
                              "items": [item(f"val_{n}", matrix) for n in range(scenes)]}
            for arm, matrices in runs.items() for seed, matrix in enumerate(matrices)
        },
    })  # fmt: skip
