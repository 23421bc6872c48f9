"""Does a project run what `dvc.lock` recorded, and what augflow's own pipeline runs?

DVC looks at what a stage lists: what has been taken off a list makes no stage stale. Nor does
another script: scripts are compared with those of the augflow that verifies.
"""

from __future__ import annotations

import json
import os
import pkgutil
import sys
from collections.abc import Iterator, Mapping
from importlib.machinery import PathFinder
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from ruamel.yaml import YAML

from augflow.core import __version__
from augflow.core.errors import on_one_line
from augflow.study.names import NAMES_FILE, misfit
from augflow.study.project import CHECKED
from augflow.study.template import VERSION_FILE, pipeline, source
from augflow.verify.check import Check, Finding, line_finding

if TYPE_CHECKING:
    from dvc.repo import Repo

    from augflow.study.project import Project

Lists = Mapping[str, set[str]]
"""Of a stage: what stands in `deps`, `params` and `outs`."""

_OURS = f"augflow {__version__}"
_SHIPPED = "as of augflow's own pipeline"
_FREE = {"deps", "params", "metrics", "plots"}
"""Lists to which a user may add what makes more stages stale, or is shown besides."""
_TREE = {"augflow", "benchmarks", "streetscenes", "tests"}
"""The packages of augflow's own tree."""
_FIRST = {"augflow", "streetscenes", "sitecustomize", "usercustomize", "org"}
"""Modules that Python or a script looks for, whether or not they are installed as files."""


def resolve_stages(repo: Repo, check: Check) -> dict[str, Lists]:
    """Every stage of all pipelines, with the parameters filled in, and outputs as of the root."""
    from dvc.dependency import ParamsDependency

    found: dict[str, Lists] = {}
    for stage in repo.index.stages:
        asked = [dep for dep in stage.deps if isinstance(dep, ParamsDependency)]
        found[stage.addressing] = {
            "deps": {dep.def_path for dep in stage.deps if dep not in asked},
            "params": {name for dep in asked for name in dep.params},
            "outs": {
                Path(os.path.relpath(out.fs_path, repo.root_dir)).as_posix() for out in stage.outs
            },
        }
    return found


def check_declared(
    check: Check, project: Project, stages: Mapping[str, Lists], recorded: Mapping[str, Any]
) -> None:
    """Adds what the stages of a project's `dvc.yaml` no longer list that `dvc.lock` recorded."""
    ran = {name: _recorded_lists(stage) for name, stage in recorded.items()}
    _compare(check, ran, stages, "a stage that ran so")
    _compare_shipped(check, project)
    check.compared += 1
    if check.has(project.root / NAMES_FILE) and misfit(project.root, project.params):
        check.add(Finding(NAMES_FILE.as_posix(), "the names of params.yaml", "others"))
    own = {f"{kind}/{project.params.study}/" for kind in ("data", "reports")}
    gone = [
        name
        for name in sorted(ran.keys() - stages.keys())
        if any(f"{out}/".startswith(place) for out in ran[name]["outs"] for place in own)
    ]
    _check_added(check, project, stages)
    if gone:
        check.note(f"dvc.lock has stages that dvc.yaml has not: {', '.join(gone)}")


def _compare(
    check: Check, wanted: Mapping[str, Lists], got: Mapping[str, Lists], whose: str
) -> None:
    for name in sorted(wanted.keys() & got.keys()):
        for kind, entries in wanted[name].items():
            check.compared += 1
            for entry in sorted(entries - got[name][kind]):
                check.add(Finding(f"dvc.yaml: {name}: {kind}", f"{entry}, as of {whose}", "none"))


def _check_added(check: Check, project: Project, stages: Mapping[str, Lists]) -> None:
    """Stages that a user has added write nothing that the study's own write, or read."""
    text = (source().root / "dvc.yaml").read_text(encoding="utf-8")
    ours = YAML(typ="safe").load(text)["stages"].keys()
    added = {name for name in stages if name.partition("@")[0] not in ours}
    places = {f"{kind}/{project.params.study}" for kind in ("data", "reports")}
    places = places.union(*(lists["deps"] for name, lists in stages.items() if name not in added))
    photographs = {project.params.data.root}
    kept = [PurePosixPath(place) for place in places - photographs]
    for name in sorted(added):
        for out in map(PurePosixPath, sorted(stages[name]["outs"] - photographs)):
            if any(out.is_relative_to(place) or place.is_relative_to(out) for place in kept):
                expected = "outputs that no stage of augflow's makes or reads"
                check.add(Finding(f"dvc.yaml: {name}: outs", expected, out.as_posix()))


def check_shipped(project: Project) -> Check:
    """A project's pipeline and scripts against augflow's own, where there need be no `dvc.lock`."""
    check = Check("pipeline (scripts)")
    if check.has(project.root / "dvc.yaml"):
        with check.reading("dvc.yaml"):
            _compare_shipped(check, project)
    return check


