"""Folders, file lists and a config snippet for mmsegmentation's own dataset classes."""

from __future__ import annotations

import pprint
from collections.abc import Mapping
from pathlib import Path

from augflow.core import io
from augflow.tools.formats.folders import (
    CLASSES,
    REAL,
    REAL_VAL,
    SYNTHETIC,
    Package,
    Placed,
    write_classes,
    write_pairs,
)

CONFIG, LISTS = "augflow_data.py", "lists"

MOST = 8
"""How often a photograph is listed at most, however large its weight."""


def write_mmseg(folder: Path, package: Package) -> list[Placed]:
    """Writes `images/PART`, `labels/PART` (train ids), `lists/PART.txt` and `augflow_data.py`.

    A synthetic image is listed once, or as often as its weight is to the least one's.
    """
    for part, images in package.parts.items():
        times = repeat_counts(package.weights) if part == SYNTHETIC else {}
        lines = [f"{part}/{one.name}\n" * times.get(one.name, 1) for one in images]
        io.atomic_write(folder / LISTS / f"{part}.txt", "".join(lines).encode())
    write_classes(folder / CLASSES, package.table)
    io.atomic_write(folder / CONFIG, config(package).encode())
    return write_pairs(
        folder,
        package,
        lambda part, one: (f"images/{part}/{one.name}.png", f"labels/{part}/{one.name}.png"),
        lambda _, one: one.classes,
    )


def repeat_counts(weights: Mapping[str, float]) -> dict[str, int]:
    """How often photographs are listed so that they are drawn about as their weights ask."""
    drawn = {name: weight for name, weight in weights.items() if weight > 0}
    least = min(drawn.values(), default=1.0)
    return {name: min(MOST, max(1, round(weight / least))) for name, weight in drawn.items()}


def config(package: Package) -> str:
    """The text of `augflow_data.py`."""
    table, (height, width) = package.table, package.size
    # mmengine puts values in the place of what stands in double braces, before Python reads it
    classes = pprint.pformat(table.names, width=90, compact=True).replace("{", "\\x7b")
    palette = pprint.pformat([list(row.colour) for row in table.train_rows], width=90, compact=True)
    parts = [part for part in (REAL, SYNTHETIC) if part in package.parts]
    text = _HEAD.format(
        count=table.count, height=height, width=width, classes=classes, palette=palette
    )
    text += "".join(_TRAIN.format(part=part) for part in parts)
    text += _LOADER.format(datasets=", ".join(f"{part}_dataset" for part in parts))
    return text + (_VALIDATION if REAL_VAL in package.parts else _NO_VALIDATION)


_HEAD = '''\
"""Synthetic photographs for mmsegmentation: data only; network and schedule are yours.

Name this file among the bases of a config of your own (CONFIGS: the configs of mmsegmentation):

    _base_ = ["CONFIGS/_base_/models/pspnet_r50-d8.py", "PATH/augflow_data.py",
              "CONFIGS/_base_/schedules/schedule_20k.py", "CONFIGS/_base_/default_runtime.py"]
    data_preprocessor = dict(size=({height}, {width}))
    model = dict(data_preprocessor=data_preprocessor, decode_head=dict(num_classes={count}),
                 auxiliary_head=dict(num_classes={count}))
"""

augflow_root = "{{{{ fileDirname }}}}"
augflow_classes = dict(
    classes={classes},
    palette={palette},
)
train_pipeline = [
    dict(type="LoadImageFromFile"),
    dict(type="LoadAnnotations"),
    dict(type="RandomFlip", prob=0.5),
    dict(type="PackSegInputs"),
]
'''

_TRAIN = """\
{part}_dataset = dict(
    type="BaseSegDataset",
    data_root=augflow_root,
    ann_file="lists/{part}.txt",
    data_prefix=dict(img_path="images", seg_map_path="labels"),
    img_suffix=".png",
    seg_map_suffix=".png",
    metainfo=augflow_classes,
    pipeline=train_pipeline,
)
"""

_LOADER = """\
train_dataloader = dict(
    batch_size=2,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type="InfiniteSampler", shuffle=True),
    dataset=dict(type="ConcatDataset", datasets=[{datasets}]),
)
"""

_VALIDATION = """\
val_dataloader = dict(
    batch_size=1,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type="DefaultSampler", shuffle=False),
    dataset=dict(
        type="BaseSegDataset",
        data_root=augflow_root,
        ann_file="lists/real_val.txt",
        data_prefix=dict(img_path="images", seg_map_path="labels"),
        img_suffix=".png",
        seg_map_suffix=".png",
        metainfo=augflow_classes,
        pipeline=[
            dict(type="LoadImageFromFile"),
            dict(type="LoadAnnotations"),
            dict(type="PackSegInputs"),
        ],
    ),
)
val_evaluator = dict(type="IoUMetric", iou_metrics=["mIoU"])
test_dataloader = val_dataloader
test_evaluator = val_evaluator
"""

_NO_VALIDATION = """\
# Real scenes were not exported. Append your own training data to the datasets above, and give
# val_dataloader and val_evaluator real photographs; else set val_cfg and test_cfg to None.
"""
