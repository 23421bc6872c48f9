"""`pipelines/names.yaml`: what `dvc.yaml` makes paths and commands of, from checked parameters.

DVC makes them before any code of a stage is reached, so nothing of `params.yaml` itself may be in
them. All is in a list of one mapping: DVC reads `params.yaml` unasked, and adds what stands there
to a mapping of the same name, but never to a list.
"""

from __future__ import annotations

from io import StringIO
from pathlib import Path
from typing import Any

from augflow.core import io
from augflow.core.errors import ParamsError, on_one_line
from augflow.study.params import Params

NAMES_FILE = Path("pipelines") / "names.yaml"
_HEAD = "# what dvc.yaml makes paths and commands of; made of params.yaml by pipelines/check.py\n"
_READ = {
    "sets": ("generator",),
    "transfers": ("generator",),
    "choices": ("set",),
    "selections": ("set", "judge", "reads"),
    "arms": ("reads",),
}
"""Of each section, the parameters that are parts of paths beside the names of its entries."""


def names(params: Params) -> dict[str, Any]:
    """What the file holds for a study."""
    found: dict[str, Any] = {"study": params.study, "root": params.data.root}
    found |= {part: list(getattr(params, part)) for part in ("generators", "predictors", "judges")}
    for part, read in _READ.items():
        entries = getattr(params, part).items()
        found[part] = {name: {key: getattr(one, key) for key in read} for name, one in entries}
    for part in ("diversity", "explore"):
        section = getattr(params, part)
        found[part] = list(section.generators) if section else []
    # what the report reads of it; every report depends on the prepared scenes
    found["explored"] = "explored" if params.explore else "prepared"
    return {"names": [found]}


def misfit(root: Path, params: Params) -> str | None:
    """How the names of a project folder differ from its parameters; None where they fit."""
    from augflow.core import yaml

    try:
        found = yaml.read(root / NAMES_FILE)
    except ParamsError:  # not there, or no such file
        found = None
    wanted = names(params)
    if found == wanted:
        return None
    known = _mapping(found)
    other = [part for part, entry in _mapping(wanted).items() if known.get(part) != entry]
    seen = ", ".join(other) or "what is in there besides"
    where = on_one_line(root / "params.yaml")
    return f"{where}: has other names than {NAMES_FILE} (see {seen})"


def _mapping(content: object) -> dict[str, Any]:
    """The one mapping of a file's content; an empty one where it has another form."""
    rows = content.get("names") if isinstance(content, dict) else None
    if isinstance(rows, list) and len(rows) == 1 and isinstance(rows[0], dict):
        return rows[0]
    return {}


def require_fit(root: Path, params: Params) -> None:
    """Lets pass a project folder whose names are those of its parameters.

    Raises:
        ParamsError: they are not; says what to do.
    """
    if said := misfit(root, params):
        raise ParamsError(
            f"{said}: run `python pipelines/check.py`, which writes it anew, then `dvc repro`"
        )


def write_names(root: Path, params: Params) -> None:
    """Writes the file of a project folder."""
    from ruamel.yaml import YAML

    yaml, stream = YAML(), StringIO(_HEAD)
    yaml.default_flow_style, yaml.width = None, 2**16
    stream.seek(len(_HEAD))
    yaml.dump(names(params), stream)
    io.atomic_write(root / NAMES_FILE, stream.getvalue().encode())
