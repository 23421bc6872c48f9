"""Do pictures show what their pixels are?

All digests are of pixels. Beside those a file can hold what has a browser show others.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from pathlib import Path

from augflow.core.images import find_foreign_part
from augflow.study.project import Project
from augflow.verify.check import Check, Finding, files_below

_EMBEDDED = re.compile(rb"data:([^\s\"'),]*),([^\s\"')]*)")


def check_pictures(project: Project) -> Check:
    """All PNGs and WebPs of the study and of every report, and those inside its pages."""
    check = Check("pictures")
    for path in _pictures(project):
        _check_picture(check, path.as_posix(), path.read_bytes())
    pages = sorted((project.root / "reports").glob("*/report.html"))
    for page in filter(Path.is_file, pages):
        for number, (kind, text) in enumerate(_EMBEDDED.findall(page.read_bytes()), start=1):
            where = f"{page.as_posix()}: picture {number}"
            if kind != b"image/webp;base64":
                got = kind.decode("ascii", "replace")
                check.add(Finding(where, "a WebP inside the page", got))
                continue
            with check.reading(where):
                _check_picture(check, where, base64.b64decode(text, validate=True))
    return check


def _pictures(project: Project) -> Iterator[Path]:
    """Those of this study's stages, and of all reports; photographs of a user's are the user's."""
    params = project.params
    own = None if params.data.reader == "streets" else project.root / params.data.root
    folders = (project.data, *sorted((project.root / "reports").glob("*/")))
    for folder in folders:
        for path in sorted(p for p in files_below(folder) if p.suffix in (".png", ".webp")):
            hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
            if not hidden and not (own and path.is_relative_to(own)) and path.is_file():
                yield path


def _check_picture(check: Check, where: str, content: bytes) -> None:
    foreign = find_foreign_part(content)
    check.add(
        Finding(where, "nothing but pixels as augflow writes them", foreign) if foreign else None
    )
