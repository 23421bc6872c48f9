"""What the README and the documentation tell people to type works: it is run in a small study."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import typer
import yaml

from augflow.cli import app
from augflow.core.config import validate_section
from augflow.study.params import Params
from docs import hooks
from tests.commands import run
from tests.prepared_files import read_map
from tests.tiny_study import HOME

PAGES = ("README.md", "data/README.md", *sorted(
    path.relative_to(HOME).as_posix() for path in (HOME / "docs").rglob("*.md")
))  # fmt: skip
COMMANDS = typer.main.get_command(app).commands

_BLOCK = re.compile(
    r"(?P<not_run><!-- not run: [^>]{5,} -->\n)?^``` ?(?P<language>\w+)"
    r'(?: title="(?P<title>[^"]+)")?\n(?P<text>.*?)^```$',
    re.DOTALL | re.MULTILINE,
)
_INLINE = re.compile(r"(?<!`)`([^`]+)`(?!`)")
_OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]*")
_ELSEWHERE = {"--prepared", "--moments", "--reference"}
"""Options of benchmarks and tests, of which the pages speak too."""


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    language: str
    title: str | None
    runs: bool
    text: str

    @property
    def lines(self):
        """The commands, without comments and in one line each."""
        rows = self.text.replace("\\\n", " ").splitlines()
        words = [shlex.split(row, comments=True) for row in rows]
        return [row for row in words if row]


def text_of(page):
    return (HOME / page).read_text()


def blocks(page):
    return [
        Block(found["language"], found["title"], found["not_run"] is None, found["text"])
        for found in _BLOCK.finditer(text_of(page))
    ]


def commands(page):
    """The words of all calls of augflow in blocks of shell, those that are not run too."""
    for block in blocks(page):
        if block.language == "bash":
            for words in block.lines:
                if "augflow" in words[:2] or words[0] == "torchrun":
                    yield words[words.index("augflow") + 1 :]


def are_understood(words):
    """Whether the command line takes a command as it stands; it is not run."""
    return COMMANDS[words[0]].make_context(words[0], list(words[1:])) is not None


@pytest.mark.parametrize("page", PAGES)
def test_commands_of_a_page_are_understood(page):
    assert all(are_understood(words) for words in commands(page))


@pytest.mark.parametrize("page", PAGES)
def test_commands_and_options_within_sentences_exist(page):
    known = {name: set(_options(command)) for name, command in COMMANDS.items()}
    every = set().union(*known.values()) | _ELSEWHERE
    for span in _INLINE.findall(_BLOCK.sub("", text_of(page))):
        called = re.match(r"augflow ([a-z-]+)", span)
        options = set(_OPTION.findall(span))
        if called and not called[1].startswith("-"):
            assert called[1] in known, span
            assert options <= known[called[1]], span
        elif not re.match(r"(pytest|python|dvc|git|pip)\b", span):
            assert options <= every, span


def _options(command):
    yield "--help"
    for parameter in command.params:
        yield from (*parameter.opts, *parameter.secondary_opts)


@pytest.fixture
def home(whole_study, prepared, tmp_path, monkeypatch):
    """A finished study, and beside it what the pages suppose: examples and photos of one's own."""
    root = tmp_path / "home"
    shutil.copytree(whole_study, root)
    shutil.copytree(HOME / "data/examples", root / "data/examples")
    (root / "README.md").write_text("# A study\n")
    _own_photos(prepared, root)
    monkeypatch.chdir(root)
    return root


def _own_photos(prepared, root):
    from augflow.core import io

    for row in io.read_csv(prepared / "scenes.csv"):
        for kind, folder in (("image", "images"), ("classes", "labels")):
            pixels = read_map(prepared, row["split"], kind, row["name"])
            io.write_png(root / "my_photos" / folder / f"{row['name']}.png", pixels)
    shutil.copytree(root / "my_photos/images", root / "photos")


@pytest.mark.parametrize("page", [page for page in PAGES if any(b.runs for b in blocks(page))])
def test_what_a_page_says_can_be_done(page, home, whole_study, monkeypatch, free_threads):
    names = {}
    for block in blocks(page):
        if block.language in ("python", "yaml") and block.title not in (None, "params.yaml"):
            Path(block.title).write_text(block.text)
        elif block.language == "yaml" and block.title:
            assert _fits(block.text)
        elif block.language == "python":
            monkeypatch.chdir(home)
            exec(block.text.replace('"full_glow"', '"flow"'), names)
        elif block.language == "bash" and block.runs:
            for words in block.lines:
                _do(words, monkeypatch, whole_study)


def _fits(text):
    """Whether sections of parameters fit those of the study in the repository."""
    params = yaml.safe_load(text_of("params.yaml"))
    for name, section in yaml.safe_load(text).items():
        params[name] = {**params.get(name, {}), **section}
    return validate_section(Params, params, "params.yaml")


def _do(words, monkeypatch, whole_study):
    match words:
        case [".", ".venv/bin/activate"]:
            pass
        case ["cd", folder]:
            monkeypatch.chdir(folder)
        case ["make", *targets]:
            # that there are such targets: what they do are commands of their own
            _call(["make", "-n", "-C", str(HOME), *targets])
        case ["python", *rest]:
            _call([sys.executable, *rest])
        case ["augflow", "init", "--data", _, *_, target]:
            # it measures this machine for half a minute, see the slow test; a finished study
            # stands for the planned one
            assert are_understood(words[1:])
            shutil.copytree(whole_study, target)
        case ["augflow", *rest]:
            result = run(*rest)
            assert result.exit_code == 0, f"{' '.join(words)}: {result.output}{result.stderr}"
        case _:
            pytest.fail(f"no test runs {words[0]!r}: say why above its block, as not run")


def _call(words):
    done = subprocess.run(
        words, capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": str(HOME)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES)
def test_studies_are_planned_as_a_page_says(page, home):
    for words in commands(page):
        if words[:2] == ["init", "--data"]:
            result = run(*words)
            assert result.exit_code == 0, result.output + result.stderr
            shutil.rmtree(words[-1])


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "data/README.md"])
def test_links_lead_somewhere(page):
    """Those of the documentation `make docs` looks at."""
    made = {f"docs/{name}" for name in hooks.MADE}
    links = re.findall(r"\]\((?!https?:)([^)#\s]+)", text_of(page))
    gone = [
        link
        for link in links
        if link not in made and not (HOME / page).parent.joinpath(link).exists()
    ]
    assert gone == []


def test_the_readme_is_short():
    assert len(text_of("README.md").splitlines()) <= 150


def test_the_reference_has_all_commands_and_options():
    text = hooks.commands()
    for name, command in COMMANDS.items():
        section = text.partition(f"## `augflow {name}`\n")[2].partition("\n## ")[0]
        assert [
            one for one in _options(command) if one.startswith("--") and one not in section
        ] == []


def test_the_reference_has_all_sections_of_parameters():
    text = hooks.parameters()
    assert [name for name in Params.model_fields if f"\n## {name}\n" not in text] == []


def test_links_into_the_repository_become_links_within_the_site():
    class Page:
        class file:  # noqa: N801 (as MkDocs has it)
            src_uri = "how-to/verify.md"

    text = "[a](../../reports/x/report.md) [b](../../SECURITY.md) [c](../results.md)"
    expected = "[a](../reports/x/report.html) [b](../SECURITY.md) [c](../results.md)"
    assert hooks.on_page_markdown(text, page=Page) == expected
