"""A PSPNet small enough to be trained in a test, as an mmseg config of the user's own."""

import json

_NORM = {"type": "BN", "requires_grad": True}
_MODEL = {
    "type": "EncoderDecoder",
    "data_preprocessor": {
        "type": "SegDataPreProcessor", "mean": [120.0, 110.0, 100.0], "std": [60.0, 50.0, 40.0],
        "bgr_to_rgb": True,
    },
    "backbone": {
        "type": "ResNetV1c", "depth": 18, "num_stages": 2, "stem_channels": 8, "base_channels": 8,
        "out_indices": [0, 1], "strides": [1, 1], "dilations": [1, 2], "norm_cfg": _NORM,
    },
    "decode_head": {
        "type": "PSPHead", "in_channels": 16, "in_index": 1, "channels": 8, "pool_scales": [1, 2],
        "dropout_ratio": 0.1, "num_classes": 19, "norm_cfg": _NORM,
        "loss_decode": {"type": "CrossEntropyLoss", "loss_weight": 1.0},
    },
    "auxiliary_head": {
        "type": "FCNHead", "in_channels": 8, "in_index": 0, "channels": 8, "num_convs": 1,
        "concat_input": False, "num_classes": 19, "norm_cfg": _NORM,
        "loss_decode": {"type": "CrossEntropyLoss", "loss_weight": 0.4},
    },
    "train_cfg": {},
    "test_cfg": {"mode": "whole"},
}  # fmt: skip
MINI = json.dumps({"model": _MODEL})
"""As a JSON file."""

MINI_PY = f"model = {_MODEL!r}\n"
"""As a Python file, a program."""
