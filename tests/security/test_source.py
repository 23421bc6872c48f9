"""What the source never does: unpack archives, open pickles, run texts, ask the network."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path

HOME = Path(__file__).parents[2]
SOURCES = sorted(path for name in ("augflow", "pipelines", "benchmarks")
                 for path in (HOME / name).rglob("*.py"))  # fmt: skip

MODULES = {
    # archives
    "zipfile", "tarfile", "lzma", "bz2",
    # objects that run code when they are read
    "pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "shelve", "marshal",
    # the network
    "socket", "ssl", "urllib", "urllib3", "requests", "http", "httpx", "aiohttp", "ftplib",
    "smtplib", "xmlrpc", "socketserver", "webbrowser",
    # other programs, and texts as programs
    "subprocess", "pty", "code", "codeop", "runpy",
}  # fmt: skip

CALLS = {
    "eval", "exec", "compile", "__import__", "os.system", "os.popen", "os.execv", "os.execvp",
    "pickle.load", "pickle.loads",
    "shutil.unpack_archive", "yaml.load", "yaml.load_all", "yaml.unsafe_load", "yaml.full_load",
    "torch.hub.load", "torch.hub.load_state_dict_from_url", "importlib.import_module",
    "importlib.util.spec_from_file_location", "weights.get_state_dict",
}  # fmt: skip

ALLOWED = {
    ("augflow/__init__.py", "importlib.import_module"): "the public names, listed beside it",
    ("augflow/cli/__init__.py", "importlib.import_module"): "the commands, listed beside it",
    ("augflow/estimate/networks.py", "subprocess"): "this Python, to see how long it begins",
    ("augflow/core/io.py", "socket"): "the name of this machine, written into a lock",
    ("augflow/tools/checkpoints/checkpoints.py", "pickle"): "the error that torch.load raises",
    ("augflow/metrics/vgg.py", "weights.get_state_dict"): "torchvision's hub, asked for by name",
    ("augflow/tools/repro.py", "subprocess"): "dvc by this Python, without a shell",
    ("augflow/verify/reports.py", "importlib.util.spec_from_file_location"): "tests/oracles",
    ("augflow/verify/rebuild.py", "subprocess"): "git ls-files, and dvc by this Python, no shell",
    ("benchmarks/reference.py", "__import__"): "modules of the checkout that --reference names",
    ("benchmarks/start.py", "subprocess"): "augflow and imports, by this Python, without a shell",
    ("benchmarks/worker.py", "subprocess"): "itself, by this Python, without a shell",
}
"""What is done all the same, and what for."""


def imported(node):
    """The dotted names that an import makes known."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom) and node.module and not node.level:
        return [f"{node.module}.{alias.name}" for alias in node.names]
    return []


def unsafe_words(call, name):
    """What makes a call unsafe that would be none without: a word given, or one that is missing."""
    words = {word.arg: ast.unparse(word.value) for word in call.keywords}
    if words.get("shell", "False") != "False":
        yield "shell=True"
    if words.get("allow_pickle", "False") != "False":
        yield "allow_pickle=True"
    if name in ("torch.load", "load_checkpoint") and words.get("weights_only") != "True":
        yield "torch.load without weights_only=True"


def used(path):
    """Every forbidden thing that a file does, with its line."""
    for node in ast.walk(ast.parse(path.read_text())):
        for name in imported(node):
            if name.split(".")[0] in MODULES:
                yield name.split(".")[0], node.lineno
            if name in CALLS:
                yield name, node.lineno
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            if name in CALLS:
                yield name, node.lineno
            for what in unsafe_words(node, name):
                yield what, node.lineno


FORBIDDEN = [
    "import zipfile", "import os, tarfile", "from urllib.request import urlopen",
    "def f():\n    import pickle",
    "from os import system", "eval('1')", "torch.load(path)", "torch.load(p, weights_only=False)",
    "run('ls', shell=True)", "yaml.load(text, Loader)", "np.load(path, allow_pickle=True)",
    "from importlib import import_module", "shutil.unpack_archive(path)",
]  # fmt: skip


def test_the_search_finds_what_is_forbidden(tmp_path):
    path = tmp_path / "code.py"
    for text in FORBIDDEN:
        path.write_text(text)
        assert list(used(path)), text


def test_nothing_forbidden_is_done_without_a_reason():
    done = {(path.relative_to(HOME).as_posix(), what): line
            for path in SOURCES for what, line in used(path)}  # fmt: skip
    assert {place: line for place, line in done.items() if place not in ALLOWED} == {}
    assert set(ALLOWED) <= set(done), "no longer done: take it off the list"


def test_the_lock_pins_every_package_exactly_and_names_no_address():
    lines = (HOME / "requirements.lock").read_text().splitlines()
    pinned = [line for line in lines if line and not line.startswith("#")]
    assert pinned
    exact = r"[A-Za-z0-9._-]+(\[[a-z0-9,_-]+\])?==[A-Za-z0-9.+!]+(; \w+ [<>=!]+ \"[\w.]+\")?"
    assert [line for line in pinned if not re.fullmatch(exact, line)] == []
    names = [re.split(r"[\[=]", line)[0].lower().replace("_", "-") for line in pinned]
    assert len(set(names)) == len(names)


def test_the_project_asks_for_packages_by_name_and_all_of_them_are_pinned():
    project = tomllib.loads((HOME / "pyproject.toml").read_text())["project"]
    groups = project["optional-dependencies"].values()
    asked = project["dependencies"] + [line for group in groups for line in group]
    assert not [line for line in asked if "@" in line or "://" in line]
    files = [HOME / name for name in ("requirements.lock", "requirements-docs.lock")]
    lock = "\n".join(file.read_text() for file in files).lower().replace("_", "-")
    pinned = {re.split(r"[\[=]", line)[0] for line in lock.splitlines()}
    wanted = {re.split(r"[\[<>=!~ ]", line)[0].lower().replace("_", "-") for line in asked}
    assert wanted <= pinned
