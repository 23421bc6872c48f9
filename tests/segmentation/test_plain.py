"""mmseg config files of plain values: read as mmengine reads them, and never run."""

from pathlib import Path

import mmseg
import pytest
from mmengine.config import Config

from augflow.core.errors import ModelError, ParamsError
from augflow.segmentation.mmseg_config import PACKAGED
from augflow.segmentation.plain import RunsCodeError, read_plain
from augflow.tools.formats import mmseg as exported
from tests.mini_network import MINI

STOCK = Path(mmseg.__file__).parent / ".mim" / "configs"

LITERALS = """
'''A docstring.'''
a = b = -1
mean = [0.5 * 255, 1 / 4, 7 // 2, 3 - 1.5]
pair = (1, *(2, 3)) + (4,)
norm_cfg = dict(type="BN", requires_grad=not False)
more = dict(norm_cfg, eps=1e-3, **{"x": None})
merged = {**more, "eps": [norm_cfg] * 2}
where = "{{ fileBasenameNoExtension }}/{{fileBasename}}{{ fileExtname }}"
"""

BASE = """
norm_cfg = dict(type="BN")
model = dict(a=1, b=dict(c=2, d=norm_cfg), gone=dict(x=1, y=2))
"""

CHILD = """
_base_ = "base.py"
other = {{ _base_.model.b }}
model = dict(a=3, b=dict(c=4), gone=dict(_delete_=True, z={{_base_.norm_cfg}}), new=dict(e=5))
"""


def write(folder, text, name="own.py"):
    path = folder / name
    path.write_text(text)
    return path


def plain(value):
    """Without mmengine's own dicts."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items() if key != "_scope_"}
    if isinstance(value, list | tuple):
        return type(value)(plain(item) for item in value)
    return value


@pytest.mark.parametrize("text", [LITERALS, MINI], ids=["literals", "mini"])
def test_plain_values_are_read_as_mmengine_reads_them(tmp_path, text):
    path = write(tmp_path, text)
    assert read_plain(path) == plain(Config.fromfile(path).to_dict())


def test_bases_are_merged_as_mmengine_merges_them(tmp_path):
    write(tmp_path, BASE, "base.py")
    path = write(tmp_path, CHILD)
    found = read_plain(path)
    assert found == plain(Config.fromfile(path).to_dict())
    assert found["model"]["gone"] == {"z": {"type": "BN"}}


@pytest.mark.parametrize("name", [
    "pspnet_r50-d8", "upernet_swin", "segformer_mit-b0", "fcn_unet_s5-d16", "deeplabv3plus_r50-d8",
    "fast_scnn", "bisenetv2", "segmenter_vit-b16_mask",
])  # fmt: skip
def test_networks_that_come_with_mmseg_are_plain(tmp_path, name):
    base = STOCK / "_base_" / "models" / f"{name}.py"
    path = write(tmp_path, f"_base_ = ['mmseg::_base_/models/{name}.py']\nmodel = dict(x=1)")
    assert read_plain(base) == plain(Config.fromfile(base).to_dict())
    assert read_plain(path)["model"] == {**read_plain(base)["model"], "x": 1}


def test_packaged_configs_are_plain():
    for path in PACKAGED.glob("*.py"):
        assert read_plain(path) == plain(Config.fromfile(path).to_dict())


def test_an_exported_data_config_is_plain_and_knows_its_folder(tmp_path):
    text = exported._HEAD.format(count=2, height=8, width=8, classes="('a',)", palette="[[0]]")
    text += exported._TRAIN.format(part="real") + exported._LOADER.format(datasets="real_dataset")
    path = write(tmp_path, text + exported._VALIDATION)
    assert read_plain(path) == plain(Config.fromfile(path).to_dict())
    assert read_plain(path)["augflow_root"] == tmp_path.as_posix()


def test_a_folder_whose_name_is_code_stays_a_name(tmp_path):
    folder = tmp_path / "x', y='z"
    folder.mkdir()
    assert read_plain(write(folder, "a = '{{ fileDirname }}'")) == {"a": folder.as_posix()}


def test_what_mmsegs_own_configs_count_with_is_worked_out(tmp_path):
    text = """
