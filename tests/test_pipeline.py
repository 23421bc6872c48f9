"""`dvc.yaml` and the table of stages agree, and every stage depends on all the code it runs."""

import ast
from pathlib import Path

import pytest

from augflow.stages.runner import STAGES
from augflow.study.project import Project

ROOT = Path(__file__).parents[1]
NO_RESULT = {
    "augflow/__init__.py", "augflow/stages/__init__.py", "augflow/study/__init__.py",
    "augflow/study/disk_usage.py", "augflow/study/params.py",
}  # fmt: skip
"""What no result depends on: parameters are listed one by one, the others only count bytes."""


@pytest.fixture(scope="module")
def stages():
    """Every stage of the pipeline with its outputs and dependencies, relative to the project."""
    from dvc.repo import Repo

    with Repo(str(ROOT)) as repo:
        return {
            stage.addressing: (
                {Path(out.fs_path).relative_to(ROOT).as_posix() for out in stage.outs},
                {
                    Path(dep.fs_path).relative_to(ROOT).as_posix()
                    for dep in stage.deps
                    if dep.protocol == "local" and hasattr(dep, "fs_path") and dep.def_path
                },
            )
            for stage in repo.index.stages
        }


def relative(path):
    return path.relative_to(ROOT).as_posix() if path.is_absolute() else path.as_posix()


def test_every_stage_writes_where_the_table_says(stages):
    project = Project(ROOT)
    expected = {
        f"{name}@{key}" if key else name: set(map(relative, stage.outputs(project, key)))
        for name, stage in STAGES.items()
        for key in stage.keys(project.params)
    }
    assert {name: outs for name, (outs, _) in stages.items()} == expected


def test_a_set_touches_only_what_depends_on_it(stages):
    data = Project(ROOT).data
    users = {
        name for name, (_, deps) in stages.items() if relative(data / "synthetic/c_flow") in deps
    }
    assert users == {"score@c_flow"}


def test_dependencies_exist(stages):
    for name, (_, deps) in stages.items():
        for dep in deps:
            assert dep.startswith("data/") or (ROOT / dep).exists(), f"{name}: {dep}"


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_depends_on_the_code_that_it_runs_and_on_no_other(stages, stage):
    found = [deps for name, (_, deps) in stages.items() if name.split("@")[0] == stage]
    code = imported(f"augflow/stages/{STAGES[stage].module}.py")
    assert found
    for deps in found:
        listed = {dep for dep in deps if dep.startswith(("augflow/", "streetscenes"))}
        assert not {path for path in code if not any(is_in(path, dep) for dep in listed)}
        assert not {dep for dep in listed if not any(is_in(path, dep) for path in code)}


def is_in(path, dep):
    return path == dep or path.startswith(f"{dep}/")


def imported(path):
    """The file and all of the project that it imports when it runs, wherever it does."""
    seen, left = set(), [path]
    while left:
        here = left.pop()
        if here in seen or here in NO_RESULT:
            continue
        seen.add(here)
        tree = ast.parse((ROOT / here).read_text())
        ifs = [node for node in ast.walk(tree) if isinstance(node, ast.If)]
        guarded = [node for node in ifs if "TYPE_CHECKING" in ast.dump(node.test)]
        unseen = {id(inner) for node in guarded for inner in ast.walk(node)}
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and id(node) not in unseen:
                names = [node.module or "", *(f"{node.module}.{a.name}" for a in node.names)]
                left += [found for name in names for found in sources(name)]
    return seen


def sources(module):
    """The file of a module of the project, and the packages that it lies in."""
    if module.split(".")[0] not in ("augflow", "streetscenes"):
        return []
    parts = module.split(".")
    packages = ["/".join(parts[:n]) + "/__init__.py" for n in range(1, len(parts) + 1)]
    return [name for name in (*packages, "/".join(parts) + ".py") if (ROOT / name).exists()]
