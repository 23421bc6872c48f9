"""A selected set: what of a synthetic set is fit to train on, and why the rest is not."""

from __future__ import annotations

import dataclasses
import logging
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from augflow.core import seeding
from augflow.core.errors import DataError, ParamsError
from augflow.core.hardware import DiskUsage, check_disk_space
from augflow.data.classes import IGNORE
from augflow.data.rarity import rarity
from augflow.data.scenes import SceneFolder
from augflow.data.synthetic import (
    Decision,
    NewPhoto,
    SyntheticSet,
    read_set,
    write_decisions,
    write_set,
)
from augflow.segmentation.evaluate import iter_pixel_losses
from augflow.segmentation.mmseg_model import MmsegSegmenter, load_segmenter_for
from augflow.stages.judges import by_class, read_losses
from augflow.stages.retrain import require_fitting
from augflow.stages.selection_rules import (
    Candidate,
    Thresholds,
    decide,
    hardness,
    rarity_weights,
    trusted_labels,
)
from augflow.study import disk_usage
from augflow.study.params import SelectionParams
from augflow.study.results import Choice

log = logging.getLogger("augflow")


def select(
    name: str,
    params: SelectionParams,
    source: Path,
    prepared: Path,
    judge: Path,
    out: Path,
    *,
    chosen: Path | None = None,
    threads: int | None = None,
    trust_config: bool = False,
) -> list[Decision]:
    """Writes the images of a set that are kept, with the labels that are, and all decisions.

    The judge's class losses set the limits of the pixel filter and the hardness of layouts;
    `chosen` is the file of the choice, where `params.temperature` is `chosen`.

    Returns:
        The decisions, in the order of the set.

    Raises:
        ParamsError: likelihoods are asked for and the set has none.
        DataError: the set is damaged or of another study, or nothing of it is left; or the judge
            has no class losses.
    """
    seeding.deterministic(0, threads)
    made = read_set(source)
    folder = SceneFolder(prepared, "train")
    require_fitting(made, source, folder.table, folder.size)
    _require_bits(name, params, made)
    degree = _temperature(params, chosen)
    most = most_kept([row.temperature for row in made.rows], degree)
    check_disk_space(out, kept_sizes(disk_usage.tree(source), most, len(made)), f"selection {name}")
    segmenter = load_segmenter_for(judge, folder.table, trust_config)
    means = read_losses(judge, folder.table.names)
    candidates, masks = _candidates(segmenter, made, means, params)

    def weights(left: Sequence[int]) -> Sequence[float]:
        if not params.rarity:
            return [1.0] * len(left)
        found = rarity_weights(rarity(made.scenes(left), folder.table.count))
        return [float(weight) for weight in found]

    decisions, limits = decide(candidates, params, degree, weights)
    _summarise(name, decisions)
    facts = {
        "selection": name,
        "set": made.facts.name,
        "judge": segmenter.digest(),
        "judge_one_in": segmenter.training.get("one_in", 1),
        "settings": params.model_dump(mode="json"),
        "thresholds": _numbers(limits, params, means, folder.table.names),
    }
    kept = [n for n, one in enumerate(decisions) if one.kept]
    found = {made.rows[n].temperature for n in kept}
    degrees = tuple(degree for degree in made.facts.temperatures if degree in found)
    write_set(
        out,
        dataclasses.replace(made.facts, name=name, temperatures=degrees),
        (_photo(made, n, masks[n]) for n in kept),
        lambda fresh, _: write_decisions(fresh, decisions, facts),
    )
    return decisions


def most_kept(temperatures: Sequence[float], degree: float | None) -> int:
    """How many photographs a selection keeps at most, of those at such temperatures."""
    return sum(degree in (None, one) for one in temperatures)


def kept_sizes(source: DiskUsage, most: int, photos: int) -> DiskUsage:
    """What a selected set takes at most that keeps so many of a set's photographs."""
    share = most / max(photos, 1)
    return dataclasses.replace(
        source, size=round(source.size * share), distinct=round(source.distinct * share)
    )


