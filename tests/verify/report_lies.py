"""Lies in a report alone, in a clone without data: level 3 counts again what is there."""

from __future__ import annotations

import shutil

import numpy as np

from augflow.core import io
from augflow.study.project import Project
from tests.verify.careless_lies import REPORT, SCENE, Lie
from tests.verify.forging import edit, edit_json, edit_rows, improve

TABLES = REPORT / "tables"


def of(rows: list[dict[str, str]], **cells: str) -> dict[str, str]:
    """The first row with such cells."""
    return next(row for row in rows if all(row[name] == text for name, text in cells.items()))


def a_narrower_interval(project: Project) -> None:
    def narrow(rows):
        row = of(rows, arm="picked")
        row.update(low=f"{float(row['low']) / 4:.8g}", high=f"{float(row['high']) / 4:.8g}")

    edit_rows(TABLES / "comparisons.csv", narrow)


def a_higher_mean(project: Project) -> None:
    edit_rows(TABLES / "arms.csv", lambda rows: of(rows, arm="both").update(
        {"class_iou.mean": "0.41"}
    ))  # fmt: skip


def a_gain_that_is_none(project: Project) -> None:
    edit_rows(TABLES / "comparisons.csv", lambda rows: of(rows, arm="both").update(outcome="gain"))


def a_class_that_is_helped(project: Project) -> None:
    edit_rows(TABLES / "comparisons_per_class.csv", lambda rows: (
        of(rows, arm="both", **{"class": "sky"}).update(survives="yes", outcome="helps")
    ))  # fmt: skip


def a_luckier_class(project: Project) -> None:
    edit_rows(TABLES / "arms_per_class.csv", lambda rows: (
        of(rows, arm="real", **{"class": "car"}).update({"iou.mean": "0.77"})
    ))  # fmt: skip


def a_run_read_better(project: Project) -> None:
    edit_rows(TABLES / "runs.csv", lambda rows: of(rows, arm="real", seed="1").update(
        pixel_accuracy="0.99"
    ))  # fmt: skip


def a_best_temperature_that_is_none(project: Project) -> None:
    edit_rows(TABLES / "systems.csv", lambda rows: of(rows, row="flow").update(temperature="0.9"))


def a_lower_ceiling(project: Project) -> None:
    edit_rows(TABLES / "references.csv", lambda rows: of(rows, row="real").update(class_iou="0.01"))


def a_smaller_cost(project: Project) -> None:
    edit_rows(TABLES / "costs.csv", lambda rows: of(rows, arm="picked").update(choice="0"))


def another_sign(project: Project) -> None:
    path = REPORT / "report.md"
    lines = path.read_text(encoding="utf-8").split("\n")
    place = next(n for n, line in enumerate(lines) if line.startswith("- On real validation ph"))
    sign = lines[place].partition(" by ")[2][0]
    lines[place] = lines[place].replace(f" by {sign}", f" by {'+' if sign == '−' else '−'}", 1)
    path.write_text("\n".join(lines), encoding="utf-8")


def another_verdict_in_the_text(project: Project) -> None:
    edit(REPORT / "report.md", "Cannot be told: picked differs from", "Yes: picked is better than")


def another_verdict_on_the_page(project: Project) -> None:
    edit(REPORT / "report.html", "Cannot be told", "Synthetic photos help")


def a_seed_left_out(project: Project) -> None:
    edit_json(REPORT / "scores/arms.json", lambda content: content["runs"].pop("both-1"))


def one_network_under_two_seeds(project: Project) -> None:
    def doubled(content):
        first, second = (content["runs"][key] for key in ("picked-0", "picked-1"))
        second["segmenter"] = first["segmenter"]

    edit_json(REPORT / "scores/arms.json", doubled)


def a_matrix_that_does_not_add_up(project: Project) -> None:
    def one_more(content):
        matrix = np.array(content["items"][0]["confusion"])
        np.fill_diagonal(matrix, matrix.diagonal() + 1)
        content["items"][0]["confusion"] = matrix.tolist()

    edit_json(REPORT / "scores/best.json", one_more)


def a_better_read_photograph(project: Project) -> None:
    path = REPORT / "scores/new.json"
    content = io.read_json(path)
    improve(content["items"][0])
    io.write_records(path, content)


def fewer_leaks(project: Project) -> None:
    path = REPORT / "scores/leaks.json"
    content = io.read_json(path)
    content["sets"]["more"]["nearer_than_any_val"] = 0.0
    content["sets"]["more"]["copies"] = ["of nothing"]
    io.write_records(path, content)


def other_parameters(project: Project) -> None:
    edit(REPORT / "evidence/params.yaml", "samples: 3", "samples: 300")


def without_data(project: Project) -> None:
    """What a clone has not."""
    for folder in ("data", ".dvc/cache"):
        shutil.rmtree(folder)


TOLD = [
    Lie(a_narrower_interval, 3, "tables/comparisons.csv: picked against real: low"),
    Lie(a_higher_mean, 3, "tables/arms.csv: both: class_iou.mean"),
    Lie(a_gain_that_is_none, 3, "tables/comparisons.csv: both against real: outcome says gain"),
    Lie(a_class_that_is_helped, 3, "both against real: sky: outcome says helps"),
    Lie(a_luckier_class, 3, "tables/arms_per_class.csv: real, car: iou.mean"),
    Lie(a_run_read_better, 3, "tables/runs.csv: real, seed 1: pixel_accuracy"),
    Lie(a_best_temperature_that_is_none, 3, "tables/systems.csv: t05: temperature 0.9 is"),
    Lie(a_lower_ceiling, 3, "tables/references.csv: real: class_iou"),
    Lie(a_smaller_cost, 3, f"{REPORT}/tables/costs.csv: row picked, column choice"),
    Lie(another_sign, 3, "expected ' 95 % intervals, by"),
    Lie(another_verdict_in_the_text, 3, "report.md: line 5: expected"),
    Lie(another_verdict_on_the_page, 3, "report.html: line"),
]
"""The claims have the digests of the files as they are."""

EVIDENCE = [
    Lie(a_seed_left_out, 3, "scores/arms.json: runs: expected ['both-0', 'both-1',"),
    Lie(one_network_under_two_seeds, 3, "scores/arms.json: picked-1: network of"),
    Lie(a_matrix_that_does_not_add_up, 3, f"best.json: {SCENE}_t0_r0: pixels of each class"),
    Lie(a_better_read_photograph, 3, "scores/new.json, a copy of data/mini/scores/new.json (dvc"),
    Lie(fewer_leaks, 3, "scores/leaks.json, a copy of data/mini/scores/leaks.json (dvc.lock)"),
    Lie(other_parameters, 3, "evidence/params.yaml: diversity.samples: expected 3, got 300"),
]
"""What the tables are said to come from; these are as they were."""
