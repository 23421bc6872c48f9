"""Class maps for a user's own photographs: `augflow predict`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch

from augflow import generators
from augflow.core import hardware, io, seeding
from augflow.core.errors import DataError, Faults
from augflow.data import label_maps, visualize
from augflow.data.classes import ClassTable
from augflow.data.label_maps import Labels
from augflow.generators.c_glow_predictor import CGlowPredictor, load
from augflow.metrics import Scores, confusion_matrix, scores
from augflow.tools.output_folder import require_output_folder
from augflow.training.prediction import pixels

MAPS, SHEET, FACTS = "labels", "contact_sheet.png", "predictions.json"
PREDICTION_OUTPUTS = {MAPS, SHEET, FACTS}
SHEET_ROWS, THREADS = 24, 2
SUFFIXES = (".png", ".jpg", ".jpeg")
PHOTO_ENDING = "_leftImg8bit"


@dataclass(frozen=True)
class Photo:
    """A photograph and, where it is known, its class map of the same size.

    Shapes:
        image: (H, W, 3) uint8.
        truth: (H, W) uint8 train ids.
    """

    name: str
    image: np.ndarray
    truth: np.ndarray | None


@dataclass(frozen=True)
class Predictions:
    """How many class maps were written, and how good they are where truth is known."""

    count: int
    scores: Scores | None


def predict_photos(
    images: Path,
    predictor: Path,
    out: Path,
    *,
    samples: int,
    truth: Path | None = None,
    labels: Labels = "auto",
    threads: int = THREADS,
) -> Predictions:
    """Writes the class map of every photograph of a folder, and a contact sheet.

    A map has its photograph's size and holds published ids. It is scored in that size: what is
    resized is the prediction (nearest), never the truth.

    Args:
        images: the photographs, PNG or JPEG.
        predictor: the predictor's folder.
        out: the folder to write; an older one of this kind is replaced.
        samples: whose mean a prediction is.
        truth: label maps of the same core names, one for each photograph, to score against.
        labels: what the label maps hold.
        threads: intra-op threads; equal threads give equal bytes on one machine.

    Raises:
        DataError: with every fault of the photographs and label maps, or because `out` must not be
            written to.
        ModelError: the predictor cannot be read.
    """
    require_output_folder(out, [images], FACTS, PREDICTION_OUTPUTS.__contains__)
    hardware.keep_pages()
    seeding.deterministic(0, threads)
    maker = load(predictor)
    photos = _photos(images, truth, maker.table, labels)
    items: list[dict[str, object]] = []
    rows: list[list[np.ndarray]] = []
    with io.fresh_folder(out) as folder:
        for photo in photos:
            found = predict_classes(maker, photo.image, samples)
            io.write_png(folder / MAPS / f"{photo.name}.png", maker.table.raw_ids[found])
            items.append(_item(photo, found, maker.table.count))
            if len(rows) < SHEET_ROWS:
                rows.append(_tiles(photo, found, maker))
        io.write_png(folder / SHEET, visualize.sheet(rows, scale=2))
        facts = {
            "weights": generators.weights_digest(maker.state_dict()),
            "classes": list(maker.table.names),
            "samples": samples,
            "items": items,
        }
        io.write_records(folder / FACTS, facts)
    return Predictions(len(photos), _pool_scores(items) if truth is not None else None)


def predict_classes(maker: CGlowPredictor, image: np.ndarray, samples: int) -> np.ndarray:
    """The class map of a photograph in the photograph's size, (H, W) uint8 train ids."""
    small = cv2.resize(image, maker.size[::-1], interpolation=cv2.INTER_AREA)
    batch = pixels(torch.from_numpy(small).permute(2, 0, 1)[None].contiguous())
    found = maker.predict(batch, samples)[0].numpy().astype(np.uint8)
    return cv2.resize(found, image.shape[1::-1], interpolation=cv2.INTER_NEAREST_EXACT)


def photo_files(folder: Path) -> tuple[dict[str, Path], list[str]]:
    """Core name -> file of every photograph below a folder, by name, and other files' faults.

    Raises:
        DataError: the folder is missing or holds no photograph.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder; give a folder of photographs with --images")
    paths, faults = io.images_below(folder, SUFFIXES)
    if not paths and not faults:
        raise DataError(f"{folder}: holds no photograph; expected {', '.join(SUFFIXES)} files")
    found, wrong = io.index_by_name(
        folder, paths, lambda path: path.stem.removesuffix(PHOTO_ENDING)
    )
    return found, faults + wrong


def _photos(images: Path, truth: Path | None, table: ClassTable, labels: Labels) -> list[Photo]:
    faults = Faults()
    paths: dict[str, Path] = {}
    truths: dict[str, Path] = {}
    with faults.collect():
        paths, faults.lines = photo_files(images)
    if truth is not None:
        with faults.collect():
            truths, wrong = label_maps.label_files(truth)
            faults.lines += wrong
    maps = _maps(truths, table, labels, faults)
    photos = []
    for name, path in paths.items():
        with faults.collect():
            photos.append(Photo(name, io.read_photo(path), maps.get(name)))
            with label_maps.prefix_errors(path):
                _require_pair(photos[-1], truth, name in truths)
    faults.raise_if_any()
    return photos


def _maps(
    paths: Mapping[str, Path], table: ClassTable, labels: Labels, faults: Faults
) -> dict[str, np.ndarray]:
    """The class maps of label maps in their own sizes, by core name."""
    decoded, found = {}, {}
    for name, path in paths.items():
        with faults.collect():
            decoded[name] = io.read_ids(path)
    kind = labels if labels != "auto" else label_maps.kind_of(dict(paths), decoded, table)
    for name, ids in decoded.items():
        with faults.collect(), label_maps.prefix_errors(paths[name]):
            found[name] = label_maps.known_classes(paths[name], ids, table, kind)
    return found


def _require_pair(photo: Photo, folder: Path | None, has_file: bool) -> None:
    if folder is not None and not has_file:
        raise DataError(f"no label map {photo.name!r} in {folder}; add it or leave it out")
    if photo.truth is not None and photo.truth.shape != photo.image.shape[:2]:
        raise DataError(
            f"{photo.image.shape[0]}x{photo.image.shape[1]}, its label map "
            f"{photo.truth.shape[0]}x{photo.truth.shape[1]}; make them equal"
        )


def _item(photo: Photo, found: np.ndarray, count: int) -> dict[str, object]:
    if photo.truth is None:
        return {"name": photo.name}
    matrix = confusion_matrix(photo.truth, found, count)
    return {"name": photo.name, "confusion": matrix.tolist()}


def _pool_scores(items: list[dict[str, object]]) -> Scores:
    return scores(np.sum([np.asarray(item["confusion"]) for item in items], axis=0))


def _tiles(photo: Photo, found: np.ndarray, maker: CGlowPredictor) -> list[np.ndarray]:
    """Photograph, prediction and truth at the predictor's size."""
    size = maker.size[::-1]
    tiles = [cv2.resize(photo.image, size, interpolation=cv2.INTER_AREA)]
    for classes in (found, photo.truth):
        if classes is not None:
            small = cv2.resize(classes, size, interpolation=cv2.INTER_NEAREST_EXACT)
            tiles.append(visualize.colour_classes(small, maker.table))
    return tiles
