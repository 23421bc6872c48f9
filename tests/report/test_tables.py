"""Spread, comparison and tables against numbers worked out by hand."""

import dataclasses
import math

import pytest

from augflow.report import evidence as evidences
from augflow.report.statistics import GAIN, NO_GAIN, UNKNOWN, WORSE, difference, spread
from augflow.report.table import plain as said
from augflow.report.tables import compute_tables
from augflow.report.tables_judged import comparable_references
from augflow.report.verdict import verdict
from augflow.stages.report import gather
from tests.fabricated import EIGHT, HALF, NAMES, SEVEN, SIX, Study


def loaded(folder, study=None):
    params = (study or Study()).write(folder / "data")
    gather(params, folder / "data", folder / "report")
    return evidences.load(folder / "report")


@pytest.fixture(scope="module")
def evidence(tmp_path_factory):
    return loaded(tmp_path_factory.mktemp("study"))


@pytest.fixture(scope="module")
def tables(evidence):
    return compute_tables(evidence)


def test_spread_is_the_sample_standard_deviation():
    assert spread([1.0, 3.0]).mean == 2
    assert spread([1.0, 3.0]).std == pytest.approx(math.sqrt(2))
    assert spread([5.0]).std is None


def test_margin_is_students_t_for_two_samples():
    # variances 0.005 and 0.005: pooled 0.005, t(2) = 4.302653, error sqrt(0.005 (1/2 + 1/2))
    found = difference([0.7, 0.8], [0.5, 0.6])
    assert found.value == pytest.approx(0.2)
    assert found.margin == pytest.approx(4.302653 * math.sqrt(0.005))
    # variances 1 of three and 4 of two values: pooled (2 * 1 + 1 * 4) / 3 = 2, t(3) = 3.182446
    found = difference([1, 2, 3], [0, math.sqrt(8)])
    assert found.margin == pytest.approx(3.182446 * math.sqrt(2 * (1 / 3 + 1 / 2)))


@pytest.mark.parametrize(
    ("ours", "theirs", "outcome"),
    [
        ([0.70, 0.71, 0.72], [0.60, 0.61, 0.62], GAIN),
        ([0.60, 0.61, 0.62], [0.70, 0.71, 0.72], WORSE),
        ([0.60, 0.70, 0.80], [0.59, 0.69, 0.79], UNKNOWN),
        ([0.59, 0.69, 0.79], [0.60, 0.70, 0.80], NO_GAIN),
        ([0.60, 0.70], [0.60, 0.70], NO_GAIN),
        ([0.90], [0.10, 0.11], UNKNOWN),
        ([0.90, 0.91], [0.10], UNKNOWN),
    ],
)
def test_only_a_difference_above_its_margin_is_a_gain(ours, theirs, outcome):
    assert difference(ours, theirs).outcome == outcome


def test_temperature_scores_sum_the_photographs_of_a_round_first(tables):
    cells = tables["temperature"].row("sweep@0").cells
    assert cells["class_iou.mean"] == pytest.approx((7 / 12 + 13 / 20) / 2)
    assert cells["class_iou.std"] == pytest.approx((13 / 20 - 7 / 12) / math.sqrt(2))
    assert cells["pixel_accuracy.mean"] == pytest.approx((9 / 12 + 10 / 12) / 2)
    assert cells["class_accuracy.mean"] == pytest.approx(3 / 4)
    assert cells["class_iou_absent_zero.mean"] == pytest.approx((7 / 12 + 13 / 20) / 2 * 2 / 3)
    assert cells["class_iou.of_real"] == pytest.approx((7 / 12 + 13 / 20) / 2)
    assert (cells["rounds"], cells["photos"]) == (2, 4)


def test_references_put_the_best_set_beside_ceiling_and_floors(tables):
    table = tables["references"]
    assert [row.key for row in table.rows] == ["real", "best", "flat", "wrong"]
    assert table.row("best").cells["set"] == "sweep"
    ratios = {row.key: row.cells["class_iou.of_real"] for row in table.rows}
    # of the wrong photographs, class 0 has an IoU of 0.4 and class 1 of 0.25
    assert ratios == pytest.approx({"real": 1, "best": 37 / 60, "flat": 0.5, "wrong": 0.325})


