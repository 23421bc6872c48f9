"""Lies in a report alone, in a clone without data: level 3 counts again what is there."""

from __future__ import annotations

import shutil
from collections.abc import Callable

import numpy as np

from augflow.core import io
from augflow.study.project import Project
from tests.verify.forging import edit, edit_json, edit_rows, flip, improve
from tests.verify.level_0_lies import REPORT, SCENE, SCRIPT, Lie, half_as_many_errors


def cells(table: str, values: dict[str, str], **row: str) -> Callable[[Project], None]:
    """Writes other cells into the first row of a table that has some."""

    def tell(_: Project) -> None:
        edit_rows(
            REPORT / "tables" / f"{table}.csv",
            lambda rows: next(
                one for one in rows if all(one[name] == text for name, text in row.items())
            ).update(values),
        )

    return tell


def a_narrower_interval(_: Project) -> None:
    def narrow(rows):
        row = next(row for row in rows if row["arm"] == "picked")
        row.update(low=f"{float(row['low']) / 4:.8g}", high=f"{float(row['high']) / 4:.8g}")

    edit_rows(REPORT / "tables/comparisons.csv", narrow)


def another_sign(_: Project) -> None:
    path = REPORT / "report.md"
    lines = path.read_text(encoding="utf-8").split("\n")
    place = next(n for n, line in enumerate(lines) if " (picked) | " in line)
    sign = lines[place].partition(" (picked) | ")[2][0]
    other = "+" if sign == "−" else "−"
    lines[place] = lines[place].replace(f" (picked) | {sign}", f" (picked) | {other}", 1)
    path.write_text("\n".join(lines), encoding="utf-8")


def one_network_under_two_seeds(_: Project) -> None:
    def doubled(content):
        first, second = (content["runs"][key] for key in ("picked-0", "picked-1"))
        second["segmenter"] = first["segmenter"]

    edit_json(REPORT / "scores/arms.json.gz", doubled)


def a_matrix_that_does_not_add_up(_: Project) -> None:
    def one_more(content):
        matrix = np.array(content["items"][0]["confusion"])
        np.fill_diagonal(matrix, matrix.diagonal() + 1)
        content["items"][0]["confusion"] = matrix.tolist()

    edit_json(REPORT / "scores/best.json.gz", one_more)


def a_better_read_image(_: Project) -> None:
    path = REPORT / "scores/new.json.gz"
    content = io.read_json(path)
    improve(content["items"][0])
    io.write_records(path, content)


def fewer_leaks(_: Project) -> None:
    path = REPORT / "scores/leaks.json.gz"
    content = io.read_json(path)
    content["sets"]["more"]["nearer_than_any_val"] = 0.0
    content["sets"]["more"]["copies"] = ["of nothing"]
    io.write_records(path, content)


def claims_twice(_: Project) -> None:
    def change(content):
        first, second = content["claims"][:2]
        content["claims"].insert(0, first | {"text": "99"})
        second["note"] = "proven"

    edit_json(REPORT / "claims.json.gz", change)


def without_data(_: Project) -> None:
    """What a clone has not."""
    for folder in ("data", ".dvc/cache"):
        shutil.rmtree(folder)


TOLD = [
    Lie("a narrower interval", "tables/comparisons.csv: picked against real: low",
        a_narrower_interval),
    Lie("a higher mean", "tables/arms.csv: both: class_iou.mean",
        cells("arms", {"class_iou.mean": "0.41"}, arm="both")),
    Lie("a gain that is none", "tables/comparisons.csv: both against real: outcome says gain",
        cells("comparisons", {"outcome": "gain"}, arm="both")),
    Lie("a class that is helped", "both against real: sky: outcome says helps",
        cells("comparisons_per_class", {"survives": "yes", "outcome": "helps"}, arm="both",
              **{"class": "sky"})),
    Lie("a luckier class", "tables/arms_per_class.csv: real, car: iou.mean",
        cells("arms_per_class", {"iou.mean": "0.77"}, arm="real", **{"class": "car"})),
    Lie("a nearer set", "tables/temperature.csv: t05 at 0.5: frechet",
        cells("temperature", {"frechet": "0.001"}, set="t05")),
    Lie("a run read better", "tables/runs.csv: real, seed 1: pixel_accuracy",
        cells("runs", {"pixel_accuracy": "0.99"}, arm="real", seed="1")),
    Lie("a best temperature that is none", "tables/systems.csv: t05: temperature 0.9 is",
        cells("systems", {"temperature": "0.9"}, row="flow")),
    Lie("a lower ceiling", "tables/references.csv: real: class_iou",
        cells("references", {"class_iou": "0.01"}, row="real")),
    Lie("a smaller cost", f"{REPORT}/tables/costs.csv: row picked, column choice",
        cells("costs", {"choice": "0"}, arm="picked")),
    Lie("another sign", "report.md: line 1", another_sign),
    Lie("another verdict in the text", "report.md: line 5: expected",
        lambda _: edit(REPORT / "report.md", "This study cannot tell whether networks",
                       "Yes: networks")),
    Lie("a retouched chart", f"{REPORT}/figures/segmenters.png: row 3, column 4",
        lambda _: flip(REPORT / "figures/segmenters.png")),
    Lie("a chart left out", f"{REPORT}/figures/classes.png: expected a chart, got no such file",
        lambda _: (REPORT / "figures/classes.png").unlink()),
    Lie("a claim twice", "claims.json.gz: systems.flow.parameters: expected one such claim, got 2",
        claims_twice),
    Lie("a remark on a claim", ": note: expected nothing, got proven", lambda _: None),
    Lie("another verdict on the page", "report.html: line",
        lambda _: edit(REPORT / "report.html", "This study cannot tell", "Synthetic images help")),
]  # fmt: skip
"""The claims have the digests of the files as they are."""

EVIDENCE = [
    Lie("half as many errors", SCRIPT, half_as_many_errors),
    Lie("a seed left out", "scores/arms.json.gz: runs: expected ['both-0', 'both-1',",
        lambda _: edit_json(REPORT / "scores/arms.json.gz",
                            lambda content: content["runs"].pop("both-1"))),
    Lie("one network under two seeds", "scores/arms.json.gz: picked-1: network of",
        one_network_under_two_seeds),
    Lie("a matrix that does not add up", f"best.json.gz: {SCENE}_t0_r0: pixels of each class",
        a_matrix_that_does_not_add_up),
    Lie("a better read image", "scores/new.json.gz, a copy of data/mini/scores/new.json (dvc",
        a_better_read_image),
    Lie("fewer leaks", "scores/leaks.json.gz, a copy of data/mini/scores/leaks.json (dvc.lock)",
        fewer_leaks),
    Lie("other parameters", "evidence/params.yaml: diversity.samples: expected 3, got 300",
        lambda _: edit(REPORT / "evidence/params.yaml", "samples: 3", "samples: 300")),
]  # fmt: skip
"""What the tables are said to come from; these are as they were."""
