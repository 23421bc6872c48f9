"""Where a stage keeps what it needs to go on after it was killed."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

import augflow
from augflow import files

ROOT = Path(".augflow") / "runs"


def run_folder(stage: str, name: str, *facts: object) -> Path:
    """The resume folder of a stage's run: another one as soon as params, data or code differ.

    Args:
        stage: the stage.
        name: which of the stage's runs.
        facts: everything that the result depends on, as plain JSON values.
    """
    digest = files.digest_bytes(files.json_bytes([*facts, learning_code()]))
    return ROOT / f"{stage}-{name}-{digest}"


def learning_code() -> str:
    """A digest of the source files and libraries that decide what a training ends with."""
    root = Path(augflow.__file__).parent
    parts = [*root.glob("*.py"), root / "stages" / "train.py", root / "stages" / "retrain.py"]
    for folder in ("flows", "generators", "learners", "metrics", "segmenters", "synthetic"):
        parts += root.glob(f"{folder}/**/*.py")
    code = b"".join(path.read_bytes() for path in sorted(parts))
    return files.digest_bytes(code + version("torch").encode())


def folder_digest(folder: Path) -> str:
    """One digest for all contents of a folder."""
    return files.digest_bytes(files.json_bytes(files.digest_tree(folder)))
