"""The parameters of a study, checked: every section of `params.yaml` is one frozen record."""

from __future__ import annotations

import operator
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from augflow.errors import ParamsError, nearest, on_one_line

Side = Annotated[int, Field(ge=8, le=2**14)]
Size = tuple[Side, Side]
Fraction = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1, lt=2**31)]
Whole = Annotated[int, Field(ge=0, lt=2**31)]
Several = Annotated[int, Field(ge=2, lt=2**31)]
Seed = Annotated[int, Field(ge=-(2**63), lt=2**63)]
Grey = Annotated[int, Field(ge=0, le=255)]
Temperature = Annotated[float, Field(ge=0, le=2)]


def _plain_name(name: str) -> str:
    """Lets pass what is one folder in every path and one word in every command."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", name):
        raise ValueError(
            "folders and stages are named after it: up to 64 letters, digits, _ and -, "
            "of which - and _ are not the first; rename it"
        )
    return name


Name = Annotated[str, AfterValidator(_plain_name)]


class Section(BaseModel):
    """A section: immutable, and a misspelt key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _truths_are_no_numbers(cls, value: object, info: ValidationInfo) -> object:
        """Pydantic takes yes for 1, and 1 for yes."""
        kinds = _kinds(cls.model_fields[str(info.field_name)].annotation)
        values = value if isinstance(value, list | tuple) else [value]
        if kinds == {bool} and type(value) is not bool:
            raise ValueError(f"expected true or false, got {_shown(value)}")
        if {int, float} & kinds and not {bool, Any} & kinds and bool in map(type, values):
            raise ValueError(f"expected a number, got {_shown(value)}")
        return value


def _kinds(annotation: Any) -> set[Any]:
    """The types that a field's type is put together from."""
    inner = get_args(annotation)
    if get_origin(annotation) is Literal or not inner:
        return {annotation}
    return set().union(*map(_kinds, inner))


def _shown(value: object) -> str:
    """What came, in a line, the beginning of it if it is long."""
    try:
        return on_one_line(repr(value), 80)
    except ValueError:
        return "a number of thousands of digits"


class ClassParams(Section):
    """One row of a class table of one's own (reader `folder`)."""

    name: str
    id: int
    train_id: int
    thing: bool = False
    colour: tuple[Grey, Grey, Grey]


class StreetsParams(Section):
    """The embedded scenes, made when `data.reader` is `streets`."""

    train: Count = 200
    val: Count = 48
    size: Size = (128, 192)
    seed: Seed = 0


class DataParams(Section):
    """Which photographs, and what `prepare` makes of them."""

    reader: Literal["streets", "cityscapes", "camvid", "idd_lite", "kitti", "folder"]
    root: str
    labels: Literal["label_ids", "train_ids"] = "label_ids"
    size: Size
    levels: Annotated[int, Field(ge=1, le=8)] = 3
    val_fraction: Annotated[float, Field(gt=0, lt=1)] = 0.15
    seed: Seed = 0
    limit: Count | None = None
    classes: tuple[ClassParams, ...] | None = None
    streets: StreetsParams | None = None


Memory = Literal["store", "checkpoint", "reversible"]
"""What a flow's training holds for the backward pass: the hidden maps of every network; the input
of every step; or what goes into a level and what comes out."""


