"""A `params.yaml` is refused in one line that says what and where, or read as it is written."""

from __future__ import annotations

import copy
import json
import re
import time

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from augflow.core.errors import ParamsError
from augflow.core.yaml import read as read_yaml
from augflow.study.params import load
from tests.study.test_params import WHOLE

GOOD = yaml.safe_dump(WHOLE)
LAUGHS = "a0: &a0 [lol]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12)
)
MERGES = "m0: &m0 {a: 1, b: 2}\n" + "".join(
    f"m{n}: &m{n} {{<<: [{', '.join([f'*m{n - 1}'] * 9)}]}}\n" for n in range(1, 12)
)
CHAIN = "c0: &c0 [1]\n" + "".join(f"c{n}: &c{n} [*c{n - 1}]\n" for n in range(1, 400))

TEXTS = {
    "a doubled key": (
        GOOD + "study: other\n",
        r'line \d+, column 1: found duplicate key "study" with value "other" .*; keep one$',
    ),
    "a doubled key within": (
        GOOD.replace("judge:\n  steps: 5", "judge:\n  steps: 5\n  steps: 6"),
        'found duplicate key "steps"',
    ),
    "two merges": ("a: &a {b: 1}\nc: {<<: *a, <<: *a}\n", "duplicate merge key"),
    "laughs": (LAUGHS, "aliases repeat so much"),
    "merged laughs": (MERGES, "aliases repeat so much"),
    "a chain": (CHAIN, "32 levels"),
    "a circle": ("a: &a [*a]\n", "line 1: an alias of what it is a part of"),
    "no anchor": ("a: *b\n", "undefined alias"),
    "deep lists": ("a: " + "[" * 5000, "more than 32 levels deep"),
    "deep blocks": ("\n".join(" " * n + "a:" for n in range(300)), "more than 32 levels deep"),
    "an object": (
        "study: !!python/object/apply:os.system [ls]\n",
        r"line 1: of tag !!python/object/apply:os\.system, expected a plain value",
    ),
    "a tag of one's own": ("a: !mine {b: 1}\n", "of tag !mine"),
    "a number as key": ("sets: {1: {}}\n", "key 1 is read as int, not as text; put it in quotes"),
    "a truth as key": ("true: 1\n", "key true is read as bool"),
    "a list as key": ("? [a, b]\n: 1\n", "a list or mapping as key"),
    "an impossible day": ("study: 2020-99-99\n", "not YAML"),
    "a long number": (f"study: {'1' * 5000}\n", "not YAML"),
    "a hexadecimal number": (GOOD.replace("steps: 5", f"steps: 0x{'f' * 5000}"), "judge.steps"),
    "a huge rate": (GOOD.replace("steps: 5", f"learning_rate: 1{'0' * 400}"), "learning_rate"),
    "a size that no memory holds": (
        re.sub(r"(?m)^(  size:\n)(  - \d+\n){2}", "\\1  - 16384\n  - 16384\n", GOOD),
        r"data\.size: 16384x16384 are 268435456 pixels, expected at most 16777216 \(4096x4096\)",
    ),
    "nothing": ("", "expected a mapping, got nothing"),
    "a list": ("- study\n- data\n", "expected a mapping, got a list"),
    "two documents": (GOOD + "---\n" + GOOD, "not YAML: .*document"),
    "tabs": ("study:\n\tdata: 1\n", r"not YAML: line 2, column 1"),
    "half": (GOOD[: len(GOOD) // 2] + "\n: [", "not YAML"),
    "controls": ("study: a\x07b\n", "not YAML"),
    "too long": ("# " + "x" * 2**18, "more than 262144 bytes"),
}
"""What a file holds, and what is said of it."""

VALUES = {
    "data.val_fraction": [float("nan"), -0.1, 1, True, "much", [0.5]],
    "data.size": [[32], [32, 48, 64], [4, 32], [10**9, 32], "32x48", 32, [True, 48]],
    "data.seed": [2**64, True, 0.5, "x", None],
    "data.labels": ["colour", 1, None],
    "threads": [0, -1, True, "two", 2**40],
    "judge.steps": [-1, True, 1.5, 10**30, "many", None, [5]],
    "judge.flip": [1, 0, "true", None, "maybe"],
    "judge.learning_rate": [0, -1, float("inf"), float("nan"), True, "fast"],
    "sets.t08.temperatures": [[], 0.8, [3], [-1], [float("nan")], [True], ["hot"], None],
    "sets.t08.rounds": [0, True, 2.5],
    "retrain.seeds": [[], [True], [0.5], 3, ["a"]],
    "study": ["", "..", "a/b", "A", "a b", 3, None, "x\ny", ["a"]],
    "report.title": [None, 3, ["a"]],
}
"""Values that a parameter cannot have."""


@pytest.fixture
def refused(tmp_path):
    path = tmp_path / "params.yaml"

    def refused(content):
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        start = time.process_time()
        with pytest.raises(ParamsError) as fault:
            load(path)
        assert time.process_time() - start < 5
        line = str(fault.value)
        assert line.startswith(f"{path}: ")
        assert "\n" not in line
        assert len(line) < 2000
        return line

    return refused


@pytest.mark.parametrize("name", TEXTS)
def test_what_is_no_plain_mapping_is_refused(name, refused):
    content, said = TEXTS[name]
    assert re.search(said, refused(content))


@pytest.mark.parametrize("coding", ["utf-16", "latin-1", "utf-32"])
def test_another_code_than_utf_8_is_refused(coding, refused):
    text = GOOD.replace("title: Demo", "title: Démo")
    assert "is not UTF-8; save the file as UTF-8" in refused(text.encode(coding))


def test_a_mark_of_utf_8_is_no_fault(tmp_path):
    (tmp_path / "params.yaml").write_bytes(GOOD.encode("utf-8-sig"))
    assert load(tmp_path / "params.yaml").study == "demo"


def test_all_faults_of_the_text_are_in_one_line(refused):
    line = refused("a: 1\nb: !!set {x}\n3: 4\n")
    for said in ("tag !!set", "key 3"):
        assert said in line


def test_numbers_and_words_are_those_of_yaml_1_2(tmp_path):
    (tmp_path / "a.yaml").write_text("rate: 1e-4\nword: yes\n")
    assert read_yaml(tmp_path / "a.yaml") == {"rate": 1e-4, "word": "yes"}


@pytest.mark.parametrize("place", VALUES)
def test_values_of_a_wrong_type_or_out_of_range_are_named(place, refused):
    *parents, key = place.split(".")
    for value in VALUES[place]:
        content = copy.deepcopy(WHOLE)
        section = content
        for parent in parents:
            section = section[parent]
        section[key] = value
        assert place in refused(yaml.safe_dump(content))


def test_long_values_and_names_are_shown_in_part(refused):
    content = copy.deepcopy(WHOLE)
    content["judge"]["steps"] = ["long"] * 5000
    content["data"]["x" * 3000] = 1
    refused(yaml.safe_dump(content))


def test_a_pipe_or_a_folder_is_no_file(tmp_path):
    import os

    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe"):
        with pytest.raises(ParamsError, match="no such file"):
            load(path)


words = st.text(st.characters(exclude_categories=["C", "Zl", "Zp"]))
numbers = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
plain = st.recursive(
    st.none() | st.booleans() | numbers | words,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(words, inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None)
@given(value=st.dictionaries(words, plain, max_size=4))
def test_json_is_read_as_what_it_says(value, tmp_path_factory):
    path = tmp_path_factory.getbasetemp() / "plain.yaml"
    path.write_text(json.dumps(value, ensure_ascii=False))
    assert read_yaml(path) == value


@settings(max_examples=150, deadline=None)
@given(text=st.text(alphabet="ab:-[]{}*&!?<>|'\"# \n,1.~%@", max_size=60))
def test_any_text_is_a_value_or_refused_in_one_line(text, tmp_path_factory):
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    path.write_text(text)
    fault = None
    try:
        read_yaml(path)
    except ParamsError as raised:
        fault = str(raised)
    assert fault is None or len(fault.splitlines()) == 1
