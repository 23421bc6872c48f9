"""Segmentation networks of mmsegmentation: the only place that imports mmseg and mmengine."""

from augflow.segmenters.augment import ClassicPolicy
from augflow.segmenters.checkpoint import load_checkpoint
from augflow.segmenters.config import NetworkConfig, balanced, read_config
from augflow.segmenters.copy_paste import CopyPastePolicy
from augflow.segmenters.mmseg_model import MmsegSegmenter, load, load_for
from augflow.segmenters.object_pool import ObjectPool
from augflow.segmenters.supervised import COLUMNS, SupervisedLearner

__all__ = [
    "COLUMNS",
    "ClassicPolicy",
    "CopyPastePolicy",
    "MmsegSegmenter",
    "NetworkConfig",
    "ObjectPool",
    "SupervisedLearner",
    "balanced",
    "load",
    "load_checkpoint",
    "load_for",
    "read_config",
]
