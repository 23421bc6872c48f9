"""Imports go down from package to package, and heavy libraries wait until they are used."""

import ast
from pathlib import Path

import augflow

ROOT = Path(augflow.__file__).parents[1]
ORDER = (
    "core", "streetscenes", "data", "flows", "metrics", "editing", "generators", "training",
    "segmentation", "study", "report", "stages", "tools", "verify", "estimate", "cli",
)  # fmt: skip
"""Packages, the lowest first: each may import those before it, wherever in a file it does so."""
HEAVY = {
    "dvc", "mmseg", "mmengine", "mmcv", "albumentations", "pandas", "matplotlib", "jinja2",
    "sklearn", "torchvision", "lightning_fabric",
}  # fmt: skip
LOOSE = {"__init__", "__main__", "api"}


def modules():
    return sorted(
        path for top in ("augflow", "streetscenes") for path in (ROOT / top).rglob("*.py")
    )


def package(parts):
    """The package of a dotted name's parts or of a path's; None for a loose module of augflow."""
    if parts[0] == "streetscenes":
        return "streetscenes"
    return parts[1] if len(parts) > 1 and parts[1] not in LOOSE else None


def imports(path):
    """Every module that a file imports, with the place, those for type checkers alone included."""
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


def own(path):
    return package(path.relative_to(ROOT).with_suffix("").parts)


def test_imports_go_down():
    for path in modules():
        if own(path) is None:
            continue
        for parts, node in imports(path):
            if parts[0] in ("augflow", "streetscenes"):
                there, place = package(parts), f"{path}, line {node.lineno}: {'.'.join(parts)}"
                assert there is not None, place
                assert ORDER.index(there) <= ORDER.index(own(path)), place


def test_every_module_has_a_package_that_has_a_place():
    assert {own(path) for path in modules()} == {None, *ORDER}
    loose = {path.stem for path in (ROOT / "augflow").glob("*.py")}
    assert len(loose) <= 3
    assert loose <= LOOSE


def test_heavy_libraries_are_imported_where_they_are_used():
    for path in modules():
        tree = ast.parse(path.read_text())
        if "configs" in path.parts:
            continue
        ifs = [node for node in ast.walk(tree) if isinstance(node, ast.If)]
        guarded = [node for node in ifs if "TYPE_CHECKING" in ast.dump(node.test)]
        excused = {id(inner) for n in guarded for inner in ast.walk(n)}
        for node in tree.body:
            if id(node) in excused or not isinstance(node, ast.Import | ast.ImportFrom):
                continue
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else [node.module]
            heavy = {str(name).split(".")[0] for name in names} & HEAVY
            assert not heavy, f"{path}, line {node.lineno}"


def test_only_segmentation_imports_mmseg():
    for path in modules():
        if own(path) != "segmentation":
            foreign = {parts[0] for parts, _ in imports(path)}
            assert not foreign & {"mmseg", "mmengine", "mmcv"}, path


def test_only_seeding_touches_global_generators():
    for path in modules():
        if path.name == "seeding.py":
            continue
        text = path.read_text()
        for call in ("torch.manual_seed(", "np.random.seed(", "random.seed("):
            assert call not in text, f"{path}: {call}"
