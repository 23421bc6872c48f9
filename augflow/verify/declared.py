"""Does `dvc.yaml` list what `dvc.lock` recorded, and what augflow's own pipeline lists?

DVC looks at what a stage lists: what has been taken off a list makes no stage stale.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ruamel.yaml import YAML

from augflow.core import __version__
from augflow.core.errors import on_one_line
from augflow.study.template import VERSION_FILE, pipeline, source
from augflow.verify.check import Check, Finding

if TYPE_CHECKING:
    from dvc.repo import Repo

    from augflow.study.project import Project

Lists = Mapping[str, set[str]]
"""Of a stage: what stands in `deps`, `params` and `outs`; as it is written, its `cmd` too."""

_OURS = f"augflow {__version__}"
_KINDS = ("deps", "params", "outs")


def resolve_stages(repo: Repo, check: Check) -> dict[str, Lists]:
    """Every stage of a pipeline, with the parameters filled in; none may be frozen."""
    from dvc.dependency import ParamsDependency

    found: dict[str, Lists] = {}
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


def check_declared(
    check: Check, project: Project, stages: Mapping[str, Lists], recorded: Mapping[str, Any]
) -> None:
    """Adds what the stages of a project's `dvc.yaml` no longer list that `dvc.lock` recorded."""
    ran = {name: _recorded_lists(stage) for name, stage in recorded.items()}
    _compare(check, ran, stages, "a stage that ran so")
    _compare_shipped(check, project)
    own = {f"{kind}/{project.params.study}/" for kind in ("data", "reports")}
    gone = [
        name
        for name in sorted(ran.keys() - stages.keys())
        if any(f"{out}/".startswith(place) for out in ran[name]["outs"] for place in own)
    ]
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


def _compare_shipped(check: Check, project: Project) -> None:
    """What augflow's own pipeline lists, before parameters are filled in.

    That of another version may list more.
    """
    text = (source().root / "dvc.yaml").read_text(encoding="utf-8")
    if not (project.root / "augflow").is_dir():
        text = pipeline(text, project.params.data.reader == "streets")
    own = (project.root / "dvc.yaml").read_text(encoding="utf-8")
    found = Check("shipped")
    _compare(found, _written_lists(text), _written_lists(own), "augflow's own pipeline")
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


def _recorded_lists(stage: Mapping[str, Any]) -> Lists:
    """The lists of a stage of `dvc.lock`."""
    return {
        "deps": {dep["path"] for dep in stage.get("deps", [])},
        "params": set(stage.get("params", {}).get("params.yaml", {})),
        "outs": {out["path"] for out in stage.get("outs", [])},
    }


def _written_lists(text: str) -> dict[str, Lists]:
    """The lists of each stage of a `dvc.yaml`, entries with options by their names."""
    found: dict[str, Lists] = {}
    for name, stage in YAML(typ="safe").load(text)["stages"].items():
        stage = stage.get("do", stage)
        listed = {
            kind: {
                str(name)
                for entry in stage.get(kind, [])
                for name in (entry if isinstance(entry, dict) else [entry])
            }
            for kind in _KINDS
        }
        found[name] = {**listed, "cmd": {str(stage["cmd"])}}
    return found
