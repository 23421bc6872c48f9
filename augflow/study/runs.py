"""Where a stage keeps what it needs to go on after it was killed."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

from augflow.core import io

ROOT = Path(".augflow") / "runs"


def run_folder(stage: str, name: str, *facts: object) -> Path:
    """The resume folder of a stage's run: another one as soon as params, data or code differ.

    Args:
        stage: the stage.
        name: which of the stage's runs.
        facts: everything that the result depends on, as plain JSON values.
    """
    digest = io.digest_bytes(io.json_bytes([*facts, learning_code()]))
    return ROOT / f"{stage}-{name}-{digest}"


def learning_code() -> str:
    """A digest of the source files and libraries that decide what a training ends with."""
    root = Path(__file__).parents[1]
    parts = [root / "stages" / "train.py", root / "stages" / "retrain.py"]
    for folder in ("core", "data", "flows", "generators", "metrics", "training", "segmentation"):
        parts += root.glob(f"{folder}/**/*.py")
    code = b"".join(path.read_bytes() for path in sorted(parts))
    return io.digest_bytes(code + version("torch").encode())


def folder_digest(folder: Path) -> str:
    """One digest for all contents of a folder."""
    return io.digest_bytes(io.json_bytes(io.digest_tree(folder)))
