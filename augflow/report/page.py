"""The pages of a report: one HTML file that needs nothing else, and the same in Markdown."""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image

from augflow.core import io
from augflow.report.evidence import Evidence
from augflow.report.parts import Part, Picture, parts
from augflow.report.table import Said, Table
from augflow.report.verdict import verdict


def html_page(evidence: Evidence, tables: Mapping[str, Table], folder: Path) -> bytes:
    """`report.html`: pictures of `folder`/figures inside, styles and scripts inside."""
    return _rendered("report.html.j2", _context(evidence, tables, folder))


def markdown_page(evidence: Evidence, tables: Mapping[str, Table], folder: Path) -> bytes:
    """`report.md`: the same words and tables, pictures linked."""
    return _rendered("report.md.j2", _context(evidence, tables, folder))


def _context(evidence: Evidence, tables: Mapping[str, Table], folder: Path) -> dict[str, Any]:
    import yaml

    params = evidence.params.model_dump(mode="json", exclude={"verify"}, exclude_none=True)
    found = [_kept(part, folder) for part in parts(evidence, tables)]
    return {
        "title": evidence.params.report.title,
        "study": evidence.params.study,
        "verdict": verdict(evidence, tables),
        "parts": [part for part in found if part.pictures or part.views],
        "params": yaml.safe_dump(params, sort_keys=False, allow_unicode=True),
        "figures": folder / "figures",
    }


def _kept(part: Part, folder: Path) -> Part:
    """The part without the figures that this study has none of."""
    there = tuple(p for p in part.pictures if _path(p, folder / "figures").exists())
    slider = part.slider
    if slider is not None and not (folder / "figures" / slider.folder).is_dir():
        slider = None
    return Part(part.title, there, part.views, slider)


def _path(picture: Picture, figures: Path) -> Path:
    return figures / f"{picture.name}.png"


def _rendered(template: str, context: Mapping[str, Any]) -> bytes:
    """A filled template; HTML escapes every value by itself, Markdown by its filter `md`."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

    rooms = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=select_autoescape(["html.j2"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    figures = context["figures"]
    rooms.filters["data_uri"] = lambda picture: _data_uri(picture, figures)
    rooms.filters["png_uri"] = lambda name: _png_uri(figures / f"{name}.png")
    rooms.filters["md"] = _markdown
    rooms.filters["plain"] = lambda said: "".join(piece.text for piece in said)
    rooms.filters["is_number"] = _is_number
    return rooms.get_template(template).render(context).encode()


def _is_number(cell: Said) -> bool:
    return all(piece.claim or piece.text in ("–", " ± ") for piece in cell)


def _data_uri(picture: Picture, figures: Path) -> str:
    """A chart as it is; photographs as JPEG, which keeps the page light enough to send."""
    path = _path(picture, figures)
    if picture.kind.startswith("chart"):
        return _png_uri(path)
    stream = BytesIO()
    image = Image.fromarray(io.read_photo(path))
    image.save(stream, "JPEG", quality=88, subsampling=0)
    return "data:image/jpeg;base64," + base64.b64encode(stream.getvalue()).decode()


def _png_uri(path: Path) -> str:
    return "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode()


def _markdown(text: str) -> str:
    """Text that Markdown and HTML inside it leave as it is, on one line."""
    plain = html.escape(" ".join(text.split()), quote=False)
    return re.sub(r"([\\`*_\[\]|~#])", r"\\\1", plain)
