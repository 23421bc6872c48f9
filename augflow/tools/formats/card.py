"""The card of an exported data set, `README.md`: what it is, where it is from, what it is not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from augflow.core import io
from augflow.core.errors import DataError
from augflow.data.synthetic import SetRow, SyntheticSet
from augflow.metrics import scores
from augflow.study.params import SetParams
from augflow.tools.formats.folders import SYNTHETIC, Package
from augflow.tools.set_context import (
    GeneratorRecord,
    Selection,
    SetContext,
    read_judged_set,
)


@dataclass(frozen=True)
class Story:
    """A set, its surroundings, and the selection that it is the result of, if it is one."""

    folder: Path
    made: SyntheticSet
    home: SetContext
    selection: Selection | None

    @property
    def rows(self) -> Sequence[SetRow]:
        """The manifest."""
        return self.made.rows

    @property
    def name(self) -> str:
        """The set's, or the selection's."""
        return self.folder.absolute().name

    @property
    def source(self) -> str:
        """The set that a selection was made from; else the set itself."""
        return self.selection.set if self.selection else self.name

    @cached_property
    def generator(self) -> GeneratorRecord | None:
        """None where the project has it no longer."""
        return self.home.generator(self.made.facts.generator)


def card(story: Story, package: Package, about: str) -> str:
    """The text of the card, Markdown; `about` says what the format is."""
    real = {part: len(photos) for part, photos in package.parts.items() if part != SYNTHETIC}
    beside = "".join(f"; {count} real scenes as `{part}`" for part, count in real.items())
    size, classes = f"{package.size[0]}x{package.size[1]}", package.table.count
    head = (
        f"{len(story.rows)} synthetic photographs of {size} pixels with labels of {classes} "
        f"classes{beside}. Made by augflow.",
        about,
        "`manifest.csv` lists every photograph with its labels, origin and weight.",
    )
    sections = {
        "## Where it comes from": _origin(story),
        "## How photographs were selected": _selection_lines(story),
        "## Classes": _histogram(package),
        "## Licence": [_licence(story, bool(real))],
        "## Known failures": _failures(story),
        "## Diversity": _diversity(story),
        "## What it must not be used for": _not_for(story),
    }
    parts = [f"# {_text(story.name)}", *head]
    for title, lines in sections.items():
        parts += [title, "\n".join(lines)]
    return "\n\n".join(parts) + "\n"


def _origin(story: Story) -> Iterator[str]:
    rows, generator, made = story.rows, story.generator, story.made.facts
    temperatures = sorted({row.temperature for row in rows})
    seeds = sorted({row.seed for row in rows})
    layouts = {(row.split, row.layout) for row in rows}
    contents = {row.content for row in rows} - {""}
    asked = ", ".join(key if there else f"not {key}" for key, there in made.attributes.items())
    facts = {
        "study": story.home.study or "unknown",
        "set": story.source,
        "generator": generator.name if generator else "not in the project",
        "system": generator.system if generator else "unknown",
        "preset": (generator.preset if generator else "") or "unknown",
        "generator's digest": made.generator,
        "temperatures": ", ".join(f"{degree:g}" for degree in temperatures),
        "seeds": _seeds(seeds),
        "layouts": _layouts(layouts),
        "contents": f"{len(contents)} photographs" if contents else "none: free samples",
        **({"asked for": asked} if asked else {}),
    }
    yield from _table(("what", ""), facts.items())
    yield ""
    yield "`manifest.csv` has the layout, content, temperature and seed of each photograph; with"
    yield "the generator of this digest, `augflow replay` makes its pixels again."


def _seeds(seeds: Sequence[int]) -> str:
    shown = ", ".join(map(str, seeds[:3]))
    return shown if len(seeds) <= 3 else f"{len(seeds)}, column `seed` of manifest.csv"


def _layouts(layouts: set[tuple[str, str]]) -> str:
    splits = sorted({split for split, _ in layouts})
    counts = (f"{sum(one == split for one, _ in layouts)} of split {split}" for split in splits)
    return ", ".join(counts)


def _selection_lines(story: Story) -> Iterator[str]:
    section = story.home.section(story.source)
    if isinstance(section, SetParams) and section.best_of is not None:
        yield f"Of each layout and temperature, {section.best_of} photographs were drawn and the"
        yield "likeliest under the generator kept."
        yield ""
    selection = story.selection
    if selection is None:
        yield f"There was no selection: these are all photographs of set {_text(story.source)}."
        return
    dropped: dict[str, int] = {}
    for decision in selection.decisions.values():
        if not decision.kept:
            dropped[decision.reason] = dropped.get(decision.reason, 0) + 1
    total, out = len(selection.decisions), sum(dropped.values())
    yield f"Selection {_text(selection.name)} kept {total - out} of {total} photographs; its judge"
    yield f"has the digest {selection.judge}. Pixels whose labels it does not trust are ignored."
    yield ""
    yield from _table(("dropped for", "photographs"), sorted(dropped.items()))
    yield ""
    limits = {f"threshold: {key}": value for key, value in selection.thresholds.items()}
    rules = {**selection.settings, **limits}
    used = ((key, value) for key, value in rules.items() if value not in (None, False))
    yield from _table(("rule", "value"), used)


def _histogram(package: Package) -> Iterator[str]:
    count = package.table.count
    maps = (one.classes.ravel() for one in package.parts[SYNTHETIC])
    counts = np.stack([np.bincount(classes, minlength=256)[:count] for classes in maps])
    total = max(1, int(counts.sum()))
    rows = [
        (name, int(column.sum()), f"{column.sum() / total:.2%}", int((column > 0).sum()))
        for name, column in zip(package.table.names, counts.T, strict=True)
    ]
    yield from _table(("class", "labelled pixels", "share", "photographs"), rows)


def _licence(story: Story, real: bool) -> str:
    prepared = story.home.prepared_folder
    reader = str(io.read_json(prepared / "dataset.json").get("reader", "")) if prepared else ""
    if reader == "streets":
        return (
            "The labels come from the street scenes that augflow paints itself (reader `streets`), "
            "as do the photographs that the generator was trained on: the licence of augflow "
            "governs them."
        )
    named = f"read as `{reader}`" if reader else "that the layouts were taken from"
    beside = " and the real scenes beside them" if real else ""
    return (
        f"The labels{beside} come from your own data set, {named}: its licence governs them, and "
        "whatever it asks of derived works holds for the photographs too, whose generator was "
        "trained on it. Read it before you pass this data set on; augflow adds no terms of its own."
    )


def _failures(story: Story) -> Iterator[str]:
    path, names = story.home.scores(story.source), story.made.facts.table.names
    seen = read_judged_set(path) if path else None
    listed = {row.name for row in story.rows}
    fits = seen is not None and tuple(seen.classes) == names
    counts = [one.confusion for one in seen.items if one.name in listed] if seen and fits else []
    matrix = np.sum(np.array(counts, np.int64).reshape(-1, len(names), len(names)), axis=0)
    if seen is None or not matrix.sum():
        yield "No judge has scored these photographs: how well they show what their labels say is"
        yield "not known."
        return
    found = scores(matrix)
    ious = [pair for pair in zip(names, found.per_class_iou, strict=True)]
    known = sorted(((iou, name) for name, iou in ious if iou is not None))
    yield f"A segmenter trained on real photographs (digest {seen.judge}) reads"
    yield f"{found.pixel_accuracy:.1%} of the pixels as the labels say; mean class IoU"
    yield f"{found.class_iou:.1%}. Classes of a low IoU are not shown as they are labelled, or not"
    yield "known well to the judge itself."
    yield ""
    yield from _table(("class", "judge's IoU"), ((name, f"{iou:.1%}") for iou, name in known))


def _diversity(story: Story) -> Iterator[str]:
    layouts = {(row.split, row.layout) for row in story.rows}
    yield f"{len(story.rows)} photographs of {len(layouts)} layouts, so"
    yield f"{len(story.rows) / len(layouts):.3g} of each on average."
    degrees = {row.temperature for row in story.rows}
    yield ""
    measured = _measured_diversity(story)
    if not measured:
        yield "How much photographs of one layout differ was not measured."
        return
    yield "Mean perceptual distance of two photographs that the generator made for one layout; a"
    yield "small one says that photographs of one layout look alike:"
    yield ""
    rows = (
        (f"{d:g}", f"{v:.4g}", "yes" if d in degrees else "no") for d, v in sorted(measured.items())
    )
    yield from _table(("temperature", "distance", "in this set"), rows)


def _measured_diversity(story: Story) -> dict[float, float]:
    """Temperature -> mean perceptual distance of two images of one layout."""
    path = story.home.scores(f"diversity/{story.generator.name}") if story.generator else None
    if path is None:
        return {}
    try:
        return {
            float(level["temperature"]): float(level["mean"]["perceptual"]["overall"])
            for level in io.read_json(path)["temperatures"]
        }
    except (KeyError, TypeError, ValueError) as fault:
        raise DataError(
            f"{path}: not scores of diversity ({fault}); run diversity again"
        ) from fault


def _not_for(story: Story) -> Iterator[str]:
    yield "- To test or validate anything: a generator's faults are not those of a camera."
    yield "- As a stand-in for real photographs of what the generator has never seen: places,"
    yield "  weather, rare events, people or vehicles of another kind."
    yield "- To show that something is safe, or to identify people or number plates: what looks"
    yield "  like one is invented, or copied from training photographs."
    held_out = sorted({row.split for row in story.rows} - {"train"})
    if held_out:
        yield f"- To train what is evaluated on split {', '.join(held_out)}: photographs of its"
        yield "  layouts tell a network the answers."


def _table(head: Sequence[str], rows: Any) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{'|'.join(['---'] * len(head))}|"
    for row in rows:
        yield f"| {' | '.join(_text(cell) for cell in row)} |"


def _text(value: Any) -> str:
    """A cell of a table: what Markdown would take for marks stays as it is."""
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    for sign in "\\|<*[`":
        text = text.replace(sign, f"\\{sign}")
    return " ".join(text.split())
