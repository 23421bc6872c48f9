"""The parameters of a study, checked: every section of `params.yaml` is one frozen record."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from augflow.core.config import (
    Count,
    Fraction,
    Name,
    Names,
    Section,
    Seed,
    Seeds,
    Several,
    Temperature,
    Temperatures,
    Threads,
    Whole,
    no_doubles,
    validate_section,
)
from augflow.core.errors import ParamsError, suggest
from augflow.data.params import DataParams, NewLayoutsParams
from augflow.segmentation.params import SegmenterParams
from augflow.training.params import TrainingParams


class GeneratorParams(Section):
    """A generator: its system, the preset, what differs from it, its training.

    With `one_in` K it learns from every K-th training scene alone.
    """

    system: str
    preset: str
    overrides: dict[str, Any] = Field(default_factory=dict)
    one_in: Count = 1
    training: TrainingParams


class PredictorParams(Section):
    """A flow that predicts class maps from photographs, as the mean of so many `samples`."""

    system: Literal["c_glow"] = "c_glow"
    preset: str
    overrides: dict[str, Any] = Field(default_factory=dict)
    training: TrainingParams
    samples: Count = 10

    @model_validator(mode="after")
    def _parts_are_given(self) -> PredictorParams:
        if self.training.micro_batch == "auto":
            raise ValueError(
                "training.micro_batch is auto, but there is no estimate of a predictor's memory: "
                "set a number of rows, or null"
            )
        return self


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
    temperatures: Annotated[Temperatures, Field(min_length=1)]
    rounds: Count = 1
    best_of: Count | None = None
    seed: Seed = 0
    limit: Count | None = None

    @property
    def draws_per_layout(self) -> int:
        """How many photographs are drawn per layout and temperature."""
        return self.best_of or self.rounds

    @model_validator(mode="after")
    def _keeps_what_it_draws(self) -> SetParams:
        if self.draws_per_layout < self.rounds:
            raise ValueError(
                f"best_of is {self.best_of}, expected {self.rounds} (rounds) or more: "
                "no more photographs can be kept than are drawn"
            )
        return self


class TransferParams(Section):
    """A transferred set: contents of photographs moved into other layouts.

    `latents`: `style` moves light and palette alone, and draws the rest at `temperature`; latents
    as they are (`z`), or as they were drawn (`eps`), carry nearly the whole photograph over, which
    the new layout then does not describe.
    """

    generator: str
    layouts: Literal["train", "val"]
    contents: Literal["train", "val"] = "train"
    latents: Literal["style", "z", "eps"] = "style"
    temperature: Temperature = 0.5
    limit: Count | None = 8
    seed: Seed = 0

    @property
    def degree(self) -> float:
        """The temperature that the manifest tells: latents of an image have none, which is 1."""
        return self.temperature if self.latents == "style" else 1.0


class FeatureParams(Section):
    """What images are compared in: the Frechet distance of section `score`, or diversity.

    `features` names it; `weights` is the file of `vgg19`'s, or `hub`: torchvision downloads them.
    """

    features: Literal["pixels", "scattering", "random_vgg", "vgg19"] = "scattering"
    weights: str | None = None

    @model_validator(mode="after")
    def _weights_of_vgg19_alone(self) -> Self:
        if (self.features == "vgg19") != (self.weights is not None):
            raise ValueError(
                f"features {self.features}, weights {self.weights}: vgg19 needs the file of its "
                "weights (or hub), other features have none"
            )
        return self


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
    seeds: Seeds = (0,)


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
    the temperature is a chosen one, else `prepared`, which every selection depends on; where it is
    not given, the choice is the first of the set's.

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
    reads: str = ""
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
    `prepared` (which every arm depends on) for one without; it need not be given.

    With `one_in` K the arm has every K-th training scene alone, and so have the generator and the
    judge behind its set, and the layouts of the set unless `more_layouts` says so. `ratio` is how
    many synthetic photographs are seen per real one; by default as the parts' sizes have it. By the
    `schedule` both are seen throughout, or synthetic ones alone for the first `first_share` of the
    steps and real ones alone after. `strength` is how far `augment: classic` goes, 1 the most.
    """

    train_on: Annotated[Names, Field(min_length=1)]
    reads: str = ""
    augment: Augment = "none"
    one_in: Count = 1
    more_layouts: bool = False
    ratio: Annotated[float, Field(gt=0)] | None = None
    strength: Annotated[float, Field(gt=0, le=1)] = 1.0
    schedule: Literal["joint", "synthetic_first"] = "joint"
    first_share: Annotated[float, Field(gt=0, lt=1)] = 0.5

    @property
    def synthetic_source(self) -> str | None:
        """The synthetic set or selection, if there is one."""
        return next((name for name in self.train_on if name != "real"), None)

    @property
    def is_mixed(self) -> bool:
        """Whether it joins real and synthetic photographs."""
        return len(self.train_on) > 1

    @model_validator(mode="after")
    def _reads_what_it_trains_on(self) -> ArmParams:
        made = [name for name in self.train_on if name != "real"]
        if len(made) > 1:
            raise ValueError(f"an arm takes one synthetic set, got {', '.join(made)}")
        expected = [f"synthetic/{made[0]}", f"selected/{made[0]}"] if made else ["prepared"]
        if not self.reads:
            self.__dict__["reads"] = expected[0]  # of a selection: `Params` knows it
        if self.reads not in expected:
            needed = " or ".join(repr(place) for place in expected)
            raise ValueError(f"reads is {self.reads!r}; this train_on needs {needed}")
        return self

    @model_validator(mode="after")
    def _mixes_only_what_it_has(self) -> ArmParams:
        plain = {"ratio": None, "schedule": "joint"}
        given = [name for name, usual in plain.items() if getattr(self, name) != usual]
        if given and not self.is_mixed:
            raise ValueError(
                f"{' and '.join(given)}: says how real and synthetic photographs are mixed; "
                "leave it out, or train on both"
            )
        usual = type(self).model_fields["strength"].default
        if self.strength != usual and self.augment != "classic":
            raise ValueError("strength: says how far augment: classic goes; leave it out")
        if self.augment == "copy_paste" and "real" not in self.train_on:
            raise ValueError(
                "augment: copy_paste pastes objects of the arm's real scenes, but train_on has "
                "none; put real into train_on, or take augment: classic"
            )
        if self.schedule == "synthetic_first" and self.ratio is not None:
            raise ValueError("ratio: the schedule synthetic_first mixes nothing; leave it out")
        return self


