"""Which arms are compared, over which scenes, seeds and drives, and what single classes say."""

import dataclasses
from types import SimpleNamespace

import pytest

from augflow.core import io
from augflow.core.errors import DataError
from augflow.metrics.bootstrap import Effect
from augflow.report import evidence as evidences
from augflow.report.evidence import load_costs
from augflow.report.statistics import (
    GAIN,
    HELPS,
    HURTS,
    NO_GAIN,
    UNKNOWN,
    WORSE,
    class_outcome,
    outcome,
)
from augflow.report.tables import compute_tables
from augflow.report.tables_arms import costs, pairs
from augflow.report.verdict import verdict
from augflow.segmentation.params import SegmenterParams
from augflow.stages.report import gather
from augflow.study.params import ArmParams
from tests.fabricated import ARMS, EIGHT, HALF, NAMES, SEVEN, SIX, Study
from tests.report.test_tables import loaded, said


def arm(*parts, **facts):
    made = [part for part in parts if part != "real"]
    reads = f"synthetic/{made[0]}" if made else "prepared"
    return ArmParams(train_on=parts, reads=reads, **facts)


def keys(arms):
    return [pair.key for pair in pairs(arms)]


def test_real_arms_stand_against_those_augmented_less_and_made_ones_against_all_of_a_fraction():
    arms = {
        "real": arm("real"),
        "classic": arm("real", augment="classic"),
        "pasted": arm("real", augment="copy_paste"),
        "both": arm("real", "made"),
        "made": arm("made"),
        "unknown": None,
    }
    assert keys(arms) == [
        "classic.real", "pasted.real", "pasted.classic",
        "both.real", "both.classic", "made.real", "made.classic",
    ]  # fmt: skip
    fewer = {"real_4": arm("real", one_in=4), "both_4": arm("real", "made", one_in=4),
             "both_8": arm("real", "made", one_in=8)}  # fmt: skip
    assert keys({"real": arms["real"], "both": arms["both"], **fewer}) == [
        "both.real", "both_4.real_4"
    ]  # fmt: skip


def by_drive(evidence, count):
    rows = [{**row, "drive": f"drive {index % count}"} for index, row in enumerate(evidence.pixels)]
    return dataclasses.replace(evidence, pixels=rows)


@pytest.mark.parametrize(
    ("drives", "groups", "words"),
    [
        (5, 5, "The 10 validation scenes were drawn again by their 5 drives."),
        (4, 10, "drawn again one by one, not by drive, of which there are 4"),
        (10, 10, "The 10 validation scenes were drawn again one by one."),
    ],
)
def test_five_drives_are_drawn_as_a_whole_and_fewer_are_not(tmp_path, drives, groups, words):
    evidence = by_drive(loaded(tmp_path, Study(scenes={"train": 6, "val": 10})), drives)
    tables = compute_tables(evidence)
    assert {row.cells["groups"] for row in tables["comparisons"].rows} == {groups}
    assert words in " ".join(said(s) for s in verdict(evidence, tables).notes["arms"])


def test_only_common_seeds_are_compared(tmp_path):
    evidence = loaded(tmp_path, Study(runs={"real": [HALF, SIX], "real_synthetic": [SEVEN]}))
    tables = compute_tables(evidence)
    cells = tables["comparisons"].rows[0].cells
    assert cells["seeds"] == 1
    sentences = " ".join(said(s) for s in verdict(evidence, tables).notes["arms"])
    assert "chance in training is left out" in sentences
    assert cells["difference"] == pytest.approx(0.2)
    assert cells["outcome"] == UNKNOWN


def test_arms_without_a_common_seed_have_no_difference_but_a_row(tmp_path):
    evidence = loaded(tmp_path, Study(runs={"real": [SIX], "real_synthetic": [EIGHT]}))
    runs = {name: run.model_copy(update={"seed": run.seed + 7 * (run.arm == "real")})
            for name, run in evidence.arms.runs.items()}  # fmt: skip
    arms = evidence.arms.model_copy(update={"runs": runs})
    evidence = dataclasses.replace(evidence, arms=arms)
    tables = compute_tables(evidence)
    cells = tables["comparisons"].rows[0].cells
    assert (cells["seeds"], cells["difference"], cells["outcome"]) == (0, None, UNKNOWN)
    assert "trained with the same seeds" in said(verdict(evidence, tables).answer)


FEWER = {"train_on": ["real"], "reads": "prepared", "one_in": 2}


@pytest.mark.parametrize(("own", "word"), [([HALF, HALF], GAIN), ([EIGHT, EIGHT], NO_GAIN)])
def test_what_more_real_photographs_bring_is_told(tmp_path, own, word):
    runs = {"real": [EIGHT, EIGHT], "real_synthetic": [SEVEN, SEVEN], "real_2": own}
    evidence = loaded(tmp_path, Study(arms={**ARMS, "real_2": FEWER}, runs=runs))
    (row,) = compute_tables(evidence)["more_real"].rows
    wanted = ["real", "real_2", 0.5, word]
    assert [row.cells[key] for key in ("arm", "against", "fraction", "outcome")] == wanted


