"""Are the temperatures of choices those that their networks chose?"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from augflow.core import io
from augflow.data.folds import folds
from augflow.study.environment import Machines
from augflow.study.params import ChoiceParams
from augflow.verify.findings import Check, compare_json
from augflow.verify.workspace import Workspace


def check_choices(space: Workspace) -> Check:
    """What each choice says against the parameters, the folds of the scenes, and its own rows."""
    check, project = Check("choices"), space.project
    for name, section in project.params.choices.items():
        where = project.choice(name)
        if check.has(where) and check.has(project.prepared):
            with check.reading(where):
                compare_json(check, where, _expected(space, name, section, io.read_json(where)),
                             io.read_json(where))  # fmt: skip
    return check


def check_again(space: Workspace, machines: Machines) -> Check:
    """All networks of one choice and one of its seeds are trained again."""
    from augflow.stages.choose import choose

    check, project = Check("choose, again"), space.project
    tries = [(name, number) for name, section in project.params.choices.items()
             for number in range(len(section.seeds))]  # fmt: skip
    for place in space.sample(min(1, project.params.verify.items), len(tries), "choose"):
        name, number = tries[place]
        section, where = project.params.choices[name], project.choice(name)
        source = project.synthetic(section.set)
        if not all([check.has(where), check.has(source), check.has(project.prepared)]):
            continue
        if not machines.here(where):
            check.elsewhere("choices were made on another or an unknown machine: not made again")
            continue
        one = section.model_copy(update={"seeds": (section.seeds[number],)})
        with check.reading(where), tempfile.TemporaryDirectory() as scratch:
            again = Path(scratch) / "choice.json"
            choose(
                name, one, source, project.prepared, again,
                one_in=project.params.sets[section.set].one_in, threads=project.params.threads,
            )  # fmt: skip
            expected, got = (_scores(io.read_json(path)) for path in (again, where))
            stored = {degree: values[number] for degree, values in got.items()}
            made = {degree: values[0] for degree, values in expected.items()}
            compare_json(check, f"{where}: seed {section.seeds[number]}: class_iou", made, stored)
    return check


def _expected(
    space: Workspace, name: str, section: ChoiceParams, content: dict[str, Any]
) -> dict[str, Any]:
    """What a choice with these scores has to say."""
    made = space.project.params.sets[section.set]
    names = space.split("train").names[:: made.one_in]
    drives = space.split("train").drives[:: made.one_in]
    parts = folds(drives, section.folds, f"choices.{name}")
    if any(len(row["class_iou"]) != len(section.seeds) for row in content["rows"]):
        raise ValueError(f"class_iou: expected one of each of {len(section.seeds)} seeds")
    means = {row["temperature"]: float(np.mean(row["class_iou"])) for row in content["rows"]}
    rows = [{**row, "temperature": degree}
            for degree, row in zip(made.temperatures, content["rows"], strict=True)]  # fmt: skip
    return {
        "kind": "choice", "choice": name, "set": section.set,
        "temperature": max(sorted(means), key=lambda degree: means[degree]),
        "folds": [[names[n] for n in part.held_out] for part in parts],
        "seeds": list(section.seeds), "steps": section.segmenter.steps, "rows": rows,
    }  # fmt: skip


def _scores(content: dict[str, Any]) -> dict[str, list[float]]:
    return {f"{row['temperature']:g}": row["class_iou"] for row in content["rows"]}