def test_systems_stand_at_their_best_temperature_above_ceiling_and_floors(tables):
    table = tables["systems"]
    floors = [f"reference.{key}" for key in ("real", "flat", "wrong")]
    keys = ["full_glow", "pix2pix", "dual_glow", *floors]
    assert [row.key for row in table.rows] == keys
    ours = table.row("full_glow").cells
    assert ours["temperature"] == 0.8
    assert ours["class_iou.mean"] == pytest.approx(37 / 60)
    assert ours["class_iou_at_1.mean"] == pytest.approx(5 / 12)
    assert (ours["likelihood"], ours["val_bpd"]) == ("conditional", 4.25)
    other = table.row("pix2pix").cells
    assert (other["likelihood"], other["val_bpd"], other["parameters"]) == ("none", None, 777)
    assert other["class_iou.mean"] == pytest.approx(0.8)
    assert table.row("reference.real").cells["class_iou.mean"] == 1
    assert table.row("reference.flat").cells["class_iou.of_real"] == pytest.approx(0.5)
    # 8 of 8 + 1 + 1 pixels; the main system is the best column too
    cells = tables["judge_per_class"].row(NAMES[0]).cells
    assert cells["system.pix2pix.iou"] == pytest.approx(0.8)
    assert cells["system.full_glow.iou"] == cells["best.iou"]
    assert tables["judge_per_class"].row(NAMES[2]).cells["real.iou"] is None


def test_arms_have_mean_and_spread_over_seeds(tables):
    assert [row.key for row in tables["arms"].rows] == ["real", "real_classic", "real_synthetic"]
    cells = tables["arms"].row("real").cells
    assert cells["class_iou.mean"] == pytest.approx(0.55)
    assert cells["class_iou.std"] == pytest.approx(math.sqrt(0.005))
    assert tables["runs"].row("real_synthetic-1").cells["class_iou"] == pytest.approx(0.7)
    classes = tables["arms_per_class"]
    assert classes.row(f"real.{NAMES[0]}").cells["iou.mean"] == pytest.approx(0.55)
    assert classes.row(f"real.{NAMES[2]}").cells["iou.mean"] is None
    assert said(classes.rich(classes.rows[2], "iou.mean")) == "–"


def test_comparisons_are_against_every_arm_of_real_photographs(tables):
    table = tables["comparisons"]
    assert [row.key for row in table.rows] == [
        "real_classic.real", "real_synthetic.real", "real_synthetic.real_classic",
    ]  # fmt: skip
    cells = table.row("real_synthetic.real").cells
    # 0.8 - 0.5 and 0.7 - 0.6; one degree of freedom stretches what each is from their mean
    assert cells["difference"] == pytest.approx(0.2)
    assert cells["low"] == pytest.approx(0.2 - 0.1 * 12.706 / 1.960, abs=1e-4)
    assert cells["high"] == pytest.approx(0.2 + 0.1 * 12.706 / 1.960, abs=1e-4)
    assert cells["outcome"] == UNKNOWN
    assert (cells["seeds"], cells["scenes"], cells["groups"]) == (2, 4, 4)


def test_generators_end_with_what_was_measured_at_the_end(tables):
    cells = tables["generators"].row("full_glow").cells
    assert (cells["parameters"], cells["steps"], cells["val_scenes"]) == (123456, 300, 4)
    assert (cells["val_bpd"], cells["round_trip"]) == (4.25, 0.0003)
    curve = [(r.cells["step"], r.cells["val_bpd"]) for r in tables["bpd_curve"].rows[:2]]
    assert curve == [(100, 5.0), (200, 4.5)]


def test_data_count_scenes_and_pixels(tables):
    # 16 x 24 pixels, 6 of them ignored, each scene 2..5 rows of class 1 below
    train = tables["data"].row("train").cells
    assert (train["scenes"], train["drives"]) == (6, 3)
    assert train["labelled"] == pytest.approx(1 - 6 / 384)
    share = tables["classes"].row(NAMES[1]).cells["val.share"]
    assert share == pytest.approx((2 + 3 + 4 + 5) * 24 / (4 * 378))


