"""What a report says, counted again from the matrices of single images.

Nothing here is shared with what made the report: formulas are written out once more, intervals are
drawn by the rule that the report prints from other random numbers, and nothing of augflow is
imported. A mistake or a lie in either shows as a difference. `augflow verify --level 3` runs it.
"""

from __future__ import annotations

import csv
import gzip
import json
import math
import zlib
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from io import StringIO
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import yaml
from scipy.stats import t

BATCHES, DRAWS = 16, 400
REPORT_DRAWS = 10_000
"""So many draws a report takes; what chance is left in it is that of so many."""

MEASURES = ("pixel_accuracy", "class_accuracy", "class_iou")
_FEW_DRIVES = 5
_NORMAL = 1.96

Row = dict[str, str]
Matrix = list[list[int]]


class Comparison(NamedTuple):
    """A place in a report: what was counted, what stands there, and whether that is one."""

    where: str
    expected: str
    got: str
    holds: bool


def same(where: str, expected: object, got: object) -> Comparison:
    return Comparison(where, str(expected), str(got), expected == got)


def close(where: str, expected: float | None, cell: str) -> Comparison:
    """Compares with a cell of a table, to the digits that cells have."""
    got = float(cell) if cell else None
    if expected is None or got is None:
        holds = expected is got
    else:
        holds = math.isclose(expected, got, rel_tol=1e-6, abs_tol=1e-8)
    return Comparison(where, str(expected), cell or "nothing", holds)


class Report:
    """The files of a report, each read once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.json, self.csv = cache(self._json), cache(self._csv)

    def table(self, name: str) -> list[Row]:
        """The rows of a table of the report; none where it has no such table."""
        path = f"tables/{name}.csv"
        return self.csv(path) if (self.folder / path).exists() else []

    def runs(self) -> dict[str, Any]:
        """What the retrained networks read, by `ARM-SEED`."""
        there = (self.folder / "scores" / "arms.json.gz").exists()
        return self.json("scores/arms.json.gz")["runs"] if there else {}

    def items(self, name: str) -> list[Any]:
        """The scored images of a set."""
        return self.json(f"scores/{name}.json.gz")["items"]

    def rounds(self, name: str, temperature: float) -> list[Scores]:
        """The scores of each round of a set at a temperature."""
        found: dict[int, list[Matrix]] = defaultdict(list)
        for item in self.items(name):
            if item["temperature"] == temperature:
                found[item["round"]].append(item["confusion"])
        return [scores(total(found[turn])) for turn in sorted(found)]

    def _json(self, name: str) -> Any:
        return json.loads(self._text(name))

    def _csv(self, name: str) -> list[Row]:
        return list(csv.DictReader(StringIO(self._text(name))))

    def _text(self, name: str) -> str:
        path = self.folder / name
        try:
            with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as stream:
                return stream.read().decode()
        except (OSError, EOFError, zlib.error) as fault:
            raise ValueError(f"{path}: {getattr(fault, 'strerror', None) or fault}") from fault


@dataclass(frozen=True)
class Scores:
    """The scores of a matrix; None for a class that neither is there nor was predicted."""

    pixel_accuracy: float
    class_accuracy: float
    class_iou: float
    ious: list[float | None]


def scores(matrix: Matrix) -> Scores:
    """Scores by the letter: a pixel, a class, a union at a time."""
    size = range(len(matrix))
    rows = [sum(matrix[i]) for i in size]
    columns = [sum(matrix[i][j] for i in size) for j in size]
    hits = [matrix[i][i] for i in size]
    unions = [rows[i] + columns[i] - hits[i] for i in size]
    accuracies = [hits[i] / rows[i] for i in size if rows[i]]
    ious = [hits[i] / unions[i] if unions[i] else None for i in size]
    known = [iou for iou in ious if iou is not None]
    return Scores(
        sum(hits) / sum(rows), sum(accuracies) / len(accuracies), sum(known) / len(known), ious
    )


def total(matrices: list[Matrix]) -> Matrix:
    return [
        [sum(cells) for cells in zip(*rows, strict=True)] for rows in zip(*matrices, strict=True)
    ]


def spread(values: list[float]) -> tuple[float, float | None]:
    """Mean and standard deviation, None where a single value has none."""
    mean = sum(values) / len(values)
    if len(values) < 2:
        return mean, None
    return mean, math.sqrt(sum((v - mean) ** 2 for v in values) / (len(values) - 1))


def count_matrices(report: Report) -> Iterator[Comparison]:
    """Rows of matrices sum to the pixels of a class in the layout; all networks are there."""
    pixels = {row["scene"]: row for row in report.csv("evidence/pixels.csv")}
    for path in sorted((report.folder / "scores").rglob("*.json.gz")):
        name = path.relative_to(report.folder).as_posix()
        for where, item in _scored_items(report.json(name)):
            counts = pixels.get(item.get("layout", item["name"]))
            if counts is None:
                continue  # a new layout, whose pixels are counted at level 0 alone
            sums = [sum(row) for row in item["confusion"]]
            expected = [int(counts[str(number)]) for number in range(len(sums))]
            yield same(f"{name}: {where}{item['name']}: pixels of each class", expected, sums)
    if (report.folder / "scores" / "arms.json.gz").exists():
        scenes = sorted(row["scene"] for row in pixels.values() if row["split"] == "val")
        yield from _count_networks(report, scenes)


def _scored_items(content: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every scored image of a file, and which of its lists it is in."""
    kind, lists = content["kind"], {}
    if kind == "set":
        lists = {"": content["items"]}
    elif kind == "references":
        lists = {f"{row}: ": items for row, items in content["rows"].items()}
    elif kind == "arms":
        lists = {f"{key}: ": run["items"] for key, run in content["runs"].items()}
    elif kind == "predictor":
        lists = {f"{one['samples']} samples: ": one["items"] for one in content["samples"]}
    for where, items in lists.items():
        yield from ((where, item) for item in items)


