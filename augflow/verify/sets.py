"""Are synthetic sets what their manifests, the parameters and the prepared layouts say?"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby, zip_longest

from augflow.core import io
from augflow.data.scenes import SceneFolder
from augflow.data.synthetic import (
    FACTS,
    MANIFEST,
    SetFacts,
    SetRow,
    SyntheticSet,
    read_facts,
    read_set,
)
from augflow.data.synthetic.manifest import label_path
from augflow.generators.sampling import photo_seed
from augflow.stages.synthesize import layout_names, photo_name
from augflow.study.params import SetParams, TransferParams
from augflow.verify.findings import Check, Finding
from augflow.verify.workspace import Workspace, recorded_digest

Rows = Sequence[SetRow]


def check_sets(space: Workspace) -> Check:
    """Pixels, labels, seeds, temperatures, generators, and that no photograph is missing."""
    check = Check("synthetic sets")
    prepared = check.has(space.project.prepared)
    for name in space.set_names:
        folder = space.project.synthetic(name)
        if not check.has(folder) or not prepared:
            continue
        # what the manifest says is checked even where a photograph is damaged
        with check.reading(folder):
            _check_manifest(check, space, name)
        with check.reading(folder):
            made = read_set(folder)
            check.compared += len(made)
            _check_labels(check, space, made)
    return check


def _check_manifest(check: Check, space: Workspace, name: str) -> None:
    params, folder = space.project.params, space.project.synthetic(name)
    section = params.sets.get(name) or params.transfers[name]
    facts, rows, where = read_facts(folder), space.rows(name), str(folder / MANIFEST)
    scenes = space.split(section.layouts)
    _check_facts(check, space, name, section, facts)
    _check_rows(check, where, section, facts, rows)
    if isinstance(section, SetParams):
        _check_drawn(check, where, section, scenes, rows)
    else:
        _check_moved(check, where, section, len(scenes), space.split(section.contents), rows)


def _check_facts(
    check: Check, space: Workspace, name: str, section: SetParams | TransferParams, facts: SetFacts
) -> None:
    where = space.project.synthetic(name) / FACTS
    check.same(f"{where}: set", name, facts.name)
    check.same(f"{where}: size", space.split(section.layouts).size, facts.size)
    if isinstance(section, SetParams):
        check.same(f"{where}: temperatures", section.temperatures, facts.temperatures)
        check.same(f"{where}: rounds", section.rounds, facts.rounds)
        check.same(f"{where}: new_layouts", section.new_layouts, facts.new_layouts)
    maker = space.project.generator(section.generator)
    if check.has(maker):
        check.same(f"{where}: generator", recorded_digest(maker), facts.generator)


def _check_rows(
    check: Check, where: str, section: SetParams | TransferParams, facts: SetFacts, rows: Rows
) -> None:
    for row in rows:
        check.same(f"{where}: {row.name}: generator", facts.generator, row.generator)
        check.same(f"{where}: {row.name}: split", section.layouts, row.split)
        if row.temperature not in facts.temperatures:
            expected = f"one of {', '.join(map(str, facts.temperatures))}"
            place = f"{where}: {row.name}: temperature"
            check.add(Finding(place, expected, str(row.temperature)))


def _check_drawn(
    check: Check, where: str, section: SetParams, scenes: SceneFolder, rows: Rows
) -> None:
    """One photograph per layout, temperature and round, each from a seed that belongs to it."""
    wanted = {
        (layout, degree, turn)
        for layout in layout_names(scenes, section)
        for degree in section.temperatures for turn in range(section.rounds)
    }  # fmt: skip
    listed = {(row.layout, row.temperature, row.round) for row in rows}
    for layout, degree, turn in sorted(wanted - listed):
        place = f"{where}: {layout}, temperature {degree:g}, round {turn}"
        check.add(Finding(place, "a photograph", "none"))
    for layout, degree, turn in sorted(listed - wanted):
        place = f"{where}: {layout}, temperature {degree:g}, round {turn}"
        check.add(Finding(place, "no photograph", "one"))
    _check_order(check, where, section, layout_names(scenes, section), rows)
    if section.best_of is None:
        for row in rows:
            seed = photo_seed(section.seed, row.layout, row.round)
            check.same(f"{where}: {row.name}: seed", seed, row.seed)
    else:
        _check_ranks(check, where, section, rows)


def _check_order(
    check: Check, where: str, section: SetParams, layouts: Sequence[str], rows: Rows
) -> None:
    """The rows of wanted photographs stand under their names in the order they were made in."""
    degrees = section.temperatures
    made = {
        (layout, degree, turn): photo_name(layout, number, len(degrees), turn)
        for layout in layouts for number, degree in enumerate(degrees)
        for turn in range(section.rounds)
    }  # fmt: skip
    places = {(row.layout, row.temperature, row.round): row.name for row in rows}
    wanted = [name for place, name in made.items() if place in places]
    listed = [row.name for row in rows if (row.layout, row.temperature, row.round) in made]
    check.compared += len(listed)
    for number, (ours, theirs) in enumerate(zip_longest(wanted, listed), start=1):
        if ours != theirs:
            check.add(Finding(f"{where}: photograph {number}", str(ours), str(theirs)))
            break


def _check_ranks(check: Check, where: str, section: SetParams, rows: Rows) -> None:
    """Each photograph is one of those that were drawn, none twice, and likelier than the next."""
    ranked = sorted(rows, key=lambda row: (row.layout, row.temperature, row.round))
    for (layout, degree), group in groupby(ranked, key=lambda row: (row.layout, row.temperature)):
        kept = list(group)
        drawn = {photo_seed(section.seed, layout, number) for number in range(section.drawn)}
        for row in kept:
            if row.seed not in drawn:
                expected = f"the seed of one of {section.drawn} photographs"
                check.add(Finding(f"{where}: {row.name}: seed", expected, str(row.seed)))
        place = f"{where}: {layout}, temperature {degree:g}"
        check.same(f"{place}: seeds", len(kept), len({row.seed for row in kept}))
        bits = [row.log_p_bpd for row in kept]
        known = [value for value in bits if value is not None]
        check.same(f"{place}: bits by rank", sorted(known), bits)


def _check_moved(
    check: Check, where: str, section: TransferParams, count: int, contents: SceneFolder, rows: Rows
) -> None:
    """As many photographs as were asked for, each with the content of some scene."""
    check.same(f"{where}: photographs", min(count, section.limit or count), len(rows))
    known = set(contents.names)
    for row in rows:
        if row.content not in known:
            expected = f"a scene of {section.contents}"
            check.add(Finding(f"{where}: {row.name}: content", expected, repr(row.content)))


def _check_labels(check: Check, space: Workspace, made: SyntheticSet) -> None:
    folder = space.project.synthetic(made.facts.name)
    for row, classes in zip(made.rows, made.classes, strict=True):
        where = folder / label_path(row.photo, "labelIds")
        with check.reading(where):
            layout = space.layout_of(made.facts.name, row)
            check.pixels(where, layout.classes[0].numpy(), classes)
        if space.has_new_layouts(made.facts.name):
            where = folder / label_path(row.photo, "instanceIds")
            with check.reading(where):
                ids = space.new_layout(made.facts.name, row.layout).ids
                check.pixels(where, ids, io.read_ids(where))