class TrainingParams(Section):
    """How long and how a generator learns.

    The learning rate rises over `warmup_steps`, falls to zero from `decay_from` on (a share of all
    steps), is multiplied by `gamma` every `gamma_every` steps, and is a tenth from `drop_from` on.

    `memory` trades time for memory where a flow learns: `checkpoint` and `reversible` run its
    networks once more in the backward pass, and `reversible` does not grow with depth.

    `micro_batch` is how many rows of a batch are worked through at once: the memory of a step
    depends on it, results do not but by rounding. `auto` takes what fits, null all of them.
    """

    steps: Count
    batch_size: Count = 1
    learning_rate: Annotated[float, Field(gt=0)] = 1e-4
    warmup_steps: Whole = 0
    decay_from: Fraction = 1.0
    gamma: Annotated[float, Field(gt=0, le=1)] = 1.0
    gamma_every: Count = 100
    drop_from: Fraction = 1.0
    betas: tuple[Annotated[float, Field(ge=0, lt=1)], Annotated[float, Field(ge=0, lt=1)]] = (
        0.9,
        0.999,
    )
    clip_norm: Annotated[float, Field(gt=0)] | None = None
    ema: Annotated[float, Field(ge=0, lt=1)] | None = None
    flip: bool = False
    precision: Literal["float32", "bfloat16"] = "float32"
    memory: Memory = "store"
    micro_batch: int | Literal["auto"] | None = None
    init_scenes: Count = 16
    save_every: Count = 100
    log_every: Count = 10
    eval_every: Count = 200
    sample_every: Count = 400
    seed: Seed = 0

    @field_validator("micro_batch", mode="before")
    @classmethod
    def _is_a_number_of_rows(cls, value: object) -> object:
        rows = type(value) is int and value >= 1
        if not (rows or value in (None, "auto")):
            raise ValueError(f"expected a number of rows from 1 on, auto or null, got {value!r}")
        return value


class GeneratorParams(Section):
    """A generator: its system, the preset, what differs from it, its training.

    With `one_in` K it learns from every K-th training scene alone.
    """

    system: str
    preset: str
    overrides: dict[str, Any] = {}
    one_in: Count = 1
    training: TrainingParams


class PredictorParams(Section):
    """A flow that predicts class maps from photographs, as the mean of so many `samples`."""

    system: Literal["c_glow"] = "c_glow"
    preset: str
    overrides: dict[str, Any] = {}
    training: TrainingParams
    samples: Count = 10


class NewLayoutsParams(Section):
    """Layouts made from a split's own, so that thin classes become thicker.

    For each of a split's layouts `ratio` new ones are made: objects of the classes to `boost` are
    pasted in, and layouts are mirrored, warped, and mixed with those of other scenes.
    """

    boost: Annotated[tuple[str, ...], Field(min_length=1)]
    ratio: Annotated[float, Field(gt=0, le=100)] = 1.0
    seed: Seed = 0


class SetParams(Section):
    """A synthetic set: `rounds` photographs per layout of a split and temperature.

    With `best_of`, so many are drawn and the `rounds` likeliest of them are kept. With `one_in` K
    only every K-th layout of the split is used. `new_layouts` are used instead of these where such
    a section is given.
    """

    generator: str
    layouts: Literal["train", "val"]
    one_in: Count = 1
    new_layouts: NewLayoutsParams | None = None
    temperatures: Annotated[tuple[Temperature, ...], Field(min_length=1)]
    rounds: Count = 1
    best_of: Count | None = None
    seed: Seed = 0
    limit: Count | None = None

    @property
    def drawn(self) -> int:
        """How many photographs are drawn per layout and temperature."""
        return self.best_of or self.rounds

    @model_validator(mode="after")
    def _keeps_what_it_draws(self) -> SetParams:
        _no_doubles("temperatures", self.temperatures)
        if self.drawn < self.rounds:
            raise ValueError(
                f"best_of is {self.best_of}, expected {self.rounds} (rounds) or more: "
                "no more photographs can be kept than are drawn"
            )
        return self


class TransferParams(Section):
    """A transferred set: contents of photographs moved into other layouts."""

    generator: str
    layouts: Literal["train", "val"]
    contents: Literal["train", "val"] = "train"
    latents: Literal["z", "eps"] = "z"
    limit: Count | None = 8
    seed: Seed = 0