def _count_networks(report: Report, scenes: list[str]) -> Iterator[Comparison]:
    """Every arm once with every seed, no network under two seeds, all scenes."""
    runs = report.runs()
    params = yaml.safe_load((report.folder / "evidence/params.yaml").read_text(encoding="utf-8"))
    wanted = [f"{arm}-{seed}" for arm in params["arms"] for seed in params["retrain"]["seeds"]]
    yield same("scores/arms.json.gz: runs", sorted(wanted), sorted(runs))
    first: dict[tuple[str, str], str] = {}
    for key, run in sorted(runs.items()):
        where = f"scores/arms.json.gz: {key}"
        yield same(f"{where}: arm and seed", key, f"{run['arm']}-{run['seed']}")
        other = first.setdefault((run["arm"], run["segmenter"]), key)
        if params["retrain"]["segmenter"]["steps"]:
            yield same(f"{where}: network of", key, other)
        yield same(f"{where}: scenes", scenes, sorted(item["name"] for item in run["items"]))


def count_arms(report: Report) -> Iterator[Comparison]:
    """Scores of every run, and of every arm over its seeds."""
    found = {
        (run["arm"], run["seed"]): scores(total([item["confusion"] for item in run["items"]]))
        for run in report.runs().values()
    }
    rows = {(row["arm"], int(row["seed"])): row for row in report.table("runs")}
    yield same("tables/runs.csv: rows", sorted(found), sorted(rows))
    for key in found.keys() & rows.keys():
        for kind in MEASURES:
            where = f"tables/runs.csv: {key[0]}, seed {key[1]}: {kind}"
            yield close(where, getattr(found[key], kind), rows[key][kind])
    of_arm: dict[str, list[Scores]] = defaultdict(list)
    for (arm, _), one in sorted(found.items()):
        of_arm[arm].append(one)
    for row in report.table("arms"):
        yield from _close_spreads(f"tables/arms.csv: {row['arm']}: ", of_arm[row["arm"]], row)
    names = report.json("scores/arms.json.gz")["classes"] if of_arm else []
    for row in report.table("arms_per_class") if of_arm else []:
        ious = [one.ious[names.index(row["class"])] for one in of_arm[row["arm"]]]
        known = [iou for iou in ious if iou is not None]
        where = f"tables/arms_per_class.csv: {row['arm']}, {row['class']}: iou.mean"
        yield close(where, spread(known)[0] if known else None, row["iou.mean"])


