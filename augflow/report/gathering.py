"""Copies what the other stages left into a report folder, as far as its numbers come from it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from augflow.core import io
from augflow.core.errors import DataError
from augflow.data.classes import IGNORE
from augflow.data.scenes import saved_table
from augflow.report import selection_files
from augflow.report.evidence import FACTS, segmenter_folders
from augflow.study.params import Params


def gather(params: Params, study: Path, out: Path) -> None:
    """Copies what the other stages left, as far as a report needs it, into a report folder.

    Raises:
        DataError: files that no report can do without are missing; all of them are named.
    """
    import yaml

    missing = [path for path in _required(params, study) if not path.exists()]
    if missing:
        listed = ", ".join(str(path) for path in missing)
        raise DataError(f"{listed}: no such file; run the stages before the report (dvc repro)")
    for name in _score_names(params):
        _copy(study / "scores" / f"{name}.json", out / "scores" / f"{name}.json")
    # what verify checks changes nothing here, so that the report does not depend on it
    text = yaml.safe_dump(params.model_dump(mode="json", exclude={"verify"}), sort_keys=False)
    io.atomic_write(out / "evidence" / "params.yaml", text.encode())
    _copy(study / "prepared" / "dataset.json", out / "evidence" / "dataset.json")
    _write_pixels(study / "prepared", out / "evidence" / "pixels.csv")
    for name, section in params.generators.items():
        folder = study / "generators" / name
        if (folder / "config.json").exists() and (folder / "history.csv").exists():
            record = io.read_json(folder / "config.json")
            final = record.get("facts", {})
            kept = {
                "system": section.system, "preset": section.preset,
                "parameters": record.get("parameters"),
                **{fact: final[fact] for fact in FACTS if final.get(fact) is not None},
                **_shape(record.get("config", {})),
            }  # fmt: skip
            io.write_json(out / "evidence" / "generators" / f"{name}.json", kept)
            _copy(folder / "history.csv", out / "evidence" / "generators" / f"{name}.csv")
    selection_files.gather(params, study, out / "evidence")
    for name, place in segmenter_folders(params).items():
        history = study / "segmenters" / place / "history.csv"
        _copy(history, out / "evidence" / "segmenters" / f"{name}.csv")


def _shape(config: dict[str, Any]) -> dict[str, Any]:
    """Depth and boundary maps of a generator, as far as its configuration knows them."""
    named = {"levels": config.get("steps"), "boundary": config.get("boundary")}
    return {name: value for name, value in named.items() if value is not None}


def _required(params: Params, study: Path) -> list[Path]:
    makers = dict.fromkeys(params.sets[name].generator for name in params.report.sweep)
    prepared = study / "prepared"
    return [
        prepared / "dataset.json",
        prepared / "scenes.csv",
        study / "scores" / "references.json",
        *(study / "scores" / f"{name}.json" for name in params.report.sweep),
        *(study / "synthetic" / name / "manifest.csv" for name in params.report.sweep),
        *(study / "generators" / name / kind for name in makers
          for kind in ("config.json", "history.csv")),
    ]  # fmt: skip


def _score_names(params: Params) -> list[str]:
    listed = params.diversity.generators if params.diversity else ()
    diverse = [f"diversity/{name}" for name in listed]
    predicted = [f"predictors/{name}" for name in params.predictors]
    tested = ["attributes"] if params.attributes else []
    return [
        "references",
        "arms",
        "leaks",
        "costs",
        *params.sets,
        *params.transfers,
        *diverse,
        *predicted,
        *tested,
    ]


def _copy(source: Path, target: Path) -> None:
    if source.exists():
        io.atomic_write(target, source.read_bytes())


def _write_pixels(prepared: Path, target: Path) -> None:
    """Counts the pixels of each class in each prepared scene."""
    count = saved_table(prepared / "dataset.json").count
    ids = [*range(count), IGNORE]
    rows = []
    for row in _named(io.read_csv(prepared / "scenes.csv"), prepared / "scenes.csv"):
        path = prepared / row["split"] / "classes" / f"{row['name']}.png"
        counts = np.bincount(io.read_ids(path).ravel(), minlength=IGNORE + 1)
        head = {"split": row["split"], "scene": row["name"], "drive": row["drive"]}
        rows.append({**head, **{str(i): int(counts[i]) for i in ids}})
    columns = ["split", "scene", "drive", *map(str, ids)]
    io.write_csv(target, sorted(rows, key=lambda r: (r["split"], r["scene"])), columns)


def _named(rows: list[dict[str, str]], where: Path) -> list[dict[str, str]]:
    absent = [name for name in ("name", "split", "drive") if rows and name not in rows[0]]
    if absent:
        raise DataError(f"{where}: no column {', '.join(absent)}; run the prepare stage again")
    return rows
