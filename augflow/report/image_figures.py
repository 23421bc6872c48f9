"""Figures made of images: samples, temperatures, diversity, transfer, latents, data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from augflow.core import io
from augflow.core.errors import DataError
from augflow.data.scenes import SPLITS, Scene, SceneFolder, evenly
from augflow.data.synthetic import MANIFEST, SetRow, read_rows
from augflow.report import names
from augflow.report.canvas import mosaic, render_text
from augflow.report.evidence import Evidence
from augflow.report.sections import (
    EDITS,
    FOLDER,
    MAIN,
    OPENING,
    PATHS,
    STYLES,
    diverse,
    moved_through,
    page_name,
)
from augflow.report.statistics import best, best_set
from augflow.study.params import Params
from augflow.study.results import Exploration

ROWS = 6
"""A figure of paths has about so many rows: several layouts where systems are few."""


class Prepared:
    """A prepared folder, opened scene by scene."""

    def __init__(self, root: Path, palette: np.ndarray) -> None:
        """Maps the scenes; `palette` is (256, 3) uint8, colours by train id."""
        self.root, self.palette = root, palette
        self.splits = {split: SceneFolder(root, split) for split in SPLITS}

    def names(self, split: str) -> list[str]:
        """The scenes of a split, sorted."""
        return sorted(self.splits[split].names)

    def photo(self, name: str) -> np.ndarray:
        """The photograph, (H, W, 3) uint8."""
        return self._scene(name).image[0].permute(1, 2, 0).numpy()

    def classes(self, name: str) -> np.ndarray:
        """The class map in colours, (H, W, 3) uint8."""
        return self.palette[self._scene(name).layout.classes[0].numpy()]

    def boundary(self, name: str) -> np.ndarray:
        """The boundary map, dark lines on white, (H, W, 3) uint8."""
        edges = self._scene(name).layout.boundary[0].numpy()
        lines = 255 - np.rint(edges * 255).astype(np.uint8)
        return np.repeat(lines[..., None], 3, axis=2)

    def _scene(self, name: str) -> Scene:
        for folder in self.splits.values():
            if name in folder.names:
                return folder.scenes([folder.names.index(name)])
        raise DataError(f"{self.root}/scenes.csv: no scene {name!r}; run the prepare stage")


class Photos:
    """The photographs of a synthetic set, opened one by one."""

    def __init__(self, root: Path) -> None:
        """Reads the manifest."""
        self.root, self.rows = root, read_rows(root)

    def photo(self, row: SetRow) -> np.ndarray:
        """The photograph of a row, (H, W, 3) uint8.

        Raises:
            DataError: its pixels are not those that the manifest records.
        """
        pixels = io.read_photo(self.root / row.photo)
        if io.digest_array(pixels) != row.digest:
            raise DataError(
                f"{self.root / row.photo}: pixels have digest {io.digest_array(pixels)}, "
                f"{MANIFEST} says {row.digest}; run synthesize again"
            )
        return pixels

    def at(self, layout: str, temperature: float) -> list[SetRow]:
        """The rows of a layout at a temperature, by round.

        Raises:
            DataError: there are none.
        """
        found = [row for row in self.rows if (row.layout, row.temperature) == (layout, temperature)]
        if not found:
            raise DataError(
                f"{self.root / MANIFEST}: no photograph of {layout} at temperature "
                f"{temperature:g}; run synthesize again"
            )
        return sorted(found, key=lambda row: row.round)

    def first(self, layout: str, temperature: float) -> np.ndarray:
        """The photograph of round 0, (H, W, 3) uint8."""
        return self.photo(self.at(layout, temperature)[0])


def diversity_figure(evidence: Evidence, study: Path, prepared: Prepared, path: Path) -> None:
    """Several samples of a layout at one temperature, and how far they spread."""
    name = diverse(evidence)
    if name is None:
        return
    drawn, degree = Photos(study / "synthetic" / name), best(evidence, name)
    count = min(evidence.params.sets[name].rounds, 5)
    rows = []
    layouts = sorted({row.layout for row in drawn.rows})
    for layout in (layouts[place] for place in evenly(len(layouts), 4)):
        photos = [drawn.photo(row) for row in drawn.at(layout, degree)[:count]]
        rows.append([prepared.classes(layout), *photos, spread_map(photos)])
    mosaic(path, rows, ["classes", *(f"sample {n + 1}" for n in range(count)), "spread"])


def spread_map(photos: Sequence[np.ndarray]) -> np.ndarray:
    """The standard deviation of each pixel over samples, light to dark.

    White is none; the darkest blue is a quarter of the full range or more.

    Shapes:
        photos: (H, W, 3) uint8 each.
        returns: (H, W, 3) uint8.
    """
    deviation = np.std(np.stack(photos).astype(np.float64), axis=0).mean(axis=-1)
    share = np.clip(deviation / 64, 0, 1)[..., None]
    return np.rint(255 + share * (np.array([16, 48, 96]) - 255)).astype(np.uint8)


def transfer_figure(evidence: Evidence, study: Path, prepared: Prepared, path: Path) -> None:
    """Content moved into other structures, in the columns of the paper's figure.

    References:
        Full-Glow, figure 3.
    """
    rows = []
    for name in evidence.params.transfers:
        if not (study / "synthetic" / name / MANIFEST).exists():
            continue
        moved = Photos(study / "synthetic" / name)
        wanted = evenly(len(moved.rows), evidence.params.report.layouts)
        for row in (moved.rows[place] for place in wanted):
            content, layout = prepared.photo(row.content), prepared.classes(row.layout)
            rows.append([content, layout, moved.photo(row), prepared.photo(row.layout)])
    structure = ("desired structure", "synthesized image", "ground truth for structure")
    if rows:
        mosaic(path, rows, ["desired content", *structure])


def contact_sheet(prepared: Prepared, path: Path) -> None:
    """Scenes of both splits, spread evenly: photograph, class map, boundary map, twice a row."""
    rows = []
    for split, count in zip(SPLITS, (8, 4), strict=True):
        names = prepared.names(split)
        cells = [
            [prepared.photo(name), prepared.classes(name), prepared.boundary(name)]
            for name in (names[place] for place in evenly(len(names), count))
        ]
        rows += [a + b for a, b in zip(cells[::2], cells[1::2], strict=False)]
    if rows:
        mosaic(path, rows, ["photo", "classes", "boundaries"] * 2)


def pages(evidence: Evidence, study: Path, prepared: Prepared, pictures: Path) -> None:
    """A page per system: layouts in rows; maps, photograph, and a sample per shown temperature.

    The layouts are those that all systems have in common, spread evenly, not picked by eye.
    """
    sets = _open_sets(evidence, study)
    layouts = _layouts(evidence, sets)
    for place, (name, drawn) in enumerate(sets.items()):
        degrees = shown_temperatures(evidence, name)
        rows = [
            [
                prepared.classes(layout),
                prepared.boundary(layout),
                prepared.photo(layout),
                *(drawn.first(layout, degree) for degree in degrees),
            ]
            for layout in layouts
        ]
        headings = ["classes", "boundaries", "real photo", *(f"T = {t}" for t in degrees)]
        stem = MAIN if place == 0 else page_name(evidence.params.sets[name].generator)
        if rows:
            mosaic(pictures / f"{stem}.webp", rows, headings)


def side_by_side(evidence: Evidence, study: Path, prepared: Prepared, path: Path) -> None:
    """The same layouts in rows: class map, photograph, each system at its best temperature."""
    sets = _open_sets(evidence, study)
    tops = {name: best(evidence, name) for name in sets}
    rows = [
        [
            prepared.classes(layout),
            prepared.photo(layout),
            *(drawn.first(layout, tops[name]) for name, drawn in sets.items()),
        ]
        for layout in _layouts(evidence, sets)
    ]
    words = {
        n: names.generator(evidence.params, evidence.params.sets[n].generator).words for n in tops
    }
    headings = [f"{words[n]}\nT = {t}" for n, t in tops.items()]
    if rows:
        mosaic(path, rows, ["classes", "real photo", *headings])


def shown_temperatures(evidence: Evidence, name: str) -> list[float]:
    """The temperatures of a set that its page shows: those asked for, or else its best."""
    wanted = evidence.params.report.temperatures
    found = [degree for degree in evidence.params.sets[name].temperatures if degree in wanted]
    return found or [best(evidence, name)]


def _open_sets(evidence: Evidence, study: Path) -> Mapping[str, Photos]:
    return {name: Photos(study / "synthetic" / name) for name in evidence.params.report.sweep}


def _layouts(evidence: Evidence, sets: Mapping[str, Photos]) -> Sequence[str]:
    if not sets:
        return []
    common = set.intersection(*({row.layout for row in drawn.rows} for drawn in sets.values()))
    names = sorted(common)
    return [names[place] for place in evenly(len(names), evidence.params.report.layouts)]


def opening(evidence: Evidence, study: Path, prepared: Prepared, pictures: Path) -> None:
    """Label maps, photographs, and what the best system makes of the layout, for two layouts."""
    sets = _open_sets(evidence, study)
    name, layouts = best_set(evidence), _layouts(evidence, sets)
    for place, at in enumerate(evenly(len(layouts), 2) if name else ()):
        layout, folder = layouts[at], pictures / OPENING
        io.write_webp(folder / f"{place}_classes.webp", prepared.classes(layout))
        io.write_webp(folder / f"{place}_real.webp", prepared.photo(layout))
        made = sets[str(name)].first(layout, best(evidence, str(name)))
        io.write_webp(folder / f"{place}_made.webp", made)


def slider(evidence: Evidence, study: Path, prepared: Prepared, pictures: Path) -> None:
    """The class map, the real photograph, and a photograph per temperature from equal noise.

    The layout is the middle one of the set's, not picked by eye.
    """
    degrees = moved_through(evidence)
    if not degrees:
        return
    photos = Photos(study / "synthetic" / evidence.params.report.sweep[0])
    layouts = sorted({row.layout for row in photos.rows})
    layout = layouts[len(layouts) // 2]
    folder = pictures / FOLDER
    io.write_webp(folder / "classes.webp", prepared.classes(layout))
    io.write_webp(folder / "real.webp", prepared.photo(layout))
    for index, degree in enumerate(degrees):
        io.write_webp(folder / f"{index}.webp", photos.first(layout, degree))


@dataclass(frozen=True)
class Explored:
    """What stage explore left of one generator, which is called `name` by readers."""

    name: str
    root: Path
    record: Exploration

    def photo(self, *place: str) -> np.ndarray:
        """A picture, (H, W, 3) uint8."""
        return io.read_photo(self.root.joinpath(*place))

    def title(self, more: str = "") -> np.ndarray:
        """A picture that says whose row it is, of the same aspect as the others."""
        height, width = self.photo("style", f"{self.record.layouts[0]}_0.png").shape[:2]
        # large enough for its letters whatever the size of the photographs
        factor = -(-160 // height)
        return render_text(f"{self.name}\n{more}".strip(), (factor * height, factor * width))


def latents(params: Params, study: Path, prepared: Prepared, folder: Path) -> None:
    """Writes the three figures, as far as there is something to show.

    References:
        Li et al. 2019, "Diverse Image Synthesis from Semantic Layouts via Conditional IMLE",
        figures 4, 5 and 7.
    """
    found = _find_explored(params, study / "explored")
    if not found:
        return
    _paths([one for one in found if one.record.steps], prepared, folder / f"{PATHS}.webp")
    _styles(found, prepared, folder / f"{STYLES}.webp")
    _edits(found, folder / f"{EDITS}.webp")


def _find_explored(params: Params, root: Path) -> list[Explored]:
    asked = params.explore.generators if params.explore else ()
    return [
        Explored(
            names.generator(params, name).words,
            root / name,
            Exploration.read(root / name / "record.json"),
        )
        for name in asked
        if (root / name / "record.json").exists()
    ]


def _paths(found: Sequence[Explored], prepared: Prepared, path: Path) -> None:
    if not found:
        return
    count = max(1, ROWS // len(found))
    steps = found[0].record.steps
    rows = [
        [
            one.title(),
            prepared.classes(layout),
            *(one.photo("path", f"{layout}_{number:02d}.png") for number in range(steps)),
        ]
        for one in found
        for layout in one.record.layouts[:count]
    ]
    between = [f"{number / (steps - 1):.2f}" for number in range(1, steps - 1)]
    mosaic(path, rows, ["", "classes", "one draw", *between, "another"])


def _styles(found: Sequence[Explored], prepared: Prepared, path: Path) -> None:
    layouts = found[0].record.layouts
    height, width = found[0].title().shape[:2]
    rows = [[render_text("", (height, width)), *(prepared.classes(layout) for layout in layouts)]]
    rows += [
        [one.title(text), *(one.photo("style", f"{layout}_{number}.png") for layout in layouts)]
        for one in found
        for number, text in enumerate(("one draw", "another"))
    ]
    mosaic(path, rows, ["", *(f"layout {number + 1}" for number in range(len(layouts)))])


def _edits(found: Sequence[Explored], path: Path) -> None:
    texts = found[0].record.edits
    if not texts:
        return
    numbers = range(len(texts) + 1)
    height, width = found[0].title().shape[:2]
    classes = [found[0].photo("edits", f"{number:02d}_classes.png") for number in numbers]
    rows = [[render_text("", (height, width)), *classes]]
    rows += [
        [one.title(), *(one.photo("edits", f"{number:02d}.png") for number in numbers)]
        for one in found
    ]
    mosaic(path, rows, ["", "before", *texts])
