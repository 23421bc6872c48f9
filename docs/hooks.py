"""What MkDocs adds to the pages here: reference pages made of the code, a gallery, the reports."""

from __future__ import annotations

import html
import posixpath
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files

ROOT = Path(__file__).parents[1]
PAGES = ("CONTRIBUTING.md", "SECURITY.md")
"""Pages of the repository that are pages of the documentation too."""

_UNSEEN = ("evidence", "scores", "claims.json.gz", "metrics.json", "report.md")
"""What of a report no page shows."""

_CAPTIONS = {
    "effects": "What each arm gains or loses against real images alone, with intervals.",
    "systems": "The same layouts, painted by every system.",
    "samples": "Held-out layouts, the real photo, and samples at several temperatures.",
    "temperature": "How well images follow their layouts, by temperature.",
    "transfer": "The content of one photo in other layouts.",
    "latents_path": "Paths between two draws.",
    "latents_style": "One draw for several layouts.",
    "latents_edits": "A layout edited, the latents kept.",
    "diversity": "How much images of one layout differ.",
    "data": "The data set.",
}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds pages made of the code, pages of the repository, and the reports."""
    from mkdocs.structure.files import File

    for name, make in MADE.items():
        files.append(File.generated(config, name, content=make()))
    reports = [path for path in (ROOT / "reports").rglob("*") if path.is_file() and _shown(path)]
    for path in (*(ROOT / page for page in PAGES), *sorted(reports)):
        name = path.relative_to(ROOT).as_posix()
        files.append(File.generated(config, name, abs_src_path=str(path)))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Turns links into the repository into links within the site, which holds the same files."""
    here = posixpath.dirname(page.file.src_uri)
    out = "../" * (here.count("/") + 1 if here else 0)
    markdown = markdown.replace(f"](../{out}", f"]({out}")
    return re.sub(r"(\]\([^)\s]*reports/[^)\s]*/report)\.md\)", r"\1.html)", markdown)


def commands() -> str:
    """The page of all commands, as `--help` has them."""
    import click
    import typer
    from typer.cli import get_docs_for_click

    from augflow.cli import app

    group = typer.main.get_command(app)
    context = click.Context(group, info_name="augflow")
    text = get_docs_for_click(obj=group, ctx=context, name="augflow")
    sections = text[text.index("\n## ") :].replace("```console", "```text")
    return f"# Commands\n\nAll that `augflow COMMAND --help` prints.\n{sections}"


def parameters() -> str:
    """The page of all parameters: a heading and the YAML of each section."""
    from augflow.study.all_params import all_params

    head, *sections = all_params().split("\n\n")
    intro = head.replace("# ", "").replace("\n", " ")
    text = [
        "# Parameters",
        f"{intro} `augflow params --all` prints this page, `augflow params` the parameters of "
        "your project with every default filled in. Editors that know JSON schemas complete and "
        "check the file by `pipelines/params.schema.json`, which `augflow params --schema` prints.",
    ]
    for section in sections:
        text += [f"## {section.partition(':')[0]}", f"```yaml\n{section}\n```"]
    return "\n\n".join(text) + "\n"


def gallery() -> str:
    """The page of the pictures of all reports."""
    text = ["# Gallery", "Pictures of the reports in the repository; each links to its page."]
    for report in sorted((ROOT / "reports").glob("*/report.html"), key=_first_study):
        text += [
            f"## {report.parent.name}",
            f"[The whole report](reports/{report.parent.name}/report.html)",
        ]
        text += _pictures(report.parent)
    return "\n\n".join(text) + "\n"


MADE: dict[str, Callable[[], str]] = {
    "reference/commands.md": commands,
    "reference/parameters.md": parameters,
    "gallery.md": gallery,
}


def _first_study(report: Path) -> tuple[bool, str]:
    return report.parent.name != "streets", report.parent.name


def _shown(path: Path) -> bool:
    parts = path.relative_to(ROOT / "reports").parts
    return parts[0] != "benchmarks" and not any(part in _UNSEEN for part in parts)


def _pictures(report: Path) -> Iterator[str]:
    for stem, caption in _CAPTIONS.items():
        found = [
            path
            for path in (*report.glob(f"pictures/{stem}.*"), *report.glob(f"figures/{stem}.*"))
            if path.suffix in (".webp", ".png", ".svg")
        ]
        for path in found[:1]:
            place = path.relative_to(ROOT).as_posix()
            yield f"![{html.escape(caption)}]({place}){{ loading=lazy }}\n\n*{caption}*"
