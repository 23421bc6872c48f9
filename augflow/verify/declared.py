"""Does `dvc.yaml` list what `dvc.lock` recorded, and what augflow's own pipeline lists?

DVC looks at what a stage lists: what has been taken off a list makes no stage stale.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import yaml

from augflow import __version__
from augflow.core.errors import on_one_line
from augflow.study.template import VERSION_FILE
from augflow.verify.findings import Check, Finding

if TYPE_CHECKING:
    from augflow.study.project import Project

Lists = Mapping[str, set[str]]
"""Of a stage: what stands in `deps`, `params` and `outs`; as it is written, its `cmd` too."""

_OURS = f"augflow {__version__}"
_KINDS = ("deps", "params", "outs")
_PARAMS = "params.yaml"


def check_declared(check: Check, project: Project, recorded: Mapping[str, Any]) -> None:
    """Adds what stages no longer list.

    Args:
        check: where findings go.
        project: whose `dvc.yaml` is read.
        recorded: the stages of `dvc.lock`.
    """
    stages = _resolved(project, check)
    for name in sorted(stages.keys() & recorded.keys()):
        ran = _of_lock(recorded[name])
        for kind in _KINDS:
            _compare(check, f"{name}: {kind}", ran[kind], stages[name][kind], "a stage that ran so")
    _compare_shipped(check, project)
    gone = sorted(name for name in recorded.keys() - stages.keys()
                  if _is_here(project, recorded[name]))  # fmt: skip
    if gone:
        check.note(f"dvc.lock has stages that dvc.yaml has not: {', '.join(gone)}")


def _compare_shipped(check: Check, project: Project) -> None:
    """What augflow's own pipeline lists; that of another version may list more."""
    own, shipped = _written(project)
    found = Check("shipped")
    for name in sorted(own.keys() & shipped.keys()):
        for kind in (*_KINDS, "cmd"):
            _compare(found, f"{name}: {kind}", shipped[name][kind], own[name][kind],
                     "augflow's own pipeline")  # fmt: skip
    check.compared += found.compared
    made_by = _version(project)
    if found.violations and made_by not in (None, _OURS):
        check.lacks(
            f"the pipeline of {made_by}, which made this project ({VERSION_FILE}); that of {_OURS} "
            "is another: install the former, or take dvc.yaml and pipelines/ from a new augflow "
            f"init, write augflow --version into {VERSION_FILE}, and run dvc repro"
        )
        return
    check.violations += found.violations


def _version(project: Project) -> str | None:
    """What a project was made by; None for augflow's own tree, whose code is looked at itself."""
    path = project.root / VERSION_FILE
    if (project.root / "augflow").is_dir() or not path.is_file():
        return None
    return on_one_line(path.read_text(encoding="utf-8", errors="replace").strip(), 40)


def _compare(check: Check, place: str, wanted: set[str], got: set[str], whose: str) -> None:
    check.compared += 1
    for entry in sorted(wanted - got):
        check.add(Finding(f"dvc.yaml: {place}", f"{entry}, as of {whose}", "none"))


def _resolved(project: Project, check: Check) -> dict[str, Lists]:
    """Every stage of the pipeline, with the parameters filled in; none may be frozen."""
    from dvc.dependency import ParamsDependency
    from dvc.repo import Repo

    found: dict[str, Lists] = {}
    with Repo(str(project.root.resolve())) as repo:
        for stage in repo.index.stages:
            # dvc status does not look at what a frozen stage reads
            check.same(f"dvc.yaml: {stage.addressing}: frozen", False, bool(stage.frozen))
            asked = [dep for dep in stage.deps if isinstance(dep, ParamsDependency)]
            found[stage.addressing] = {
                "deps": {dep.def_path for dep in stage.deps if dep not in asked},
                "params": {name for dep in asked for name in dep.params},
                "outs": {out.def_path for out in stage.outs},
            }
    return found


def _of_lock(stage: Mapping[str, Any]) -> Lists:
    return {
        "deps": {dep["path"] for dep in stage.get("deps", [])},
        "params": set(stage.get("params", {}).get(_PARAMS, {})),
        "outs": {out["path"] for out in stage.get("outs", [])},
    }


def _written(project: Project) -> tuple[dict[str, Lists], dict[str, Lists]]:
    """The stages of the project and of augflow's own pipeline, before parameters are filled in."""
    from augflow.study.template import pipeline, source

    text = (source().root / "dvc.yaml").read_text(encoding="utf-8")
    if not (project.root / "augflow").is_dir():
        text = pipeline(text, project.params.data.reader == "streets")
    own = (project.root / "dvc.yaml").read_text(encoding="utf-8")
    return _lists(own), _lists(text)


def _lists(text: str) -> dict[str, Lists]:
    """The lists of each stage, entries with options by their names."""
    stages = yaml.safe_load(text)["stages"]
    return {
        name: {
            **{kind: set(_names(stage.get("do", stage).get(kind, []))) for kind in _KINDS},
            "cmd": {str(stage.get("do", stage)["cmd"])},
        }
        for name, stage in stages.items()
    }


def _names(entries: list[Any]) -> Iterator[str]:
    for entry in entries:
        yield from entry if isinstance(entry, dict) else [str(entry)]


def _is_here(project: Project, stage: Mapping[str, Any]) -> bool:
    """Whether a stage made something of this study."""
    study = project.params.study
    return any(out["path"].split("/")[:2] in (["data", study], ["reports", study])
               for out in stage.get("outs", []))  # fmt: skip
