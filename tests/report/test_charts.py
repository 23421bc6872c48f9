"""The figure under the verdict: as narrow as a phone, and painted by what was found."""

import dataclasses

import numpy as np
import pytest

from augflow.core import io
from augflow.report import charts
from augflow.report.canvas import REAL
from augflow.report.tables import compute_tables
from tests.fabricated import EIGHT, HALF, Study
from tests.report.test_tables import loaded

HURT = "#b23b4a"


def drawn(folder, study, one_in=None):
    evidence = loaded(folder, study)
    arms = {name: arm.model_copy(update={"one_in": (one_in or {}).get(name, 1)})
            for name, arm in evidence.params.arms.items()}  # fmt: skip
    params = evidence.params.model_copy(update={"arms": arms})
    path = folder / "effects.png"
    charts.effects(arms, compute_tables(dataclasses.replace(evidence, params=params)), path)
    return io.read_photo(path) if path.exists() else None


def painted(picture, colour):
    rgb = [int(colour[k : k + 2], 16) for k in (1, 3, 5)]
    return int((picture == np.array(rgb)).all(-1).sum())


@pytest.mark.parametrize(
    ("runs", "more", "less"),
    [
        ({"real": [HALF] * 2, "real_synthetic": [EIGHT] * 2}, REAL, HURT),
        ({"real": [EIGHT] * 2, "real_synthetic": [HALF] * 2}, HURT, REAL),
    ],
)
def test_what_helps_is_green_and_what_hurts_is_red(tmp_path, runs, more, less):
    # the legend shows each colour once, the mean and two classes show one of them
    picture = drawn(tmp_path, Study(runs=runs))
    assert painted(picture, more) > 2.5 * painted(picture, less) > 0
    assert picture.shape[1] == 840


def test_each_fraction_has_its_classes(tmp_path):
    arms = Study().arms
    arms |= {"real_4": arms["real"], "both_4": arms["real_synthetic"]}
    runs = {"real": [HALF] * 2, "real_synthetic": [EIGHT] * 2}
    alone = drawn(tmp_path / "alone", Study(runs=runs))
    study = Study(runs={**runs, "real_4": [HALF] * 2, "both_4": [EIGHT] * 2}, arms=arms)
    several = drawn(tmp_path / "several", study, {"real_4": 4, "both_4": 4})
    assert painted(several, REAL) > 1.5 * painted(alone, REAL)
    assert several.shape[0] > 1.5 * alone.shape[0]


def test_nothing_is_drawn_where_no_arm_joins_both(tmp_path):
    assert drawn(tmp_path, Study(runs={"real": [HALF] * 2, "real_classic": [EIGHT] * 2})) is None