def _close_spreads(where: str, found: list[Scores], row: Row) -> Iterator[Comparison]:
    for kind in MEASURES:
        values = spread([getattr(one, kind) for one in found])
        for name, value in zip(("mean", "std"), values, strict=True):
            yield close(f"{where}{kind}.{name}", value, row[f"{kind}.{name}"])


def count_images(report: Report) -> Iterator[Comparison]:
    """Scores of sets by temperature, and of the references."""
    for row in report.table("temperature"):
        where = f"tables/temperature.csv: {row['set']} at {row['temperature']}: "
        if "frechet" in row:
            stored = report.json(f"scores/{row['set']}.json.gz")
            place = stored["temperatures"].index(float(row["temperature"]))
            yield close(f"{where}frechet", stored["frechet"][place], row["frechet"])
        yield from _close_spreads(where, report.rounds(row["set"], float(row["temperature"])), row)
    references = report.json("scores/references.json.gz")["rows"]
    # references are compared on the layouts that sets were made for, where any set is compared
    sets = {row["set"] for row in report.table("temperature")}
    layouts = {item["layout"] for name in sets for item in report.items(name)}
    for row in report.table("references"):
        if row["row"] in references:
            found = scores(
                total(
                    [
                        item["confusion"]
                        for item in references[row["row"]]
                        if not layouts or item["layout"] in layouts
                    ]
                )
            )
            for kind in MEASURES:
                where = f"tables/references.csv: {row['row']}: {kind}"
                yield close(where, getattr(found, kind), row[kind])


def count_differences(report: Report) -> Iterator[Comparison]:
    """Differences, ends of intervals, and what is said of them."""
    rows = [(name, row) for name in ("comparisons", "more_real") for row in report.table(name)]
    if not rows:
        return
    arms = Arms.read(report)
    for name, row in rows:
        where = f"tables/{name}.csv: {row['arm']} against {row['against']}"
        found = arms.difference(row["arm"], row["against"])
        yield close(f"{where}: difference", found.difference, row["difference"])
        for end, value in (("low", found.low), ("high", found.high)):
            if value is None or not row[end]:
                yield close(f"{where}: {end}", value.middle if value else None, row[end])
                continue
            slack = value.slack(2 * len(rows))
            expected = f"{value.middle:.6f} ± {slack:.6f} of chance in drawing"
            holds = abs(float(row[end]) - value.middle) <= slack
            yield Comparison(f"{where}: {end}", expected, row[end], holds)
        # of one seed or one scene nothing can be told
        whole = min(int(row["seeds"]), int(row["groups"])) > 1
        signs = {"gain": float(row["low"] or 0) > 0, "worse": float(row["high"] or 0) < 0}
        for word, there in signs.items():
            yield same(f"{where}: outcome says {word}", whole and there, row["outcome"] == word)
    yield from _count_classes(report, arms)


def _count_classes(report: Report, arms: Arms) -> Iterator[Comparison]:
    """Differences of single classes, Holm's correction, and helps or hurts."""
    sizes = {
        (row["arm"], row["against"]): min(int(row["seeds"]), int(row["groups"]))
        for row in report.table("comparisons")
    }
    pairs: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in report.table("comparisons_per_class"):
        pairs[row["arm"], row["against"]].append(row)
    for (arm, against), rows in pairs.items():
        differences = arms.class_differences(arm, against)
        survivors = surviving({row["class"]: row["p"] for row in rows if row["p"]})
        for row in rows:
            name = row["class"]
            where = f"tables/comparisons_per_class.csv: {arm} against {against}: {name}"
            yield close(where, differences[name], row["difference"])
            if row["p"]:
                survives = "yes" if name in survivors else "no"
                yield same(f"{where}: survives", survives, row["survives"])
            signs = {"helps": float(row["low"] or 0) > 0, "hurts": float(row["high"] or 0) < 0}
            for word, there in signs.items():
                expected = there and name in survivors and sizes[arm, against] > 1
                yield same(f"{where}: outcome says {word}", expected, row["outcome"] == word)


