"""A project folder from a preset: `dvc.yaml`, `params.yaml`, `pipelines/` and what DVC needs."""

from __future__ import annotations

import json
import os
import re
import shutil
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

from augflow.core import __version__, io
from augflow.core.config import validate_section
from augflow.core.errors import AugflowError, DataError, ParamsError, on_one_line, suggest
from augflow.data import readers
from augflow.data.params import DataParams
from augflow.data.readers.source import SPLITS
from augflow.study.names import write_names
from augflow.study.params import Params, load

_PACKAGE = Path(__file__).parents[1]
SCHEMA = Path("pipelines") / "params.schema.json"
"""What `params.yaml` may hold, for editors; `augflow params --schema` prints it."""

VERSION_FILE = "augflow.version"
"""Stands for the code of the installed package where a stage's dependencies are listed."""

_GITIGNORE = ".venv/\n__pycache__/\n.augflow/\ndata/\n"
_DVCIGNORE = "__pycache__\n*.pyc\n.venv\n.augflow\n.*.part\n.git\n"
_DVC_CONFIG = "[core]\n    analytics = false\n    check_update = false\n    autostage = false\n"
_NO_GIT = "    no_scm = true\n"

_README = """\
# {study}

{title}. Made by `augflow init {given}`.

```sh
dvc repro                     # the whole study; only what has changed runs again
augflow verify --level 1      # whether the results still hold
```

- `params.yaml` says what is done: sizes, training, sets, arms. Photographs: `{root}`.
  After a name has come or gone in it, `python pipelines/check.py` tells DVC.
- `reports/{study}/report.html` is what came out; `data/{study}/` is what it was made from.
- `augflow check-data --params params.yaml` lists what is wrong with the photographs.
- `{version}` stands for augflow's code: after an update of augflow, `augflow --version > {version}`
  lets `dvc repro` make everything again.
"""


@dataclass(frozen=True)
class Source:
    """The files that projects are made from: a source tree's own, or the installed package's."""

    root: Path

    @property
    def presets(self) -> dict[str, Path]:
        """The `params.yaml` of every preset, by name."""
        return {
            path.stem: path for path in sorted((self.root / "pipelines/presets").glob("*.yaml"))
        }

    def preset(self, name: str) -> Path:
        """The file of a preset.

        Raises:
            ParamsError: no such preset; lists the known ones.
        """
        if name not in self.presets:
            raise ParamsError(f"no preset {name!r}; {suggest(name, list(self.presets))}")
        return self.presets[name]


def source() -> Source:
    """Where the files of a new project come from."""
    installed = _PACKAGE / "project_files"
    return Source(installed if installed.is_dir() else _PACKAGE.parent)


def create(preset: str, data: Path | None, target: Path) -> Params:
    """Writes a project from a preset into an empty or new folder, and returns its parameters.

    `data` is the folder of photographs; None where the preset makes its own. What it holds is
    counted, and `data.counts` says so: scenes that are lost later do not go unseen.

    Raises:
        ParamsError: no such preset, or `data` is missing or not wanted.
        DataError: `data` is not of the preset's layout, or `target` holds files.
    """
    origin = source()
    path = origin.preset(preset)
    params = load(path)
    faults = [*_data_faults(preset, params, data), *_target_faults(target, data)]
    if faults:
        raise _join_faults(faults)
    text = path.read_text(encoding="utf-8")
    if data is not None:
        root = root_text(data, target)
        text = re.sub(r"^(  root: ).*$", lambda match: match[1] + root, text, count=1, flags=re.M)
        text = _with_counts(text, params.data.model_copy(update={"root": str(data)}))
    write_project(f"--preset {preset}", text, target)
    return load(target / "params.yaml")


def require_target(target: Path, data: Path | None) -> None:
    """Goes on where a project may be written to a folder.

    Raises:
        DataError: it is a file, or holds other files than the photographs of `data`.
    """
    if faults := _target_faults(target, data):
        raise _join_faults(faults)


def root_text(data: Path, target: Path) -> str:
    """The folder of photographs as `data.root` of a project, as YAML."""
    root = os.path.relpath(data.resolve(), target.resolve())
    validate_section(
        DataParams,
        {"reader": "folder", "root": root, "size": (8, 8)},
        f"--data {on_one_line(data)}",
    )
    plain = re.fullmatch(r"[\w./-]*[\w./][\w./-]*", root) and not root.startswith("-")
    return root if plain else json.dumps(root, ensure_ascii=False)