class RetrainParams(Section):
    """The arms' common network and schedule, and the seeds each arm is trained with."""

    segmenter: SegmenterParams = SegmenterParams()
    seeds: Seeds = (0, 1, 2)

    @model_validator(mode="after")
    def _has_one_place_for_seeds(self) -> RetrainParams:
        if self.segmenter.seed != 0:
            raise ValueError("segmenter.seed is not looked at here: list seeds in retrain.seeds")
        return self


_RESULT = re.compile(
    r"\d\.\d|\d,\d(?!\d\d\b)"  # a decimal fraction, which 1,024 is not
    r"|(?<!\w)[+-]\d"
    r"|\d\W*(%|٪|‰|‱|per ?cent|percentage|points?\b|pp\b|m?iou|accura|bits?\b|bpd|times\b|fold\b"
    r"|[x×](?!\s*\d))"
    r"|\b(m?iou|accuracy|bpd|fid)\b\W*(of |is )?\d"
    r"|\b(gain|better|improv|beat|outperform|higher)",
    re.IGNORECASE,
)


def _without_results(text: str) -> str:
    """Words of the user's that a report shows above its own, and that nothing is held to."""
    plain = unicodedata.normalize("NFKC", text).replace("\u2212", "-")
    found = _RESULT.search(plain) if re.search(r"\d", plain) else None
    if found:
        raise ValueError(
            f"{found[0]!r} reads as a result, which a report tells by its claims alone; "
            "say what was done, with whole numbers such as sizes and years"
        )
    if not text.isprintable():
        raise ValueError("holds marks that cannot be seen, expected plain text on one line")
    return text


Wording = Annotated[str, AfterValidator(_without_results)]


class ReportParams(Section):
    """What the report shows.

    `sweep` names a set per system, that of the main system first: by default the first set of
    held-out layouts that each generator has. Pages of samples have a row for each of so many
    `layouts` and a column for each of the `temperatures` that a set has, by default all.
    `configurations` are the generators of a table of depths and boundary maps, `released` names for
    a generator that keeps the flaws of released code the one that is repaired. `titles` has
    words for names of arms, generators, sets and selections; what has none is called by what it is.
    No stage but the report reads them. `title`, `titles` and `training_time` may tell no result.
    """

    title: Wording = ""
    titles: dict[Name, Wording] = Field(default_factory=dict)
    sweep: Names = ()
    temperatures: Temperatures = ()
    layouts: Count = 6
    training_time: Wording | None = None
    configurations: tuple[str, ...] = ()
    released: dict[str, str] = Field(default_factory=dict)