def count_ranks(report: Report) -> Iterator[Comparison]:
    """The best temperature of each system, and the order of systems by it."""
    found: dict[str, dict[float, float]] = defaultdict(dict)
    for row in report.table("temperature"):
        temperature = float(row["temperature"])
        values = [one.class_iou for one in report.rounds(row["set"], temperature)]
        found[row["set"]][temperature] = float(np.mean(values))
    systems = {row["set"]: row for row in report.table("systems") if row["set"] in found}
    best = {name: max(values.values()) for name, values in found.items()}
    for name, row in systems.items():
        got = found[name].get(float(row["temperature"]), math.nan)
        where = f"tables/systems.csv: {name}: temperature {row['temperature']}"
        yield close(f"{where} is the best: class IoU", best[name], f"{got:.8f}")
    expected = sorted(systems, key=lambda name: -best[name])
    got_order = sorted(systems, key=lambda name: -float(systems[name]["class_iou.mean"]))
    yield same("tables/systems.csv: order by class IoU", expected, got_order)


PARTS = {
    "matrices": count_matrices,
    "arms": count_arms,
    "photographs": count_images,
    "differences": count_differences,
    "ranks": count_ranks,
}
"""What of a report is counted, and by what."""


@dataclass(frozen=True)
class IntervalEnd:
    """An end of an interval: the mean over batches of draws, and their standard deviation."""

    middle: float
    deviation: float

    def slack(self, ends: int) -> float:
        """What chance in drawing may explain, of so many ends that are looked at.

        A percentile of so few draws is nearly normal; 1 % is shared among all ends.
        """
        variance = 1 / BATCHES + DRAWS / REPORT_DRAWS
        quantile = float(t.ppf(1 - 0.005 / ends, BATCHES - 1))
        return quantile * self.deviation * math.sqrt(variance) + 1e-7


@dataclass(frozen=True)
class Difference:
    """A difference and its interval, as far as there is one."""

    difference: float
    low: IntervalEnd | None = None
    high: IntervalEnd | None = None


