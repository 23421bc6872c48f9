"""A network small enough to be trained in a test, as a config file of the user's own."""

import numpy as np
import pytest
import torch

from augflow.scenes import Layout, Scene
from augflow.segmenters import MmsegSegmenter, read_config

MINI = """
norm_cfg = dict(type="BN", requires_grad=True)
model = dict(
    type="EncoderDecoder",
    data_preprocessor=dict(
        type="SegDataPreProcessor", mean=[120.0, 110.0, 100.0], std=[60.0, 50.0, 40.0],
        bgr_to_rgb=True,
    ),
    backbone=dict(
        type="ResNetV1c", depth=18, num_stages=2, stem_channels=8, base_channels=8,
        out_indices=(0, 1), strides=(1, 1), dilations=(1, 2), norm_cfg=norm_cfg,
    ),
    decode_head=dict(
        type="PSPHead", in_channels=16, in_index=1, channels=8, pool_scales=(1, 2),
        dropout_ratio=0.1, num_classes=19, norm_cfg=norm_cfg,
    ),
    auxiliary_head=dict(
        type="FCNHead", in_channels=8, in_index=0, channels=8, num_convs=1, concat_input=False,
        num_classes=19, norm_cfg=norm_cfg,
    ),
    train_cfg=dict(),
    test_cfg=dict(mode="whole"),
)
"""


@pytest.fixture(scope="session")
def mini(tmp_path_factory):
    """The path of the small config."""
    path = tmp_path_factory.mktemp("config") / "mini.py"
    path.write_text(MINI)
    return str(path)


@pytest.fixture
def segmenter(mini):
    """A fresh small network for three classes."""
    return MmsegSegmenter(read_config(mini, 3), ("ground", "wall", "sky"), seed=1)


@pytest.fixture(scope="session")
def scenes():
    """Six scenes in which the colour tells the class, with a few pixels to ignore."""
    draw = np.random.default_rng(0)
    blocks = draw.integers(0, 3, (6, 4, 5))
    classes = blocks.repeat(8, axis=1).repeat(8, axis=2).astype(np.uint8)
    colours = np.array([[60, 60, 60], [200, 90, 30], [90, 150, 230]])
    image = colours[classes] + draw.integers(-25, 26, (*classes.shape, 3))
    classes[:, :2, :3] = 255
    return Scene(
        torch.from_numpy(image.astype(np.uint8)).permute(0, 3, 1, 2).contiguous(),
        Layout(torch.from_numpy(classes), torch.zeros(classes.shape)),
    )