def test_numbers_are_written_in_one_way(tables):
    table = tables["temperature"]
    row = table.row("sweep@0")
    assert table.span(row, "class_iou.mean").text == "61.67"
    assert table.span(row, "class_iou.of_real").text == "0.617"
    assert table.span(tables["temperature"].row("sweep@1"), "temperature").text == "1.0"
    comparison = tables["comparisons"].row("real_synthetic.real")
    assert tables["comparisons"].span(comparison, "difference").text == "+20.00"
    assert b"0.61666667" in table.csv()


def test_the_verdict_says_what_cannot_be_told(evidence, tables):
    found = verdict(evidence, tables)
    assert said(found.answer).startswith(
        "This study cannot tell whether networks trained on real photos + images by Full-Glow read "
        "new photos better than those trained on real photos (+20.00 points of IoU, 95 % interval "
        "−44.83 to +84.83)"
    )
    text = " ".join(map(said, found.notes["temperature"]))
    assert "Full-Glow best at temperature 0.8: class IoU 61.67 %, beside 100.00 % for real" in text


@pytest.mark.parametrize(
    ("runs", "words"),
    [
        ({"real": [HALF] * 2, "real_synthetic": [EIGHT] * 2}, "Yes: networks trained on real ph"),
        ({"real": [EIGHT] * 2, "real_synthetic": [HALF] * 2}, "No, they do harm: networks"),
        ({"real": [SIX] * 2, "real_synthetic": [SIX] * 2}, "No gain was found: networks"),
        ({"real": [SIX], "real_synthetic": [SEVEN]}, "This study cannot tell whether"),
        (
            {"real": [HALF] * 2, "real_classic": [EIGHT] * 2, "real_synthetic": [SEVEN] * 2},
            "not shown to be more than classic augmentation brings",
        ),
        ({"real": [SIX] * 2}, "no arm joins"),
    ],
)
def test_the_answer_follows_the_outcomes(tmp_path, runs, words):
    evidence = loaded(tmp_path, Study(runs=runs))
    assert words in said(verdict(evidence, compute_tables(evidence)).answer)


def test_classes_that_no_network_finds_are_told_at_the_top(tmp_path, evidence, tables):
    assert verdict(evidence, tables).warnings == ()
    never = [[8, 1, 0], [3, 0, 0], [0, 0, 0]]
    blind = loaded(tmp_path, Study(runs={"real": [never] * 2, "real_synthetic": [never] * 2}))
    (warning,) = verdict(blind, compute_tables(blind)).warnings
    # the third class is nowhere: nothing can be told of it
    assert warning.startswith("1 of 2 classes is never found by any network, whatever it was")
    assert f"trained on: {NAMES[1]}. " in warning
    seen = {"real": [never] * 2, "real_synthetic": [never, SIX]}
    one = loaded(tmp_path / "one", Study(runs=seen))
    assert verdict(one, compute_tables(one)).warnings == ()


def test_without_rounds_or_runs_the_verdict_says_so(tmp_path):
    sweep = {
        name: {t: matrices[:1] for t, matrices in found.items()}
        for name, found in Study().sweep.items()
    }
    evidence = loaded(tmp_path, Study(sweep=sweep, runs={}))
    tables = compute_tables(evidence)
    assert tables["temperature"].row("sweep@0").cells["class_iou.std"] is None
    found = verdict(evidence, tables)
    assert "no network was retrained" in said(found.answer)
    assert "With one round" in " ".join(map(said, found.notes["temperature"]))


def test_ceiling_and_floors_are_measured_on_the_layouts_of_the_sweep(evidence):
    rows = evidence.references.rows
    scored = {item.layout for found in evidence.sets.values() for item in found.items}
    extra = rows.real[0].model_copy(update={"name": "other", "layout": "other"})
    wider = rows.model_copy(update={"real": [*rows.real, extra], "flat": [*rows.flat, extra]})
    seen = dataclasses.replace(
        evidence, references=evidence.references.model_copy(update={"rows": wider})
    )
    kept = comparable_references(seen)
    assert {item.layout for item in (*kept.real, *kept.flat)} <= scored
    assert len(kept.real) == len(rows.real)
    assert len(kept.flat) == len(rows.flat)
