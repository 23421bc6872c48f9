"""What a synthetic set says of itself: `set.json` and the lines of `manifest.csv`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path, PurePosixPath
from typing import Any

from augflow.core import io
from augflow.core.errors import DataError
from augflow.data.classes import ClassTable
from augflow.data.params import NewLayoutsParams
from augflow.data.scenes import SPLITS, table_facts, table_from

FACTS, MANIFEST = "set.json", "manifest.csv"


@dataclass(frozen=True)
class SetFacts:
    """What all photographs of a set have in common.

    Attributes:
        generator: the digest of its weights.
        attributes: what was asked for beside the layouts, and what was asked not to be.
        new_layouts: how its layouts were made, None where they are those of scenes.
    """

    name: str
    generator: str
    temperatures: tuple[float, ...]
    rounds: int
    table: ClassTable
    size: tuple[int, int]
    attributes: Mapping[str, bool] = field(default_factory=dict)
    new_layouts: NewLayoutsParams | None = None


@dataclass(frozen=True)
class SetRow:
    """One line of the manifest, the columns in their order.

    Attributes:
        name: the photograph's own name, once per set.
        layout: the scene whose layout it was made for, or the name of a new layout.
        split: the split of that scene, or of the one that the new layout began as.
        round: counts the photographs of one layout and temperature from 0, along a path too.
        seed: what its noise was drawn from.
        temperature: the factor on that noise.
        generator: digest of the weights that made it.
        content: the scene whose content was moved into the layout, or the two ends of a path;
            empty for a free sample.
        log_p_bpd: its own bits per dimension under the generator, None where nothing is known.
        digest: `files.digest_array` of its pixels.
        photo: its PNG, relative to the set folder.
    """

    name: str
    layout: str
    split: str
    round: int
    seed: int
    temperature: float
    generator: str
    content: str
    log_p_bpd: float | None
    digest: str
    photo: str


MANIFEST_COLUMNS = tuple(field.name for field in fields(SetRow))


def label_path(photo: str, kind: str) -> str:
    """The path of a label file, relative to the set folder, for the path of its photograph."""
    path = PurePosixPath(photo)
    name = path.name.removesuffix("_leftImg8bit.png")
    return str(PurePosixPath("gtFine", *path.parts[1:-1], f"{name}_gtFine_{kind}.png"))


def facts_json(facts: SetFacts) -> dict[str, Any]:
    """The content of `set.json`; attributes and new layouts where there are any."""
    asked = {"attributes": dict(facts.attributes)} if facts.attributes else {}
    new = facts.new_layouts
    made = {"new_layouts": new.model_dump(mode="json")} if new else {}
    return {
        "set": facts.name,
        "generator": facts.generator,
        "temperatures": list(facts.temperatures),
        "rounds": facts.rounds,
        "classes": table_facts(facts.table),
        "size": list(facts.size),
        **asked,
        **made,
    }


def read_facts(folder: Path) -> SetFacts:
    """Reads `set.json`.

    Raises:
        DataError: missing, not JSON, or a field is missing.
    """
    content = io.read_json(folder / FACTS)
    try:
        height, width = content["size"]
        new = content.get("new_layouts")
        return SetFacts(
            name=content["set"],
            generator=content["generator"],
            temperatures=tuple(float(degree) for degree in content["temperatures"]),
            rounds=int(content["rounds"]),
            table=table_from(content["classes"]),
            size=(int(height), int(width)),
            attributes=dict(content.get("attributes", {})),
            new_layouts=None if new is None else NewLayoutsParams.model_validate(new),
        )
    except (KeyError, TypeError, ValueError) as fault:
        raise DataError(
            f"{folder / FACTS}: not the facts of a synthetic set "
            f"({type(fault).__name__}: {fault}); run synthesize again"
        ) from fault


def read_rows(folder: Path) -> list[SetRow]:
    """Reads `manifest.csv` alone, without looking at the photographs.

    Raises:
        DataError: missing, empty, of other columns, or lines that cannot be read; lists them all.
    """
    path = folder / MANIFEST
    lines = io.read_csv(path)
    if not lines:
        raise DataError(f"{path}: lists no photograph; run synthesize again")
    if tuple(lines[0]) != MANIFEST_COLUMNS:
        raise DataError(
            f"{path}: columns are {','.join(lines[0])}; expected {','.join(MANIFEST_COLUMNS)}; "
            "run synthesize again"
        )
    rows, faults = [], []
    for number, line in enumerate(lines, start=2):
        try:
            rows.append(_row(line))
        except ValueError as fault:
            faults.append(f"{path}: line {number}: {fault}; run synthesize again")
    if faults:
        raise DataError("\n".join(faults))
    return rows


def _row(line: dict[str, str]) -> SetRow:
    path = PurePosixPath(line["photo"])
    layout = ("leftImg8bit", line["split"])
    if path.is_absolute() or ".." in path.parts or path.parts[:2] != layout or len(path.parts) != 4:
        raise ValueError(f"photo {line['photo']!r} is not below {'/'.join(layout)}/CITY")
    if path.name != f"{line['name']}_leftImg8bit.png":
        raise ValueError(f"photo {line['photo']!r} is not that of {line['name']!r}")
    for column in ("name", "layout"):
        if not io.is_name(line[column]):
            raise ValueError(f"{column} {line[column]!r} is no file's name without folders")
    if line["split"] not in SPLITS:
        raise ValueError(f"split is {line['split']!r}, expected one of {', '.join(SPLITS)}")
    texts: dict[str, Any] = dict(line)
    for column in ("round", "seed"):
        texts[column] = int(line[column])
    texts["temperature"] = float(line["temperature"])
    texts["log_p_bpd"] = float(line["log_p_bpd"]) if line["log_p_bpd"] else None
    return SetRow(**texts)
