"""The schema of every file of results: stages write by it, the report and the tools read by it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from augflow.core import io
from augflow.core.errors import DataError

WholeNumber = Annotated[int, Field(ge=0)]
Fraction = Annotated[float, Field(ge=0, le=1)]
Amount = Annotated[float, Field(ge=0)]
Matrix = list[list[WholeNumber]]
"""Confusion counts of pixels, (K, K), rows ground truth, columns prediction."""
History = list[dict[str, str]]
"""The rows of a `history.csv`, all cells as text."""


class Record(BaseModel):
    """A part of a file; keys that nobody reads are passed over."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Result(Record):
    """A JSON file.

    Attributes:
        kind: what the file calls itself, where it does.
        remedy: what to do about a damaged file.
    """

    kind: ClassVar[str | None] = None
    remedy: ClassVar[str]

    def content(self) -> dict[str, Any]:
        """The file as plain JSON: what was set, and the kind."""
        head = {} if self.kind is None else {"kind": self.kind}
        return head | self.model_dump(exclude_unset=True)

    def write(self, path: Path) -> None:
        """Writes the file, of a kind that has one on one line."""
        write = io.write_json if self.kind is None else io.write_records
        write(path, self.content())

    @classmethod
    def read(cls, path: Path) -> Self:
        """Reads the file.

        Raises:
            DataError: it is missing, not JSON, or not of this schema: names the first three faults
                with their places, and the remedy.
        """
        try:
            return cls.model_validate(io.read_json(path))
        except ValidationError as fault:
            faults = [
                f"{path}: {'.'.join(map(str, error['loc']))}: {error['msg']}; {cls.remedy}"
                for error in fault.errors()[:3]
            ]
            raise DataError("; ".join(faults)) from fault

    def require(self, path: Path, **expected: tuple[object, object]) -> Self:
        """The same, when every first value, which is wanted, is the second, which is there.

        Raises:
            DataError: one is not; names it in the words of its key.
        """
        for what, (wanted, found) in expected.items():
            if wanted != found:
                raise DataError(
                    f"{path}: {what.replace('_', ' ')}: expected {wanted}, got {found}; "
                    f"{self.remedy}"
                )
        return self


class Item(Record):
    """One scored image: its name, and where it has them its layout, round and temperature."""

    name: str
    layout: str = ""
    round: int = 0
    temperature: float | None = None
    confusion: Matrix


Items = Annotated[list[Item], Field(min_length=1)]


class SetScores(Result):
    """What the judge, named by its digest, saw in a synthetic set.

    `frechet` is the distance in named `features` of the images at each of `temperatures` to all
    real images of their split, None where there are too few.
    """

    kind = "set"
    remedy = "score it again"

    set: str
    temperatures: list[float]
    classes: list[str]
    judge: str
    features: str | None = None
    frechet: list[Amount | None] = []
    items: Items

    @property
    def distances(self) -> dict[float, float | None]:
        """Temperature -> Frechet distance; none in files that were scored without."""
        return dict(zip(self.temperatures, self.frechet, strict=False))

    @cached_property
    def groups(self) -> dict[float | None, dict[int, list[Item]]]:
        """Temperature -> round, in order -> the items whose matrices are summed together."""
        grouped: dict[float | None, dict[int, list[Item]]] = {}
        for item in self.items:
            grouped.setdefault(item.temperature, {}).setdefault(item.round, []).append(item)
        return {degree: dict(sorted(found.items())) for degree, found in grouped.items()}


class ReferenceRows(Record):
    """Ceiling and floors: real images, flat mean colours, images of other layouts."""

    real: Items
    flat: Items
    wrong: Items


class References(Result):
    """What the judge saw in images that no generator made.

    `frechet` is the distance of each row's images to all real validation images; of `real` that of
    the training images.
    """

    kind = "references"
    remedy = "score it again"

    classes: list[str]
    judge: str
    features: str | None = None
    frechet: dict[str, Amount | None] = {}
    rows: ReferenceRows


class Run(Record):
    """One retrained network, named by its digest, on real validation images."""

    arm: str
    seed: int
    steps: int
    segmenter: str
    items: Items


class ArmScores(Result):
    """All retrained networks, by `ARM-SEED`."""

    kind = "arms"
    remedy = "score it again"

    classes: list[str]
    runs: dict[str, Run]


class Distances(Record):
    """Distances to the nearest training image, at `quantiles` from the least to the most."""

    distances: Annotated[list[float], Field(min_length=1)]


class NearSet(Distances):
    """Those of a set's images, what they say beside those of validation images, and the nearest."""

    trained_on: bool
    photographs: WholeNumber
    nearer_than_any_val: Fraction
    nearer_than_1_percent_of_val: Fraction
    nearest_has_its_layout: Fraction
    copies: list[str]
    nearest: list[dict[str, Any]]


class Leaks(Result):
    """What validation shares with training, and how near sets come to training images."""

    kind = "leaks"
    remedy = "run stage leaks again"

    limits: dict[str, int | float]
    scenes: dict[str, WholeNumber]
    leaks: list[dict[str, Any]]
    quantiles: list[Fraction]
    val: Distances
    sets: dict[str, NearSet]


