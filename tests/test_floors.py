"""Imports go down the floors only, and floors 0 to 3 stand without the heavy libraries."""

import ast
from pathlib import Path

import pytest

import augflow

ROOT = Path(augflow.__file__).parent

FLOORS = [
    {"errors", "seeds", "params", "files", "classes", "machine", "edits",
     "encoded", "images", "listing", "plain_yaml", "room", "stopping"},
    {
        "boundaries", "scenes", "datasets", "flows", "metrics", "layouts",
        "pictures", "synthetic", "synthesizer", "rebalancing", "editing", "objects", "shapes",
        "attributes", "shares", "frames", "suggestions", "decoded",
        "peak", "operations", "leaks", "memorising", "standing", "cutouts", "mixing", "pasting",
        "new_layouts", "pools", "perspective", "folds", "weights", "dry", "sizes",
        "image_sizes",
    },
    {"learners", "training", "prefetching", "ranks", "devices", "budget", "mixture"},
    {
        "generators", "segmenters", "photographs", "latents", "describing", "importing",
        "selection", "looks",
    },
    {"stages", "reporting", "verifying", "project", "template", "tracing", "exporting",
     "estimating"},
    {"cli"},
]  # fmt: skip
HEAVY = {
    "dvc", "mmseg", "mmengine", "mmcv", "albumentations", "pandas", "matplotlib", "jinja2",
    "sklearn", "torchvision", "lightning_fabric",
}  # fmt: skip


def floor_of(module):
    return next(n for n, names in enumerate(FLOORS) if module in names)


def imports(path):
    """Every augflow module and every foreign package that a file imports, with the place."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module]
            if node.module == "augflow":
                names = [f"augflow.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        yield from ((name.split("."), node) for name in names)


def modules():
    return sorted(path for path in ROOT.rglob("*.py") if path.name != "__main__.py")


@pytest.mark.parametrize("path", modules(), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_imports_go_down(path):
    top = path.relative_to(ROOT).parts[0].removesuffix(".py")
    if top == "__init__":
        return
    here = floor_of(top)
    for parts, node in imports(path):
        if parts[0] == "augflow" and len(parts) > 1 and parts[1] != "__version__":
            assert floor_of(parts[1]) <= here, f"line {node.lineno}: {'.'.join(parts)}"


@pytest.mark.parametrize("path", modules(), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_heavy_libraries_are_imported_where_they_are_used(path):
    tree = ast.parse(path.read_text())
    if "configs" in path.parts:
        return
    ifs = [node for node in ast.walk(tree) if isinstance(node, ast.If)]
    guarded = [node for node in ifs if "TYPE_CHECKING" in ast.dump(node.test)]
    excused = {id(inner) for n in guarded for inner in ast.walk(n)}
    for node in tree.body:
        if id(node) in excused or not isinstance(node, ast.Import | ast.ImportFrom):
            continue
        names = [a.name for a in node.names] if isinstance(node, ast.Import) else [node.module]
        assert not {str(name).split(".")[0] for name in names} & HEAVY, f"line {node.lineno}"


def test_only_segmenters_import_mmseg():
    for path in modules():
        if path.relative_to(ROOT).parts[0] == "segmenters":
            continue
        foreign = {parts[0] for parts, _ in imports(path)}
        assert not foreign & {"mmseg", "mmengine", "mmcv"}, path


def test_only_seeds_touches_global_generators():
    for path in modules():
        if path.name == "seeds.py":
            continue
        text = path.read_text()
        for call in ("torch.manual_seed(", "np.random.seed(", "random.seed("):
            assert call not in text, f"{path}: {call}"
