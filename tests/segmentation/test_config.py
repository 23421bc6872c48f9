"""mmseg config files: fitted to K classes, free of downloads, plain enough to be saved."""

import json

import pytest

from augflow.core.errors import ModelError, ParamsError
from augflow.segmentation.mmseg_config import Normalisation, balanced, config_from, read_config


def write(tmp_path, text):
    path = tmp_path / "own.py"
    path.write_text(text)
    return str(path)


OWN = """
norm_cfg = dict(type="SyncBN", requires_grad=True)
model = dict(
    type="EncoderDecoder",
    pretrained="open-mmlab://resnet50_v1c",
    data_preprocessor=dict(mean=[1.0, 2.0, 3.0], std=[4.0, 5.0, 6.0]),
    backbone=dict(
        type="ResNetV1c", norm_cfg=norm_cfg, strides=(1, 2, 1, 1),
        init_cfg=dict(type="Pretrained", checkpoint="https://example.org/a.pth"),
    ),
    decode_head=dict(
        type="PSPHead", num_classes=2, out_channels=1, threshold=0.3,
        init_cfg=[
            dict(type="Normal", std=0.01),
            dict(type="Pretrained", checkpoint="torchvision://b"),
        ],
    ),
    auxiliary_head=[dict(type="FCNHead", num_classes=19), dict(type="FCNHead", num_classes=19)],
)
"""


def test_heads_get_the_number_of_classes(tmp_path):
    model = read_config(write(tmp_path, OWN), 7).model
    assert [head["num_classes"] for head in model["auxiliary_head"]] == [7, 7]
    assert model["decode_head"] == {
        "type": "PSPHead",
        "num_classes": 7,
        "init_cfg": [{"type": "Normal", "std": 0.01}],
    }


def test_nothing_to_download_and_no_synchronised_norm_is_left(tmp_path):
    config = read_config(write(tmp_path, OWN), 7)
    assert config.model["backbone"] == {
        "type": "ResNetV1c",
        "norm_cfg": {"type": "BN", "requires_grad": True},
        "strides": [1, 2, 1, 1],
    }
    assert "://" not in json.dumps(config.facts())
    assert "pretrained" not in config.model


def test_normalisation_is_the_one_of_the_file(tmp_path):
    own = read_config(write(tmp_path, OWN), 7).normalisation
    assert own == Normalisation((1.0, 2.0, 3.0), (4.0, 5.0, 6.0), rgb=False)
    without = OWN.replace("data_preprocessor=dict(mean=[1.0, 2.0, 3.0], std=[4.0, 5.0, 6.0]),", "")
    assert read_config(write(tmp_path, without), 7).normalisation == Normalisation()


def test_config_survives_json():
    config = read_config("pspnet_small", 5)
    assert config_from(json.loads(json.dumps(config.facts()))) == config


def test_rare_classes_weigh_more_and_a_pixel_one_on_average(tmp_path):
    given = read_config("pspnet_small", 3)
    model = balanced(given, [64, 0, 16]).model
    ce, lovasz = model["decode_head"]["loss_decode"]
    # shares 0.8 and 0.2: weights in the ratio 1 to 2, and 0.8 w + 0.2 * 2 w = 1
    assert ce["class_weight"] == pytest.approx([1 / 1.2, 1, 2 / 1.2], abs=1e-6)
    assert model["auxiliary_head"]["loss_decode"]["class_weight"] == ce["class_weight"]
    assert "class_weight" not in lovasz
    assert given == read_config("pspnet_small", 3)


def test_weights_of_the_file_stay(tmp_path):
    text = """
model = dict(decode_head=dict(loss_decode=[
    dict(type="CrossEntropyLoss", class_weight=[1.0, 2.0]),
    dict(type="CrossEntropyLoss", use_sigmoid=True),
]))
"""
    given = read_config(write(tmp_path, text), 2)
    assert balanced(given, [1, 9]) == given


def test_unknown_config_names_the_known_ones():
    with pytest.raises(ParamsError, match=r"'pspnet_smal'.*known: pspnet_small; did you mean"):
        read_config("pspnet_smal", 5)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("model = dict(", "own.py: not an mmseg config file"),
        ("head = dict(type='PSPHead')", "own.py: no 'model' in it"),
        ("model = dict(type='EncoderDecoder')", "has no decode_head"),
        ("model = 3", "expected a dict"),
        (
            "model = dict(decode_head=dict(loss_decode=dict(class_weight=[1.0] * 19)))",
            "class_weight has 19 numbers, expected 7",
        ),
        ("model = dict(decode_head=dict(scale=1j))", "holds a complex"),
        (
            "model = dict(data_preprocessor=dict(mean=[1], std=[1]), decode_head=dict(a=1))",
            "expected 3 numbers each",
        ),
    ],
)
def test_what_is_no_segmentation_config_is_refused(tmp_path, text, message):
    with pytest.raises(ModelError, match=message):
        read_config(write(tmp_path, text), 7)
