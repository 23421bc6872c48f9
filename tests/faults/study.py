"""The study that faults are injected into: one stage of each kind, made in seconds."""

from __future__ import annotations

import copy
from pathlib import Path

import yaml

from augflow.study.names import write_names
from augflow.study.params import load
from tests import tiny_study
from tests.mini_network import MINI

HOME = tiny_study.HOME
DATA = "data/mini"

# every step leaves a state behind, so that there are many moments to be killed at
_TRAINING = {"steps": 4, "batch_size": 2, "init_scenes": 4, "save_every": 1, "sample_every": 2,
             "eval_every": 2, "log_every": 1}  # fmt: skip
_GENERATORS = {
    "flow": tiny_study.PARAMS["generators"]["flow"],
    "gan": {"system": "pix2pix", "preset": "tiny", "overrides": {"patch": 16, "downs": 3}},
    "near": {"system": "imle", "preset": "tiny",
             "overrides": {"widths": [8, 8], "noise": 2, "style": 3, "encoder_width": 8,
                           "set_size": 4, "candidates": 2, "outer": 2}},
}  # fmt: skip

STAGES: dict[str, tuple[str, tuple[str, ...]]] = {
    "check": ("check.py", ("data/params.json",)),
    "prepare": ("prepare.py", (f"{DATA}/raw", f"{DATA}/prepared")),
    "train@flow": ("train.py flow", (f"{DATA}/generators/flow",)),
    "train@gan": ("train.py gan", (f"{DATA}/generators/gan",)),
    "train@near": ("train.py near", (f"{DATA}/generators/near",)),
    "predict@maps": ("predict.py maps", (f"{DATA}/predictors/maps",
                                         f"{DATA}/scores/predictors/maps.json")),
    "judge": ("judge.py", (f"{DATA}/segmenters/judge",)),
    "judges@own": ("judges.py own", (f"{DATA}/judges/own",)),
    "synthesize@most": ("synthesize.py most", (f"{DATA}/synthetic/most",)),
    "transfer@moved": ("transfer.py moved", (f"{DATA}/synthetic/moved",)),
    "diversity@flow": ("diversity.py flow", (f"{DATA}/scores/diversity/flow.json",)),
    "attributes": ("attributes.py", (f"{DATA}/scores/attributes.json",)),
    "explore@flow": ("explore.py flow", (f"{DATA}/explored/flow",)),
    "choose@best": ("choose.py best", (f"{DATA}/chosen/best.json",)),
    "select@chosen": ("select_photos.py chosen", (f"{DATA}/selected/chosen",)),
    "leaks": ("leaks.py", (f"{DATA}/scores/leaks.json",)),
    "costs": ("costs.py", (f"{DATA}/scores/costs.json",)),
    "retrain@picked": ("retrain.py picked", (f"{DATA}/segmenters/picked",)),
    "score_references": ("score_references.py", (f"{DATA}/scores/references.json",)),
    "score@most": ("score.py most", (f"{DATA}/scores/most.json",)),
    "score_arms": ("score_arms.py", (f"{DATA}/scores/arms.json",)),
    "report": ("report.py", ("reports/mini", "environment.json")),
}  # fmt: skip
"""What a stage runs and what it makes, in an order in which each finds what it reads."""

UNKNOWN_TO_DVC = {"environment.json"}
"""What stages make that is no output of the pipeline."""

RESUMED = ("train@flow", "train@gan", "train@near", "predict@maps", "judge", "judges@own",
           "retrain@picked")  # fmt: skip
"""The stages that go on where they were stopped."""


def params(**changes: object) -> dict[str, object]:
    """The study's parameters."""
    made = copy.deepcopy(tiny_study.PARAMS)
    made["generators"] = {
        name: {**section, "training": _TRAINING} for name, section in _GENERATORS.items()
    }
    made["data"]["streets"] |= {"train": 4, "val": 2}
    made["predictors"]["maps"]["training"] = {**_TRAINING, "steps": 2, "sample_every": 1}
    made["sets"] = {"most": made["sets"]["most"]}
    made["selections"] = {"chosen": made["selections"]["chosen"]}
    made["arms"] = {"picked": made["arms"]["picked"]}
    made["retrain"]["seeds"] = [0, 1]
    made["report"]["sweep"] = ["most"]
    return {**made, **changes}


def lay(root: Path, **changes: object) -> None:
    """Writes the project folder, of which no stage has run yet."""
    root.mkdir(parents=True)
    (root / "mini.json").write_text(MINI)
    (root / "params.yaml").write_text(yaml.safe_dump(params(**changes), sort_keys=False))
    write_names(root, load(root / "params.yaml"))
