"""A project folder: `params.yaml` and the places where its stages read and write.

`dvc.yaml` names the same places, as DVC has to know them; a test holds the two together.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from pathlib import Path

from augflow.core import io
from augflow.core.errors import DataError
from augflow.segmentation.params import SegmenterParams
from augflow.study.params import ArmParams, Params, load

CHECKED = Path("data") / "params.json"
"""The parameters with every default filled in, as stage check writes them and DVC reads them."""

PACKAGED = Path(__file__).parents[1] / "zoo" / "streets"
"""The generator of painted streets that comes with augflow."""

RUNS = Path(".augflow") / "runs"
"""Where stages keep what they need to go on after they were killed."""


@dataclass(frozen=True)
class Project:
    """The study of a project folder; where its stages read and write.

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
    def checked_file(self) -> Path:
        """The checked parameters, every default filled in; its place depends on none of them."""
        return self.root / CHECKED

    @property
    def prepared_folder(self) -> Path:
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

    def selected_folder(self, name: str) -> Path:
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
        return {
            f"{arm}-{seed}": self.segmenter(arm, seed) for arm in self.params.arms for seed in seeds
        }

    def sets_of(self, arm: ArmParams) -> dict[str, Path]:
        """The folder of the synthetic or selected set that an arm trains on, if any, by name."""
        return {arm.synthetic_source: self.data / arm.reads} if arm.synthetic_source else {}

    def trusts(self, network: Path) -> bool:
        """Whether the user trusts what the config of a segmenter, by its folder, names."""
        sections: dict[Path, SegmenterParams] = {self.judge_folder: self.params.judge}
        sections |= {self.judge_of(name): judge for name, judge in self.params.judges.items()}
        section = sections.get(network, self.params.retrain.segmenter)
        return self.trust_config or section.trust_config

    def score(self, name: str) -> Path:
        """The scores of a set, of the `references`, or of the `arms`."""
        return self.data / "scores" / f"{name}.json"

    def require(self, stage: str, *made: Path) -> None:
        """Lets pass what a stage has made.

        Raises:
            DataError: it is not there yet; names the stage to run.
        """
        missing = [str(path) for path in made if not path.exists()]
        if missing:
            raise DataError(f"{', '.join(missing)}: not there yet; run `dvc repro {stage}` first")

    def explored_folder(self, name: str) -> Path:
        """What stage explore shows of a generator."""
        return self.data / "explored" / name

    def own_files(self, params: SegmenterParams) -> list[str]:
        """Digests of what the user's files make a network from, the bases of a config included."""
        named = [Path(path) for path in (params.config, params.checkpoint) if path]
        found = [io.digest_file(path) for path in named if path.is_file()]
        if Path(params.config).is_file():
            from augflow.data.scenes import prepared_facts
            from augflow.segmentation.mmseg_config import read_config

            count = prepared_facts(self.prepared_folder)[0].count
            read = read_config(params.config, count, params.trust_config)
            found.append(io.digest_bytes(io.json_bytes(read.facts())))
        return found


def run_folder(stage: str, name: str, *facts: object) -> Path:
    """The resume folder of a stage's run: another one as soon as params, data or code differ.

    `facts` are everything that the result depends on, as plain JSON values.
    """
    digest = io.digest_bytes(io.json_bytes([*facts, learning_code()]))
    return RUNS / f"{stage}-{name}-{digest}"


def learning_code() -> str:
    """A digest of the source files and libraries that decide what a training ends with."""
    root = Path(__file__).parents[1]
    parts = [root / "stages" / "train.py", root / "stages" / "retrain.py"]
    for folder in ("core", "data", "flows", "generators", "metrics", "training", "segmentation"):
        parts += root.glob(f"{folder}/**/*.py")
    code = b"".join(path.read_bytes() for path in sorted(parts))
    return io.digest_bytes(code + version("torch").encode())


def folder_digest(folder: Path) -> str:
    """One digest for all contents of a folder."""
    return io.digest_bytes(io.json_bytes(io.digest_tree(folder)))