class DiversityParams(FeatureParams):
    """How the diversity of `generators` is measured, the perceptual measure in its features.

    `samples` images are made for each of so many held-out `layouts` at each temperature.
    """

    generators: Names
    layouts: Count
    samples: Several = 100
    clusters: Count = 9
    repeats: Count = 10
    temperatures: Annotated[Temperatures, Field(min_length=1)]
    seed: Seed = 0


class AttributesParams(Section):
    """How attributes are tested in photographs of `generators`.

    A network that reads attributes is trained for so many `steps` on the real training photographs.
    It looks at `samples` photographs for each of so many held-out `layouts`, before and after each
    of a number of `changes` of their conditions.
    """

    generators: Names
    layouts: Count = 8
    samples: Count = 3
    changes: Count = 4
    temperature: Temperature = 0.8
    steps: Count = 400
    batch_size: Count = 16
    learning_rate: Annotated[float, Field(gt=0)] = 2e-3
    seed: Seed = 0


class ExploreParams(Section):
    """What is shown of the latents of `generators`: paths, styles and edits.

    Paths of so many `steps` between two draws, and the draws themselves, are shown for so many
    held-out `layouts`. `edits` is a list as `augflow edit-layout` takes it, without files to paste
    from; by default an object is removed, a class turned into another, and an object added.
    """

    generators: Annotated[Names, Field(min_length=1)]
    layouts: Count = 3
    steps: Several = 7
    path: Literal["spherical", "linear"] = "spherical"
    temperature: Temperature = 0.8
    seed: Seed = 0
    edits: Annotated[tuple[dict[str, Any], ...], Field(min_length=1)] | None = None


_PLACES: tuple[tuple[tuple[str, ...], dict[str, str]], ...] = (
    (("generators",), {}),
    (("predictors",), {}),
    (("judges",), {}),
    (("choices",), {}),
    (("sets", "transfers"), {}),
    (("sets", "selections"), {"real": "the real photographs"}),
    (
        ("sets",),
        {
            name: "a file of scores"
            for name in ("references", "leaks", "costs", "arms", "attributes")
        },
    ),
    (("arms",), {"judge": "the judge"}),
)
"""Sections whose names stand for files or folders of one place, and what else is there.

On some disks `A` and `a` are one.
"""


