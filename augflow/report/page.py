"""The pages of a report: one HTML file that needs nothing else, and the same in Markdown."""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Mapping
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image

from augflow.core import io
from augflow.report import names
from augflow.report.evidence import Evidence
from augflow.report.names import Name
from augflow.report.sections import OPENING, Figure, Section, sections
from augflow.report.statistics import best_set
from augflow.report.table import RichText, Table, plain
from augflow.report.verdict import QUESTION, verdict

WIDTHS = {"chart": 1152, "photo": 960, "tile": 400}
"""Pixels of a picture inside the page, by its kind; in its folder it is as large as it was made."""


def html_page(evidence: Evidence, tables: Mapping[str, Table], folder: Path) -> bytes:
    """`report.html`: small pictures, styles and scripts inside; large pictures are linked."""
    return _render("report.html.j2", _context(evidence, tables, folder))


def markdown_page(evidence: Evidence, tables: Mapping[str, Table], folder: Path) -> bytes:
    """`report.md`: the same words and tables, pictures linked."""
    return _render("report.md.j2", _context(evidence, tables, folder))


def _context(evidence: Evidence, tables: Mapping[str, Table], folder: Path) -> dict[str, Any]:
    import yaml

    params = evidence.params.model_dump(mode="json", exclude_none=True)
    told = verdict(evidence, tables)
    found = [_without_missing(one, folder) for one in sections(evidence, tables, told.notes)]
    *shown, made = found
    return {
        "title": evidence.params.report.title,
        "question": QUESTION,
        "study": evidence.params.study,
        "verdict": told,
        "opening": _opening(evidence, folder),
        "sections": [section for section in shown if section.parts],
        "made": made,
        "params": yaml.safe_dump(params, sort_keys=False, allow_unicode=True),
        "folder": folder,
    }


def _opening(evidence: Evidence, folder: Path) -> list[tuple[str, str]]:
    """Files below the report and headings of the pictures at the top."""
    name = best_set(evidence)
    if name is None:
        return []
    maker = names.generator(evidence.params, evidence.params.sets[name].generator).words
    headings = {"classes": "label map", "real": "real photo", "made": f"made by {maker}"}
    files = [
        (f"pictures/{OPENING}/{place}_{kind}.webp", heading)
        for place in range(2)
        for kind, heading in headings.items()
    ]
    return [(file, heading) for file, heading in files if (folder / file).exists()]


def _without_missing(section: Section, folder: Path) -> Section:
    """The section without the figures that this study has none of."""
    parts = []
    for part in section.parts:
        figures = tuple(one for one in part.figures if (folder / _file(one)).exists())
        slider = part.slider
        if slider is not None and not (folder / "pictures" / slider.folder).is_dir():
            slider = None
        if figures or part.tables or slider:
            parts.append(replace(part, figures=figures, slider=slider))
    return replace(section, parts=tuple(parts))


def _file(figure: Figure) -> str:
    """Where a figure lies below the report."""
    return f"{'figures' if figure.kind == 'chart' else 'pictures'}/{figure.name}" + (
        ".png" if figure.kind == "chart" else ".webp"
    )


def _render(template: str, context: Mapping[str, Any]) -> bytes:
    """A filled template; HTML escapes every value by itself, Markdown by its filter `md`."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

    pages = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=select_autoescape(["html.j2"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    folder = context["folder"]
    pages.filters["file"] = _file
    pages.filters["inside"] = lambda file, kind: _inside(folder / file, kind)
    pages.filters["md"] = _markdown
    pages.filters["plain"] = plain
    pages.filters["is_number"] = _is_number
    pages.tests["name"] = lambda span: isinstance(span, Name)
    return pages.get_template(template).render(context).encode()


def _is_number(cell: RichText) -> bool:
    return all(
        span in ("–", " ± ", " (", " to ", ")")
        if isinstance(span, str)
        else not isinstance(span, Name)
        for span in cell
    )


def _inside(path: Path, kind: str) -> str:
    """The address of an image that lies inside the page.

    A WebP, with losses or without, whichever is smaller: photographs want the former, charts and
    label maps the latter. Pillow makes pictures smaller in whole numbers, equally everywhere.
    """
    image = Image.fromarray(io.read_picture(path))
    if image.width > WIDTHS[kind]:
        size = (WIDTHS[kind], round(image.height * WIDTHS[kind] / image.width))
        image = image.resize(size, Image.Resampling.LANCZOS)
    found = []
    for lossless, quality in ((True, 60), (False, 74)):
        stream = BytesIO()
        image.save(stream, "WEBP", lossless=lossless, quality=quality, method=4)
        found.append(stream.getvalue())
    content = found[0] if kind == "chart" else min(found, key=len)
    text = base64.b64encode(content).decode()
    return f"data:image/webp;base64,{text}"


def _markdown(text: str) -> str:
    """Text that Markdown and HTML inside it leave as it is, on one line."""
    plain = html.escape(" ".join(text.split()), quote=False)
    return re.sub(r"([\\`*_\[\]|~#])", r"\\\1", plain)