class SegmenterParams(Section):
    """A segmentation network: an mmseg config (name or file) and its schedule.

    Training starts from the weights of `checkpoint` where one is given; with 0 steps they are used
    as they are. With `balance_classes`, rare classes weigh more in the cross-entropy.

    A config file of plain values is read as data. Another is a program: with `trust_config` you say
    that you have read it, and that it, and what it names, may run.
    """

    config: str = "pspnet_small"
    trust_config: Annotated[bool, Field(exclude_if=operator.not_)] = False
    checkpoint: str | None = None
    steps: Whole
    batch_size: Count = 8
    learning_rate: Annotated[float, Field(gt=0)] = 5e-3
    weight_decay: Annotated[float, Field(ge=0)] = 1e-2
    warmup_steps: Whole = 50
    balance_classes: bool = True
    flip: bool = True
    seed: Seed = 0


class JudgeParams(SegmenterParams):
    """A network that selections ask; with `one_in` K it sees every K-th training scene alone.

    A network knows what it has learned from, all the better the less that is. With `folds` K the
    scenes are parted into K groups of whole drives, and the mean losses of classes that selections
    go by are those of K more networks, each read off on the group that it has not seen.
    """

    one_in: Count = 1
    folds: Count = 1


class ChoiceParams(Section):
    """How the temperature of a set is chosen: by what photographs of each are worth in training.

    The training drives are parted into `folds`, each of which is held out once. For each
    temperature of the set networks are trained on the other scenes and the photographs of their
    layouts, once per fold and seed; the temperature whose networks read the held-out scenes best is
    chosen. Validation scenes are not looked at.
    """

    set: str
    folds: Several = 4
    segmenter: SegmenterParams
    seeds: Annotated[tuple[Seed, ...], Field(min_length=1)] = (0,)


class BandParams(Section):
    """A band of quantiles of log-density; what lies outside, on either side, is dropped."""

    low: Fraction = 0.05
    high: Fraction = 0.95

    @model_validator(mode="after")
    def _is_a_band(self) -> BandParams:
        if self.low >= self.high:
            raise ValueError(f"low is {self.low:g}, expected less than high, {self.high:g}")
        return self


class SelectionParams(Section):
    """What of a set is fit to train on; each part is a switch and off unless it is given.

    `reads` is what DVC watches for the selection under `data/<study>`: `chosen/CHOICE.json` where
    the temperature is a chosen one, else `prepared`, which every selection depends on.

    `temperature` is one of the set's, or `chosen` for what the choice under `reads` says; without
    it, all are used. `likeliest` keeps so many photographs of each layout and temperature,
    `typicality` a band of densities, calibrated per temperature; `agreement` drops the share of
    photographs that the judge reads worst. `hardness` keeps more photographs of hard layouts: all
    of the hardest, fewer down the ranks. `rarity` draws photographs of rare looks of large classes
    more often. `pixel_filter` ignores pixels whose loss exceeds so many times the mean loss of
    their class on real photographs, `ignore_band` so many pixels on either side of label edges.
    """

    set: str
    judge: str
    reads: str
    temperature: Temperature | Literal["chosen"] | None = None
    likeliest: Count | None = None
    typicality: BandParams | None = None
    agreement: Annotated[float, Field(gt=0, lt=1)] | None = None
    hardness: bool = False
    rarity: bool = False
    pixel_filter: Annotated[float, Field(gt=0)] | None = None
    ignore_band: Whole = 0


Augment = Literal["none", "classic", "copy_paste"]
"""How photographs are varied beside mirroring: not at all, by hand-made rules, or by pasting
objects of other scenes."""