class Params(Section):
    """All of `params.yaml`."""

    study: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")] = "study"
    threads: Threads = 2
    data: DataParams
    generators: Annotated[dict[Name, GeneratorParams], Field(min_length=1)]
    sets: Annotated[dict[Name, SetParams], Field(min_length=1)]
    transfers: dict[Name, TransferParams] = Field(default_factory=dict)
    predictors: dict[Name, PredictorParams] = Field(default_factory=dict)
    judge: SegmenterParams = SegmenterParams()
    score: FeatureParams = FeatureParams()
    judges: dict[Name, JudgeParams] = Field(default_factory=dict)
    choices: dict[Name, ChoiceParams] = Field(default_factory=dict)
    selections: dict[Name, SelectionParams] = Field(default_factory=dict)
    arms: dict[Name, ArmParams] = Field(default_factory=dict)
    retrain: RetrainParams = RetrainParams()
    report: ReportParams = ReportParams()
    diversity: DiversityParams | None = None
    attributes: AttributesParams | None = None
    explore: ExploreParams | None = None

    @model_validator(mode="after")
    def _what_is_left_out_is_filled_in(self) -> Params:
        for arm in self.arms.values():
            if "reads" not in arm.model_fields_set and arm.synthetic_source in self.selections:
                arm.__dict__["reads"] = f"selected/{arm.synthetic_source}"
        for one in self.selections.values():
            if not one.reads:
                own = (name for name, choice in self.choices.items() if choice.set == one.set)
                is_chosen = one.temperature == "chosen"
                file = f"chosen/{next(own, '?')}.json"
                one.__dict__["reads"] = file if is_chosen else "prepared"
        self.__dict__["report"] = self._whole_report()
        return self

    def _whole_report(self) -> ReportParams:
        """The section with what it shows where that is not given."""
        given = self.report
        sweep = given.sweep or tuple(self._comparable_sets().values())
        if not sweep:
            raise ValueError(
                "report.sweep: there is no set of held-out layouts to compare systems by; add one "
                "with layouts: val to sets"
            )
        degrees = {degree for n in sweep if n in self.sets for degree in self.sets[n].temperatures}
        shown = given.temperatures or tuple(sorted(degrees))
        title = given.title or f"Do synthetic photographs help? ({self.study})"
        return given.model_copy(update={"sweep": sweep, "temperatures": shown, "title": title})

    def _comparable_sets(self) -> dict[str, str]:
        """The first set of held-out layouts of each generator that has one."""
        found: dict[str, str] = {}
        for name, one in self.sets.items():
            if one.layouts == "val" and one.new_layouts is None:
                found.setdefault(one.generator, name)
        return found

    @model_validator(mode="after")
    def _painted_scenes_have_their_place(self) -> Params:
        place = f"data/{self.study}/raw"
        if self.data.reader == "streets" and self.data.root != place:
            raise ValueError(f"data.root: embedded scenes are painted at {place!r}, set it to that")
        return self

    @model_validator(mode="after")
    def _names_have_places_of_their_own(self) -> Params:
        faults = []
        for sections, taken in _PLACES:
            known = dict(taken)
            for part in sections:
                for name in getattr(self, part):
                    whose = known.setdefault(name.lower(), f"{part}.{name}")
                    if whose != f"{part}.{name}":
                        faults.append(f"{part}.{name}: the name of {whose} too; take another")
        if faults:
            raise ValueError("; ".join(faults))
        return self

    @model_validator(mode="after")
    def _names_are_known(self) -> Params:
        generators, sets = sorted(self.generators), sorted(self.sets)
        compared = sorted(self.sets[n].generator for n in self.report.sweep if n in self.sets)
        uses: list[tuple[str, str, list[str]]] = []
        for part in ("sets", "transfers"):
            sections = getattr(self, part).items()
            uses += [
                (f"{part}.{key}.generator", one.generator, generators) for key, one in sections
            ]
        uses += [(f"choices.{k}.set", choice.set, sets) for k, choice in self.choices.items()]
        for key, one in self.selections.items():
            uses.append((f"selections.{key}.set", one.set, sets))
            uses.append((f"selections.{key}.judge", one.judge, sorted(self.judges)))
        for key, arm in self.arms.items():
            selected = arm.reads.startswith("selected/")
            known = sorted(self.selections) if selected else ["real", *sets]
            uses += [
                (f"arms.{key}.train_on", name, known) for name in arm.train_on if name != "real"
            ]
        uses += [("report.sweep", name, sets) for name in self.report.sweep]
        for part in ("diversity", "attributes", "explore"):
            names = getattr(getattr(self, part), "generators", ())
            uses += [(f"{part}.generators", name, generators) for name in names]
        titled = sorted({*self.arms, *self.generators, *self.sets, *self.selections})
        uses += [("report.titles", name, titled) for name in self.report.titles]
        uses += [("report.configurations", name, compared) for name in self.report.configurations]
        released = (name for pair in self.report.released.items() for name in pair)
        uses += [("report.released", name, compared) for name in released]
        wrong = [
            f"{where}: no {name!r}; {suggest(name, known)}"
            for where, name, known in uses
            if name not in known
        ]
        if wrong:
            raise ValueError("; ".join(wrong))
        return self

    @model_validator(mode="after")
    def _selections_fit_their_sets(self) -> Params:
        faults = [
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
                faults.append(f"reads: {one.reads!r}; {suggest(one.reads, sorted(choices))}")
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
            if arm.synthetic_source is None:
                continue
            selection = self.selections.get(arm.synthetic_source)
            behind = self.sets[selection.set if selection else arm.synthetic_source]
            if behind.layouts != "train":
                faults.append(
                    f"arms.{key}.train_on: {arm.synthetic_source} has layouts of {behind.layouts}; "
                    "an arm trains on training layouts alone"
                )
            seen = {f"generators.{behind.generator}": self.generators[behind.generator].one_in}
            if not arm.more_layouts:
                seen[f"sets.{selection.set if selection else arm.synthetic_source}"] = behind.one_in
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
        no_doubles([one.generator for one in swept.values()], "report.sweep: generators: ")
        places = {
            name: f"{section.layouts}, limit {section.limit}, one in {section.one_in}"
            for name, section in swept.items()
        }
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


def load(path: Path = Path("params.yaml")) -> Params:
    """Reads and checks `params.yaml`.

    Raises:
        ParamsError: the file is missing, not YAML, or holds a wrong value; all faults in one line.
    """
    from augflow.core import yaml

    if not path.is_file():
        raise ParamsError(f"{path}: no such file; run in a project folder (augflow init makes one)")
    content = yaml.read(path)
    if isinstance(content, dict) and "verify" in content:
        raise ParamsError(
            f"{path}: verify: what is checked is for who verifies to say; delete the section, and "
            "give augflow verify --items, --trainings and --seed (tolerances are the program's)"
        )
    return validate_section(Params, content, str(path))
