"""What a report is computed from, kept in its folder so that anyone can compute it again."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from augflow.core import io
from augflow.core.errors import AugflowError, DataError
from augflow.data.classes import ClassTable
from augflow.data.scenes import SPLITS, saved_table
from augflow.metrics.confusion import Scores, scores
from augflow.study.params import Params
from augflow.study.params import load as load_params
from augflow.study.results import (
    ArmScores,
    AttributeScores,
    Choice,
    Costs,
    DiversityMeasures,
    DiversityScores,
    GeneratorFacts,
    History,
    Item,
    Leaks,
    PredictorScores,
    References,
    Result,
    SelectionSummary,
    SetScores,
)

SCORES = ".json.gz"
"""The end of the names of scores in a report: those of the study, compressed."""


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
    generators: Mapping[str, GeneratorFacts]
    segmenters: Mapping[str, History]
    attributes: AttributeScores | None = None
    selections: Mapping[str, SelectionSummary] = field(default_factory=dict)
    choices: Mapping[str, Choice] = field(default_factory=dict)
    leaks: Leaks | None = None
    costs: Costs | None = None

    @cached_property
    def rounds(self) -> dict[str, dict[float | None, list[Scores]]]:
        """Set -> temperature -> scores of each round."""
        return {
            name: {
                degree: [pool_scores(items) for items in found.values()]
                for degree, found in seen.groups.items()
            }
            for name, seen in self.sets.items()
        }


def pool_scores(items: Sequence[Item]) -> Scores:
    """Scores of some images, their matrices summed first."""
    return scores(np.sum([np.array(item.confusion, np.int64) for item in items], axis=0))


def segmenter_folders(params: Params) -> dict[str, str]:
    """Name -> folder of each segmenter of a study: the judge, then `ARM-SEED`."""
    seeds = params.retrain.seeds
    retrained = {f"{arm}-{seed}": f"{arm}/{seed}" for arm in params.arms for seed in seeds}
    return {"judge": "judge", **retrained}


def diverse_generators(params: Params) -> Sequence[str]:
    """The generators whose diversity a study measures."""
    return params.diversity.generators if params.diversity else ()


def load(folder: Path) -> Evidence:
    """Reads a report's evidence: what `gather` put into the folder.

    Raises:
        DataError: files are missing, damaged, or do not belong together; every fault is listed.
    """
    held, scored = folder / "evidence", folder / "scores"
    params = load_params(held / "params.yaml")
    table = saved_table(held / "dataset.json")
    sets, references, arms = _load_scores(scored, params, table)
    pixels = [row for row in io.read_csv(held / "pixels.csv") if row["split"] in SPLITS]
    _check_scenes(arms, pixels, scored / f"arms{SCORES}")
    return Evidence(
        params=params,
        classes=table,
        facts=io.read_json(held / "dataset.json"),
        pixels=pixels,
        sets=sets,
        references=references,
        arms=arms,
        diversity=load_diversity(scored / "diversity", params, table),
        predictors=load_predictors(scored / "predictors", params, table),
        generators=_load_generators(held / "generators", params),
        segmenters=_histories(segmenter_folders(params), held / "segmenters"),
        attributes=load_attributes(scored / f"attributes{SCORES}", params),
        selections=load_selections(held / "selections", params),
        choices=load_choices(held / "choices", params),
        leaks=load_leaks(scored / f"leaks{SCORES}"),
        costs=load_costs(scored / f"costs{SCORES}", params),
    )


R = TypeVar("R", bound=Result)


def _there(
    kind: type[R], folder: Path, names: Iterable[str], end: str = ".json"
) -> Iterator[tuple[str, Path, R]]:
    """Name, path and content of the files of a folder that are there, in the order of names."""
    for name in names:
        path = folder / f"{name}{end}"
        if path.exists():
            yield name, path, kind.read(path)


def _load_scores(
    folder: Path, params: Params, table: ClassTable
) -> tuple[dict[str, SetScores], References, ArmScores | None]:
    faults: list[str] = []
    names = [*params.sets, *params.transfers]
    found = {name: _read_or_note(SetScores, folder, name, faults) for name in names}
    sets = {name: seen for name, seen in found.items() if seen is not None}
    references = _read_or_note(References, folder, "references", faults)
    arms = _read_or_note(ArmScores, folder, "arms", faults)
    for name in (*params.report.sweep, "references"):
        if not (folder / f"{name}{SCORES}").exists():
            faults.append(f"{folder}/{name}{SCORES}: no such file; run the score stage for {name}")
    for name, classes, groups in _groups(sets, references, arms):
        faults += [
            f"{folder}/{name}{SCORES}: {fault}" for fault in _class_faults(table, classes, groups)
        ]
    if references is not None:
        faults += [
            f"{folder}/{name}{SCORES}: {fault}; score it again"
            for name, seen in sets.items()
            for fault in _set_faults(name, seen, references.judge, params)
        ]
    if faults or references is None:
        raise DataError("; ".join(dict.fromkeys(faults)))
    return sets, references, arms if arms and arms.runs else None


def _read_or_note(kind: type[R], folder: Path, name: str, faults: list[str]) -> R | None:
    """The content of a file, None where there is no such file; faults go on the list."""
    path = folder / f"{name}{SCORES}"
    try:
        return kind.read(path) if path.exists() else None
    except AugflowError as fault:
        faults.append(str(fault))
    return None


def _groups(
    sets: dict[str, SetScores], references: References | None, arms: ArmScores | None
) -> Iterator[tuple[str, list[str], list[list[Item]]]]:
    """Per file: its name, its classes, and the items whose matrices are summed together."""
    for name, seen in sets.items():
        yield name, seen.classes, [g for found in seen.groups.values() for g in found.values()]
    if references is not None:
        rows = references.rows
        yield "references", references.classes, [rows.real, rows.flat, rows.wrong]
    if arms is not None:
        yield "arms", arms.classes, [run.items for run in arms.runs.values()]


def _class_faults(table: ClassTable, classes: list[str], groups: Sequence[list[Item]]) -> list[str]:
    """What tells that matrices are not of the prepared classes, or empty."""
    if tuple(classes) != table.names:
        return [
            f"classes {', '.join(classes)} are not those of the prepared data "
            f"({', '.join(table.names)}); score it again"
        ]
    k = table.count
    faults = [
        f"confusion of {item.name}: expected {k} rows of {k} counts; score it again"
        for items in groups
        for item in items
        if len(item.confusion) != k or any(len(row) != k for row in item.confusion)
    ]
    for items in groups:
        if not any(any(row) for item in items for row in item.confusion):
            names = f"{items[0].name} .. {items[-1].name}"
            faults.append(f"not one pixel of {names} was scored; check the class maps")
    return faults[:3]


def _set_faults(name: str, seen: SetScores, judge: str, params: Params) -> list[str]:
    """What tells that a set was scored for another study: judge or temperatures."""
    faults = []
    if seen.judge != judge:
        faults.append(f"judge {seen.judge} is not the references' judge {judge}")
    if name not in params.sets:
        return faults
    wanted = params.sets[name].temperatures
    if tuple(seen.temperatures) != wanted:
        faults.append(
            f"temperatures {_format_temperatures(seen.temperatures)} are not those of params "
            f"({_format_temperatures(wanted)})"
        )
    absent = [degree for degree in wanted if degree not in seen.groups]
    if absent:
        faults.append(f"no image of temperature {_format_temperatures(absent)}")
    strange = [degree for degree in seen.groups if degree not in wanted]
    if strange:
        faults.append(f"images of temperature {_format_temperatures(strange)}, not in params")
    return faults


def _format_temperatures(degrees: Sequence[float | None]) -> str:
    return ", ".join("unknown" if degree is None else f"{degree:g}" for degree in degrees)


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


def load_diversity(folder: Path, params: Params, table: ClassTable) -> dict[str, DiversityScores]:
    """The diversity of generators, as `params` lists them and as far as files are there.

    Raises:
        DataError: a file is damaged, of other classes or temperatures, or of another generator.
    """
    found = {}
    for name, path, one in _there(DiversityScores, folder, diverse_generators(params), SCORES):
        wanted = params.diversity.temperatures if params.diversity else ()
        lengths = {
            len(getattr(level.mean, measure).per_class)
            for level in one.temperatures
            for measure in DiversityMeasures.model_fields
        }
        found[name] = one.require(
            path,
            generator=(name, one.generator),
            classes=(list(table.names), one.classes),
            temperatures=(list(wanted), [level.temperature for level in one.temperatures]),
            values_per_class=({table.count}, lengths),
        )
    return found


def load_predictors(folder: Path, params: Params, table: ClassTable) -> dict[str, PredictorScores]:
    """The scores of predictors, as `params` lists them and as far as files are there.

    Raises:
        DataError: a file is damaged, of other classes, or of another predictor.
    """
    found = {}
    for name, path, one in _there(PredictorScores, folder, params.predictors, SCORES):
        matrices = [item.confusion for part in one.samples for item in part.items]
        found[name] = one.require(
            path,
            predictor=(name, one.predictor),
            classes=(list(table.names), one.classes),
            rows_of_a_matrix=({table.count}, {len(matrix) for matrix in matrices}),
            counts_of_a_row=({table.count}, {len(row) for matrix in matrices for row in matrix}),
        )
    return found


def load_attributes(path: Path, params: Params) -> AttributeScores | None:
    """The attributes of generators, in the order of `params`; None without a section or file.

    Raises:
        DataError: the file is damaged, or not of the generators that `params` lists.
    """
    if params.attributes is None or not path.exists():
        return None
    found = AttributeScores.read(path)
    made = found.generators
    lengths = {len(one.accuracy_each) for one in (found.real, *made.values())}
    found.require(
        path,
        generators=(sorted(params.attributes.generators), sorted(made)),
        attributes=({len(found.names)}, lengths),
        changes=(
            {params.attributes.changes} if made else set(),
            {len(one.changes) for one in made.values()},
        ),
    )
    listed = {name: made[name] for name in params.attributes.generators}
    return found.model_copy(update={"generators": listed})


def load_selections(folder: Path, params: Params) -> dict[str, SelectionSummary]:
    """The selections, as `params` lists them and as far as files are there.

    Raises:
        DataError: a file is damaged, or is about another selection.
    """
    return {
        name: one.require(
            path,
            selection=(name, one.selection),
            kept_and_dropped=(one.candidates, one.kept + sum(one.dropped.values())),
        )
        for name, path, one in _there(SelectionSummary, folder, params.selections)
    }


def load_choices(folder: Path, params: Params) -> dict[str, Choice]:
    """The choices, as `params` lists them and as far as files are there.

    Raises:
        DataError: a file is damaged, or is about another choice.
    """
    return {
        name: one.require(path, choice=(name, one.choice))
        for name, path, one in _there(Choice, folder, params.choices)
    }


def load_leaks(path: Path) -> Leaks | None:
    """What stage leaks found, None where there is no file.

    Raises:
        DataError: it is damaged, or it lists leaks: no score of such a study counts.
    """
    if not path.exists():
        return None
    found = Leaks.read(path)
    if found.leaks:
        raise DataError(
            f"{path}: lists {len(found.leaks)} leaks between validation scenes and what is trained "
            "on, so no report can be made; `augflow check-leaks` shows them"
        )
    for name, row in {"val": found.val, **found.sets}.items():
        if len(row.distances) != len(found.quantiles):
            raise DataError(
                f"{path}: {name}: {len(row.distances)} distances for {len(found.quantiles)} "
                f"quantiles; {found.remedy}"
            )
    return found


def load_costs(path: Path, params: Params) -> Costs | None:
    """What arms cost, None where there is no file.

    Raises:
        DataError: it is damaged, or about other arms.
    """
    if not path.exists():
        return None
    found = Costs.read(path)
    if found.arms.keys() != params.arms.keys() or found.steps != params.retrain.segmenter.steps:
        raise DataError(
            f"{path}: counts {len(found.arms)} arms of {found.steps} steps, which are not those of "
            f"params.yaml; {found.remedy}"
        )
    return found


def _load_generators(folder: Path, params: Params) -> dict[str, GeneratorFacts]:
    return {
        name: GeneratorFacts.read(folder / f"{name}.json").model_copy(update={"history": rows})
        for name, rows in _histories(params.generators, folder).items()
    }


def _histories(names: Iterable[str], folder: Path) -> dict[str, History]:
    paths = {name: folder / f"{name}.csv" for name in names}
    return {name: io.read_csv(path) for name, path in paths.items() if path.exists()}


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


def bits_are(trained: GeneratorFacts) -> str | None:
    """Whether a likelihood is `exact` for the image and its noise, or only a `bound` of it."""
    if trained.likelihood == "none":
        return None
    return "bound" if trained.bound else "exact"


def last_step(trained: GeneratorFacts, where: str) -> int:
    """How many steps a generator trained for."""
    steps = [number(row.get("step", ""), where) or 0 for row in trained.history]
    return int(max(steps, default=0))


def final(trained: GeneratorFacts, column: str, where: str) -> float | None:
    """What was measured at the very end, or else last in the history."""
    recorded: float | None = getattr(trained, column)
    values = series(trained.history, column, where)[1]
    return recorded if recorded is not None else next(reversed(values), None)
