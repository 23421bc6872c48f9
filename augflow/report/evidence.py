"""What a report is computed from, kept in its folder so that anyone can compute it again."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from augflow.core import io
from augflow.core.errors import DataError
from augflow.data.classes import ClassTable
from augflow.data.scenes import SPLITS, saved_table
from augflow.report import (
    attribute_file,
    cost_file,
    diversity_files,
    leak_file,
    predictor_files,
    score_files,
    selection_files,
)
from augflow.report.attribute_file import AttributeScores
from augflow.report.cost_file import Costs
from augflow.report.diversity_files import DiversityScores
from augflow.report.leak_file import Leaks
from augflow.report.predictor_files import PredictorScores
from augflow.report.score_files import ArmScores, References, SetScores
from augflow.report.selection_files import Chosen, Selected
from augflow.study.params import Params
from augflow.study.params import load as load_params

History = list[dict[str, str]]


@dataclass(frozen=True)
class Trained:
    """A trained generator: its facts at the end, and the rows of its history, cells as text.

    Facts are None where training recorded none. `levels` are the steps of each level of a flow,
    `boundary` the version of boundary maps that it sees. `likelihood` says what its bits are of: of
    the photograph given its layout (`conditional`), alone (`unconditional`), or of nothing
    (`none`); with `bound` they are an upper bound of it.
    """

    system: str
    preset: str
    parameters: int | None
    history: History
    val_bpd: float | None = None
    val_scenes: int | None = None
    round_trip: float | None = None
    val_distance: float | None = None
    levels: list[int] | None = None
    boundary: str | None = None
    likelihood: Literal["conditional", "unconditional", "none"] = "conditional"
    bound: bool = False

    def has(self, column: str) -> bool:
        """Whether the history holds anything in a column."""
        return any(row.get(column) for row in self.history)


FACTS = ("val_bpd", "val_scenes", "round_trip", "val_distance", "likelihood", "bound")
"""The facts of a generator's `config.json` that a report keeps, as far as they are there."""


@dataclass(frozen=True, eq=False)
class Evidence:
    """Everything that the numbers of a report come from.

    `pixels` has a row per prepared scene: split, scene, drive, and the pixels of each train id.
    One is equal to itself alone, so that what was computed from it can be kept.
    """

    params: Params
    classes: ClassTable
    facts: Mapping[str, Any]
    pixels: list[dict[str, str]]
    sets: Mapping[str, SetScores]
    references: References
    arms: ArmScores | None
    diversity: Mapping[str, DiversityScores]
    predictors: Mapping[str, PredictorScores]
    generators: Mapping[str, Trained]
    segmenters: Mapping[str, History]
    attributes: AttributeScores | None = None
    selections: Mapping[str, Selected] = field(default_factory=dict)
    choices: Mapping[str, Chosen] = field(default_factory=dict)
    leaks: Leaks | None = None
    costs: Costs | None = None


def load(folder: Path) -> Evidence:
    """Reads a report's evidence: what `gathering.gather` put into the folder.

    Raises:
        DataError: files are missing, damaged, or do not belong together; every fault is listed.
    """
    held = folder / "evidence"
    params = load_params(held / "params.yaml")
    facts = io.read_json(held / "dataset.json")
    table = saved_table(held / "dataset.json")
    scored = score_files.load(folder / "scores", params, table)
    pixels = [row for row in io.read_csv(held / "pixels.csv") if row["split"] in SPLITS]
    _check_scenes(scored.arms, pixels, folder / "scores/arms.json")
    return Evidence(
        params=params,
        classes=table,
        facts=facts,
        pixels=pixels,
        sets=scored.sets,
        references=scored.references,
        arms=scored.arms,
        diversity=diversity_files.load(folder / "scores/diversity", params, table),
        predictors=predictor_files.load(folder / "scores/predictors", params, table),
        generators=_generators(params, held / "generators"),
        segmenters=_histories(list(segmenter_folders(params)), held / "segmenters"),
        attributes=attribute_file.load(folder / "scores/attributes.json", params),
        selections=selection_files.selections(held, params),
        choices=selection_files.choices(held, params),
        leaks=leak_file.load(folder / "scores" / leak_file.FILE),
        costs=cost_file.load(folder / "scores" / cost_file.FILE, params),
    )


def segmenter_folders(params: Params) -> dict[str, str]:
    """Name -> folder of each segmenter of a study: the judge, then `ARM-SEED`."""
    retrained = {f"{arm}-{seed}": f"{arm}/{seed}"
                 for arm in params.arms for seed in params.retrain.seeds}  # fmt: skip
    return {"judge": "judge", **retrained}


def number(cell: str, where: str) -> float | None:
    """The number in a table's cell, None where the cell is empty or not finite.

    Raises:
        DataError: neither empty nor a number.
    """
    try:
        value = float(cell) if cell else math.nan
    except ValueError as fault:
        raise DataError(f"{where}: expected a number, got {cell!r}; restore the file") from fault
    return value if math.isfinite(value) else None


def series(history: History, column: str, where: str) -> tuple[list[float], list[float]]:
    """The steps at which a history holds a number in a column, and these numbers.

    Raises:
        DataError: a cell is neither empty nor a number.
    """
    points = [
        (number(row.get("step", ""), where), number(row.get(column, ""), where)) for row in history
    ]
    kept = [(step, value) for step, value in points if step is not None and value is not None]
    return [step for step, _ in kept], [value for _, value in kept]


def _generators(params: Params, folder: Path) -> dict[str, Trained]:
    trained = {}
    for name, rows in _histories(list(params.generators), folder).items():
        trained[name] = Trained(**io.read_json(folder / f"{name}.json"), history=rows)
    return trained


def _histories(names: Sequence[str], folder: Path) -> dict[str, History]:
    paths = {name: folder / f"{name}.csv" for name in names}
    return {name: io.read_csv(path) for name, path in paths.items() if path.exists()}


def _check_scenes(arms: ArmScores | None, pixels: Sequence[dict[str, str]], where: Path) -> None:
    """Lets retrained networks pass that all saw the same prepared validation scenes."""
    known = {row["scene"] for row in pixels if row["split"] == "val"}
    runs = arms.runs if arms else {}
    first: list[str] = []
    faults = []
    for name, run in sorted(runs.items()):
        seen = sorted(item.name for item in run.items)
        first = first or seen
        if strange := [scene for scene in seen if scene not in known]:
            faults.append(f"{name} was scored on {strange[0]}, no validation scene of the study")
        elif seen != first:
            faults.append(f"{name} was scored on other scenes than {min(runs)}")
    if faults:
        raise DataError(f"{where}: {'; '.join(faults)}; score the arms again")
