"""A folder with one bad file of many kinds, and what is said of each."""

from __future__ import annotations

import os
from pathlib import Path

from augflow.core.errors import on_one_line
from tests.bad_input import corpus

KINDS = (
    "empty", "text", "pointer", "noise", "gif", "moving_png", "webp", "no_end", "few_rows",
    "damaged_text", "bomb", "flat",
)  # fmt: skip


def spoil(folder: Path, suffix: str, elsewhere: Path, as_what: str = "ids") -> dict[str, str]:
    """Fills a folder of PNGs; returns the words that each file's line has, by its name."""
    folder.mkdir(parents=True, exist_ok=True)
    elsewhere.mkdir(exist_ok=True)
    good = corpus.saved(corpus.IDS, "PNG")
    (elsewhere / "far.png").write_bytes(good)
    said = {}
    for kind in KINDS:
        (folder / f"{kind}{suffix}").write_bytes(corpus.kinds()[kind].content)
        said[kind] = str(getattr(corpus.kinds()[kind], as_what))
    cut = f"-- cut ä {chr(0x1F600)}"
    (folder / f"{cut}{suffix}").write_bytes(good[:-5])
    said[cut] = "not a whole image"
    os.mkfifo(folder / f"pipe{suffix}")
    said["pipe"] = "is a pipe"
    for name, target, words in (
        ("link", elsewhere / "far.png", "is a link out of"),
        ("circle", folder / f"circle{suffix}", "cannot be read"),
        ("nowhere", folder / "nothing", "no such file"),
    ):
        (folder / f"{name}{suffix}").symlink_to(target)
        said[name] = words
    long = "n" * 200
    for name, words in {
        "two\nlines": "has a line break", "latin-\udce9": "bytes that are no text",
        long: "has a name of 200 bytes",
    }.items():  # fmt: skip
        (folder / f"{name}{suffix}").write_bytes(good)
        said[on_one_line(name)] = words
    return said


def tree(root: Path) -> set[str]:
    """Everything below a folder."""
    return {str(Path(place) / name) for place, folders, names in os.walk(root)
            for name in (*folders, *names)}  # fmt: skip
