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
from augflow.report.evidence import Evidence
from augflow.report.sections import Figure, Section, sections
from augflow.report.table import RichText, Table, plain
from augflow.report.verdict import verdict


def html_page(evidence: Evidence, tables: Mapping[str, Table], folder: Path) -> bytes:
    """`report.html`: pictures of `folder`/figures inside, styles and scripts inside."""
    return _render("report.html.j2", _context(evidence, tables, folder))


def markdown_page(evidence: Evidence, tables: Mapping[str, Table], folder: Path) -> bytes:
    """`report.md`: the same words and tables, pictures linked."""
    return _render("report.md.j2", _context(evidence, tables, folder))


def _context(evidence: Evidence, tables: Mapping[str, Table], folder: Path) -> dict[str, Any]:
    import yaml

    params = evidence.params.model_dump(mode="json", exclude_none=True)
    found = [_without_missing(section, folder) for section in sections(evidence, tables)]
    return {
        "title": evidence.params.report.title,
        "study": evidence.params.study,
        "verdict": verdict(evidence, tables),
        "sections": [section for section in found if section.figures or section.tables],
        "params": yaml.safe_dump(params, sort_keys=False, allow_unicode=True),
        "figures": folder / "figures",
    }


def _without_missing(section: Section, folder: Path) -> Section:
    """The section without the figures that this study has none of."""
    figures = folder / "figures"
    there = tuple(one for one in section.figures if (figures / f"{one.name}.png").exists())
    slider = section.slider
    if slider is not None and not (figures / slider.folder).is_dir():
        slider = None
    return replace(section, figures=there, slider=slider)


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
    figures = context["figures"]
    pages.filters["data_uri"] = lambda figure: _data_uri(figure, figures / f"{figure.name}.png")
    pages.filters["png_uri"] = lambda name: _png_uri(figures / f"{name}.png")
    pages.filters["md"] = _markdown
    pages.filters["plain"] = plain
    pages.filters["is_number"] = _is_number
    return pages.get_template(template).render(context).encode()


def _is_number(cell: RichText) -> bool:
    return all(not isinstance(span, str) or span in ("–", " ± ") for span in cell)


def _data_uri(figure: Figure, path: Path) -> str:
    """A chart as it is; images as JPEG, which keeps the page light enough to send."""
    if figure.kind.startswith("chart"):
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