ratios = [0.5, 1.0]
pipeline = [[dict(scale=r, keep=True) for r in ratios], [r * 2 for r in (1, 2)]]
widths = sum([18, 36, 72])
scales = [int(1024 * x * 0.1) for x in range(5, 8)]
r = 'own'
"""
    made = read_plain(write(tmp_path, text))
    assert made["pipeline"] == [
        [{"scale": 0.5, "keep": True}, {"scale": 1.0, "keep": True}],
        [2, 4],
    ]
    assert (made["widths"], made["scales"], made["r"]) == (126, [512, 614, 716], "own")


def test_most_configs_of_mmseg_are_plain():
    """All but those that import other packages or change a dict in a loop."""
    paths = [path for path in sorted(STOCK.rglob("*.py")) if "_base_" not in path.parts]
    refused = []
    for path in paths:
        try:
            read_plain(path)
        except RunsCodeError as fault:
            refused.append(str(fault))
    assert len(refused) < 0.05 * len(paths)
    assert all("custom_imports" in one or "custom_keys" in one for one in refused)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a = range(1000000000)", "more than"),
        ("a = range(0.5)", "float"),
        ("a = sum(3)", "expected list"),
        ("a = sum([[1], [2]])", "unsupported"),
        ("a = int('3')", "expected int"),
        ("a = int(1e999)", "infinity"),
        ("a = [[c for c in range(9999)] for b in range(9999)]", "more than"),
        ("a = [b for b in 3]", "expected list"),
        ("a = range(100000000000000000000)", "too large"),
        ("a = [range(200000) for b in range(500)]", "more than"),
        ("a = dict(b=[0] * 200000, c=[0] * 200000)", "more than"),
        ("a = 10 * 10" + " * 10" * 400, "a number of more than 1024 bits"),
    ],
)
def test_counting_has_bounds(tmp_path, text, words):
    with pytest.raises(ModelError, match=rf"own\.py: line 1: .*{words}"):
        read_plain(write(tmp_path, text))


@pytest.mark.parametrize("name", ["own.yaml", "own.json"])
def test_yaml_and_json_are_data(tmp_path, name):
    path = write(tmp_path, '{"model": {"a": [1, null, "x"]}}', name)
    assert read_plain(path) == {"model": {"a": [1, None, "x"]}}


def test_yaml_with_tags_is_refused(tmp_path):
    path = write(tmp_path, "model: !!python/object/apply:os.system ['touch ran']", "own.yaml")
    with pytest.raises(ParamsError, match="tag"):
        read_plain(path)


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("import os", 1, r"an import \(import os\)"),
        ("from math import pi", 1, "an import"),
        ("a = 1\nb = print('ran')", 2, "the call of print"),
        ("a = dict(b=[open('x')])", 1, "the call of open"),
        ("dict = print\na = dict(1)", 1, "a name that no line before gives"),
        ("dict = 1\na = dict(b=1)", 2, "the call of dict"),
        ("a = ''.join('ab')", 1, "the call of ''.join"),
        ("a = [b for b in (1, 2) if b]", 1, "a comprehension"),
        ("a = [b for b in (1, 2) for c in (3, 4)]", 1, "a comprehension"),
        ("a = [b for b, c in ((1, 2),)]", 1, "a comprehension"),
        ("a = {b: 1 for b in (1, 2)}", 1, "a comprehension"),
        ("a = [b for b in (1, 2)]\nc = b", 2, "a name that no line before gives"),
        ("int = open\na = 1", 1, "a name that no line before gives"),
        ("sum = 1\na = sum([1])", 2, "the call of sum"),
        ("a = sum([1], start=2)", 1, r"more than a plain assignment|the call"),
        ("a = dict(b=lambda: 1)", 1, "a function"),
        ("a = (1).real", 1, "an attribute"),
        ("a = f'{1}'", 1, "a formatted text"),
        ("a = 1\na += 1", 2, "more than a plain assignment"),
        ("a, b = 1, 2", 1, "more than a plain assignment"),
        ("print('ran')", 1, r"more than a plain assignment \(print"),
        ("for a in (1,):\n    pass", 1, "a loop"),
        ("if True:\n    a = 1", 1, "a condition"),
        ("a = 1 if True else 2", 1, "a condition"),
        ("a = [1]\nb = a[0]", 2, "a part of a value"),
        ("a = 2 ** 9", 1, "an operator"),
        ("a = '%9d' % 1", 1, "an operator"),
        ("a = float", 1, "a name that no line before gives"),
        ("custom_imports = dict(imports=['own'])", 1, "custom_imports"),
        ("a = '{{ $HOME:/root }}'", 1, "a template"),
        ("a = '{{$HOME:/root}}/x'", 1, "a template"),
        ("a = {{'$COUNT:3'}}", 1, "a template"),
        ("a = '{{ _base_.x }}'", 1, "a template"),
        ("a = {1, 2}", 1, "a template"),
        ("_base_ = [open('x').name]", 1, "an attribute"),
        ("with read_base():\n    from .a import *", 1, "a with block"),
        ("class A:\n    pass", 1, "a class"),
        ("a = (b := 1)", 1, "more than a plain assignment"),
    ],
)  # fmt: skip
def test_more_than_plain_values_is_named_with_its_line(tmp_path, capsys, text, line, words):
    with pytest.raises(RunsCodeError, match=rf"own\.py: line {line}: .*{words}") as fault:
        read_plain(write(tmp_path, text))
    assert len(str(fault.value).splitlines()) == 1
    assert capsys.readouterr().out == ""


def test_a_base_that_runs_code_is_named_itself(tmp_path):
    write(tmp_path, "a = 1\nimport os", "base.py")
    with pytest.raises(RunsCodeError, match=r"base\.py: line 2: an import"):
        read_plain(write(tmp_path, "_base_ = 'base.py'"))


@pytest.mark.parametrize("name", ["custom_imports: {imports: os}", "model: {a: '{{ $HOME:x }}'}"])
def test_data_that_asks_for_code_is_named(tmp_path, name):
    with pytest.raises(RunsCodeError, match=r"own\.yaml: (custom_imports|a template)"):
        read_plain(write(tmp_path, name, "own.yaml"))


DOUBLED = "a0 = [1, 2]\n" + "".join(f"a{n + 1} = [a{n}, a{n}]\n" for n in range(30))
DEEP = "a0 = [1]\n" + "".join(f"a{n + 1} = [a{n}]\n" for n in range(100))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (DOUBLED, "write out what is meant"),
        (DEEP, "write out what is meant"),
        ("a = [0] * 10 ** 9", "an operator"),
        ("a = [0] * 1000000000", "write out what is meant"),
        ("a = 1000000000 * 'x'", "write out what is meant"),
        ("a = [" * 300 + "]" * 300, "not Python"),
        ("a = " + "-" * 20000 + "1", "not Python|nested too deeply"),
        ("a = " + "1+" * 20000 + "1", "not Python|nested too deeply"),
        ("a = 1 +", "not Python: line 1"),
        ("a = 'x", "not Python: line 1"),
        ("a = 1 / 0", "line 1: .*division"),
        ("a = 1 + 'x'", "line 1: unsupported"),
        ("a = {**[1]}", "line 1: a list, expected dict"),
        ("a = {(1, 2): 3}", "line 1: a tuple, expected"),
        ("a = dict(**3)", "line 1: a int, expected dict"),
        ("a = [*3]", "line 1: a int, expected list or tuple"),
        ("a = {{ _base_.x }}", "no base gives _base_.x"),
        ("_base_ = 'nowhere.py'", "no such file"),
        ("_base_ = 3", "no such file"),
        ("_base_ = [['own.py']]", "no such file"),
        ("_base_ = 'mmseg::nowhere.py'", "no such file"),
        ("_base_ = 'other::a.py'", "no such file"),
        ("_base_ = 'own.py'", "own bases"),
        ("_base_ = ['b.py', 'c.py']", "gives x, as another base does"),
        ("_base_ = 'b.py'\nx = dict(y=1)", "is a dict, in its base it is none"),
        ("#" * 2**21, "has more than"),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_one_line(tmp_path, text, words):
    for name in ("b.py", "c.py"):
        write(tmp_path, "x = 1", name)
    with pytest.raises(ModelError, match=words) as fault:
        read_plain(write(tmp_path, text))
    assert len(str(fault.value).splitlines()) == 1
    assert "own.py" in str(fault.value)


@pytest.mark.parametrize("content", [b"\xff\xfe", b"a = 1\0"])
def test_bytes_that_are_no_text_are_one_line(tmp_path, content):
    (tmp_path / "own.py").write_bytes(content)
    with pytest.raises(ModelError, match="not Python"):
        read_plain(tmp_path / "own.py")


def test_another_kind_of_file_is_refused(tmp_path):
    with pytest.raises(ModelError, match=r"expected \.py, \.yaml or \.json"):
        read_plain(write(tmp_path, "a = 1", "own.txt"))
