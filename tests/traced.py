"""A study of a generator, two sets and a transfer in seconds, and selections written by hand."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np

from augflow.core import io
from augflow.data.classes import IGNORE
from augflow.data.synthetic import MANIFEST_COLUMNS, read_facts, read_rows
from augflow.data.synthetic.manifest import facts_json, label_path
from tests import tiny_study

SECTIONS = ("study", "threads", "data", "generators", "judge", "arms", "retrain", "report",
            "transfers")  # fmt: skip
DATA = Path("data/mini")
T05, MOVED = DATA / "synthetic/t05", DATA / "synthetic/moved"


def make(root: Path) -> None:
    """Runs the stages at `root`, which is the working directory."""
    from augflow.stages.runner import run_stage
    from augflow.study.project import Project

    sets = {name: tiny_study.PARAMS["sets"][name] for name in ("t05", "more")}
    params = {name: tiny_study.PARAMS[name] for name in SECTIONS} | {"sets": sets}
    params["arms"] = {name: params["arms"][name] for name in ("real", "both")}
    tiny_study.write_params(root, params)
    project = Project()
    run_stage(project, "prepare")
    run_stage(project, "train", "flow")
    run_stage(project, "synthesize", "t05")
    run_stage(project, "synthesize", "more")
    run_stage(project, "transfer", "moved")


def select(source: Path, folder: Path, dropped: dict[str, str], **changes: object) -> None:
    """Writes a selection of a set; the upper half of the kept labels is not trusted."""
    facts, rows = read_facts(source), read_rows(source)
    kept = [row for row in rows if row.name not in dropped]
    for row in kept:
        for path in (row.photo, label_path(row.photo, "labelIds")):
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source / path, folder / path)
        path = folder / label_path(row.photo, "labelIds")
        ids = io.read_ids(path).copy()
        ids[: len(ids) // 2] = facts.table.raw_ids[IGNORE]
        io.write_png(path, ids)
    io.write_csv(folder / "manifest.csv", map(vars, kept), MANIFEST_COLUMNS)
    io.write_json(folder / "set.json", facts_json(facts) | {"set": folder.name})
    lines = [
        {"name": row.name, "layout": row.layout, "round": row.round,
         "temperature": row.temperature, "kept": str(row.name not in dropped).lower(),
         "reason": dropped.get(row.name, ""),
         "weight": None if row.name in dropped else 1.0 + 2.0 * (number % 2),
         "agreement": 0.25 * (number % 4), "trusted": 0.75 if row.name in dropped else 0.5,
         "log_p_bpd": row.log_p_bpd}
        for number, row in enumerate(rows)
    ]  # fmt: skip
    io.write_csv(folder / "selection.csv", lines, tuple(lines[0]))
    io.write_json(folder / "selection.json", {
        "selection": folder.name, "set": source.name, "judge": "feedbeef",
        "settings": {"set": source.name, "judge": "own", "agreement": 0.2, "likeliest": None},
        "thresholds": {"agreement": 0.3125}, **changes,
    })  # fmt: skip


def matrix(count: int, first: int) -> np.ndarray:
    """60 of 80 pixels of class `first` read as such, and all 40 of the next one."""
    found = np.zeros((count, count), np.int64)
    found[first, first], found[first, first + 1], found[first + 1, first + 1] = 60, 20, 40
    return found


def score(source: Path, out: Path) -> None:
    """Writes scores of a set in which every photograph has the same matrix."""
    facts = read_facts(source)
    io.write_records(out, {
        "kind": "set", "set": source.name, "temperatures": list(facts.temperatures),
        "classes": list(facts.table.names), "judge": "feedbeef",
        "items": [
            {"name": row.name, "layout": row.layout, "round": row.round,
             "temperature": row.temperature,
             "confusion": matrix(facts.table.count, 0).tolist()}
            for row in read_rows(source)
        ],
    })  # fmt: skip
