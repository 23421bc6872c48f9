"""`dvc.yaml` and the table of stages agree, and every stage depends on all the code it runs."""

import ast
import shutil
from pathlib import Path

import pytest
import yaml
from dvc.dependency import ParamsDependency

from augflow.stages.check import check
from augflow.stages.runner import STAGES
from augflow.study.names import write_names
from augflow.study.params import Params
from augflow.study.project import Project
from augflow.study.template import create

ROOT = Path(__file__).parents[1]
NO_RESULT = {
    "augflow/__init__.py", "augflow/stages/__init__.py", "augflow/study/__init__.py",
    "augflow/study/disk_usage.py", "augflow/study/params.py",
}  # fmt: skip
"""What no result depends on: parameters are listed one by one, the others only count bytes."""


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """The pipeline of this source tree with the parameters of a study that has every stage."""
    root = tmp_path_factory.mktemp("pipeline")
    shutil.copytree(ROOT / ".dvc", root / ".dvc", ignore=shutil.ignore_patterns("cache", "tmp"))
    shutil.copyfile(ROOT / "dvc.yaml", root / "dvc.yaml")
    shutil.copyfile(ROOT / "pipelines/presets/smoke.yaml", root / "params.yaml")
    (root / "pipelines").mkdir()
    write_names(root, Project(root).params)
    return root


@pytest.fixture(scope="module")
def stages(home):
    """Every stage of the pipeline with its outputs and dependencies, relative to the project."""
    from dvc.repo import Repo

    with Repo(str(home), uninitialized=True) as repo:
        return {
            stage.addressing.rpartition(":")[2]: (
                {Path(out.fs_path).relative_to(home).as_posix() for out in stage.outs},
                {
                    Path(dep.fs_path).relative_to(home).as_posix()
                    for dep in stage.deps
                    if dep.protocol == "local" and hasattr(dep, "fs_path") and dep.def_path
                },
            )
            for stage in repo.index.stages
        }


def test_every_stage_writes_where_the_table_says(stages, home):
    project = Project(home)
    expected = {
        f"{name}@{key}" if key else name: {
            (home / path).relative_to(home).as_posix() for path in stage.outputs(project, key)
        }
        for name, stage in STAGES.items()
        for key in stage.keys(project.params)
    }
    assert {name: outs for name, (outs, _) in stages.items()} == expected


def test_a_set_touches_only_what_depends_on_it(stages):
    users = {name for name, (_, deps) in stages.items() if "data/smoke/synthetic/c_glow" in deps}
    assert users == {"score@c_glow"}


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


OPTIONAL = [name for name, field in Params.model_fields.items() if not field.is_required()]
"""The sections that a `params.yaml` may leave out."""


@pytest.mark.parametrize("left_out", [*([name] for name in OPTIONAL), OPTIONAL], ids=str)
def test_dvc_finds_all_that_stages_read_where_sections_are_left_out(left_out, tmp_path):
    from dvc.repo import Repo

    create("smoke", None, tmp_path)
    content = yaml.safe_load((tmp_path / "params.yaml").read_text())
    users = {"judges": {"selections", "arms"}, "choices": {"selections", "arms"}}
    users["selections"] = {"arms"}
    for section in set(left_out).union(*(users.get(name, ()) for name in left_out)):
        content.pop(section, None)
    content["data"]["root"] = f"data/{content.get('study', 'study')}/raw"
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(content))
    check(tmp_path, tmp_path / "data/params.json", by_dvc=False)
    with Repo(str(tmp_path)) as repo:
        stages = list(repo.index.stages)
        outs = [Path(out.fs_path) for stage in stages for out in stage.outs]
        for dep in (dep for stage in stages for dep in stage.deps):
            path = Path(dep.fs_path)
            made = any(path.is_relative_to(out) or out.is_relative_to(path) for out in outs)
            assert made or path.exists(), path
            if isinstance(dep, ParamsDependency):
                assert dep.get_hash().value
