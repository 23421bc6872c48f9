"""A study as far as it is known: its parameters, its data, its networks without their numbers."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from augflow.core import io
from augflow.core.errors import ModelError
from augflow.core.hardware import resident
from augflow.data.scenes import SPLITS
from augflow.editing.compose import numbers
from augflow.estimate.facts import scenes_of, table_of
from augflow.estimate.pieces import Maker, Network, Predicting
from augflow.estimate.row import Row, Work
from augflow.segmentation.params import SegmenterParams
from augflow.stages.synthesize import used_rows
from augflow.study import image_sizes, sizes
from augflow.study.params import Params, SetParams
from augflow.study.project import Project
from augflow.study.sizes import Amount


class Known:
    """What rows are worked out from.

    Attributes:
        project: the study's folder.
        params: its parameters.
        table: its classes.
        size: height and width of its scenes.
        scenes: those of its data, None where they are not there.
        base: bytes that a process has before it works.
    """

    def __init__(self, project: Project, timed: bool) -> None:
        """Reads parameters and data.

        Args:
            project: the study's folder.
            timed: whether some scenes are prepared to see how long that takes.

        Raises:
            DataError: the prepared folder is damaged.
            ParamsError: the parameters are wrong.
        """
        self.project, self.params = project, project.params
        self.table, self.size = table_of(project), project.params.data.size
        self.scenes = scenes_of(project, timed)
        self._trusted = {one.config for one in _networks(self.params) if one.trust_config}
        self.network = cache(self._network)
        self.predicting = cache(self._predicting)
        self._makers: dict[str, Maker] = {}
        self.network(self.params.judge.config)  # imports all that stages do
        self.base = resident()

    @property
    def pixels(self) -> int:
        """Bytes of decoded scenes, which the first stage that reads them keeps."""
        return 5 * self.size[0] * self.size[1] * (self.scenes.count if self.scenes else 0)

    def kept_pixels(self, cache: Path) -> int:
        """Bytes of those that are kept already."""
        whose = io.digest_bytes(str(self.project.prepared.resolve()).encode())
        return sum(sizes.tree(cache / "scenes" / f"{split}-{whose}").size for split in SPLITS)

    @property
    def facts(self) -> Amount:
        """The JSON file of a set, a generator or the prepared scenes: most of it is the classes."""
        return self.one_file(image_sizes.table_json(self.table))

    def maker(self, name: str) -> Maker:
        """A generator; those that differ in their share of the scenes alone are one."""
        section = self.params.generators[name].model_copy(update={"one_in": 1})
        key = section.model_dump_json()
        if key not in self._makers:
            self._makers[key] = Maker(section, self.table, self.size)
        return self._makers[key]

    def count(self, split: str, one_in: int = 1) -> int | None:
        """How many scenes a split has, or every so many-th of it."""
        return None if self.scenes is None else -(-len(self.scenes.names[split]) // one_in)

    def drives(self, one_in: int) -> tuple[str, ...]:
        """The drives of the training scenes, or of every so many-th."""
        return () if self.scenes is None else self.scenes.drives["train"][::one_in]

    def layouts(self, params: SetParams) -> int | None:
        """How many layouts a set has."""
        if self.scenes is None:
            return None
        names = self.scenes.names[params.layouts]
        used = [names[row] for row in used_rows(len(names), params)]
        new = params.new_layouts
        return len(used) if new is None else len(list(numbers(used, new.ratio)))

    def photos(self, params: SetParams) -> int | None:
        """How many photographs a set has."""
        layouts = self.layouts(params)
        return None if layouts is None else layouts * len(params.temperatures) * params.rounds

    def learning(self, params: SegmenterParams) -> Work | None:
        """The training of a segmentation network; None where it cannot be gone through."""
        network = self.network(params.config)
        if network is None:
            return None
        step = network.step(max(params.batch_size, 2)).operations if params.steps else 0
        return Work(((f"network {params.config}", params.steps * step),))

    def look(self, config: str, count: int | None) -> Work | None:
        """Looks of a segmentation network at so many photographs."""
        network = self.network(config)
        if network is None or count is None:
            return None
        return Work(((f"look {config}", network.look.times(count)),))

    def one_file(self, size: int = 1) -> Amount:
        """A file of so many bytes; one of few takes a block."""
        return sizes.one_file(size, self.project.data)

    def row(
        self, stage: str, work: Work | None, disk: Amount | None, memory: int | None, *outs: Path,
        state: int = 0,
    ) -> Row:  # fmt: skip
        """A stage with these outputs; `memory` is what it holds beside what every process has."""
        made = all(out.exists() for out in outs)
        whole = None if memory is None else self.base + memory
        return Row(stage, work, None, whole, disk, state, made=made)

    def in_memory(self, count: int | None) -> int:
        """Bytes of so many scenes that are held at once: photographs, classes and boundaries."""
        height, width = self.size
        return (count or 0) * height * width * (3 + 1 + 4)

    def _network(self, config: str) -> Network | None:
        try:
            network = Network(config, self.table, self.size, config in self._trusted)
            network.step(2)
        except (ModelError, NotImplementedError, RuntimeError, TypeError):
            return None  # a config of the user's own may do what needs numbers
        return network

    def _predicting(self, name: str) -> Predicting:
        return Predicting(self.params.predictors[name], self.table, self.size)


def _networks(params: Params) -> list[SegmenterParams]:
    """All sections that name a segmentation network."""
    choices = [choice.segmenter for choice in params.choices.values()]
    return [params.judge, *params.judges.values(), *choices, params.retrain.segmenter]


def plus(*parts: Work | None) -> Work | None:
    """All of them; not known if one is not."""
    known = [part for part in parts if part is not None]
    return sum(known, Work()) if len(known) == len(parts) else None
