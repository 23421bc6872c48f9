"""Plans fit their budget, and use it for what helps most."""

from __future__ import annotations

import math

import pytest

from augflow.core.errors import ParamsError
from augflow.data.classes import table
from augflow.estimate import plan as planning
from augflow.estimate.plan import DESIGNS, KEPT, Photos, Planner, Speeds, sizes_of

FEW, MANY = Photos(25, 11, (227, 320), 0.01), Photos(1193, 210, (227, 320), 0.01)


@pytest.fixture(autouse=True)
def speeds(monkeypatch):
    """Seconds by the number of pixels, as they are on a core."""

    def measured(size, _):
        area = math.prod(size) / 6144
        usual = Speeds(0.25, 0.01, 0.4, 0.1, 0.2, 0.008, 3.0)
        return usual.scaled(max(0.3, area))

    monkeypatch.setattr(planning, "measure", measured)


@pytest.mark.parametrize("photos", [FEW, MANY])
@pytest.mark.parametrize("budget", [600, 3600, 4 * 3600, 86400])
def test_a_plan_fits_its_budget_and_leaves_little_of_it(photos, budget):
    planner = Planner(photos, table("idd_lite"), budget)
    plan = planner.plan()
    cost = plan.cost(planner.speeds(plan.size))
    assert cost <= KEPT * budget
    assert cost >= 0.5 * budget or plan.length >= planning.usual_length(plan.size) * 3.8


def test_more_time_is_never_spent_on_less():
    plans = [Planner(FEW, table("idd_lite"), hours * 3600).plan() for hours in (0.2, 1, 5, 24)]
    areas = [math.prod(plan.size) for plan in plans]
    assert areas == sorted(areas)
    assert DESIGNS.index(plans[0].design) < DESIGNS.index(plans[-1].design)
    assert not plans[0].design.flow
    assert plans[-1].design.flow


def test_an_hour_has_room_for_both_generators_and_all_arms_of_36_photographs():
    plan = Planner(FEW, table("idd_lite"), 3600).plan()
    assert plan.size == (64, 96)
    assert plan.design.flow
    assert plan.design.both
    assert plan.design.seeds >= 3


def test_a_budget_that_nothing_fits_names_one_that_does():
    with pytest.raises(
        ParamsError, match=r"takes about \d+ minutes .* give --budget \d+min"
    ) as fault:
        Planner(FEW, table("idd_lite"), 60).plan()
    minutes = int(str(fault.value).split("about ")[1].split()[0])
    Planner(FEW, table("idd_lite"), 60 * minutes).plan()


def test_generators_do_not_see_few_photographs_without_end():
    plan = Planner(Photos(4, 2, (128, 192)), table("idd_lite"), 86400).plan()
    assert plan.crn_steps <= planning._EPOCHS * 4 / planning.BATCH


@pytest.mark.parametrize("photo", [(227, 320), (1024, 2048), (600, 400), (40, 40), (20, 900)])
def test_sizes_have_the_shape_of_photographs_and_can_be_halved(photo):
    sizes = sizes_of(photo)
    for height, width in sizes:
        unit = 2 ** planning.levels_of(height * width)
        assert height % unit == width % unit == 0
    assert all(h <= photo[0] and w <= photo[1] for h, w in sizes[1:])
    assert [h * w for h, w in sizes] == sorted(h * w for h, w in sizes)
