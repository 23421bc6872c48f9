"""mmseg configs of a user: none runs code, or names any, unless the user says so."""

from __future__ import annotations

import json
import logging
import shlex
import subprocess
import sys

import pytest
import yaml
from pydantic import ValidationError
from typer.testing import CliRunner

from augflow.cli import app
from augflow.core.errors import AugflowError, ModelError, ParamsError
from augflow.segmentation.mmseg_config import config_from, read_config
from augflow.segmentation.mmseg_model import MmsegSegmenter, load_segmenter
from augflow.segmentation.params import SegmenterParams
from augflow.study.params import JudgeParams
from augflow.study.project import Project
from tests.mini_network import MINI, MINI_PY
from tests.tiny_study import PARAMS

PROGRAM = "open({trace!r}, 'w').close()\n"

OWN_LAYER = """
from mmseg.models.decode_heads import PSPHead
from mmseg.registry import MODELS

@MODELS.register_module()
class {name}(PSPHead):
    pass
"""


@pytest.fixture
def trace(tmp_path):
    return tmp_path / "ran"


def write(folder, text, name="own.py"):
    path = folder / name
    path.write_text(text)
    return str(path)


def refused(act, *named):
    with pytest.raises(AugflowError) as fault:
        act()
    (line,) = str(fault.value).splitlines()
    assert all(name in line for name in (*named, "trust_config: true"))


def test_a_python_config_is_refused_and_does_not_run(tmp_path, trace):
    path = write(tmp_path, MINI_PY + PROGRAM.format(trace=str(trace)))
    refused(lambda: read_config(path, 3), f"{path}: a Python file runs code", "dump_config(")
    assert not trace.exists()


def test_data_that_names_programs_or_code_is_refused_and_weights_elsewhere_are_dropped(
    tmp_path, trace
):
    """What else it may not name, `test_records.py` says."""
    write(tmp_path, PROGRAM.format(trace=str(trace)), "other.py")
    for key, name in (("_base_", "own.json"), ("custom_imports", "own.yaml")):
        path = write(tmp_path, json.dumps(json.loads(MINI) | {key: "other.py"}), name)
        refused(lambda path=path: read_config(path, 3), f"{path}: {key} runs code")
    content = json.loads(MINI)
    asked = {"type": "Pretrained_Part", "checkpoint": "https://example.org/a.pth"}
    content["model"]["backbone"]["init_cfg"] = asked
    path = write(tmp_path, json.dumps(content), "own.json")
    assert "://" not in json.dumps(read_config(path, 3).facts())
    content["model"]["decode_head"]["type"] = "subprocess.getoutput"
    path = write(tmp_path, json.dumps(content), "own.json")
    refused(lambda: MmsegSegmenter(read_config(path, 3), "abc"), path)
    assert not trace.exists()


def test_a_trusted_config_runs_and_says_so_and_one_that_fails_is_one_line(tmp_path, trace, caplog):
    path = write(tmp_path, MINI_PY + PROGRAM.format(trace=str(trace)))
    with caplog.at_level(logging.WARNING, "augflow"):
        found = read_config(path, 3, trust_config=True)
    assert trace.exists()
    assert found.model == read_config(write(tmp_path, MINI, "plain.json"), 3).model
    (record,) = caplog.records
    assert "own.py: trust_config is given" in record.getMessage()
    path = write(tmp_path, "import os\nmodel = dict(a=1 / 0)")
    with pytest.raises(ModelError, match=r"own\.py: not an mmseg config file \(ZeroDiv"):
        read_config(path, 3, trust_config=True)


def test_the_advice_makes_a_config_that_needs_no_trust(tmp_path, monkeypatch):
    path = write(tmp_path, MINI_PY, "CONFIG.py")
    with pytest.raises(ParamsError) as fault:
        read_config(path, 3)
    _, command = str(fault.value).split("to make JSON of it: ")
    monkeypatch.chdir(tmp_path)
    subprocess.run([sys.executable, *shlex.split(command)[1:]], check=True)
    assert read_config("CONFIG.json", 3).model == read_config(path, 3, trust_config=True).model


def test_a_network_with_layers_of_the_users_own_is_read_again_if_trusted(
    tmp_path, monkeypatch, caplog
):
    monkeypatch.syspath_prepend(tmp_path)
    write(tmp_path, OWN_LAYER.format(name="HeadOfTheirs"), "layers_of_theirs.py")
    text = MINI_PY.replace("PSPHead", "HeadOfTheirs")
    path = write(tmp_path, "custom_imports = dict(imports=['layers_of_theirs'])\n" + text)
    config = read_config(path, 3, trust_config=True)
    assert config.model["decode_head"]["type"] == "layers_of_theirs.HeadOfTheirs"
    made = MmsegSegmenter(config, ("a", "b", "c"))
    made.save(tmp_path / "judge")
    refused(lambda: load_segmenter(tmp_path / "judge"), "layers_of_theirs.HeadOfTheirs")
    with caplog.at_level(logging.WARNING, "augflow"):
        assert load_segmenter(tmp_path / "judge", trust_config=True).digest() == made.digest()
    assert "layers_of_theirs.HeadOfTheirs" in caplog.text


def test_layers_of_mmseg_that_a_program_imports_are_saved_by_their_words(tmp_path):
    text = MINI_PY
    for name, module in (("PSPHead", "decode_heads"), ("EncoderDecoder", "segmentors")):
        text = f"from mmseg.models.{module} import {name}\n" + text.replace(f"'{name}'", name)
    config = read_config(write(tmp_path, text), 3, trust_config=True)
    assert config.model == read_config(write(tmp_path, MINI, "plain.json"), 3).model
    assert config_from(json.loads(json.dumps(config.facts()))) == config


def test_consent_is_a_parameter_that_stands_nowhere_where_it_is_not_given():
    assert "trust_config" not in SegmenterParams(steps=1).model_dump(mode="json")
    given = JudgeParams(steps=1, trust_config=True)
    assert given.model_dump(mode="json")["trust_config"] is True
    with pytest.raises(ValidationError, match="expected true or false"):
        SegmenterParams(steps=1, trust_config=1)


def test_a_network_is_trusted_by_the_section_that_it_was_trained_by(tmp_path):
    params = json.loads(json.dumps(PARAMS))  # without parts in common
    params["judge"]["trust_config"] = True
    params["judges"] = {"own": {**params["judge"], "trust_config": False}}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params))
    project = Project(tmp_path)
    others = [project.judge_of("own"), *project.segmenters.values()]
    assert project.trusts(project.judge_folder)
    assert not any(map(project.trusts, others))
    assert all(map(Project(tmp_path, trust_config=True).trusts, others))


@pytest.mark.parametrize("command", [["score"], ["select"], ["verify", "--level", "1"]])
def test_commands_that_read_networks_take_the_consent(command, monkeypatch):
    seen = []

    class Seen(Project):
        @property
        def params(self):
            seen.append(self.trust_config)
            raise ModelError("enough")

    monkeypatch.setattr("augflow.study.project.Project", Seen)
    for words in ([], ["--trust-config"]):
        assert CliRunner().invoke(app, [*command, *words]).exit_code == 2
    assert seen == [False, True]
