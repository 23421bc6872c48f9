"""The wrapper around mmseg: prediction, saving and reading back, weights of the user's own."""

import json

import pytest
import torch

from augflow.core import io
from augflow.core.errors import DataError, ModelError
from augflow.segmentation.mmseg_config import balance_classes, read_config
from augflow.segmentation.mmseg_model import MmsegSegmenter, load_mmseg_checkpoint, load_segmenter


def images(count=3, size=(40, 56)):
    return torch.rand(count, 3, *size, generator=torch.Generator().manual_seed(5))


def test_prediction_is_the_same_in_any_batch(segmenter):
    batch = images(4)
    together = segmenter.predict(batch)
    alone = torch.cat([segmenter.predict(image[None]) for image in batch])
    assert torch.equal(together, alone)


def test_prediction_equals_that_of_mmseg_itself(mini, segmenter):
    from mmengine.config import Config
    from mmengine.registry import DefaultScope
    from mmseg.registry import MODELS

    settings = Config.fromfile(mini).model
    settings.decode_head.num_classes = settings.auxiliary_head.num_classes = 3
    with DefaultScope.overwrite_default_scope("mmseg"):
        theirs = MODELS.build(settings).eval()
    theirs.load_state_dict(segmenter.network.state_dict(), strict=False)
    # mmseg takes what OpenCV reads: bytes, blue first
    photo = (images(1) * 255).round()
    data = theirs.data_preprocessor({"inputs": [photo[0].flip(0)], "data_samples": None})
    with torch.no_grad():
        result = theirs.predict(data["inputs"])[0].pred_sem_seg.data
    assert len(result.unique()) > 1
    assert torch.equal(result, segmenter.predict(photo / 255))


@pytest.mark.parametrize("pixels", [None, [900, 100, 4000]], ids=["plain", "balanced"])
def test_loss_equals_weighted_cross_entropy_on_full_size_labels(mini, segmenter, scenes, pixels):
    from torch.nn.functional import cross_entropy, interpolate

    ours, weights = segmenter, None
    if pixels:
        config = balance_classes(read_config(mini, 3), pixels)
        ours = MmsegSegmenter(config, segmenter.names, seed=1)
        assert ours.digest() == segmenter.digest()
        weights = torch.tensor(config.model["auxiliary_head"]["loss_decode"]["class_weight"])
    network, labels = ours.network.eval(), scenes.layout.classes
    mean = torch.tensor([120.0, 110.0, 100.0])[:, None, None]
    std = torch.tensor([60.0, 50.0, 40.0])[:, None, None]
    with torch.no_grad():
        features = network.extract_feat((scenes.image - mean) / std)
        expected = 0.0
        for head, factor in ((network.decode_head, 1.0), (network.auxiliary_head, 0.4)):
            logits = interpolate(head(features), labels.shape[1:], mode="bilinear")
            # mmseg divides by all pixels, or by the weights of those that are known
            reduction = "mean" if pixels else "none"
            losses = cross_entropy(logits, labels.long(), weights, None, 255, reduction=reduction)
            expected += factor * losses.mean()
        loss = ours.loss(scenes.image / 255, labels)
    assert float(loss) == pytest.approx(float(expected), rel=1e-5)


def test_packaged_config_learns_from_one_batch():
    names = tuple("abc")
    ours = MmsegSegmenter(balance_classes(read_config("pspnet_small", 3), [5, 3, 2]), names, seed=0)
    labels = torch.zeros(2, 32, 48, dtype=torch.uint8)
    labels[:, 16:], labels[:, :8, :24], labels[0, 0, 0] = 1, 2, 255
    photos = labels[:, None].expand(2, 3, 32, 48).float().clamp(max=2) / 2
    optimizer = torch.optim.AdamW(ours.network.parameters(), lr=5e-3)
    losses = []
    for _ in range(12):
        loss = ours.loss(photos, labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] / 2


def test_initial_weights_are_those_of_the_seed(mini):
    config = read_config(mini, 3)
    first, same, other = (MmsegSegmenter(config, "abc", seed=seed).digest() for seed in (1, 1, 2))
    assert first == same != other


