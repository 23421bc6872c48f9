"""Stage check: all other stages wait for it, so that no parameter does harm or is refused late.

DVC puts names into commands that a shell runs and into paths whose content it removes, before any
code of a stage is reached. They are those of `pipelines/names.yaml`, which is made here. Values are
those of `data/params.json`, in which what `params.yaml` leaves out is filled in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import chdir, suppress
from functools import partial
from pathlib import Path

from augflow import generators
from augflow.core import io
from augflow.core.errors import AugflowError, ParamsError, suggest
from augflow.data import readers
from augflow.generators import c_glow_predictor
from augflow.segmentation.mmseg_config import require_readable
from augflow.segmentation.params import SegmenterParams
from augflow.study.names import misfit, write_names
from augflow.study.params import GeneratorParams, Params, PredictorParams, load


def check(root: Path, out: Path, by_dvc: bool) -> None:
    """Reads the parameters of a project folder, and writes them with every default filled in.

    Whether they can be met is looked at before every stage (`require_possible`). Names that do not
    fit them are written anew. If it runs `by_dvc`, which has read the former ones, it ends there.

    Raises:
        ParamsError: parameters are wrong, or DVC has read other names than theirs.
    """
    params = load(root / "params.yaml")
    if said := misfit(root, params):
        write_names(root, params)
        if by_dvc:
            raise ParamsError(f"{said}, which is written anew: run dvc repro again")
    io.write_json(out, params.model_dump(mode="json"))


def require_possible(params: Params, path: Path) -> None:
    """Lets pass parameters, read from a file, whose networks can be built and whose files exist.

    What depends on the data is not known here. Nothing of the user's is run.

    Raises:
        ParamsError: with every fault, each under its dotted name.
    """
    faults: list[str] = []
    with chdir(path.parent):
        for place, look in (*_networks(params), *_files(params), *_classes(params)):
            try:
                look()
            except AugflowError as fault:
                faults.append(f"{place}: {fault}")
    if faults:
        raise ParamsError(f"{path}: {'; '.join(faults)}")


Looks = Iterator[tuple[str, Callable[[], object]]]
"""What is looked at, by its place: it raises where something is wrong."""


def _networks(params: Params) -> Looks:
    size = params.data.size
    for name, one in params.generators.items():
        yield f"generators.{name}", partial(_look_at_generator, one, size)
    for name, predictor in params.predictors.items():
        yield f"predictors.{name}", partial(_look_at_predictor, predictor, size)
    for name, made in params.sets.items():
        system = params.generators[made.generator].system
        if made.best_of is not None and system in generators.SYSTEMS:
            yield f"sets.{name}.best_of", partial(_look_at_likelihood, system)
    for name, moved in params.transfers.items():
        maker = params.generators[moved.generator]
        if moved.latents == "style" and maker.system in generators.SYSTEMS:
            yield f"transfers.{name}.latents", partial(_look_at_factors, maker, size)


def _files(params: Params) -> Looks:
    choices = {f"choices.{name}.segmenter": one.segmenter for name, one in params.choices.items()}
    judges = {f"judges.{name}": one for name, one in params.judges.items()}
    segmenters: dict[str, SegmenterParams] = {"judge": params.judge, **judges, **choices}
    for place, segmenter in {**segmenters, "retrain.segmenter": params.retrain.segmenter}.items():
        yield place, partial(_look_at_segmenter, segmenter)
    for place, section in (("score", params.score), ("diversity", params.diversity)):
        if section and section.weights not in (None, "hub"):
            yield f"{place}.weights", partial(_find, section.weights)


def _classes(params: Params) -> Looks:
    yield "data.classes", partial(readers.class_table, params.data)
    with suppress(ParamsError):  # which was told
        known = readers.class_table(params.data).names
        for name, one in params.sets.items():
            if one.new_layouts:
                where = f"sets.{name}.new_layouts.boost"
                yield where, partial(_know, one.new_layouts.boost, known)


def _look_at_generator(section: GeneratorParams, size: tuple[int, int]) -> None:
    row = generators.system(section.system)
    config = generators.config_of(section, size)
    if section.training.mean_steps is not None and not getattr(config, "mean", ()):
        raise ParamsError(
            f"training.mean_steps is {section.training.mean_steps}, but there is no mean to learn: "
            "leave mean_steps out, or set it to null"
        )
    memory = section.training.memory
    if memory != "store" and not hasattr(row.generator, "memory"):
        raise ParamsError(f"training.memory is {memory}, which only flows know: set it to store")


def _look_at_likelihood(system: str) -> None:
    if generators.SYSTEMS[system].generator.likelihood != "conditional":
        raise ParamsError(
            f"{system} does not know which of its photographs is likeliest; leave best_of out"
        )


def _look_at_factors(section: GeneratorParams, size: tuple[int, int]) -> None:
    if not getattr(generators.config_of(section, size), "factors", 0):
        raise ParamsError(
            f"{section.system} {section.preset} paints no factors, so its photographs have no "
            "style to move: set latents to z or eps, or take a preset of our own"
        )


def _look_at_predictor(section: PredictorParams, size: tuple[int, int]) -> None:
    given = {"size": size, "samples": section.samples, **section.overrides}
    c_glow_predictor.config_of(section.preset, given)


def _look_at_segmenter(section: SegmenterParams) -> None:
    require_readable(section.config, section.trust_config)
    if section.checkpoint is not None:
        _find(section.checkpoint)


def _find(file: str) -> None:
    if not Path(file).is_file():
        raise ParamsError(f"{file}: no such file; give the path of one, from the project's folder")


def _know(names: Sequence[str], known: Sequence[str]) -> None:
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ParamsError(
            "; ".join(f"no class {name!r}; {suggest(name, known)}" for name in unknown)
        )
