"""Leaks, costs, diversity, attributes and pictures of latents once more."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from augflow.core import io
from augflow.study.environment import Machines
from augflow.verify.findings import Check, compare_json
from augflow.verify.selected import compare_trees
from augflow.verify.workspace import Workspace

_ELSEWHERE = "{} was made on another or an unknown machine: not made again"


def check_leaks(space: Workspace, machines: Machines) -> Check:
    """All pairs of scenes are looked at again; elsewhere it is the leaks alone that count."""
    from augflow.stages.leaks import find_leaks, trained_sets

    check, project = Check("leaks, again"), space.project
    where, names = project.score("leaks"), space.set_names
    needed = [project.prepared, *map(project.synthetic, names)]
    if not check.has(where) or not all([check.has(path) for path in needed]):
        return check
    with check.reading(where):
        found = find_leaks(
            project.prepared, {name: project.synthetic(name) for name in names},
            trained_sets(project.params), threads=project.params.threads,
        )  # fmt: skip
        stored = io.read_json(where)
        compare_json(check, where, _pairs(found.record), _pairs(stored))
        if machines.all_here(project):
            compare_json(check, where, found.record, stored)
        else:
            check.elsewhere(f"{where}: made on another or an unknown machine: no distances")
    return check


def check_costs(space: Workspace, machines: Machines) -> Check:
    """Operations are counted again; they are the same on every machine."""
    from augflow.stages.costs import costs

    check, project = Check("costs, again"), space.project
    where = project.score("costs")
    if check.has(where) and check.has(project.prepared):
        params = project.params
        _compare(check, where, lambda out: costs(params, project.prepared, out, params.threads))
    return check


def check_diversity(space: Workspace, machines: Machines) -> Check:
    """How much the photographs of a few generators differ."""
    from augflow.stages.diversity import diversity

    check, project = Check("diversity, again"), space.project
    section, threads = project.params.diversity, project.params.threads
    for name in _some(space, "diversity", section.generators if section else ()):
        where, maker = project.score(f"diversity/{name}"), project.generator(name)
        if section and _ready(check, space, machines, where, where, maker):
            again = partial(diversity, name, section, maker, project.prepared, threads=threads)
            _compare(check, where, again)
    return check


def check_attributes(space: Workspace, machines: Machines) -> Check:
    """The reader learns again and looks at the photographs of a few generators."""
    from augflow.stages.attributes import attributes

    check, project = Check("attributes, again"), space.project
    section, where = project.params.attributes, project.score("attributes")
    if section is None:
        return check
    names = _some(space, "attributes", section.generators)
    folders = {name: project.generator(name) for name in names}
    if _ready(check, space, machines, where, where, *folders.values()):
        _compare(
            check, where,
            lambda out: attributes(
                section, folders, project.prepared, out, threads=project.params.threads
            ),
            lambda content: {**content, "generators": {n: content["generators"][n] for n in names}},
        )  # fmt: skip
    return check


def check_explored(space: Workspace, machines: Machines) -> Check:
    """The pictures of the latents of a few generators."""
    from augflow.stages.explore import explore

    check, project = Check("explore, again"), space.project
    section = project.params.explore
    for name in _some(space, "explore", section.generators if section else ()):
        where, maker = project.explored(name), project.generator(name)
        if section and _ready(check, space, machines, where, where, maker):
            with check.reading(where), tempfile.TemporaryDirectory() as scratch:
                out = Path(scratch) / name
                explore(name, section, maker, project.prepared, out, threads=project.params.threads)
                compare_trees(check, where, out)
    return check


def _some(space: Workspace, stage: str, names: tuple[str, ...]) -> list[str]:
    return [names[place] for place in space.chosen(len(names), stage)]


def _ready(
    check: Check, space: Workspace, machines: Machines, artefact: Path, *needed: Path
) -> bool:
    """Whether all is there and was made on this machine."""
    there = all([check.has(path) for path in (*needed, space.project.prepared)])
    if there and not machines.all_here(space.project):
        check.elsewhere(_ELSEWHERE.format(artefact))
        return False
    return there


def _compare(
    check: Check, where: Path, make: Callable[[Path], None],
    part: Callable[[dict[str, Any]], dict[str, Any]] | None = None,
) -> None:  # fmt: skip
    """Lets a stage write a file again and compares its content, or a part of it."""
    with check.reading(where), tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch) / where.name
        make(out)
        expected, got = (io.read_json(path) for path in (out, where))
        if part is not None:
            expected, got = part(expected), part(got)
        compare_json(check, where, expected, got)


def _pairs(record: dict[str, Any]) -> dict[str, Any]:
    """The leaks of a record without likenesses."""
    told = [f"{one['pool']}: {one['name']}: {one['shares']} {one['val']}"
            for one in record["leaks"]]  # fmt: skip
    return {"leaks": sorted(told)}
