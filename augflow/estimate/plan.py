"""A study that fits a budget of time: what is tried, how large and how long, by measured speed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product

import torch

from augflow.core import distributed, hardware, seeding
from augflow.core.errors import ParamsError
from augflow.data.classes import ClassTable
from augflow.estimate import networks
from augflow.estimate.networks import Segmenter, Training, operations_per_second
from augflow.study.params import GeneratorParams
from augflow.training.params import TrainingParams

THREADS = 1
"""Of every stage: networks this small do not gain from more, and two stages may run at once."""

KEPT = 0.85
"""The share of the budget that is planned; the rest is for what no estimate counts."""

BATCH, SEGMENTER_BATCH = 4, 8
SHOWN = 48
"""At most so many held-out layouts are shown to the judge."""

FLOW_TEMPERATURES = (0.0, 0.5, 0.8, 1.0)
CRN_STEPS, FLOW_STEPS, ARM_STEPS, JUDGE_STEPS = 1000, 1200, 300, 400
"""Steps of a plan of length 1."""

_SHORTENED, _LONGEST = (1.0, 0.6, 0.4), 4.0
"""How much shorter than usual the smallest study may be; how much longer any."""

_EPOCHS = 600
"""A generator learns nothing more by seeing all scenes more often."""

_AREAS = (1536, 3456, 6144, 13824, 24576, 55296, 98304)
"""Pixels of an image, from 32x48 to 256x384."""

_MIDDLE, _SMALLEST, _TRIES = 6144, 32, 2

_TINY = 3000
"""Up to so many pixels generators are those of preset `tiny`, which halve three times."""

_DVC_SECONDS = 3.0
"""What DVC itself takes a stage."""


@dataclass(frozen=True)
class Photos:
    """What is planned for: how many photographs, the height and width of most, and what one takes.

    Attributes:
        seconds: how long it takes to prepare one.
    """

    train: int
    val: int
    size: tuple[int, int]
    seconds: float = 0.0


@dataclass(frozen=True)
class Design:
    """What is tried besides real photographs, with and without classic augmentation, and CRN's.

    Attributes:
        both: CRN's photographs with classic augmentation too.
        flow: Full-Glow, and an arm with its photographs.
        new: an arm with CRN's photographs of new layouts.
        diversity: how much photographs of one layout differ.
    """

    seeds: int
    both: bool = False
    flow: bool = False
    new: bool = False
    diversity: bool = False

    @property
    def arms(self) -> int:
        """How many there are."""
        return 3 + self.both + self.flow + self.new


DESIGNS = (
    Design(seeds=2),
    Design(seeds=3),
    Design(seeds=3, both=True),
    Design(seeds=3, both=True, flow=True),
    Design(seeds=3, both=True, flow=True, new=True),
    Design(seeds=5, both=True, flow=True, new=True),
    Design(seeds=5, both=True, flow=True, new=True, diversity=True),
)
"""From the least that tells something to all that is worth trying, in the order of what helps."""

_USUAL = DESIGNS[3]
"""A larger size is taken where it leaves time for this."""


@dataclass(frozen=True)
class Speeds:
    """Seconds of one step of each network at a size, and of one image of each generator."""

    crn: float
    crn_image: float
    flow: float
    flow_image: float
    segmenter: float
    prediction: float
    start: float

    def scaled(self, area: float) -> Speeds:
        """What they may be at so many times the pixels."""
        values = {name: value * area for name, value in vars(self).items()}
        return Speeds(**{**values, "start": self.start})


@dataclass(frozen=True)
class Plan:
    """A study: its size, its design, and what the usual numbers of steps are multiplied with."""

    size: tuple[int, int]
    design: Design
    length: float
    photos: Photos

    @property
    def preset(self) -> str:
        """Of both generators."""
        return "tiny" if math.prod(self.size) <= _TINY else "small"

    @property
    def levels(self) -> int:
        """How often generators of the preset halve a side."""
        return levels_of(math.prod(self.size))

    @property
    def rounds(self) -> int:
        """Photographs of CRN's for each training layout: more of few layouts."""
        return max(1, min(4, 200 // self.photos.train))

    @property
    def shown(self) -> int:
        """How many held-out layouts the judge is shown."""
        return min(SHOWN, self.photos.val)

    @property
    def crn_steps(self) -> int:
        """Of CRN."""
        return self._learning(CRN_STEPS)

    @property
    def flow_steps(self) -> int:
        """Of Full-Glow."""
        return self._learning(FLOW_STEPS)

    @property
    def arm_steps(self) -> int:
        """Of each segmentation network of each arm."""
        return round_steps(ARM_STEPS * self.length)

    @property
    def judge_steps(self) -> int:
        """Of the network that judges synthetic photographs."""
        return round_steps(JUDGE_STEPS * self.length)

    def _learning(self, usual: int) -> int:
        return round_steps(min(usual * self.length, _EPOCHS * self.photos.train / BATCH))

    def cost(self, speeds: Speeds) -> float:
        """Seconds that the study takes, one stage after the other."""
        design, photos = self.design, self.photos
        made = photos.train * (self.rounds + design.new)
        flow_images = photos.train + self.shown * len(FLOW_TEMPERATURES) + 100
        looked_at = 3 * photos.val + 3 * self.shown + photos.val * design.arms * design.seeds
        stages = 12 + design.arms + design.both + 8 * design.flow + design.new
        parts = [
            stages * (speeds.start + _DVC_SECONDS),
            (photos.train + photos.val) * photos.seconds,
            self.crn_steps * speeds.crn + (made + 3 * self.shown) * speeds.crn_image,
            design.arms * design.seeds * self.arm_steps * speeds.segmenter,
            self.judge_steps * speeds.segmenter,
            (looked_at + self.shown * 4 * design.flow) * speeds.prediction,
        ]
        if design.flow:
            parts.append(self.flow_steps * speeds.flow + flow_images * speeds.flow_image)
        if design.diversity:
            parts.append(4 * 27 * 2 * (speeds.flow_image + speeds.crn_image))
        return sum(parts)


class Planner:
    """Plans studies of some photographs within a budget of seconds."""

    def __init__(self, photos: Photos, table: ClassTable, budget: float) -> None:
        """Speeds of a size are measured when they are asked for."""
        self.photos, self.table, self.limit = photos, table, KEPT * budget
        self._speeds: dict[tuple[int, int], Speeds] = {}

    def plan(self) -> Plan:
        """The largest size that leaves time for what is usual, and all that then fits.

        Raises:
            ParamsError: the budget is too small for the least that tells something; says what is
                needed.
        """
        sizes = sizes_of(self.photos.size)
        middle = min(sizes, key=lambda size: abs(math.log(math.prod(size) / _MIDDLE)))
        for size in reversed(sizes[1:]):
            usual = Plan(size, _USUAL, usual_length(size), self.photos)
            scaled = self.speeds(middle).scaled(math.prod(size) / math.prod(middle))
            found = self._fill(size, [1.0]) if usual.cost(scaled) <= self.limit else None
            if found is not None and found.design.flow:
                return found
        found = self._fill(sizes[0], _SHORTENED)
        if found is None:
            least = Plan(sizes[0], DESIGNS[0], _SHORTENED[-1], self.photos)
            needed = math.ceil(least.cost(self.speeds(sizes[0])) / KEPT / 60)
            raise ParamsError(
                f"--budget: the smallest study that tells something takes about {needed} minutes "
                f"on this machine; give --budget {needed}min or more"
            )
        return found

    def speeds(self, size: tuple[int, int]) -> Speeds:
        """What is measured on this machine, once a size."""
        if size not in self._speeds:
            self._speeds[size] = measure(size, self.table)
        return self._speeds[size]

    def _fill(self, size: tuple[int, int], lengths: Sequence[float]) -> Plan | None:
        """The largest design of a size that fits, as long as possible; None where none does."""
        speeds, usual = self.speeds(size), usual_length(size)
        for length, design in product(lengths, reversed(DESIGNS)):
            plan = Plan(size, design, length * usual, self.photos)
            if plan.cost(speeds) <= self.limit:
                longer = replace(plan, length=1.05 * plan.length)
                while longer.cost(speeds) <= self.limit and longer.length <= _LONGEST * usual:
                    plan, longer = longer, replace(longer, length=1.05 * longer.length)
                return plan
        return None


def usual_length(size: tuple[int, int]) -> float:
    """What the usual numbers of steps are multiplied with: larger images take more to learn."""
    return max(1.0, math.sqrt(math.prod(size) / _MIDDLE))


def sizes_of(photo: tuple[int, int]) -> list[tuple[int, int]]:
    """Working sizes of the shape of a photograph and no larger, the smallest first."""
    shape = photo[0] / photo[1]
    found: list[tuple[int, int]] = []
    for area in _AREAS:
        height = math.sqrt(area * shape)
        sides = (_round_side(height, 8), _round_side(height / shape, 8))
        unit = 2 ** levels_of(math.prod(sides))
        sides = (_round_side(sides[0], unit), _round_side(sides[1], unit))
        if not found or (sides[0] <= photo[0] and sides[1] <= photo[1]):
            found.append(sides)
    return list(dict.fromkeys(found))


def levels_of(area: int) -> int:
    """How often generators of so many pixels halve a side."""
    return 3 if area <= _TINY else 4


def measure(size: tuple[int, int], table: ClassTable) -> Speeds:
    """How fast this machine is at a size: some real steps of each network."""
    seeding.deterministic(0, THREADS)
    hardware.keep_pages()
    device = distributed.device()
    preset = "tiny" if math.prod(size) <= _TINY else "small"
    training = TrainingParams(steps=100, batch_size=BATCH)

    def generator(system: str) -> tuple[float, float]:
        section = GeneratorParams(system=system, preset=preset, training=training)
        network = networks.generator(section, table, size)
        step = network.step(0).operations / _rate(network, "train", device)
        image = network.images(1).operations / _rate(network, "sample", device)
        return step, image

    segmenter = Segmenter("pspnet_small", table, size)
    step = segmenter.step(SEGMENTER_BATCH).operations / _rate(segmenter, "segment", device)
    prediction = segmenter.prediction.operations / _rate(segmenter, "predict", device)
    start = networks.start_seconds(True)
    return Speeds(*generator("crn"), *generator("full_glow"), step, prediction, start)


def round_steps(steps: float) -> int:
    """A number of steps as one would write it."""
    unit = 10 if steps < 1000 else 100
    return max(unit, round(steps / unit) * unit)


def _rate(network: Training | Segmenter, kind: str, device: torch.device) -> float:
    """The best of a few: what else the machine does is not the study's doing."""
    return max(operations_per_second(network, kind, device) for _ in range(_TRIES))


def _round_side(side: float, unit: int) -> int:
    return max(_SMALLEST, unit * round(side / unit))
