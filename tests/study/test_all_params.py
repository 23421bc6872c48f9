"""What `augflow params` prints is what parameters are."""

from __future__ import annotations

import json

import pytest
import yaml

from augflow.study.all_params import all_params
from augflow.study.params import Params, load
from augflow.study.template import SCHEMA, create, source
from tests.commands import run
from tests.tiny_study import HOME


def test_the_committed_schema_is_that_of_today():
    assert (HOME / SCHEMA).read_text() == run("params", "--schema").stdout


def test_the_schema_knows_every_section_of_every_preset():
    schema = json.loads((HOME / SCHEMA).read_text())
    assert schema["additionalProperties"] is False
    assert schema["required"] == ["data", "generators", "sets"]
    for path in source().presets.values():
        assert set(yaml.safe_load(path.read_text())) <= set(schema["properties"])


def test_all_that_can_be_set_is_shown_once_with_its_default_and_is_yaml():
    text = all_params()
    content = yaml.safe_load(text)
    assert list(content) == list(Params.model_fields)
    assert content["data"]["val_fraction"] == 0.15
    assert content["generators"]["NAME"]["training"]["memory"] == "store"
    assert content["arms"]["NAME"]["augment"] == "none"
    assert "# one of none, classic, copy_paste" in text
    assert "reader: # required: one of streets, cityscapes" in text
    assert "explore:  # off unless it is given" in text
    assert "How long and how a generator learns." in text


def test_without_options_a_projects_own_are_shown_with_every_default(tmp_path, monkeypatch):
    create("smoke", None, tmp_path)
    monkeypatch.chdir(tmp_path)
    shown = yaml.safe_load(run("params").stdout)
    assert shown == load().model_dump(mode="json")
    assert shown["arms"]["real"]["reads"] == "prepared"
    result = run("params", "--all", "--schema")
    assert (result.exit_code, len(result.stderr.splitlines())) == (2, 1)


@pytest.mark.parametrize("preset", ["folder"])
def test_a_preset_for_ones_own_photographs_is_short(preset):
    assert len(source().preset(preset).read_text().splitlines()) <= 60