def _candidates(
    segmenter: MmsegSegmenter, made: SyntheticSet, means: np.ndarray, params: SelectionParams
) -> tuple[list[Candidate], list[np.ndarray]]:
    """All photographs of a set, and for each which labels are kept, packed to bits."""
    candidates, masks = [], []
    for row, (seen, classes) in zip(
        made.rows, iter_pixel_losses(segmenter, made.scenes()), strict=True
    ):
        kept = trusted_labels(seen, classes, means, params.pixel_filter, params.ignore_band)
        known = np.count_nonzero(classes != IGNORE)
        share = float(np.count_nonzero(kept) / known) if known else 0.0
        candidates.append(Candidate(row, seen.agreement, share, hardness(classes, means)))
        masks.append(np.packbits(kept))
    return candidates, masks


def _temperature(params: SelectionParams, chosen: Path | None) -> float | None:
    if params.temperature != "chosen":
        return params.temperature
    if chosen is None:
        raise ParamsError("temperature is chosen, but no choice was given; set reads")
    return Choice.read(chosen).temperature


def _require_bits(name: str, params: SelectionParams, made: SyntheticSet) -> None:
    asked = [key for key in ("likeliest", "typicality") if getattr(params, key) is not None]
    if asked and any(row.log_p_bpd is None for row in made.rows):
        raise ParamsError(
            f"params.yaml: selections.{name}: {' and '.join(asked)} need the likelihood of every "
            f"photograph, but set {made.facts.name} is of a generator that knows none; "
            "leave it out, or take a set of a flow"
        )


def _summarise(name: str, decisions: Sequence[Decision]) -> None:
    """Says how many are kept and why others are not, and refuses to keep none."""
    kept = [one.trusted for one in decisions if one.kept]
    reasons = sorted(Counter(one.reason for one in decisions if not one.kept).items())
    shown = ", ".join(f"{reason} {count}" for reason, count in reasons)
    if not kept:
        raise DataError(
            f"selections.{name}: nothing is left of {len(decisions)} photographs ({shown}); "
            "ask for less"
        )
    log.info(
        "%s: %d of %d photographs kept%s; %.0f %% of their labels kept",
        name,
        len(kept),
        len(decisions),
        f", {shown}" if shown else "",
        100 * float(np.mean(kept)),
    )


def _numbers(
    limits: Thresholds, params: SelectionParams, means: np.ndarray, names: Sequence[str]
) -> dict[str, Any]:
    """The numbers that decisions were made by, those that were not asked for left out."""
    losses = by_class(names, means)
    found = {key: value for key, value in dataclasses.asdict(limits).items() if value is not None}
    if "bits" in found:
        found["bits"] = [
            {"temperature": degree, "low": low, "high": high}
            for degree, (low, high) in found["bits"].items()
        ]
    if params.pixel_filter is not None:
        found["pixel_loss"] = {
            name: None if loss is None else params.pixel_filter * loss
            for name, loss in losses.items()
        }
    return {**found, "class_loss": losses}


def _photo(made: SyntheticSet, n: int, packed: np.ndarray) -> NewPhoto:
    row, size = made.rows[n], made.facts.size
    # files of the set are in a folder of the drive or city; its name stands there
    city = Path(row.photo).parts[-2]
    mask = np.unpackbits(packed, count=size[0] * size[1]).reshape(size).astype(bool)
    instances = made.instances
    return NewPhoto(
        name=row.name,
        layout=row.layout,
        split=row.split,
        city=city,
        image=made.image[n],
        classes=np.where(mask, made.classes[n], IGNORE).astype(np.uint8),
        temperature=row.temperature,
        round=row.round,
        seed=row.seed,
        content=row.content,
        log_p_bpd=row.log_p_bpd,
        instances=None if instances is None else instances[n],
    )
