"""How a liar edits a study, and makes its records agree with that."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from PIL import Image

from augflow.core import io
from augflow.data.synthetic import MANIFEST_COLUMNS, read_rows
from augflow.report import claims
from augflow.stages.check import check
from augflow.stages.runner import record, run_stage
from augflow.study.names import write_names
from augflow.study.params import load
from augflow.study.project import Project
from tests import tiny_study


def flip(path: Path, row: int = 3, column: int = 4) -> np.ndarray:
    """Changes one channel of one pixel by the least there is."""
    pixels = io.read_picture(path).copy()
    pixels[row, column, 1] ^= 1
    (io.write_webp if path.suffix == ".webp" else io.write_png)(path, pixels)
    return pixels


def animate(path: Path) -> None:
    """Has a browser show a black picture; the one that is decoded stays."""
    shown, other = (
        Image.fromarray(pixels) for pixels in (io.read_picture(path), io.read_picture(path) * 0)
    )
    options = {"default_image": True} if path.suffix == ".png" else {"lossless": True}
    shown.save(path, save_all=True, append_images=[other], **options)


def append(path: Path, content: bytes) -> None:
    """Adds bytes to a file."""
    path.write_bytes(path.read_bytes() + content)


def add_chunk(path: Path, name: bytes, content: bytes) -> None:
    """Puts a chunk behind the head of a PNG."""
    whole, head = path.read_bytes(), 33
    checked = name + content
    chunk = struct.pack(">I", len(content)) + checked + struct.pack(">I", zlib.crc32(checked))
    path.write_bytes(whole[:head] + chunk + whole[head:])


def relabel(path: Path, row: int, column: int) -> None:
    """Gives a pixel of a label map another id."""
    ids = io.read_ids(path).copy()
    ids[row, column] = 23 if ids[row, column] != 23 else 7
    io.write_png(path, ids)


def edit(path: Path | str, old: str, new: str, count: int = 1) -> None:
    """Replaces a text, which has to be there, in a file that may be compressed."""
    path = Path(path)
    compressed = path.suffix == io.GZIP
    text = (io.read_gzip(path) if compressed else path.read_bytes()).decode()
    assert old in text
    content = text.replace(old, new, count).encode()
    (io.write_gzip if compressed else io.atomic_write)(path, content)


def edit_json(path: Path | str, change: Callable[[Any], object]) -> None:
    """Lets `change` work on the content of a JSON file."""
    content = io.read_json(Path(path))
    change(content)
    io.write_json(Path(path), content)


def edit_rows(path: Path, change: Callable[[list[dict[str, str]]], object]) -> None:
    """Lets `change` work on the rows of a table."""
    rows = io.read_csv(path)
    columns = list(rows[0])
    change(rows)
    io.write_csv(path, rows, columns)


def rewrite_manifest(
    folder: Path, change: Callable[[dict[str, Any]], Mapping[str, Any] | None]
) -> None:
    """Writes a manifest with each row passed through `change`; None drops it."""
    rows = [change(dict(vars(row))) for row in read_rows(folder)]
    io.write_csv(folder / "manifest.csv", [row for row in rows if row], MANIFEST_COLUMNS)


def params_with(**sections: object) -> None:
    """Sets values of `params.yaml` by names with `__` between sections; `names.yaml` too."""
    content = yaml.safe_load(Path("params.yaml").read_text())
    for dotted, value in sections.items():
        *parents, last = dotted.split("__")
        place = content
        for name in parents:
            place = place[name]
        place[last] = value
    Path("params.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
    write_names(Path(), load(Path("params.yaml")))


def replace_photo(folder: Path, name: str, pixels: np.ndarray) -> None:
    """Another photograph in a set, with the digest in the manifest."""
    [row] = [row for row in read_rows(folder) if row.name == name]
    io.write_png(folder / row.photo, pixels)
    digest = io.digest_array(pixels)
    rewrite_manifest(folder, lambda row: row | ({"digest": digest} if row["name"] == name else {}))


def improve(item: dict[str, Any]) -> None:
    """Lets a network have read one pixel more rightly; the pixels of each class stay."""
    matrix = item["confusion"]
    row = next(n for n, counts in enumerate(matrix) if sum(counts) > counts[n])
    column = next(n for n, count in enumerate(matrix[row]) if count and n != row)
    matrix[row][column] -= 1
    matrix[row][row] += 1


def claimed(report: Path) -> None:
    """The digests in a report's claims are those of its files."""
    edit_json(
        report / "claims.json.gz", lambda content: content.update(files=claims.digests(report))
    )


def settled(project: Project) -> None:
    """DVC and the record of machines take everything for what the stages made."""
    check(Path(), project.checked_file, by_dvc=False)
    tiny_study.dvc(Path(), "commit", "--force", "--quiet")
    record(project)


def made_elsewhere(project: Project) -> None:
    """Every artefact was made on another machine, the records say."""

    def change(content):
        for key, facts in list(content["machines"].items()):
            facts["processor"] = "another"
            content["machines"][io.digest_bytes(io.json_bytes(facts))] = content["machines"].pop(
                key
            )
        [other] = content["machines"]
        for entry in content["made"].values():
            entry["machine"] = other

    edit_json(project.root / "environment.json", change)


def rename_seeds(project: Project, new: Mapping[int, int]) -> None:
    """Networks under other seeds: folders, records, scores, parameters, report and lock."""
    for arm in project.params.arms:
        for old, seed in new.items():
            folder = project.segmenter(arm, old).rename(project.segmenter(arm, seed))
            edit_json(
                folder / "config.json",
                lambda content, seed=seed: content["training"].update(seed=seed),
            )

    def renamed(content):
        runs = content["runs"]
        for key in list(runs):
            arm, _, seed = key.rpartition("-")
            run = runs.pop(key)
            runs[f"{arm}-{new[int(seed)]}"] = {**run, "seed": new[int(seed)]}

    edit_json(project.score("arms"), renamed)
    params_with(retrain__seeds=list(new.values()))
    project = Project()
    run_stage(project, "report")
    settled(project)
