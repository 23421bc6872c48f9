"""A project folder: `params.yaml` and the places where its stages read and write.

`dvc.yaml` names the same places, as DVC has to know them; a test holds the two together.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from shutil import rmtree
from typing import TYPE_CHECKING, TypeVar

from augflow import files
from augflow.errors import DataError, ParamsError, nearest
from augflow.params import ArmParams, Params, SegmenterParams, load

if TYPE_CHECKING:
    from augflow.devices import Devices, Used
    from augflow.synthetic import Decision

T = TypeVar("T")


@dataclass(frozen=True)
class Project:
    """The study of a project folder; each stage is one method, with its paths filled in.

    With `trust_config`, saved networks may name modules and files, whatever the parameters say.
    """

    root: Path = Path()
    trust_config: bool = False

    @cached_property
    def params(self) -> Params:
        """The checked parameters."""
        return load(self.root / "params.yaml")

    @property
    def data(self) -> Path:
        """Everything the stages make, `data/<study>`."""
        return self.root / "data" / self.params.study

    @property
    def prepared(self) -> Path:
        """The prepared scenes."""
        return self.data / "prepared"

    @property
    def reports(self) -> Path:
        """What people read, `reports/<study>`."""
        return self.root / "reports" / self.params.study

    def generator(self, name: str) -> Path:
        """The folder of a generator."""
        return self.data / "generators" / name

    def predictor(self, name: str) -> Path:
        """The folder of a predictor of class maps."""
        return self.data / "predictors" / name

    def synthetic(self, name: str) -> Path:
        """The folder of a synthetic or transferred set."""
        return self.data / "synthetic" / name

    def selected(self, name: str) -> Path:
        """The folder of a selected set."""
        return self.data / "selected" / name

    def judge_of(self, name: str) -> Path:
        """The folder of a judge that selections ask."""
        return self.data / "judges" / name

    def choice(self, name: str) -> Path:
        """The file of a chosen temperature."""
        return self.data / "chosen" / f"{name}.json"

    def segmenter(self, arm: str, seed: int) -> Path:
        """The folder of a retrained segmenter."""
        return self.data / "segmenters" / arm / str(seed)

    @property
    def judge_folder(self) -> Path:
        """The folder of the judge."""
        return self.data / "segmenters" / "judge"

    @property
    def segmenters(self) -> dict[str, Path]:
        """The folder of every retrained segmenter, by `ARM-SEED`."""
        seeds = self.params.retrain.seeds
        return {f"{arm}-{seed}": self.segmenter(arm, seed) for arm in self.params.arms
                for seed in seeds}  # fmt: skip

    def sets_of(self, arm: ArmParams) -> dict[str, Path]:
        """The folder of the synthetic or selected set that an arm trains on, if any, by name."""
        return {arm.made: self.data / arm.reads} if arm.made else {}

    def trusts(self, network: Path) -> bool:
        """Whether the user trusts what the config of a segmenter, by its folder, names."""
        sections: dict[Path, SegmenterParams] = {self.judge_folder: self.params.judge}
        sections |= {self.judge_of(name): judge for name, judge in self.params.judges.items()}
        section = sections.get(network, self.params.retrain.segmenter)
        return self.trust_config or section.trust_config

    def score(self, name: str) -> Path:
        """The scores of a set, of the `references`, or of the `arms`."""
        return self.data / "scores" / f"{name}.json"

    def run(self, stage: str, name: str, *facts: object) -> Path:
        """The folder of the resume state of a run."""
        from augflow.stages.runs import run_folder

        return self.root / run_folder(stage, name, *facts)

    def require(self, stage: str, *made: Path) -> None:
        """Lets pass what a stage has made.

        Raises:
            DataError: it is not there yet; names the stage to run.
        """
        missing = [str(path) for path in made if not path.exists()]
        if missing:
            raise DataError(f"{', '.join(missing)}: not there yet; run `dvc repro {stage}` first")

    def prepare(self) -> None:
        """Stage prepare."""
        from augflow.stages.prepare import prepare

        prepare(self.params.data, self.prepared)
        self._record(self.prepared)

    def train(self, name: str, devices: Devices | None = None) -> bool:
        """Stage train, one generator, on devices of the environment by default.

        Returns:
            Whether this process has written it, as the first of those that have trained it.
        """
        from augflow.devices import asked, noted, start
        from augflow.stages.runs import folder_digest
        from augflow.stages.train import train

        section = _named(self.params.generators, name, "generators")
        ranks = start(devices or asked(), section.training.precision)
        threads = self.params.threads
        facts = (section.model_dump(mode="json"), threads, folder_digest(self.prepared))
        run = self.run("train", name, *facts)
        out = self.generator(name)
        train(name, section, self.prepared, out, run=run, threads=threads, ranks=ranks)
        if ranks.leads:
            self._record(out, noted(run))
            rmtree(run)  # a finished run is not resumed: trained again, it begins anew
        return ranks.leads

    def synthesize(self, name: str) -> None:
        """Stage synthesize, one set."""
        from augflow.stages.synthesize import synthesize

        section = _named(self.params.sets, name, "sets")
        synthesize(
            name, section, self.generator(section.generator), self.prepared, self.synthetic(name),
            threads=self.params.threads,
        )  # fmt: skip
        self._record(self.synthetic(name))

    def transfer(self, name: str) -> None:
        """Stage transfer, one set."""
        from augflow.stages.transfer import transfer

        section = _named(self.params.transfers, name, "transfers")
        transfer(
            name, section, self.generator(section.generator), self.prepared, self.synthetic(name),
            threads=self.params.threads,
        )  # fmt: skip
        self._record(self.synthetic(name))

    def train_predictor(self, name: str) -> bool:
        """Stage predict, one predictor: it learns, on devices of the environment.

        Returns:
            Whether this process has written it, as the first of those that have trained it.
        """
        from augflow.devices import asked, noted, start
        from augflow.stages.predict import train_predictor
        from augflow.stages.runs import folder_digest

        section = _named(self.params.predictors, name, "predictors")
        ranks = start(asked(), section.training.precision)
        threads = self.params.threads
        facts = (section.model_dump(mode="json"), threads, folder_digest(self.prepared))
        run = self.run("predict", name, *facts)
        out = self.predictor(name)
        train_predictor(name, section, self.prepared, out, run=run, threads=threads, ranks=ranks)
        if ranks.leads:
            self._record(out, noted(run))
            rmtree(run)
        return ranks.leads

    def score_predictor(self, name: str) -> None:
        """Stage predict, one predictor: it looks at the held-out photographs."""
        from augflow.stages.predict import score_predictor

        section = _named(self.params.predictors, name, "predictors")
        out = self.score(f"predictors/{name}")
        score_predictor(
            name, section, self.prepared, self.predictor(name), out, threads=self.params.threads
        )
        self._record(out)

    def judge(self) -> None:
        """Stage judge: a segmenter trained on the real training photographs."""
        from augflow.devices import noted

        arm = ArmParams(train_on=("real",), reads="prepared")
        params = self.params.judge
        run = self._run_of("judge", arm, params, params.seed)
        self._retrain(arm, params, params.seed, self.judge_folder, run)
        self._record(self.judge_folder, noted(run))
        rmtree(run)

    def train_judge(self, name: str) -> None:
        """Stage judges: a segmenter that selections ask, trained on its share of real scenes."""
        from augflow.devices import noted
        from augflow.stages.judges import train_judge
        from augflow.stages.runs import folder_digest

        section, threads = _named(self.params.judges, name, "judges"), self.params.threads
        facts = (section.model_dump(mode="json"), threads, folder_digest(self.prepared),
                 self._own_files(section))  # fmt: skip
        run = self.run("judges", name, *facts)
        train_judge(name, section, self.prepared, self.judge_of(name), run, threads)
        self._record(self.judge_of(name), noted(run))
        rmtree(run)

    def choose(self, name: str) -> None:
        """Stage choose: the temperature of a set."""
        from augflow.stages.choose import choose

        section = _named(self.params.choices, name, "choices")
        one_in = self.params.sets[section.set].one_in
        choose(
            name, section, self.synthetic(section.set), self.prepared, self.choice(name),
            one_in=one_in, threads=self.params.threads,
        )  # fmt: skip
        self._record(self.choice(name))

    def select(self, name: str) -> list[Decision]:
        """Stage select: what of a set is fit to train on; returns what was decided."""
        from augflow.stages.select import select

        section = _named(self.params.selections, name, "selections")
        chosen = self.data / section.reads if section.temperature == "chosen" else None
        decided = select(
            name, section, self.synthetic(section.set), self.prepared,
            self.judge_of(section.judge), self.selected(name),
            chosen=chosen, threads=self.params.threads,
            trust_config=self.trusts(self.judge_of(section.judge)),
        )  # fmt: skip
        self._record(self.selected(name))
        return decided

    def retrain(self, arm: str) -> None:
        """Stage retrain: one arm, once per seed."""
        from augflow.devices import noted

        section = _named(self.params.arms, arm, "arms")
        params = self.params.retrain.segmenter
        seeds = self.params.retrain.seeds
        runs = [self._run_of(arm, section, params, seed) for seed in seeds]
        with files.fresh_folder(self.data / "segmenters" / arm) as folder:
            for done, seed in enumerate(seeds):
                self._retrain(section, params, seed, folder / str(seed), *runs[done:])
        for seed, run in zip(seeds, runs, strict=True):
            self._record(self.segmenter(arm, seed), noted(run))
        for run in runs:
            rmtree(run)

    def score_set(self, name: str) -> None:
        """Stage score: the judge looks at a synthetic set."""
        from augflow.stages.score import score_set

        _named(self.params.sets, name, "sets")
        score_set(
            self.prepared, self.synthetic(name), self.judge_folder, self.score(name),
            threads=self.params.threads, trust_config=self.trusts(self.judge_folder),
        )  # fmt: skip
        self._record(self.score(name))

    def score_references(self) -> None:
        """Stage score: the judge looks at real photographs, flat paint and wrong photographs."""
        from augflow.stages.score import score_references

        score_references(
            self.prepared, self.judge_folder, self.score("references"),
            threads=self.params.threads, trust_config=self.trusts(self.judge_folder),
        )  # fmt: skip
        self._record(self.score("references"))

    def score_arms(self) -> None:
        """Stage score: the retrained networks look at the real held-out photographs."""
        from augflow.stages.score import score_arms

        trusted = self.trust_config or self.params.retrain.segmenter.trust_config
        score_arms(
            self.prepared, self.segmenters, self.score("arms"), threads=self.params.threads,
            trust_config=trusted,
        )  # fmt: skip
        self._record(self.score("arms"))

    def check_leaks(self) -> None:
        """Stage leaks: nothing of the validation scenes is learned from."""
        from augflow.stages.leaks import check_leaks, trained_sets

        sets = {name: self.synthetic(name)
                for name in (*self.params.sets, *self.params.transfers)}  # fmt: skip
        check_leaks(
            self.prepared, sets, self.score("leaks"), trained_sets(self.params),
            threads=self.params.threads,
        )  # fmt: skip

    def costs(self) -> None:
        """Stage costs: the operations behind every arm."""
        from augflow.stages.costs import costs

        costs(self.params, self.prepared, self.score("costs"), threads=self.params.threads)

    def diversity(self, name: str) -> None:
        """Stage diversity, one generator."""
        from augflow.stages.diversity import diversity

        section = self.params.diversity
        listed = {one: section for one in section.generators} if section else {}
        out = self.score(f"diversity/{name}")
        diversity(
            name, _named(listed, name, "diversity.generators"), self.generator(name),
            self.prepared, out, threads=self.params.threads,
        )  # fmt: skip
        self._record(out)

    def attributes(self) -> None:
        """Stage attributes; without a section it leaves a file that says so."""
        from augflow.stages.attributes import attributes

        section, out = self.params.attributes, self.score("attributes")
        if section is None:
            files.write_records(out, {"kind": "attributes", "generators": {}})
            return
        folders = {name: self.generator(name) for name in section.generators}
        attributes(section, folders, self.prepared, out, threads=self.params.threads)
        self._record(out)

    def explored(self, name: str) -> Path:
        """What stage explore shows of a generator."""
        return self.data / "explored" / name

    def explore(self, name: str) -> None:
        """Stage explore, one generator."""
        from augflow.stages.explore import explore

        section = self.params.explore
        listed = {one: section for one in section.generators} if section else {}
        explore(
            name, _named(listed, name, "explore.generators"), self.generator(name),
            self.prepared, self.explored(name), threads=self.params.threads,
        )  # fmt: skip

    def report(self) -> None:
        """Stage report."""
        from augflow.stages.report import report
        from augflow.verifying import record

        report(self.params, self.data, self.reports)
        record(self)

    def _run_of(self, name: str, arm: ArmParams, params: SegmenterParams, seed: int) -> Path:
        """The folder of the resume state of one network."""
        from augflow.stages.runs import folder_digest

        digests = {name: folder_digest(path) for name, path in self.sets_of(arm).items()}
        facts = (
            arm.model_dump(mode="json"), params.model_dump(mode="json"),
            self.params.threads, folder_digest(self.prepared), digests,
            self._own_files(params),
        )  # fmt: skip
        return self.run("retrain", f"{name}-{seed}", *facts)

    def _retrain(
        self, arm: ArmParams, params: SegmenterParams, seed: int, out: Path, run: Path, *later: Path
    ) -> None:
        """Trains one network; its resume state is in `run`, those of the next ones in `later`."""
        from augflow.stages.retrain import retrain

        retrain(
            self.prepared, self.sets_of(arm), arm, params, seed, out, run,
            threads=self.params.threads, later=later,
        )  # fmt: skip

    def _record(self, made: Path, used: Used | None = None) -> None:
        """Writes down what something was made on; by default what its stage uses here."""
        from augflow.verifying import record

        record(self, made, used=used)

    def _own_files(self, params: SegmenterParams) -> list[str]:
        """Digests of what the user's files make a network from, the bases of a config included."""
        named = [Path(path) for path in (params.config, params.checkpoint) if path]
        found = [files.digest_file(path) for path in named if path.is_file()]
        if Path(params.config).is_file():
            from augflow import segmenters
            from augflow.scenes import prepared_facts

            count = prepared_facts(self.prepared)[0].count
            read = segmenters.read_config(params.config, count, params.trust_config)
            found.append(files.digest_bytes(files.json_bytes(read.facts())))
        return found


def _named(sections: dict[str, T], name: str, where: str) -> T:
    if name not in sections:
        raise ParamsError(f"params.yaml: {where}: no {name!r}; {nearest(name, sorted(sections))}")
    return sections[name]
