"""What several stages are tested with: a small network, judges and sets of noise."""

import numpy as np
import pytest

from augflow.data.classes import table
from augflow.data.scenes import SceneFolder
from augflow.data.synthetic import NewPhoto, SetFacts, write_set
from augflow.segmentation.mmseg_config import read_config
from augflow.segmentation.mmseg_model import MmsegSegmenter
from tests.mini_network import MINI


@pytest.fixture(scope="package")
def config(tmp_path_factory):
    """The file of a segmentation network that trains in no time."""
    path = tmp_path_factory.mktemp("config") / "mini.json"
    path.write_text(MINI)
    return str(path)


@pytest.fixture(scope="package")
def judge(config, tmp_path_factory):
    """The folder of a judge; read only."""
    return make_judge(config, tmp_path_factory.mktemp("judge"))


def make_judge(config, out, seed=0, steps=3, names=None):
    """Saves a network of random weights as one that was trained."""
    names = names or table("cityscapes").names
    segmenter = MmsegSegmenter(read_config(config, len(names)), names, seed=seed)
    segmenter.training = {"seed": seed, "steps": steps}
    segmenter.save(out)
    return out


def make_set(scenes: SceneFolder, out, rounds=2, temperatures=(0.8,), bits=False, first=None):
    """Noise for every layout of a split; `first` goes into the first photograph's facts.

    At temperature 0.5 stand the real photographs.
    """
    draw, photos = np.random.default_rng(0), []
    whole = scenes.scenes()
    for row, layout in enumerate(scenes.names):
        for degree in temperatures:
            for turn in range(rounds):
                image = whole.image[row].permute(1, 2, 0).numpy()
                if degree != 0.5:
                    image = draw.integers(0, 256, image.shape).astype(np.uint8)
                facts = {
                    "name": f"{layout}_t{degree:g}_r{turn}",
                    "layout": layout,
                    "seed": turn,
                    "classes": whole.layout.classes[row].numpy(),
                    "round": turn,
                    "log_p_bpd": float(draw.normal(4 + degree)) if bits else None,
                } | ((first or {}) if not photos else {})
                photos.append(
                    NewPhoto(
                        split=scenes.split,
                        city=scenes.drives[row],
                        image=image,
                        temperature=degree,
                        **facts,
                    )
                )
    facts = SetFacts(out.name, "feed", temperatures, rounds, scenes.table, scenes.size)
    write_set(out, facts, photos)
    return out
