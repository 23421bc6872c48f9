"""mmseg config files: fitted to K classes, free of downloads, plain enough to be saved."""

import json

import pytest

from augflow.core.errors import AugflowError, ModelError, ParamsError
from augflow.segmentation.mmseg_config import PACKAGED, Normalisation, balance_classes, read_config


def write(tmp_path, model):
    path = tmp_path / "own.json"
    path.write_text(json.dumps({"model": model}))
    return str(path)


NUMBERS = {"mean": [1.0, 2.0, 3.0], "std": [4.0, 5.0, 6.0]}
OWN = {
    "type": "EncoderDecoder",
    "pretrained": "open-mmlab://resnet50_v1c",
    "data_preprocessor": NUMBERS,
    "backbone": {
        "type": "ResNetV1c",
        "norm_cfg": {"type": "SyncBN", "requires_grad": True},
        "init_cfg": {"type": "Pretrained", "checkpoint": "https://example.org/a.pth"},
    },
    "decode_head": {
        "type": "PSPHead",
        "num_classes": 2,
        "out_channels": 1,
        "threshold": 0.3,
        "init_cfg": [
            {"type": "Normal", "std": 0.01},
            {"type": "Pretrained", "checkpoint": "torchvision://b"},
        ],
    },
    "auxiliary_head": [{"type": "FCNHead", "num_classes": 19}] * 2,
}


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
    }
    assert "://" not in json.dumps(config.facts())
    assert "pretrained" not in config.model


def test_normalisation_is_the_one_of_the_file(tmp_path):
    own = read_config(write(tmp_path, OWN), 7).normalisation
    assert own == Normalisation(**NUMBERS, rgb=False)
    without = {**OWN, "data_preprocessor": None}
    assert read_config(write(tmp_path, without), 7).normalisation == Normalisation()


def test_rare_classes_weigh_more_and_a_pixel_one_on_average(tmp_path):
    given = read_config("pspnet_small", 3)
    model = balance_classes(given, [64, 0, 16]).model
    ce, lovasz = model["decode_head"]["loss_decode"]
    # shares 0.8 and 0.2: weights in the ratio 1 to 2, and 0.8 w + 0.2 * 2 w = 1
    assert ce["class_weight"] == pytest.approx([1 / 1.2, 1, 2 / 1.2], abs=1e-6)
    assert model["auxiliary_head"]["loss_decode"]["class_weight"] == ce["class_weight"]
    assert "class_weight" not in lovasz
    assert given == read_config("pspnet_small", 3)


def test_weights_of_the_file_stay(tmp_path):
    losses = [
        {"type": "CrossEntropyLoss", "class_weight": [1.0, 2.0]},
        {"type": "CrossEntropyLoss", "use_sigmoid": True},
    ]
    path = write(tmp_path, {"decode_head": {"loss_decode": losses}})
    given = read_config(path, 2)
    assert balance_classes(given, [1, 9]) == given


def test_unknown_config_names_the_known_ones():
    with pytest.raises(ParamsError, match=r"'pspnet_smal'.*known: pspnet_small; did you mean"):
        read_config("pspnet_smal", 5)


def test_packaged_and_trusted_configs_are_read_as_mmengine_reads_them(tmp_path):
    path = tmp_path / "own.py"
    path.write_text((PACKAGED / "pspnet_small.py").read_text())
    packaged = read_config("pspnet_small", 3)
    assert packaged.model["backbone"]["out_indices"] == [0, 1, 2]
    assert read_config(str(path), 3, trust_config=True).model == packaged.model


def test_a_base_that_comes_with_mmseg_is_found(tmp_path):
    path = tmp_path / "own.py"
    path.write_text(
        "_base_ = 'mmseg::_base_/models/pspnet_r50-d8.py'\n"
        "model = dict(backbone=dict(depth=18), decode_head=dict(in_channels=512))"
    )
    found = read_config(str(path), 3, trust_config=True)
    assert found.model["backbone"]["depth"] == 18
    assert found.model["decode_head"]["pool_scales"] == [1, 2, 3, 6]
    assert "_scope_" not in json.dumps(found.facts())


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ({"type": "EncoderDecoder"}, "has no decode_head"),
        (3, "`model` is 3, expected the dict"),
        (
            {"decode_head": {"loss_decode": {"class_weight": [1.0] * 19}}},
            "class_weight has 19 numbers, expected 7",
        ),
        (
            {"data_preprocessor": {"mean": [1], "std": [1]}, "decode_head": {"a": 1}},
            "data_preprocessor: mean",
        ),
        ({"data_preprocessor": 3}, "data_preprocessor is 3, expected a dict"),
    ],
)
def test_what_is_no_segmentation_config_is_refused(tmp_path, model, message):
    with pytest.raises(AugflowError, match=message):
        read_config(write(tmp_path, model), 7)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("own.json", "{", "own.json: not JSON"),
        ("own.json", "[1]", "own.json: not an mmseg config file"),
        ("own.json", '{"model": ' + '{"a": ' * 5000 + "1" + "}" * 5001, "not JSON"),
        ("own.yaml", "model: !!python/object/apply:os.system ['touch ran']", "tag"),
        ("own.yaml", "head: {type: PSPHead}", "`model` is None"),
        ("own.txt", "model = 3", "expected .json, .yaml or .py"),
    ],
)
def test_what_is_no_config_file_is_one_line(tmp_path, name, text, message):
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(AugflowError, match=message) as fault:
        read_config(str(path), 7)
    assert "\n" not in str(fault.value)


def test_a_trusted_config_that_holds_objects_is_refused(tmp_path):
    path = tmp_path / "own.py"
    path.write_text("model = dict(decode_head=dict(scale=1j))")
    with pytest.raises(ModelError, match="type complex"):
        read_config(str(path), 7, trust_config=True)
