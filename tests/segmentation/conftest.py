"""A fresh small network, and scenes that it can learn."""

import numpy as np
import pytest
import torch

from augflow.data.scenes import Layout, Scene
from augflow.segmentation.mmseg_config import read_config
from augflow.segmentation.mmseg_model import MmsegSegmenter
from tests.mini_network import MINI


@pytest.fixture(scope="session")
def mini(tmp_path_factory):
    """The path of the small config."""
    path = tmp_path_factory.mktemp("config") / "mini.json"
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