def _compare_shipped(check: Check, project: Project) -> None:
    """Scripts, and stages before parameters are filled in, against augflow's own.

    Those of another version may be others.
    """
    found = Check("shipped")
    _compare_pipelines(found, project)
    _compare_scripts(found, project.root)
    check.compared += found.compared
    made_by = _version(project)
    if found.violations and made_by not in (None, _OURS):
        check.lacks(
            f"the pipeline of {made_by}, which made this project ({VERSION_FILE}); that of {_OURS} "
            "is another: install the former, or take dvc.yaml and pipelines/ from a new augflow "
            f"init, write augflow --version into {VERSION_FILE}, and run dvc repro"
        )
    else:
        check.violations += found.violations
    for path in _shadows(project.root):
        check.add(Finding(path, "no module that scripts may import for another", "one"))


def _compare_pipelines(check: Check, project: Project) -> None:
    """All keys of every stage of ours; of the rest of `dvc.yaml`, what fills in and what shows."""
    text = (source().root / "dvc.yaml").read_text(encoding="utf-8")
    if not (project.root / "augflow").is_dir():
        text = pipeline(text, project.params.data.reader == "streets")
    own = (project.root / "dvc.yaml").read_text(encoding="utf-8")
    ours, theirs = (YAML(typ="safe").load(one) for one in (text, own))
    for key in ("vars", "metrics", "plots"):
        _compare_values(check, f"dvc.yaml: {key}", key, ours.get(key), theirs.get(key))
    for name, stage in ours["stages"].items():
        where, got = f"dvc.yaml: {name}", theirs["stages"].get(name)
        if check.add(None if got else Finding(where, f"a stage, {_SHIPPED}", "none")):
            wanted, given = ({**one, **one.get("do", {}), "do": None} for one in (stage, got))
            for key in sorted(wanted.keys() | given.keys()):
                _compare_values(check, f"{where}: {key}", key, wanted.get(key), given.get(key))


def _compare_values(check: Check, where: str, key: str, wanted: Any, got: Any) -> None:
    """One value of a `dvc.yaml`; of a list every entry, in whatever order."""
    ours, theirs = _entries(wanted), _entries(got)
    check.compared += 1
    for entry in sorted(ours - theirs):
        other = "none" if isinstance(wanted, list) else ", ".join(sorted(theirs)) or "none"
        check.add(Finding(where, f"{entry}, {_SHIPPED}", other))
    if isinstance(wanted, list) or not ours:
        for entry in sorted(theirs - ours) if key not in _FREE else ():
            check.add(Finding(where, f"none, {_SHIPPED}", entry))


def _entries(value: Any) -> set[str]:
    listed = value if isinstance(value, list) else [] if value is None else [value]
    found: set[str] = set()
    for one in listed:
        names = one.get(CHECKED.as_posix()) if isinstance(one, dict) else None
        text = one if isinstance(one, str) else json.dumps(one, sort_keys=True)
        found |= set(map(str, names)) if isinstance(names, list) else {text}
    return found


def _compare_scripts(check: Check, root: Path) -> None:
    """Text by text. Beside a file that a link leads to Python looks for modules too."""
    if (root / "pipelines").is_symlink():
        check.add(Finding("pipelines", "a folder", "a link to one"))
    for script in sorted((source().root / "pipelines").glob("*.py")):
        where, path = f"pipelines/{script.name}", root / "pipelines" / script.name
        got = "a link" if path.is_symlink() else None if path.is_file() else "no file"
        if check.add(Finding(where, "augflow's script", got) if got else None):
            texts = (one.read_text(encoding="utf-8", errors="replace") for one in (script, path))
            check.add(line_finding(where, *texts))


def _shadows(root: Path) -> Iterator[str]:
    """What Python may take for a module that a script imports; below `root`.

    A script finds modules beside it before all others, those too that a library imports only where
    there are any: beside ours there may be none. From the project's own folder modules are imported
    by `python -m` alone: those in it may have no name that others have.
    """
    scripts = {path.name for path in (source().root / "pipelines").glob("*.py")}
    for path in sorted((root / "pipelines").rglob("*")):
        name = path.relative_to(root / "pipelines")
        code = path.suffix in (".py", ".pyc", ".so") and "__pycache__" not in name.parts
        folder_elsewhere = path.is_symlink() and path.is_dir()
        if folder_elsewhere or (code and name.as_posix() not in scripts):
            yield f"pipelines/{name.as_posix()}"
    allowed = _TREE if (root / "augflow").is_dir() else {"tests"}
    for module in pkgutil.iter_modules([str(root.resolve())]):
        if module.name not in allowed and _is_elsewhere(module.name, root):
            yield f"{module.name}/" if module.ispkg else f"{module.name}.py"


def _is_elsewhere(module: str, root: Path) -> bool:
    places = [place for place in sys.path if Path(place).resolve() != root.resolve()]
    known = module in _FIRST or module in sys.stdlib_module_names
    return known or PathFinder.find_spec(module, places) is not None


def _version(project: Project) -> str | None:
    """What a project was made by; None for augflow's own tree, whose code is looked at itself."""
    path = project.root / VERSION_FILE
    if (project.root / "augflow").is_dir() or not path.is_file():
        return None
    return on_one_line(path.read_text(encoding="utf-8", errors="replace").strip(), 40)


def _recorded_lists(stage: Mapping[str, Any]) -> Lists:
    """The lists of a stage of `dvc.lock`."""
    return {
        "deps": {dep["path"] for dep in stage.get("deps", [])},
        "params": set(stage.get("params", {}).get(CHECKED.as_posix(), {})),
        "outs": {out["path"] for out in stage.get("outs", [])},
    }