def pipeline(text: str, made: bool) -> str:
    """The source tree's `dvc.yaml` for a project outside of it.

    What stages depend on in the source tree, its code, becomes `augflow.version`. Unless the raw
    photographs are `made` by `prepare`, it depends on them.
    """
    from ruamel.yaml import YAML

    content = YAML(typ="safe").load(text)
    for stage in content["stages"].values():
        stage = stage.get("do", stage)
        kept = [
            path for path in stage["deps"] if path.split("/")[0] not in ("augflow", "streetscenes")
        ]
        stage["deps"] = [VERSION_FILE, *kept]
    if not made:
        prepare = content["stages"]["prepare"]
        prepare["outs"].remove("data/${names[0].study}/raw")
        prepare["deps"].append("${names[0].root}")
    yaml, stream = YAML(), StringIO()
    yaml.default_flow_style, yaml.width = False, 100
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.dump(content, stream)
    return stream.getvalue()


def _data_faults(preset: str, params: Params, data: Path | None) -> list[AugflowError]:
    reader = params.data.reader
    if reader == "streets":
        if data is None:
            return []
        return [ParamsError(f"--data {data}: preset {preset} paints its own scenes; leave it out")]
    if data is None:
        return [ParamsError(f"preset {preset} needs photographs; name their folder with --data")]
    if not data.is_dir():
        return [DataError(f"{data}: no such folder; name the folder of the data set with --data")]
    if readers.has_layout(data, reader):
        return []
    guess = readers.guessed_reader(data)
    looks = f"it looks like {guess}: choose a preset for that" if guess else "check --data"
    place = readers.PHOTOS[reader]
    return [DataError(f"{data}: no photos at {place}, where preset {preset} looks; {looks}")]


def _target_faults(target: Path, data: Path | None) -> list[AugflowError]:
    if target.exists() and not target.is_dir():
        return [DataError(f"{target}: is a file; name a new or an empty folder")]
    if not target.is_dir():
        return []
    inside = data.resolve() if data is not None else None
    held = [
        path.name
        for path in sorted(target.iterdir())
        if path.name != ".git" and not (inside and inside.is_relative_to(path.resolve()))
    ]
    if not held:
        return []
    more = f" and {len(held) - 8} more" if len(held) > 8 else ""
    names = ", ".join(held[:8])
    return [DataError(f"{target}: holds {names}{more}; name a new or an empty folder")]


def _join_faults(faults: list[AugflowError]) -> AugflowError:
    return type(faults[0])("; ".join(str(fault) for fault in faults))


def _with_counts(text: str, data: DataParams) -> str:
    """The parameters with the counts of what is there; without them while files have faults."""
    text = re.sub(r"^  counts: .*\n", "", text, count=1, flags=re.M)
    try:
        found = readers.read(data)
    except DataError:
        return text  # the prepare stage says what is wrong
    counts = [len(found.of_split(split)) for split in SPLITS]
    if not all(counts) or any(fault.fatal for fault in found.faults):
        return text
    line = f"  counts: {{train: {counts[0]}, val: {counts[1]}}}\n"
    return re.sub(r"^  root: .*\n", lambda match: match[0] + line, text, count=1, flags=re.M)


def write_project(given: str, text: str, target: Path) -> None:
    """Writes a project with these parameters, asked for with the options `given`."""
    origin = source()
    for folder in ("data", "reports", "pipelines", ".dvc"):
        (target / folder).mkdir(parents=True, exist_ok=True)
    for script in sorted((origin.root / "pipelines").glob("*.py")):
        shutil.copyfile(script, target / "pipelines" / script.name)
    shutil.copyfile(origin.root / SCHEMA, target / SCHEMA)
    io.atomic_write(target / "params.yaml", text.encode())
    params = load(target / "params.yaml")
    write_names(target, params)
    graph = pipeline((origin.root / "dvc.yaml").read_text("utf-8"), params.data.reader == "streets")
    readme = _README.format(
        study=params.study,
        title=params.report.title,
        given=given,
        root=params.data.root,
        version=VERSION_FILE,
    )
    config = _DVC_CONFIG if _in_git(target) else _DVC_CONFIG + _NO_GIT
    contents = {
        "dvc.yaml": graph,
        "README.md": readme,
        VERSION_FILE: f"augflow {__version__}\n",
        ".gitignore": _GITIGNORE,
        ".dvcignore": _DVCIGNORE,
        ".dvc/config": config,
        ".dvc/.gitignore": "/config.local\n/tmp\n/cache\n",
    }
    for name, content in contents.items():
        io.atomic_write(target / name, content.encode())


def _in_git(folder: Path) -> bool:
    place = folder.resolve()
    return any((parent / ".git").exists() for parent in (place, *place.parents))
