"""The figure at the top: every arm beside real photographs alone, on one scale."""

import dataclasses

import pytest

from augflow.report.answers import answers
from augflow.report.effects import MOST, effects
from augflow.report.table import Citations, plain
from augflow.report.tables import compute_tables
from tests.fabricated import ARMS, EIGHT, HALF, SEVEN, SIX, Study
from tests.report.test_tables import loaded

BOTH = ARMS["real_synthetic"]


def drawn(folder, study, one_in=None):
    evidence = loaded(folder, study)
    arms = {name: arm.model_copy(update={"one_in": (one_in or {}).get(name, 1)})
            for name, arm in evidence.params.arms.items()}  # fmt: skip
    params = evidence.params.model_copy(update={"arms": arms})
    tables = compute_tables(dataclasses.replace(evidence, params=params))
    table = tables["comparisons"]
    return effects(params, table, answers(arms, table), Citations(tables)), table


@pytest.mark.parametrize(
    ("arm", "word", "tone"), [([EIGHT] * 2, "better", "good"), ([HALF] * 2, "no gain", "plain")]
)
def test_a_bar_has_the_difference_and_says_what_it_is(tmp_path, arm, word, tone):
    found, table = drawn(tmp_path, Study(runs={"real": [HALF] * 2, "real_synthetic": arm}))
    ((bar,),) = (panel.bars for panel in found.panels)
    assert (bar.word, bar.tone) == (word, tone)
    span = table.span(table.rows[0], "difference")
    assert plain(bar.value) == span.text
    assert bar.name.key == "real_synthetic"
    assert plain(found.scenes) == "4"


def test_places_are_those_of_the_numbers_on_the_scale_of_the_ticks(tmp_path):
    runs = {"real": [HALF, SIX], "real_classic": [SIX, SIX], "real_synthetic": [EIGHT, SEVEN]}
    found, table = drawn(tmp_path, Study(runs=runs))
    ticks = {float(text.replace("−", "-")): place for place, text in found.ticks}
    assert ticks[0] == found.zero
    low, high = min(ticks), max(ticks)
    per_point = (ticks[high] - ticks[low]) / (high - low)
    for bar in found.panels[0].bars:
        row = table.row(f"{bar.name.key}.{bar.against.key if bar.against else 'real'}")
        places = [
            found.zero + 100 * row.number(k) * per_point for k in ("low", "difference", "high")
        ]
        assert bar.places == pytest.approx(places, abs=0.05)
        assert all(0 <= place <= 100 for place in bar.places)
    # classic augmentation comes first, and its line runs through the panel
    assert found.panels[0].bars[0].name.key == "real_classic"
    assert found.panels[0].classic == found.panels[0].bars[0].places[1]


def test_an_answer_against_another_arm_than_real_photographs_alone_is_drawn_too(tmp_path):
    arms = {**ARMS, "both_classic": {**BOTH, "augment": "classic"}}
    runs = {"real": [HALF] * 2, "real_classic": [SIX] * 2, "both_classic": [EIGHT] * 2}
    found, _ = drawn(tmp_path, Study(arms=arms, runs=runs))
    pairs = [(bar.name.key, bar.against and bar.against.key) for bar in found.panels[0].bars]
    assert pairs == [
        ("real_classic", None), ("both_classic", None), ("both_classic", "real_classic"),
    ]  # fmt: skip


def test_of_many_arms_the_best_are_drawn_and_the_others_counted(tmp_path):
    arms, runs = dict(ARMS), {"real": [HALF] * 2, "real_classic": [SIX] * 2}
    for number in range(MOST):
        arms[f"both_{number}"] = BOTH
        runs[f"both_{number}"] = [EIGHT if number == 4 else SIX] * 2
    found, _ = drawn(tmp_path, Study(arms=arms, runs=runs))
    keys = [bar.name.key for bar in found.panels[0].bars]
    assert keys[:2] == ["real_classic", "both_4"]
    assert (len(keys), found.left_out) == (4, MOST - 3)


def test_each_share_has_its_panel_the_largest_first(tmp_path):
    arms = {**ARMS, "real_4": ARMS["real"], "both_4": BOTH}
    runs = {"real": [HALF] * 2, "real_synthetic": [EIGHT] * 2, "real_4": [HALF] * 2,
            "both_4": [EIGHT] * 2}  # fmt: skip
    found, _ = drawn(tmp_path, Study(arms=arms, runs=runs), {"real_4": 4, "both_4": 4})
    assert [panel.share for panel in found.panels] == [
        "all of the training photos", "a quarter of the training photos",
    ]  # fmt: skip
    assert [bar.name.words for bar in found.panels[1].bars] == ["real photos + images by Full-Glow"]
    assert found.panels[1].classic is None


def test_arms_without_a_common_seed_have_no_bar(tmp_path):
    evidence = loaded(tmp_path, Study(runs={"real": [SIX], "real_synthetic": [EIGHT]}))
    runs = {name: run.model_copy(update={"seed": run.seed + 7 * (run.arm == "real")})
            for name, run in evidence.arms.runs.items()}  # fmt: skip
    evidence = dataclasses.replace(evidence, arms=evidence.arms.model_copy(update={"runs": runs}))
    tables = compute_tables(evidence)
    assert effects(evidence.params, tables["comparisons"], [], Citations(tables)) is None
