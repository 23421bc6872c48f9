"""A data set of six drawn scenes in the Cityscapes layout, and what `prepare` makes of it."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import dvc.logger  # noqa: F401 (it keeps the stream it finds: not that of one test, closed after)
import numpy as np
import pytest
from hypothesis import settings

from augflow.core import io
from augflow.core.seeding import generator
from augflow.data.classes import table
from augflow.data.params import DataParams
from tests.prepared_files import write_pictures

FOUR_SCENES = {
    "train": (
        "alphaville_000000_000019",
        "alphaville_000001_000019",
        "betaburg_000000_000019",
        "betaburg_000004_000007",
    ),
    "val": ("gammastadt_000000_000019", "gammastadt_000002_000019"),
}
HEIGHT, WIDTH = 32, 48


def pytest_addoption(parser: pytest.Parser) -> None:
    """A study that several runs of one state of the code share; `tests.mutation` asks for it."""
    parser.addoption("--whole-study", type=Path, help="folder that keeps the fixture `whole_study`")


settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


@pytest.fixture(scope="session", autouse=True)
def _hears_signals() -> None:
    """A shell has what it runs in the background ignore SIGINT, and so would tests."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def drawn_instances(index: int) -> np.ndarray:
    """Instance ids as Cityscapes codes them, (32, 48) uint16; two of the three cars touch."""
    ids = np.full((HEIGHT, WIDTH), 23, np.uint16)
    ids[5:22, : 14 + 2 * index] = 11
    ids[8:22, 36 - index :] = 21
    ids[20:24] = 8
    ids[22:] = 7
    ids[30:, 8:40] = 1
    ids[3:24, 31:33] = 17
    left = 4 + index
    ids[18:26, left : left + 9] = 26000
    ids[19:26, left + 9 : left + 18] = 26001
    ids[17:22, 40:46] = 26002
    ids[14:25, 35:38] = 24000
    return ids


def drawn_photo(classes: np.ndarray, name: str) -> np.ndarray:
    """Each raw class in its colour, shaded and with noise; (32, 48, 3) uint8."""
    colour_of = {row.id: row.colour for row in table("cityscapes").rows}
    colours = np.array([colour_of[index] for index in range(34)], np.float64)
    rng = generator(0, name)
    shade = np.linspace(0.7, 1.1, WIDTH)[None, :, None] * rng.uniform(0.8, 1.0)
    noise = rng.normal(0, 6, (HEIGHT, WIDTH, 3))
    return np.clip((colours[classes] * 0.8 + 30) * shade + noise, 0, 255).astype(np.uint8)


@pytest.fixture(scope="session")
def four_scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four train and two val scenes of 32x48 pixels on disk; read only, copy it to change it."""
    root = tmp_path_factory.mktemp("four_scenes")
    names = [(split, name) for split, group in FOUR_SCENES.items() for name in group]
    for index, (split, name) in enumerate(names):
        city = name.split("_")[0]
        instances = drawn_instances(index)
        classes = np.where(instances >= 1000, instances // 1000, instances).astype(np.uint8)
        truth = root / "gtFine" / split / city / f"{name}_gtFine"
        photo = root / "leftImg8bit" / split / city / f"{name}_leftImg8bit.png"
        io.write_png(photo, drawn_photo(classes, name))
        io.write_png(truth.with_name(f"{truth.name}_labelIds.png"), classes)
        io.write_png(truth.with_name(f"{truth.name}_instanceIds.png"), instances)
    return root


@pytest.fixture(scope="session")
def four_scenes_params(four_scenes: Path) -> DataParams:
    """The section `data` that reads `four_scenes` at 32x48 pixels for three levels."""
    return DataParams(reader="cityscapes", root=str(four_scenes), size=(HEIGHT, WIDTH), levels=3)


@pytest.fixture(scope="session")
def prepared(four_scenes_params: DataParams, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The prepared folder of `four_scenes`; read only."""
    from augflow.stages.prepare import prepare

    out = tmp_path_factory.mktemp("study") / "prepared"
    prepare(four_scenes_params, out)
    return out


@pytest.fixture(scope="session")
def pictures(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The prepared scenes as PNG files, as users keep theirs; read only."""
    return write_pictures(prepared, tmp_path_factory.mktemp("pictures"))


@pytest.fixture(scope="session")
def makers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The folders of small generators by name; read only."""
    from tests import small_makers

    root = tmp_path_factory.mktemp("makers")
    return {name: small_makers.save(name, root) for name in small_makers.MAKERS}


@pytest.fixture(scope="session")
def whole_study(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished study with its DVC cache; read only. With `--whole-study` made where none is."""
    from tests import tiny_study

    kept = request.config.getoption("--whole-study")
    root = kept.absolute() if kept else tmp_path_factory.mktemp("whole") / "study"
    if not (root / "dvc.lock").exists():  # written last; one that was begun is refused
        root.mkdir()
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(root)
            tiny_study.make(root)
    return root


@pytest.fixture
def free_threads() -> Iterator[None]:
    """Threads and the kinds of algorithms are those of before, whatever a stage has set."""
    import torch

    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(False)
