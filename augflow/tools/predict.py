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
from augflow.data.label_maps import SHEET, Labels
from augflow.generators.c_glow_predictor import CGlowPredictor, load
from augflow.metrics import Scores, confusion_matrix, scores
from augflow.tools.output_folder import require_output_folder
from augflow.training.prediction import pixels

MAPS, FACTS = "labels", "predictions.json"
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
    overwrite: bool = False,
) -> Predictions:
    """Writes the class map of every photograph of a folder, and a contact sheet.

    A map has its photograph's size and holds published ids. It is scored in that size: what is
    resized is the prediction (nearest), never the truth. `truth` has a label map of the same core
    name for each photograph; a prediction is the mean of `samples`. With `overwrite` an older
    output is replaced.

    Raises:
        DataError: with every fault of the photographs and label maps, or because `out` must not be
            written to.
    """
    kind = (FACTS, PREDICTION_OUTPUTS.__contains__)
    require_output_folder(out, [images], *kind, overwrite=overwrite)
    hardware.keep_pages()
    seeding.deterministic(0, THREADS)
    model = load(predictor)
    photos = _photos(images, truth, model.table, labels)
    items: list[dict[str, object]] = []
    matrices: list[np.ndarray] = []
    rows: list[list[np.ndarray]] = []
    with io.fresh_folder(out) as folder:
        for photo in photos:
            found = predict_classes(model, photo.image, samples)
            io.write_png(folder / MAPS / f"{photo.name}.png", model.table.raw_ids[found])
            items.append({"name": photo.name})
            if photo.truth is not None:
                matrices.append(confusion_matrix(photo.truth, found, model.table.count))
                items[-1]["confusion"] = matrices[-1].tolist()
            if len(rows) < SHEET_ROWS:
                rows.append(_tiles(photo, found, model))
        io.write_png(folder / SHEET, visualize.sheet(rows, scale=2))
        facts = {
            "weights": generators.weights_digest(model.state_dict()),
            "classes": list(model.table.names),
            "samples": samples,
            "items": items,
        }
        io.write_records(folder / FACTS, facts)
    return Predictions(len(photos), scores(np.sum(matrices, axis=0)) if truth else None)


def predict_classes(model: CGlowPredictor, image: np.ndarray, samples: int) -> np.ndarray:
    """The class map of a photograph in the photograph's size, (H, W) uint8 train ids."""
    small = cv2.resize(image, model.size[::-1], interpolation=cv2.INTER_AREA)
    batch = pixels(torch.from_numpy(small).permute(2, 0, 1)[None].contiguous())
    found = model.predict(batch, samples)[0].numpy().astype(np.uint8)
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
            truths, wrong = label_maps.label_files(truth, labels)
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
            found[name] = label_maps.known_classes(
                paths[name], ids, table, kind, told=labels != "auto"
            )
    return found


def _require_pair(photo: Photo, folder: Path | None, has_file: bool) -> None:
    if folder is not None and not has_file:
        raise DataError(f"no label map {photo.name!r} in {folder}; add it or leave it out")
    if photo.truth is not None and photo.truth.shape != photo.image.shape[:2]:
        raise DataError(
            f"{photo.image.shape[0]}x{photo.image.shape[1]}, its label map "
            f"{photo.truth.shape[0]}x{photo.truth.shape[1]}; make them equal"
        )


def _tiles(photo: Photo, found: np.ndarray, model: CGlowPredictor) -> list[np.ndarray]:
    """Photograph, prediction and truth at the predictor's size."""
    size = model.size[::-1]
    tiles = [cv2.resize(photo.image, size, interpolation=cv2.INTER_AREA)]
    for classes in (found, photo.truth):
        if classes is not None:
            small = cv2.resize(classes, size, interpolation=cv2.INTER_NEAREST_EXACT)
            tiles.append(visualize.colour_classes(small, model.table))
    return tiles
