"""What changes nothing that a study says, so that it has to pass."""

from __future__ import annotations

import gzip
import os
import shutil
from pathlib import Path

import yaml
from PIL import Image

from augflow.core import io
from augflow.study.project import Project
from tests import tiny_study
from tests.verify.forging import edit_json
from tests.verify.level_0_lies import REPORT, SCENE, photo


def stages_and_files_of_ones_own(project: Project) -> None:
    """A stage that reads results, a dependency more, a configuration, notes among the scripts."""
    for name in ("own.json", "own.py", "pipelines/notes.txt", "mine/count.py", "counts.txt"):
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_text("")
    Path("pipelines/params.yaml").symlink_to("../params.yaml")
    content = yaml.safe_load(Path("dvc.yaml").read_text())
    content["stages"]["leaks"]["deps"].append("own.json")
    content["stages"]["count"] = {
        "cmd": "python mine/count.py",
        "deps": ["reports/mini"],
        "outs": ["counts.txt"],
    }
    content["metrics"].append("counts.txt")
    Path("dvc.yaml").write_text(yaml.safe_dump(content))
    tiny_study.dvc(Path(), "commit", "--force", "--quiet", "count", "leaks")


def pixels_encoded_anew(project: Project) -> None:
    ways = {
        project.synthetic("t05") / photo(f"{SCENE}_r1"): {"compress_level": 1},
        REPORT / "figures/classes.png": {"compress_level": 1},
        REPORT / "pictures/opening/0_real.webp": {"lossless": True, "quality": 0, "method": 0},
    }
    for path, way in ways.items():
        before = path.read_bytes()
        Image.fromarray(io.read_picture(path)).save(path, **way)
        assert path.read_bytes() != before
    scores = REPORT / "scores/t05.json.gz"
    scores.write_bytes(gzip.compress(io.read_gzip(scores), 1))


def touched_files(project: Project) -> None:
    for path in (project.score("t05"), REPORT / "tables/runs.csv", Path("params.yaml")):
        content = path.read_bytes()
        path.unlink()
        path.write_bytes(content)
        os.utime(path, (1_000_000_000, 1_000_000_000))


def files_beside_it(project: Project) -> None:
    for name in (
        "notes.txt",
        "data/another/scores/t05.json",
        "reports/notes.txt",
        "augflow/__pycache__/seeds.cpython-311.pyc",
    ):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text("nothing of this study\n")


def sections_in_another_order(project: Project) -> None:
    content = yaml.safe_load(Path("params.yaml").read_text())
    text = yaml.safe_dump(dict(sorted(content.items())), sort_keys=False)
    Path("params.yaml").write_text(f"# the same once more\n{text}")


def a_lock_in_another_order(project: Project) -> None:
    lock = yaml.safe_load(Path("dvc.lock").read_text())
    Path("dvc.lock").write_text(yaml.safe_dump(lock, sort_keys=True))


def no_cache_of_dvc(project: Project) -> None:
    shutil.rmtree(".dvc/cache")


def machines_of_another_study(project: Project) -> None:
    def further(content):
        facts = {"processor": "another"}
        key = io.digest_bytes(io.json_bytes(facts))
        content["machines"][key] = facts
        content["made"]["data/another/prepared"] = {"content": "0123", "machine": key}

    edit_json(Path("environment.json"), further)


TRUTHS = [
    stages_and_files_of_ones_own,
    pixels_encoded_anew,
    touched_files,
    files_beside_it,
    sections_in_another_order,
    a_lock_in_another_order,
    machines_of_another_study,
]
