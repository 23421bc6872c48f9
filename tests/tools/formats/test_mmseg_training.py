"""mmengine's own Runner trains and validates from the exported snippet, in a process of its own."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from augflow.data.synthetic import read_set
from augflow.tools.export import export
from tests import traced
from tests.mini_network import MINI_PY
from tests.traced import DATA, T05

RUN = """
_base_ = ["{export}/augflow_data.py"]
{network}
model["data_preprocessor"]["size"] = ({height}, {width})
for head in ("decode_head", "auxiliary_head"):
    model[head]["num_classes"] = {count}
del head
default_scope = "mmseg"
train_dataloader = dict(num_workers=0, persistent_workers=False)
optim_wrapper = dict(type="OptimWrapper", optimizer=dict(type="SGD", lr=0.01))
train_cfg = dict(type="IterBasedTrainLoop", max_iters=2, val_interval=2)
"""

WITH_REAL = """
val_dataloader = dict(num_workers=0, persistent_workers=False)
test_dataloader = dict(num_workers=0, persistent_workers=False)
val_cfg = dict(type="ValLoop")
test_cfg = dict(type="TestLoop")
"""

TRAIN = """
import json, sys
from mmengine.config import Config
from mmengine.runner import Runner
cfg = Config.fromfile(sys.argv[1])
cfg.work_dir = sys.argv[2]
cfg.log_level = "ERROR"
runner = Runner.from_cfg(cfg)
before = runner.model.state_dict()["decode_head.conv_seg.weight"].clone()
runner.train()
after = runner.model.state_dict()["decode_head.conv_seg.weight"]
data = runner.train_dataloader.dataset
labels = sorted({int(v) for n in range(len(data))
                 for v in data[n]["data_samples"].gt_sem_seg.data.unique()})
scores = runner.val_loop.run() if runner.val_loop else {}
scores = {name: float(value) for name, value in scores.items()}
print(json.dumps({
    "iterations": runner.iter, "moved": bool((before != after).any()), "scores": scores,
    "sizes": [len(part) for part in data.datasets], "labels": labels,
    "classes": list(data.metainfo["classes"]),
}))
"""


def trained(folder, count, size, extra=""):
    config = folder.parent / "run.py"
    height, width = size
    text = RUN.format(export=folder, network=MINI_PY, count=count, height=height, width=width)
    config.write_text(text + extra)
    done = subprocess.run(
        [sys.executable, "-c", TRAIN, str(config), str(folder.parent / "work")],
        capture_output=True, text=True, check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_the_config_that_the_snippet_shows_is_one(study, tmp_path):
    import mmseg
    from mmengine.config import Config

    export("t05", "mmseg", tmp_path / "out", real=True)
    shown = ast.get_docstring(ast.parse((tmp_path / "out/augflow_data.py").read_text()))
    text = textwrap.dedent(shown[shown.index("    _base_ = ") :])
    configs = Path(mmseg.__file__).parent / ".mim/configs"
    text = text.replace("CONFIGS", str(configs)).replace("PATH", str(tmp_path / "out"))
    (tmp_path / "run.py").write_text(text)
    found = Config.fromfile(tmp_path / "run.py")
    assert found.model.data_preprocessor.size == (32, 48)
    assert [found.model[head].num_classes for head in ("decode_head", "auxiliary_head")] == [10, 10]
    assert found.train_cfg.max_iters == 20000
    for data in (*found.train_dataloader.dataset.datasets, found.val_dataloader.dataset):
        assert (Path(data.data_root) / data.ann_file).is_file()


@pytest.mark.slow
def test_real_and_synthetic_photographs_are_trained_on_and_real_ones_validated(study, tmp_path):
    traced.select(T05, DATA / "selected/lax", {})
    export("lax", "mmseg", tmp_path / "out", real=True)
    made = read_set(DATA / "selected/lax")
    table = made.facts.table
    found = trained(tmp_path / "out", table.count, made.facts.size, WITH_REAL)
    assert (found["iterations"], found["moved"]) == (2, True)
    # six real scenes, and four photographs once and four three times
    assert found["sizes"] == [6, 16]
    assert found["classes"] == list(table.names)
    assert set(found["labels"]) <= {*range(table.count), 255}
    assert 0 <= found["scores"]["mIoU"] <= 100


@pytest.mark.slow
def test_synthetic_photographs_of_a_table_of_ones_own_are_trained_on_alone(own_set, tmp_path):
    export(str(own_set), "mmseg", tmp_path / "out")
    found = trained(tmp_path / "out", 4, (12, 20))
    assert (found["iterations"], found["moved"], found["scores"]) == (2, True, {})
    assert (found["sizes"], found["labels"]) == ([3], [0, 1, 2, 3, 255])