class ArmParams(Section):
    """What a retrained network sees: `real` and a synthetic set; augmentation by hand-made rules.

    A synthetic set is one of `sets` or of `selections`. `reads` is the folder under `data/<study>`
    that DVC watches for the arm: `synthetic/SET` or `selected/SELECTION` for an arm with a set,
    `prepared` (which every arm depends on) for one without.

    With `one_in` K the arm has every K-th training scene alone, and so have the generator and the
    judge behind its set, and the layouts of the set unless `more_layouts` says so. `ratio` is how
    many synthetic photographs are seen per real one; by default as the parts' sizes have it. By the
    `schedule` both are seen throughout, or synthetic ones alone for the first `first_share` of the
    steps and real ones alone after. `strength` is how far `augment: classic` goes, 1 the most.
    """

    train_on: Annotated[tuple[str, ...], Field(min_length=1)]
    reads: str
    augment: Augment = "none"
    one_in: Count = 1
    more_layouts: bool = False
    ratio: Annotated[float, Field(gt=0)] | None = None
    strength: Annotated[float, Field(gt=0, le=1)] = 1.0
    schedule: Literal["joint", "synthetic_first"] = "joint"
    first_share: Annotated[float, Field(gt=0, lt=1)] = 0.5

    @property
    def made(self) -> str | None:
        """The synthetic set or selection, if there is one."""
        return next((name for name in self.train_on if name != "real"), None)

    @property
    def mixed(self) -> bool:
        """Whether it joins real and synthetic photographs."""
        return len(self.train_on) > 1

    @model_validator(mode="after")
    def _reads_what_it_trains_on(self) -> ArmParams:
        made = [name for name in self.train_on if name != "real"]
        if len(made) > 1:
            raise ValueError(f"an arm takes one synthetic set, got {', '.join(made)}")
        _no_doubles("train_on", self.train_on)
        expected = [f"synthetic/{made[0]}", f"selected/{made[0]}"] if made else ["prepared"]
        if self.reads not in expected:
            needed = " or ".join(repr(place) for place in expected)
            raise ValueError(f"reads is {self.reads!r}; this train_on needs {needed}")
        return self

    @model_validator(mode="after")
    def _mixes_only_what_it_has(self) -> ArmParams:
        plain = {"ratio": None, "schedule": "joint"}
        given = [name for name, usual in plain.items() if getattr(self, name) != usual]
        if given and not self.mixed:
            raise ValueError(
                f"{' and '.join(given)}: says how real and synthetic photographs are mixed; "
                "leave it out, or train on both"
            )
        usual = type(self).model_fields["strength"].default
        if self.strength != usual and self.augment != "classic":
            raise ValueError("strength: says how far augment: classic goes; leave it out")
        if self.schedule == "synthetic_first" and self.ratio is not None:
            raise ValueError("ratio: the schedule synthetic_first mixes nothing; leave it out")
        return self