def test_classes_that_survive_help_or_hurt_and_absent_ones_say_nothing(tmp_path):
    # class 1 from IoU 2/4 to 8/10, class 0 the other way round, class 2 nowhere
    runs = {"real": [[[8, 1, 0], [1, 2, 0], [0, 0, 0]]] * 2,
            "real_synthetic": [[[2, 1, 0], [1, 8, 0], [0, 0, 0]]] * 2}  # fmt: skip
    evidence = loaded(tmp_path, Study(runs=runs))
    tables = compute_tables(evidence)
    rows = {row.cells["class"]: row.cells for row in tables["comparisons_per_class"].rows}
    assert [rows[name]["outcome"] for name in NAMES] == [HURTS, HELPS, None]
    assert [rows[name]["survives"] for name in NAMES] == ["yes", "yes", None]
    assert rows[NAMES[0]]["difference"] == pytest.approx(2 / 4 - 8 / 10)
    assert rows[NAMES[2]]["difference"] is None


EFFECTS = [
    (Effect(0.03, 0.01, 0.05, 0.01, 0.01, 0.028), GAIN),
    (Effect(-0.03, -0.05, -0.01, 0.01, 0.01, 0.028), WORSE),
    (Effect(0.002, -0.004, 0.008, 0.003, 0.4, 0.0084), NO_GAIN),
    (Effect(0.02, -0.01, 0.05, 0.015, 0.2, 0.042), UNKNOWN),
    (Effect(0.02), UNKNOWN),
]


@pytest.mark.parametrize(("effect", "word"), EFFECTS)
def test_outcomes_follow_the_interval_and_what_could_have_been_seen(effect, word):
    assert outcome(effect, whole=True) == word
    assert outcome(effect, whole=False) == UNKNOWN


def test_a_class_needs_to_survive_the_correction():
    gain, worse = EFFECTS[0][0], EFFECTS[1][0]
    assert class_outcome(gain, True, True) == HELPS
    assert class_outcome(worse, True, True) == HURTS
    assert class_outcome(gain, False, True) == UNKNOWN
    assert class_outcome(EFFECTS[2][0], True, True) == UNKNOWN
    assert class_outcome(Effect(None), None, True) is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda items: items[0].update(name="val_9"), "val_9, no validation scene"),
        (lambda items: items.pop(), "real-0 was scored on other scenes than real-1|real-1 was"),
    ],
)
def test_networks_scored_on_other_scenes_are_refused(tmp_path, change, message):
    gather(Study().write(tmp_path / "data"), tmp_path / "data", tmp_path / "report")
    path = tmp_path / "report" / "scores" / "arms.json.gz"
    content = io.read_json(path)
    change(content["runs"]["real-1"]["items"])
    io.write_json(path, content)
    with pytest.raises(DataError, match=message):
        evidences.load(tmp_path / "report")


# as much of the parameters as is asked for
STUDY = SimpleNamespace(
    arms={"real": ArmParams(train_on=("real",), reads="prepared"),
          "both": ArmParams(train_on=("real", "s"), reads="synthetic/s")},
    retrain=SimpleNamespace(segmenter=SegmenterParams(steps=7)),
)  # fmt: skip


@pytest.fixture
def file(tmp_path):
    plain = {"training": 2 * 10**12, "generator": 0, "photographs": 0, "judge": 0, "choice": 0}
    both = {**plain, "generator": 5 * 10**12, "photographs": 10**11, "judge": 4 * 10**11}
    content = {"kind": "costs", "steps": 7, "arms": {"real": plain, "both": both}}
    io.write_json(tmp_path / "costs.json", content)
    return tmp_path / "costs.json"


def test_costs_add_up_and_are_told_in_trainings_where_there_are_any(file, tmp_path):
    table = costs(SimpleNamespace(params=STUDY, costs=load_costs(file, STUDY)))
    real, both = table.rows
    assert (real.cells["total"], real.cells["times"]) == (2 * 10**12, 1.0)
    assert both.cells["total"] == 7.5 * 10**12
    assert both.cells["times"] == pytest.approx(3.75)
    assert load_costs(tmp_path / "none.json", STUDY) is None
    assert not costs(SimpleNamespace(params=STUDY, costs=None)).rows


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"steps": 8}, "counts 2 arms of 8 steps, which are not those of params.yaml"),
        ({"arms": {}}, "counts 0 arms"),
        ({"arms": {"real": {}}}, r"arms\.real\.training: Field required"),
    ],
)
def test_what_does_not_fit_is_named(file, changes, message):
    io.write_json(file, io.read_json(file) | changes)
    with pytest.raises(DataError, match=message):
        load_costs(file, STUDY)