class Cost(Record):
    """Operations behind one network of an arm.

    Attributes:
        training: its own training.
        generator: the training of the generator whose images it sees.
        photographs: making them, those that are not kept too.
        judge: the training of the judge that selects, and what it looks at.
        choice: the trainings that a temperature was chosen by.
    """

    training: Annotated[int, Field(gt=0)]
    generator: WholeNumber
    photographs: WholeNumber
    judge: WholeNumber
    choice: WholeNumber

    @property
    def total(self) -> int:
        """All of them."""
        return self.training + self.generator + self.photographs + self.judge + self.choice


class Costs(Result):
    """What arms cost in arithmetic, by arm, each network trained for so many steps."""

    kind = "costs"
    remedy = "run stage costs again"

    steps: WholeNumber
    arms: dict[str, Cost]


class ClassSpread(Record):
    """A measure per class, None where no layout shows it, and over all pixels."""

    per_class: list[Amount | None]
    overall: Amount


class DiversityMeasures(Record):
    """The measures of `metrics.diversity.Diversity`."""

    clustered: ClassSpread
    variance: ClassSpread
    perceptual: ClassSpread


class DiversityLevel(Record):
    """What was measured at one temperature: means over layouts, and each layout."""

    temperature: float
    mean: DiversityMeasures
    layouts: dict[str, DiversityMeasures]


class DiversityScores(Result):
    """How much one generator's images of a layout differ."""

    kind = "diversity"
    remedy = "run stage diversity again"

    generator: str
    weights: str
    classes: list[str]
    features: str
    samples: int
    clusters: int
    repeats: int
    layouts: Annotated[list[str], Field(min_length=1)]
    temperatures: Annotated[list[DiversityLevel], Field(min_length=1)]

    @property
    def shown(self) -> DiversityLevel:
        """What was measured at the temperature nearest to 1, that of the model's distribution."""
        return min(self.temperatures, key=lambda level: abs(level.temperature - 1))


class AttributeReadings(Record):
    """How well attributes are read in images, and how steadily over layouts.

    `accuracy_each` has a value per attribute, None where it was never asked for.
    """

    accuracy: Fraction
    accuracy_layout: Fraction | None
    accuracy_each: list[Fraction | None]
    variance: Amount


class GeneratorAttributes(AttributeReadings):
    """The same of a generator, and how far other attributes move at each change."""

    weights: str
    light: bool
    changes: list[Amount | None]


class AttributeScores(Result):
    """Whether attributes come out as asked for."""

    kind = "attributes"
    remedy = "run stage attributes again"

    names: Annotated[list[str], Field(min_length=1)]
    layouts: list[str]
    samples: int
    temperature: float
    real: AttributeReadings
    generators: dict[str, GeneratorAttributes]


class Sampled(Record):
    """Predictions from the mean of so many samples."""

    samples: int
    items: Items


class PredictorScores(Result):
    """How well one predictor reads held-out images."""

    kind = "predictor"
    remedy = "run stage predict again"

    predictor: str
    weights: str
    classes: list[str]
    samples: Annotated[list[Sampled], Field(min_length=1)]


class ChoiceLevel(Record):
    """A temperature of a choice: class IoU on held-out training scenes, per seed."""

    temperature: float
    class_iou: Annotated[list[Fraction], Field(min_length=1)]


class Choice(Result):
    """Which temperature was chosen, and what networks trained at each read."""

    kind = "choice"
    remedy = "run stage report again"

    choice: str
    set: str
    temperature: float
    folds: Annotated[list[list[str]], Field(min_length=2)]
    seeds: list[int]
    steps: WholeNumber
    rows: Annotated[list[ChoiceLevel], Field(min_length=1)]


class Exploration(Result):
    """What stage explore drew of one generator's latents; no `steps` where they have no path."""

    remedy = "run stage explore again"

    generator: str
    weights: str
    layouts: list[str]
    seeds: list[int]
    steps: WholeNumber
    path: str
    temperature: float
    edited: str
    edits: list[str]


class SelectionSummary(Result):
    """A selection in numbers, as a report keeps it.

    Attributes:
        dropped: images by the reason why they were.
        trusted: the mean fraction of labels that are kept in images that are.
        agreement_kept: what the judge reads as the label says, the mean over images that are kept;
            None where there are none.
        agreement_dropped: the same over those that are not.
        heaviest: how often the most drawn image comes, relative to the mean.
    """

    remedy = "run stage report again"

    selection: str
    set: str
    judge: str
    thresholds: Mapping[str, Any] | None
    candidates: WholeNumber
    kept: WholeNumber
    dropped: dict[str, WholeNumber]
    trusted: Fraction
    agreement_kept: Fraction | None
    agreement_dropped: Fraction | None
    heaviest: float


class GeneratorFacts(Result):
    """A trained generator, as a report keeps it: facts at the end, as far as there are any.

    `levels` are the steps of each level of a flow, `boundary` the version of boundary maps that it
    sees. `likelihood` says what its bits are of: of the image given its layout (`conditional`),
    alone (`unconditional`), or of nothing (`none`); with `bound` they are an upper bound of it.
    `history` is in no file of this schema, but in a table beside it.
    """

    remedy = "run stage report again"

    system: str
    preset: str
    parameters: int | None
    val_bpd: float | None = None
    val_scenes: int | None = None
    round_trip: float | None = None
    val_distance: float | None = None
    levels: list[int] | None = None
    boundary: str | bool | None = None
    likelihood: Literal["conditional", "unconditional", "none"] = "conditional"
    bound: bool = False
    history: History = []

    def has(self, column: str) -> bool:
        """Whether the history holds anything in a column."""
        return any(row.get(column) for row in self.history)