@dataclass(frozen=True)
class Arms:
    """The matrices of all arms: hits and unions per seed, scene and class.

    Shapes:
        hits, unions: by arm and seed, (N, K), scenes in the order of their names.
    """

    classes: list[str]
    groups: list[str]
    hits: dict[str, dict[int, np.ndarray]]
    unions: dict[str, dict[int, np.ndarray]]

    @classmethod
    def read(cls, report: Report) -> Arms:
        drives = {
            row["scene"]: row["drive"]
            for row in report.csv("evidence/pixels.csv")
            if row["split"] == "val"
        }
        hits: dict[str, dict[int, np.ndarray]] = {}
        unions: dict[str, dict[int, np.ndarray]] = {}
        names: list[str] = []
        for run in report.runs().values():
            items = sorted(run["items"], key=lambda item: str(item["name"]))
            names = [item["name"] for item in items]
            whole = np.array([item["confusion"] for item in items], float)
            diagonal = np.einsum("nkk->nk", whole)
            hits.setdefault(run["arm"], {})[run["seed"]] = diagonal
            unions.setdefault(run["arm"], {})[run["seed"]] = whole.sum(1) + whole.sum(2) - diagonal
        of = [drives[name] for name in names]
        classes = report.json("scores/arms.json.gz")["classes"]
        return cls(classes, of if len(set(of)) >= _FEW_DRIVES else names, hits, unions)

    def difference(self, arm: str, against: str) -> Difference:
        """Mean class IoU of one arm less that of another, and its 95 % interval."""
        seeds = self._shared_seeds(arm, against)
        kinds = sorted(set(self.groups))
        members = np.array([[group == kind for group in self.groups] for kind in kinds], float)
        even = np.ones((1, len(self.groups)))
        ours, theirs = (self._means(name, seeds, even).mean() for name in (arm, against))
        point = float(ours - theirs)
        if max(len(seeds), len(kinds)) < 2:
            return Difference(point)
        number = zlib.crc32(f"{arm} {against} again".encode())
        ends = np.array(
            [
                self._ends(arm, against, members, np.random.default_rng([number, batch]), point)
                for batch in range(BATCHES)
            ]
        )
        middles, deviations = ends.mean(0), ends.std(0, ddof=1)
        low, high = (IntervalEnd(float(middles[n]), float(deviations[n])) for n in range(2))
        return Difference(point, low, high)

    def class_differences(self, arm: str, against: str) -> dict[str, float | None]:
        """IoU of each class, mean over seeds, less the other arm's; None where one has none."""
        sides, even = [], np.ones(len(self.groups))
        for name in (arm, against):
            seeds = self._shared_seeds(arm, against)
            values = np.array([self._ious(name, seed, even) for seed in seeds])
            there = np.isfinite(values)
            sums = np.where(there, values, 0).sum(0)
            sides.append(np.where(there.any(0), sums / np.maximum(there.sum(0), 1), np.nan))
        return {
            name: float(value) if np.isfinite(value) else None
            for name, value in zip(self.classes, sides[0] - sides[1], strict=True)
        }

    def _shared_seeds(self, arm: str, against: str) -> list[int]:
        return sorted(self.hits[arm].keys() & self.hits[against].keys())

    def _ends(
        self, arm: str, against: str, members: np.ndarray, rng: np.random.Generator, point: float
    ) -> tuple[float, float]:
        """The ends of the interval by one batch of draws."""
        seeds = self._shared_seeds(arm, against)
        even = np.ones((DRAWS, len(self.groups)))
        weights, some = resample_counts(rng, members), resample_seeds(rng, len(seeds))
        every = np.tile(np.arange(len(seeds)), (DRAWS, 1))
        drawn = self._means(arm, seeds, weights) - self._means(against, seeds, weights)
        still = self._means(arm, seeds, even) - self._means(against, seeds, even)
        both, scenes_alone, seeds_alone = (
            np.take_along_axis(values, picked, 1).mean(1)
            for values, picked in ((drawn, some), (drawn, every), (still, some))
        )
        freedom = degrees_of_freedom(
            (len(seeds) - 1, float(np.var(seeds_alone))),
            (len(members) - 1, float(np.var(scenes_alone))),
        )
        stretch = max(1.0, float(t.ppf(0.975, freedom)) / _NORMAL)
        wide = point + stretch * (both - point)
        low, high = np.clip(np.quantile(wide, (0.025, 0.975)), -1, 1)
        return float(low), float(high)

    def _means(self, arm: str, seeds: list[int], weights: np.ndarray) -> np.ndarray:
        """Class IoU under weights of scenes, (draws, N), for each seed: (draws, S)."""
        return np.stack([np.nanmean(self._ious(arm, seed, weights), 1) for seed in seeds], 1)

    def _ious(self, arm: str, seed: int, weights: np.ndarray) -> np.ndarray:
        hits, unions = weights @ self.hits[arm][seed], weights @ self.unions[arm][seed]
        return np.where(unions > 0, hits / np.maximum(unions, 1e-12), np.nan)


def surviving(chances: Mapping[str, str]) -> set[str]:
    """The names whose p survives Holm's step-down at 5 %."""
    left = sorted(chances, key=lambda name: float(chances[name]))
    kept: set[str] = set()
    for rank, name in enumerate(left):
        if float(chances[name]) > 0.05 / (len(left) - rank):
            break
        kept.add(name)
    return kept


def resample_counts(rng: np.random.Generator, members: np.ndarray) -> np.ndarray:
    """How often each scene comes if one group fewer than there are is drawn, (DRAWS, N)."""
    count = len(members)
    if count == 1:
        return np.tile(members, (DRAWS, 1))
    return members[rng.integers(count, size=(DRAWS, count - 1))].sum(1)


def resample_seeds(rng: np.random.Generator, count: int) -> np.ndarray:
    """Places of one seed fewer than there are, (DRAWS, count - 1)."""
    return rng.integers(count, size=(DRAWS, max(count - 1, 1)))


def degrees_of_freedom(*variances: tuple[int, float]) -> float:
    """Satterthwaite's, of a sum of independent variances, each with its degrees of freedom."""
    pairs = [(n, v) for n, v in variances if n > 0 and v > 0]
    if not pairs:
        return 1e6
    return max(1.0, sum(v for _, v in pairs) ** 2 / sum(v * v / n for n, v in pairs))
