"""One finished report of the made-up study, in which two generators were explored."""

from pathlib import Path

import numpy as np
import pytest

from augflow.core import io
from augflow.stages.report import report
from augflow.study.params import ExploreParams
from tests.fabricated import SIZE, SWEEP, Study

LAYOUTS = ["val_0", "val_1", "val_2"]


def plain(red, green=0):
    return np.full((*SIZE, 3), (red, green, 0), np.uint8)


def write(root, name, number, steps=3, edits=("car removed", "tree to road")):
    """Pictures whose green says which generator, and whose red says which picture."""
    for at, layout in enumerate(LAYOUTS):
        for step in range(steps):
            io.write_png(root / f"path/{layout}_{step:02d}.png", plain(20 * step, number))
        for style in range(2):
            io.write_png(root / f"style/{layout}_{style}.png", plain(30 * at + 10 * style, number))
    for step in range(len(edits) + 1):
        io.write_png(root / f"edits/{step:02d}_classes.png", plain(0, 255))
        io.write_png(root / f"edits/{step:02d}.png", plain(50 * step, number))
    io.write_json(root / "record.json", {
        "generator": name, "weights": "feed", "layouts": LAYOUTS, "seeds": [1, 2], "steps": steps,
        "path": "linear", "temperature": 0.8, "edited": "val_0", "edits": list(edits),
    })  # fmt: skip


def reported(root, generators, **changes):
    """The report of a study of three temperatures in which some generators were explored."""
    found = SWEEP["sweep"]
    made_up = Study(sweep={**SWEEP, "sweep": {0.8: found[0.8], 0.9: found[1.0], 1.0: found[1.0]}})
    made_up.write(root / "data")
    for number, name in enumerate(generators):
        write(root / "data" / "explored" / name, name, 60 + 90 * number, **changes)
    section = ExploreParams(generators=generators, layouts=3, steps=3, path="linear")
    params = made_up.params().model_copy(update={"explore": section})
    report(params, root / "data", root / "out")
    return root / "out"


@pytest.fixture(scope="session")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the study's `data` and of its report, `out`; read only."""
    root = tmp_path_factory.mktemp("madeup")
    reported(root, ("full_glow", "dual_glow"))
    return root


@pytest.fixture(scope="session")
def made(study: Path) -> Path:
    """The report alone."""
    return study / "out"
