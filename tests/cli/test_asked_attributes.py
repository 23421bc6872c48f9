"""`augflow synth --with dark --without bright`, as a user runs it."""

from __future__ import annotations

import pytest

from augflow import generators
from augflow.core import io
from augflow.data.scenes import SceneFolder
from augflow.data.synthetic import read_facts, read_rows
from augflow.generators.caglow import CAGlowConfig
from tests import small_makers
from tests.commands import run


@pytest.fixture(scope="module")
def maker(tmp_path_factory, prepared):
    """CAGlow whose latents the light moves."""
    folder = tmp_path_factory.mktemp("caglow")
    config = CAGlowConfig(
        size=(32, 48), steps=(1, 1), width=8, floor=0.05, actnorm="log", encoder_widths=(4, 4),
        block_widths=(4, 4),
    )  # fmt: skip
    made = generators.build("caglow", config, SceneFolder(prepared, "train").table, 0)
    with_light = made.state_dict()
    with_light["encoder.told.1.weight"][:, 0] = 5.0
    with_light["encoder.out.1.bias"].zero_()
    with_light["encoder.out.1.weight"][:, 0] = 0.3
    generators.save(folder, "caglow", made, {})
    return folder


@pytest.fixture(scope="module")
def given(maker, pictures):
    return ["--generator", maker, "--layouts", pictures / "val" / "classes",
            "--labels", "train_ids"]  # fmt: skip


def digests(out, *words):
    result = run("synth", *words, "--out", out)
    assert result.exit_code == 0, result.output + result.stderr
    return [row.digest for row in read_rows(out)]


def test_what_is_asked_for_decides_the_light_and_is_recorded(given, tmp_path):
    dark = digests(tmp_path / "dark", *given, "--seed", "1", "--with", "dark")
    bright = digests(tmp_path / "bright", *given, "--seed", "1", "--with", "bright")
    neither = digests(
        tmp_path / "neither", *given, "--seed", "1", "--without", "dark", "--without", "bright"
    )
    assert len({tuple(dark), tuple(bright), tuple(neither)}) == 3
    assert read_facts(tmp_path / "dark").attributes == {"dark": True}
    assert read_facts(tmp_path / "neither").attributes == {"dark": False, "bright": False}


def test_nothing_asked_for_leaves_no_trace(given, tmp_path):
    digests(tmp_path / "plain", *given)
    assert "attributes" not in io.read_json(tmp_path / "plain" / "set.json")
    assert read_facts(tmp_path / "plain").attributes == {}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--with", "drak"], "no attribute 'drak'"),
        (["--with", "dark", "--with", "bright"], "no photograph is dark and bright at once"),
        (["--with", "dark", "--without", "dark"], "--with dark and --without dark"),
    ],
)
def test_what_cannot_be_asked_for_is_refused(given, tmp_path, words, said):
    result = run("synth", *given, *words, "--out", tmp_path / "out")
    assert result.exit_code == 2
    [line] = result.stderr.splitlines()
    assert said in line
    assert not (tmp_path / "out").exists()


def test_generators_that_take_layouts_alone_say_so(pictures, tmp_path, tmp_path_factory):
    flow = small_makers.save("flow", tmp_path_factory.mktemp("maker"))
    result = run("synth", "--generator", flow, "--layouts", pictures / "val" / "classes",
                 "--labels", "train_ids", "--with", "dark", "--out", tmp_path / "out")  # fmt: skip
    assert result.exit_code == 2
    assert "dark: this generator can be asked for nothing beside the layout" in result.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("taken", [False, True])
def test_photographs_of_an_asked_light_are_made_again_and_explained(
    maker, given, pictures, tmp_path, taken
):
    photo = sorted((pictures / "train" / "image").glob("*.png"))[0]
    words = [*given, *(["--latent-from", photo] * taken)]
    dark = digests(tmp_path / "set", *words, "--with", "dark")
    assert not taken or dark != digests(tmp_path / "bright", *words, "--with", "bright")
    for row in read_rows(tmp_path / "set"):
        made = tmp_path / "set" / row.photo
        result = run("replay", made, "--generator", maker)
        assert (result.exit_code, result.stdout) == (0, f"{made}: equal\n"), result.stderr
        assert "asked for    dark" in run("explain", made).stdout
