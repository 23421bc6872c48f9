"""The answer per fraction of the training scenes, in words and with claims for its numbers."""

from types import SimpleNamespace

import pytest

from augflow.report.answers import answers, headline
from augflow.report.statistics import GAIN, NO_GAIN, UNKNOWN, WORSE
from augflow.report.table import Citations, Row, Table
from augflow.report.tables_arms import comparisons
from augflow.study.params import ArmParams
from tests.report.test_tables import loaded, said


def arm(*parts, **facts):
    made = [part for part in parts if part != "real"]
    reads = f"synthetic/{made[0]}" if made else "prepared"
    return ArmParams(train_on=parts, reads=reads, **facts)


ARMS = {
    "real": arm("real"),
    "classic": arm("real", augment="classic"),
    "pasted": arm("real", augment="copy_paste"),
    "both": arm("real", "made"),
    "more": arm("real", "made", ratio=2.0),
    "both_classic": arm("real", "made", augment="classic"),
    "made": arm("made"),
}


MADE = {"made": SimpleNamespace(generator="crn", new_layouts=None)}
PARAMS = SimpleNamespace(
    arms=ARMS,
    sets=MADE,
    selections={},
    generators={"crn": SimpleNamespace(system="crn")},
    report=SimpleNamespace(titles={}),
)


@pytest.fixture(scope="module")
def columns(tmp_path_factory):
    return comparisons(loaded(tmp_path_factory.mktemp("study"))).columns


def row(key, difference=0.02, outcome=GAIN, p=0.001, fraction=1.0):
    ours, theirs = key.split(".")
    cells = {
        "arm": ours, "against": theirs, "fraction": fraction, "seeds": 5, "scenes": 40,
        "groups": 40, "difference": difference, "low": difference - 0.01,
        "high": difference + 0.01, "p": p, "detectable": 0.014, "outcome": outcome,
    }  # fmt: skip
    return Row(f"{key}.{fraction:g}", cells, ())


def asked(columns, *rows):
    table = Table("comparisons", columns, rows)
    found = answers(ARMS, table)
    cite = Citations({"comparisons": table})
    return found, said(cite.resolve(headline(PARAMS, found, cite))), cite


def test_the_headline_says_by_how_much_beside_classic_augmentation_alone(columns):
    rows = (
        row("classic.real", 0.004, UNKNOWN, 0.3),
        row("both.real"),
        row("both.classic", 0.016, UNKNOWN),
    )
    _, text, cite = asked(columns, *rows)
    assert text == (
        "Yes: networks trained on real photos + images by CRN read new photos better than those "
        "trained on real photos (+2.00 points of IoU, 95 % interval +1.00 to +3.00, not shown to "
        "be more than classic augmentation brings); classic augmentation alone brings +0.40."
    )
    assert "verdict.comparisons.both.real.1.low" in cite.claims


def test_an_arm_is_asked_against_the_base_that_is_augmented_alike(columns):
    found, text, _ = asked(
        columns, row("both_classic.real", 0.05), row("both_classic.classic", -0.03, WORSE)
    )
    assert found[0].row.cells["against"] == "classic"
    assert text.startswith(
        "No, they do harm: networks trained on real photos + images by CRN, classic augmentation "
        "read new photos worse than those trained on real photos, classic augmentation (−3.00"
    )


def test_of_two_arms_that_join_both_a_winner_must_survive_holm(columns):
    # 0.04 alone is a gain; of two, the smaller p must not exceed 0.025
    alone, _, _ = asked(columns, row("both.real", p=0.04))
    paired, _, _ = asked(columns, row("both.real", p=0.04), row("more.real", 0.005, UNKNOWN, 0.4))
    assert (alone[0].outcome, paired[0].outcome) == (GAIN, UNKNOWN)
    third, _, _ = asked(columns, row("both.real", p=0.02), row("more.real", 0.03, UNKNOWN, 0.4))
    assert (third[0].outcome, third[0].row.cells["arm"]) == (GAIN, "both")


def test_harm_needs_every_arm_and_no_gain_needs_that_none_is_open(columns):
    worse, none = row("both.real", -0.02, WORSE), row("more.real", 0.001, NO_GAIN, 0.7)
    unknown = row("more.real", 0.01, UNKNOWN, 0.3)
    assert asked(columns, worse)[0][0].outcome == WORSE
    assert asked(columns, worse, none)[0][0].outcome == NO_GAIN
    assert asked(columns, worse, unknown)[0][0].outcome == UNKNOWN
    # a difference of exactly nothing is above a loss
    nothing = row("more.real", 0.0, NO_GAIN, 0.9)
    assert asked(columns, worse, nothing)[0][0].row.cells["arm"] == "more"
    assert answers(ARMS, Table("comparisons", columns, (row("made.real"),))) == []


def test_several_fractions_are_told_in_one_sentence_what_helps_first(columns):
    _, text, _ = asked(
        columns, row("both.real", 0.03, fraction=0.25), row("both.real", 0.001, UNKNOWN, 0.8)
    )
    assert text == (
        "Yes with a quarter of the photos (+3.00 points of IoU); with all of the photos this study "
        "cannot tell."
    )
    rows = [row("both.real", fraction=share) for share in (1.0, 0.25, 0.0625)]
    _, text, _ = asked(columns, *rows)
    assert text == (
        "Yes with all of the photos (+2.00 points of IoU), with a quarter of the photos (+2.00 "
        "points of IoU) and with a sixteenth of the photos (+2.00 points of IoU)."
    )
    _, text, _ = asked(
        columns, row("both.real", 0.001, NO_GAIN, 0.9), row("both.real", -0.02, WORSE, fraction=0.5)
    )
    assert text == (
        "No, they do harm with half of the photos (−2.00 points of IoU); no gain was found with "
        "all of the photos."
    )


def test_a_gain_not_beyond_other_arms_names_them(columns):
    rows = row("both.real"), row("both.pasted", 0.001, UNKNOWN)
    assert "not shown to be more than real photos, pasted objects bring" in asked(columns, *rows)[1]
