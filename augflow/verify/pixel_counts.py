"""Do the confusion matrices of a report add up, and are they of all networks that it tells of?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from augflow.core import io
from augflow.verify.findings import Check


def check_matrices(check: Check, folder: Path) -> None:
    """Rows of matrices sum to the pixels of a class in the layout; all networks are there."""
    pixels = {row["scene"]: row for row in io.read_csv(folder / "evidence" / "pixels.csv")}
    for path in sorted((folder / "scores").rglob("*.json")):
        name = path.relative_to(folder).as_posix()
        for where, item in _scored(io.read_json(path)):
            counts = pixels.get(item.get("layout", item["name"]))
            if counts is None:
                continue  # a new layout, whose pixels are counted at level 0 alone
            sums = [sum(row) for row in item["confusion"]]
            expected = [int(counts[str(number)]) for number in range(len(sums))]
            check.same(f"{name}: {where}{item['name']}: pixels of each class", expected, sums)
    path = folder / "scores" / "arms.json"
    if path.exists():
        runs = io.read_json(path)["runs"]
        _networks(check, runs, folder)
        scenes = sorted(row["scene"] for row in pixels.values() if row["split"] == "val")
        for key, run in sorted(runs.items()):
            names = sorted(item["name"] for item in run["items"])
            check.same(f"scores/arms.json: {key}: scenes", scenes, names)


def _scored(content: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every scored photograph of a file, and which of its lists it is in."""
    kind, lists = content["kind"], {}
    if kind == "set":
        lists = {"": content["items"]}
    elif kind == "references":
        lists = {f"{row}: ": items for row, items in content["rows"].items()}
    elif kind == "arms":
        lists = {f"{key}: ": run["items"] for key, run in content["runs"].items()}
    elif kind == "predictor":
        lists = {f"{one['samples']} samples: ": one["items"] for one in content["samples"]}
    for where, items in lists.items():
        yield from ((where, item) for item in items)


def _networks(check: Check, runs: Mapping[str, Any], folder: Path) -> None:
    """Every arm once with every seed, and no network under two seeds."""
    params = yaml.safe_load((folder / "evidence" / "params.yaml").read_text(encoding="utf-8"))
    wanted = [f"{arm}-{seed}" for arm in params["arms"] for seed in params["retrain"]["seeds"]]
    check.same("scores/arms.json: runs", sorted(wanted), sorted(runs))
    first: dict[tuple[str, str], str] = {}
    for key, run in sorted(runs.items()):
        where = f"scores/arms.json: {key}"
        check.same(f"{where}: arm and seed", key, f"{run['arm']}-{run['seed']}")
        other = first.setdefault((run["arm"], run["segmenter"]), key)
        if params["retrain"]["segmenter"]["steps"]:
            check.same(f"{where}: network of", key, other)