class RetrainParams(Section):
    """The arms' common network and schedule, and the seeds each arm is trained with."""

    segmenter: SegmenterParams
    seeds: Annotated[tuple[Seed, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _has_one_place_for_seeds(self) -> RetrainParams:
        if self.segmenter.seed != 0:
            raise ValueError("segmenter.seed is not looked at here: list seeds in retrain.seeds")
        return self


class ReportParams(Section):
    """What the report shows.

    `sweep` names a set per system, that of the main system first. Pages of samples have a row for
    each of so many `layouts` and a column for each of the `temperatures` that a set has.
    `configurations` are the generators of a table of depths and boundary maps, `released` names for
    a generator that keeps the flaws of released code the one that is repaired.
    """

    title: str
    sweep: tuple[str, ...]
    temperatures: tuple[Temperature, ...]
    layouts: Count = 6
    training_time: str | None = None
    configurations: tuple[str, ...] = ()
    released: dict[str, str] = {}

    @model_validator(mode="after")
    def _shows_each_once(self) -> ReportParams:
        _no_doubles("sweep", self.sweep)
        _no_doubles("temperatures", self.temperatures)
        return self


class DiversityParams(Section):
    """How the diversity of `generators` is measured.

    `samples` photographs are made for each of so many held-out `layouts` at each temperature.
    `features` names what the perceptual measure looks at; `weights` is the file of `vgg19`'s, or
    `hub`: torchvision downloads them.
    """

    generators: tuple[str, ...]
    layouts: Count
    samples: Several = 100
    clusters: Count = 9
    repeats: Count = 10
    features: Literal["pixels", "scattering", "random_vgg", "vgg19"] = "scattering"
    weights: str | None = None
    temperatures: Annotated[tuple[Temperature, ...], Field(min_length=1)]
    seed: Seed = 0

    @model_validator(mode="after")
    def _names_each_once(self) -> DiversityParams:
        _no_doubles("generators", self.generators)
        _no_doubles("temperatures", self.temperatures)
        return self


class AttributesParams(Section):
    """How attributes are tested in photographs of `generators`.

    A network that reads attributes is trained for so many `steps` on the real training photographs.
    It looks at `samples` photographs for each of so many held-out `layouts`, before and after each
    of a number of `changes` of their conditions.
    """

    generators: tuple[str, ...]
    layouts: Count = 8
    samples: Count = 3
    changes: Count = 4
    temperature: Temperature = 0.8
    steps: Count = 400
    batch_size: Count = 16
    learning_rate: Annotated[float, Field(gt=0)] = 2e-3
    seed: Seed = 0

    @model_validator(mode="after")
    def _names_each_once(self) -> AttributesParams:
        _no_doubles("generators", self.generators)
        return self


class ExploreParams(Section):
    """What is shown of the latents of `generators`: paths, styles and edits.

    Paths of so many `steps` between two draws, and the draws themselves, are shown for so many
    held-out `layouts`. `edits` is a list as `augflow edit-layout` takes it, without files to paste
    from; by default an object is removed, a class turned into another, and an object added.
    """

    generators: Annotated[tuple[str, ...], Field(min_length=1)]
    layouts: Count = 3
    steps: Several = 7
    path: Literal["spherical", "linear"] = "spherical"
    temperature: Temperature = 0.8
    seed: Seed = 0
    edits: Annotated[tuple[dict[str, Any], ...], Field(min_length=1)] | None = None

    @model_validator(mode="after")
    def _names_each_once(self) -> ExploreParams:
        _no_doubles("generators", self.generators)
        return self


class VerifyParams(Section):
    """How many items of each stage `augflow verify --level 1` makes again.

    `trainings` is how many networks it trains again, which takes as long as their training did;
    generators, predictors, judges and retrained networks count alike.
    `tolerance` is the largest difference, in 8-bit grey values, that a photograph made again on
    another machine may show.
    """

    items: Count = 2
    trainings: Annotated[int, Field(ge=0)] = 0
    tolerance: Annotated[float, Field(ge=0)] = 2.0
    seed: Seed = 0


class Params(Section):
    """All of `params.yaml`."""

    study: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")]
    threads: Count = 2
    data: DataParams
    generators: dict[Name, GeneratorParams]
    sets: dict[Name, SetParams]
    transfers: dict[Name, TransferParams] = {}
    predictors: dict[Name, PredictorParams] = {}
    judge: SegmenterParams
    judges: dict[Name, JudgeParams] = {}
    choices: dict[Name, ChoiceParams] = {}
    selections: dict[Name, SelectionParams] = {}
    arms: dict[Name, ArmParams]
    retrain: RetrainParams
    report: ReportParams
    diversity: DiversityParams | None = None
    attributes: AttributesParams | None = None
    explore: ExploreParams | None = None
    verify: VerifyParams = VerifyParams()

    @model_validator(mode="after")
    def _painted_scenes_have_their_place(self) -> Params:
        place = f"data/{self.study}/raw"
        if self.data.reader == "streets" and self.data.root != place:
            raise ValueError(f"data.root: embedded scenes are painted at {place!r}, set it to that")
        return self

    @model_validator(mode="after")
    def _names_are_known(self) -> Params:
        generators, sets = sorted(self.generators), sorted(self.sets)
        uses: list[tuple[str, str, list[str]]] = []
        uses += [(f"sets.{k}.generator", s.generator, generators) for k, s in self.sets.items()]
        uses += [(f"transfers.{k}.generator", s.generator, generators)
                 for k, s in self.transfers.items()]  # fmt: skip
        uses += [(f"choices.{k}.set", choice.set, sets) for k, choice in self.choices.items()]
        for key, one in self.selections.items():
            uses += [(f"selections.{key}.set", one.set, sets),
                     (f"selections.{key}.judge", one.judge, sorted(self.judges))]  # fmt: skip
        for key, arm in self.arms.items():
            selected = arm.reads.startswith("selected/")
            known = sorted(self.selections) if selected else ["real", *sets]
            uses += [(f"arms.{key}.train_on", name, known) for name in arm.train_on
                     if name != "real"]  # fmt: skip
        uses += [("report.sweep", name, sets) for name in self.report.sweep]
        uses += [("diversity.generators", name, generators)
                 for name in (self.diversity.generators if self.diversity else ())]  # fmt: skip
        uses += [("attributes.generators", name, generators)
                 for name in (self.attributes.generators if self.attributes else ())]  # fmt: skip
        uses += [("explore.generators", name, generators)
                 for name in (self.explore.generators if self.explore else ())]  # fmt: skip
        compared = sorted(self.sets[n].generator for n in self.report.sweep if n in self.sets)
        uses += [("report.configurations", name, compared) for name in self.report.configurations]
        uses += [("report.released", name, compared)
                 for pair in self.report.released.items() for name in pair]  # fmt: skip
        wrong = [
            f"{where}: no {name!r}; {nearest(name, known)}"
            for where, name, known in uses
            if name not in known
        ]
        if wrong:
            raise ValueError("; ".join(wrong))
        return self

    @model_validator(mode="after")
    def _selections_fit_their_sets(self) -> Params:
        doubled = sorted(set(self.sets) & set(self.selections))
        faults = [f"selections.{name}: is a set's name too; take another" for name in doubled]
        faults += [
            f"choices.{key}.set: {one.set} has layouts of val; choose on training layouts"
            for key, one in self.choices.items()
            if self.sets[one.set].layouts != "train"
        ]
        for key, one in self.selections.items():
            faults += [f"selections.{key}.{fault}" for fault in self._unfit(one)]
        if faults:
            raise ValueError("; ".join(faults))
        return self

    def _unfit(self, one: SelectionParams) -> list[str]:
        """What is wrong with a selection, each under the parameter's name."""
        faults, degrees = [], self.sets[one.set].temperatures
        choices = {f"chosen/{name}.json": choice for name, choice in self.choices.items()}
        if one.temperature == "chosen":
            if one.reads not in choices:
                faults.append(f"reads: {one.reads!r}; {nearest(one.reads, sorted(choices))}")
            elif choices[one.reads].set != one.set:
                faults.append(f"reads: {one.reads} is about set {choices[one.reads].set}")
        elif one.reads != "prepared":
            faults.append(f"reads: {one.reads!r}, expected 'prepared' unless temperature is chosen")
        if isinstance(one.temperature, float) and one.temperature not in degrees:
            shown = ", ".join(f"{degree:g}" for degree in degrees)
            faults.append(f"temperature: {one.temperature:g}; set {one.set} has {shown}")
        return faults

    @model_validator(mode="after")
    def _fractions_are_kept(self) -> Params:
        """Nothing behind an arm has seen more training scenes than the arm has."""
        faults = []
        for key, arm in self.arms.items():
            if arm.made is None:
                continue
            selection = self.selections.get(arm.made)
            behind = self.sets[selection.set if selection else arm.made]
            if behind.layouts != "train":
                faults.append(
                    f"arms.{key}.train_on: {arm.made} has layouts of {behind.layouts}; an arm "
                    "trains on training layouts alone"
                )
            seen = {f"generators.{behind.generator}": self.generators[behind.generator].one_in}
            if not arm.more_layouts:
                seen[f"sets.{selection.set if selection else arm.made}"] = behind.one_in
            if selection:
                seen[f"judges.{selection.judge}"] = self.judges[selection.judge].one_in
            faults += [
                f"arms.{key}.one_in is {arm.one_in}, but {where}.one_in is {share}: it sees scenes "
                "that the arm does not have"
                for where, share in seen.items()
                if share % arm.one_in
            ]
        if faults:
            raise ValueError("; ".join(faults))
        return self

    @model_validator(mode="after")
    def _systems_can_be_compared(self) -> Params:
        """The sets of the sweep: a generator each, all on the same layouts."""
        swept = {name: self.sets[name] for name in self.report.sweep if name in self.sets}
        _no_doubles("report.sweep: generators", [section.generator for section in swept.values()])
        places = {name: f"{section.layouts}, limit {section.limit}, one in {section.one_in}"
                  for name, section in swept.items()}  # fmt: skip
        new = [name for name, section in swept.items() if section.new_layouts is not None]
        if new:
            raise ValueError(
                f"report.sweep: {', '.join(new)} has new layouts, of which there is no real "
                "photograph to compare with; name sets of the split's own layouts"
            )
        if len(set(places.values())) > 1:
            shown = "; ".join(f"{name} has {place}" for name, place in places.items())
            raise ValueError(f"report.sweep: systems are compared on the same layouts, but {shown}")
        return self


def _no_doubles(where: str, values: Sequence[object]) -> None:
    doubled = sorted({str(value) for value in values if values.count(value) > 1})
    if doubled:
        raise ValueError(f"{where}: {', '.join(doubled)} more than once; name each once")


def load(path: Path = Path("params.yaml")) -> Params:
    """Reads and checks `params.yaml`.

    Raises:
        ParamsError: the file is missing, not YAML, or holds a wrong value; all faults in one line.
    """
    from augflow import plain_yaml

    if not path.exists():
        raise ParamsError(f"{path}: no such file; run in a project folder (augflow init makes one)")
    return checked(Params, plain_yaml.read(path), str(path))


S = TypeVar("S", bound=BaseModel)


def checked(section: type[S], content: object, where: str) -> S:
    """A section from plain values.

    Raises:
        ParamsError: with every fault, each under its dotted name.
    """
    if not isinstance(content, dict):
        raise ParamsError(f"{where}: expected a mapping, got {_kind_of(content)}")
    try:
        return section.model_validate(content)
    except ValidationError as faults:
        lines = "; ".join(_line(error, section) for error in faults.errors())
        raise ParamsError(f"{where}: {lines}") from faults


def _kind_of(content: object) -> str:
    names: dict[type, str] = {type(None): "nothing", list: "a list", str: "text"}
    return names.get(type(content), type(content).__name__)


def _line(error: Any, section: type[BaseModel]) -> str:
    parts = [part for part in error["loc"] if part != "[key]"]
    place = on_one_line(".".join(str(part) for part in parts), 200)
    if error["type"] == "extra_forbidden":
        known = sorted(_fields_at(section, error["loc"][:-1]))
        return f"{place}: no such parameter; {nearest(str(error['loc'][-1])[:200], known)}"
    message = on_one_line(error["msg"].removeprefix("Value error, "))
    if error["type"] in ("missing", "value_error"):
        return f"{place}: {message}" if place else message
    hint = ""
    if isinstance(error["input"], str) and "e" in error["input"].lower():
        hint = " (YAML reads 1e-4 as text: write 1.0e-4)"
    return f"{place}: {message}, got {_shown(error['input'])}{hint}"


def _fields_at(section: type[BaseModel], loc: tuple) -> list[str]:
    """The field names of the record that a validation error's place points into."""
    current: Any = section
    for part in loc:
        if isinstance(current, type) and issubclass(current, BaseModel):
            current = current.model_fields[part].annotation
        else:  # dict[str, X] under a name, tuple[X, ...] under an index
            current = get_args(current)[0 if isinstance(part, int) else -1]
        if type(None) in get_args(current):
            current = next(kind for kind in get_args(current) if kind is not type(None))
    is_section = isinstance(current, type) and issubclass(current, BaseModel)
    if not is_section:
        return []
    return [field.alias or name for name, field in current.model_fields.items()]
