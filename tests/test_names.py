"""Functions are named by verbs in the imperative or by nouns, and a name means one thing."""

import ast
from collections import defaultdict
from pathlib import Path

import augflow

ROOT = Path(augflow.__file__).parent
# participles without the ending of the regular ones; those that are imperatives or nouns too,
# such as read, set, cut, split and put, are no fault
IRREGULAR = {
    "begun", "born", "bought", "bound", "broken", "brought", "built", "caught", "chosen", "done",
    "drawn", "driven", "fallen", "felt", "forgotten", "found", "frozen", "given", "gone", "grown",
    "heard", "held", "hidden", "kept", "known", "laid", "led", "lent", "lost", "made", "meant",
    "met", "overlaid", "paid", "rebuilt", "redone", "redrawn", "remade", "rewritten", "said",
    "seen", "sent", "shown", "sold", "spent", "stood", "struck", "taken", "taught", "thought",
    "thrown", "told", "torn", "undone", "woven", "written",
}  # fmt: skip
# words that only look like participles
WORDS = {
    "bleed", "embed", "exceed", "feed", "need", "proceed", "red", "seed", "shed", "speed",
}  # fmt: skip
# Names that sibling modules share, as callers use the modules in turn.
INTERFACE = {
    "log": "the logger of a module",
    "T": "the type variable of a module",
    "check": "a stage, its command and what a module of checks offers",
    "run": "a stage and the command of its name",
    "load": "what a module of a file format reads",
    "read": "what a module of a file format reads",
    "write": "what a module of a file format writes",
    "command": "the command line of a module of commands",
}


def modules():
    for path in sorted(ROOT.rglob("*.py")):
        yield path.relative_to(ROOT).as_posix(), ast.parse(path.read_text("utf-8"))


def is_participle(name):
    word = name.strip("_")
    return word in IRREGULAR or (
        word.isalpha() and word.islower() and word.endswith("ed") and word not in WORDS
    )


def public_names(tree):
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            yield from (target.id for target in targets if isinstance(target, ast.Name))


def test_functions_are_not_named_by_participles():
    functions = [
        (f"{where}:{node.lineno} {node.name}", node.name)
        for where, tree in modules()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    found = [where for where, name in functions if is_participle(name)]
    assert len(found) <= 0.01 * len(functions), found


def test_public_names_mean_one_thing():
    places = defaultdict(set)
    for where, tree in modules():
        for name in public_names(tree):
            if not name.startswith("_") and name not in INTERFACE:
                places[name].add(where)
    assert {name: found for name, found in places.items() if len(found) > 3} == {}