def test_saved_and_read_back_it_predicts_the_same(segmenter, tmp_path):
    segmenter.training = {"seed": 4, "steps": 9}
    segmenter.save(tmp_path / "a")
    segmenter.save(tmp_path / "b")
    back = load_segmenter(tmp_path / "a")
    assert (back.names, back.training) == (segmenter.names, segmenter.training)
    assert back.digest() == segmenter.digest()
    assert torch.equal(back.predict(images()), segmenter.predict(images()))
    for name in ("weights.safetensors", "config.json"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_reading_back_runs_no_config_file(segmenter, tmp_path, mini):
    segmenter.save(tmp_path)
    facts = json.loads((tmp_path / "config.json").read_text())
    facts["config"]["name"] = "gone.py"
    io.write_json(tmp_path / "config.json", facts)
    assert load_segmenter(tmp_path).digest() == segmenter.digest()


def change_weights(folder):
    from safetensors.torch import load_file, save_file

    state = load_file(folder / "weights.safetensors")
    next(iter(state.values())).view(-1)[0] += 1
    save_file(state, folder / "weights.safetensors")


def change_facts(folder, **changes):
    facts = io.read_json(folder / "config.json")
    io.write_json(folder / "config.json", {**facts, **changes})


DAMAGES = {
    "no config": (lambda f: (f / "config.json").unlink(), DataError, "no such file"),
    "no weights": (
        lambda f: (f / "weights.safetensors").unlink(),
        DataError,
        "weights.safetensors: no such file; train the segmenter",
    ),
    "cut": (
        lambda f: (f / "weights.safetensors").write_bytes(b"\0" * 9),
        ModelError,
        "not a whole",
    ),
    "one number": (change_weights, ModelError, "weights have digest"),
    "other facts": (lambda f: change_facts(f, config={}), ModelError, "not the config of a saved"),
    "other network": (
        lambda f: change_facts(f, config=read_config("pspnet_small", 3).facts()),
        ModelError,
        "weights do not fit the config: .* is missing; .*expected",
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_folder_is_refused(segmenter, tmp_path, damage):
    segmenter.save(tmp_path)
    break_it, error, message = DAMAGES[damage]
    break_it(tmp_path)
    with pytest.raises(error, match=message):
        load_segmenter(tmp_path)


def test_config_that_mmseg_cannot_build_is_refused(tmp_path):
    path = tmp_path / "own.json"
    path.write_text('{"model": {"type": "Nowhere", "decode_head": {"num_classes": 2}}}')
    with pytest.raises(ModelError, match=r"mmseg cannot build it .*Nowhere"):
        MmsegSegmenter(read_config(str(path), 2), "ab")


@pytest.mark.parametrize("wrapped", [True, False])
def test_checkpoint_of_mmseg_is_taken_over(segmenter, mini, tmp_path, wrapped):
    state = {f"module.{name}": tensor for name, tensor in segmenter.network.state_dict().items()}
    state["data_preprocessor.mean"] = torch.zeros(3, 1, 1)
    content = {"meta": {"epoch": 3}, "state_dict": state} if wrapped else state
    torch.save(content, tmp_path / "own.pth")
    fresh = MmsegSegmenter(read_config(mini, 3), segmenter.names, seed=8)
    load_mmseg_checkpoint(fresh, str(tmp_path / "own.pth"))
    assert fresh.digest() == segmenter.digest()


def test_checkpoint_of_other_classes_keeps_fresh_classifiers_where_training_follows(
    segmenter, mini, tmp_path
):
    torch.save({"state_dict": segmenter.network.state_dict()}, tmp_path / "own.pth")
    five = MmsegSegmenter(read_config(mini, 5), "abcde", seed=8)
    fresh = five.state()
    with pytest.raises(ModelError, match=r"conv_seg.weight is \(3, 8, 1, 1\), expected"):
        load_mmseg_checkpoint(five, str(tmp_path / "own.pth"))
    load_mmseg_checkpoint(five, str(tmp_path / "own.pth"), new_classes=True)
    taken = five.state()
    for name, tensor in segmenter.state().items():
        expected = fresh[name] if "conv_seg" in name else tensor
        assert torch.equal(taken[name], expected), name


def write_bytes(content):
    return lambda path: path.write_bytes(content)


class Stranger:
    """An object that only unpickling with all its risks could bring back."""


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: torch.save({"state_dict": {}, "x": Stranger()}, path), "not readable as"),
        (lambda path: torch.save({"state_dict": {"a": 3}}, path), "holds no state_dict"),
        (lambda path: torch.save(torch.zeros(2), path), "holds no state_dict"),
        (lambda path: torch.save({"a": torch.zeros(2)}, path), "a is unknown"),
        (write_bytes(b""), "not readable as"),
        (write_bytes(b"no weights at all"), "not readable as"),
        (lambda path: None, "no such file"),
    ],
)
def test_what_is_no_checkpoint_is_refused(segmenter, tmp_path, make, message):
    make(tmp_path / "own.pth")
    with pytest.raises(ModelError, match=message) as fault:
        load_mmseg_checkpoint(segmenter, str(tmp_path / "own.pth"))
    assert "\n" not in str(fault.value)


def test_checkpoint_from_an_address_is_refused(segmenter):
    with pytest.raises(ModelError, match="is an address, expected a file; nothing is ever downlo"):
        load_mmseg_checkpoint(segmenter, "https://example.org/pspnet.pth")
    with pytest.raises(ModelError, match="is an address"):
        load_mmseg_checkpoint(segmenter, "open-mmlab://resnet18_v1c")
