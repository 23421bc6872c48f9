"""A whole study in seconds: every stage run in this process on a handful of small scenes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from augflow.stages.runner import STAGES, run_stage
from augflow.study.project import Project
from tests.mini_network import MINI

HOME = Path(__file__).parent.parent

_NETWORK = {"config": "mini.json", "steps": 5, "batch_size": 2}
PARAMS = {
    "study": "mini",
    "threads": 1,
    "data": {
        "reader": "streets", "root": "data/mini/raw", "size": [32, 48], "levels": 2,
        "streets": {"train": 6, "val": 4, "size": [64, 96], "seed": 3},
    },
    "generators": {
        "flow": {
            "system": "full_glow", "preset": "tiny",
            "overrides": {"steps": [1, 1], "width": [8, 8], "source_width": 4,
                          "condition_width": 4, "head_hidden": [4, 4, 4]},
            "training": {"steps": 4, "batch_size": 2, "init_scenes": 4, "sample_every": 4,
                         "eval_every": 2, "log_every": 1},
        },
    },
    "sets": {
        "t05": {"generator": "flow", "layouts": "val", "temperatures": [0.5], "rounds": 2},
        "more": {"generator": "flow", "layouts": "train", "temperatures": [0.8], "seed": 1,
                 "limit": 4},
        "best": {"generator": "flow", "layouts": "val", "temperatures": [0.5, 0.9], "rounds": 2,
                 "best_of": 3, "limit": 1},
        "most": {"generator": "flow", "layouts": "train", "temperatures": [0.5, 0.9],
                 "rounds": 2},
        "new": {"generator": "flow", "layouts": "train", "temperatures": [0.8], "limit": 3,
                "new_layouts": {"boost": ["car"], "ratio": 1.5, "seed": 2}},
    },
    "predictors": {
        "maps": {
            "preset": "tiny", "samples": 2,
            "overrides": {"steps": [1, 1], "width": [8, 8], "conv_channels": 4, "linear_width": 4},
            "training": {"steps": 2, "batch_size": 2, "init_scenes": 4},
        },
    },
    "transfers": {"moved": {"generator": "flow", "layouts": "val", "limit": 2}},
    "judge": _NETWORK,
    "score": {"features": "scattering"},
    "judges": {"own": {**_NETWORK, "one_in": 2, "folds": 2}},
    "choices": {"best": {"set": "most", "folds": 2, "segmenter": _NETWORK}},
    "selections": {
        "chosen": {"set": "most", "judge": "own", "reads": "chosen/best.json",
                   "temperature": "chosen", "rarity": True},
        "strict": {"set": "most", "judge": "own", "reads": "prepared", "agreement": 0.2,
                   "likeliest": 1, "hardness": True, "pixel_filter": 1.1},
    },
    "arms": {
        "real": {"train_on": ["real"], "reads": "prepared"},
        "both": {"train_on": ["real", "more"], "reads": "synthetic/more"},
        "picked": {"train_on": ["real", "chosen"], "reads": "selected/chosen", "ratio": 1.0},
    },
    "retrain": {"segmenter": _NETWORK, "seeds": [0, 1]},
    "report": {"title": "Mini", "sweep": ["t05"], "temperatures": [0.5], "layouts": 2},
    "diversity": {"generators": ["flow"], "layouts": 2, "samples": 3, "temperatures": [0.8]},
    "attributes": {"generators": ["flow"], "layouts": 2, "samples": 1, "changes": 1, "steps": 2},
    "explore": {"generators": ["flow"], "layouts": 2, "steps": 3},
}  # fmt: skip


def make(root: Path) -> None:
    """Runs all stages at `root`, which is the working directory, and has DVC record them."""
    for name in ("augflow", "streetscenes", "pipelines"):
        shutil.copytree(HOME / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("dvc.yaml", ".dvcignore"):
        shutil.copy(HOME / name, root / name)
    run_stages(root)
    dvc(root, "init", "--no-scm", "--quiet")
    dvc(root, "commit", "--force", "--quiet")


def run_stages(root: Path) -> None:
    """Runs all stages at `root`, in an order in which each finds what it reads."""
    write_params(root, PARAMS)
    project = Project()
    run_stage(project, "prepare")
    for name, stage in STAGES.items():
        for key in stage.keys(project.params):
            if name != "prepare":
                run_stage(project, name, key)


def dvc(root: Path, *words: str) -> None:
    """Runs DVC at `root`."""
    environment = {**os.environ, "DVC_NO_ANALYTICS": "1"}
    subprocess.run(
        [sys.executable, "-m", "dvc", *words], cwd=root, env=environment, check=True,
        capture_output=True, text=True,
    )  # fmt: skip


def write_params(root: Path, params: Mapping[str, Any]) -> Path:
    """Writes `params.yaml` into a folder, and the config of a network that it names."""
    (root / "mini.json").write_text(MINI)
    (root / "params.yaml").write_text(yaml.safe_dump(dict(params), sort_keys=False))
    return root / "params.yaml"
