"""Are synthetic sets what their manifests, the parameters and the prepared layouts say?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby, zip_longest

from augflow.core import io
from augflow.data.synthetic import FACTS, MANIFEST, SetFacts, SetRow, read_facts, read_set
from augflow.data.synthetic.manifest import label_path
from augflow.generators.sampling import image_seed
from augflow.stages.synthesize import layout_names, photo_name
from augflow.study.params import SetParams, TransferParams
from augflow.verify.check import Check, Finding
from augflow.verify.workspace import Workspace, recorded_digest

Section = SetParams | TransferParams
Rows = Sequence[SetRow]


def check_sets(space: Workspace) -> Check:
    """Pixels, labels, seeds, temperatures, generators, and that no image is missing."""
    check, params = Check("synthetic sets"), space.project.params
    prepared = check.has(space.project.prepared_folder)
    for name in space.set_names:
        folder = space.project.synthetic(name)
        if not check.has(folder) or not prepared:
            continue
        # what the manifest says is checked even where an image is damaged
        with check.reading(folder):
            section = params.sets.get(name) or params.transfers[name]
            _check_manifest(check, space, name, section)
        with check.reading(folder):
            _check_labels(check, space, name)
    return check


def _check_manifest(check: Check, space: Workspace, name: str, section: Section) -> None:
    """Every row says what it can but say; of the likeliest images, what their ranks allow."""
    folder = space.project.synthetic(name)
    facts, rows, where = read_facts(folder), space.rows(name), f"{folder / MANIFEST}"
    _check_facts(check, space, name, section, facts)
    common: dict[str, object] = {"generator": facts.generator, "split": section.layouts}
    if isinstance(section, TransferParams):
        _check_contents(check, space, where, section, rows)
        alone = common | {"temperature": facts.temperatures[0]}
        wanted: dict[str, dict[str, object]] = {row.name: alone for row in rows}
    else:
        wanted = {key: common | values for key, values in _iter_samples(space, section)}
        found = {row.name: "a photograph" for row in rows}
        check.each(f"{where}: ", dict.fromkeys(wanted, "a photograph"), found, "none")
        _check_order(check, where, [key for key in wanted if key in found], rows)
        if section.best_of is not None:
            _check_ranks(check, where, section, rows)
    for row in rows:
        check.known(f"{where}: {row.name}: ", wanted.get(row.name, {}), row)


def _iter_samples(space: Workspace, section: SetParams) -> Iterator[tuple[str, dict[str, object]]]:
    """One image per layout, temperature and round, in the order they are made in."""
    temperatures = section.temperatures
    for layout in layout_names(space.split(section.layouts), section):
        for number, temperature in enumerate(temperatures):
            for turn in range(section.rounds):
                row: dict[str, object] = {
                    "layout": layout,
                    "temperature": temperature,
                    "round": turn,
                }
                if section.best_of is None:
                    row["seed"] = image_seed(section.seed, layout, turn)
                yield photo_name(layout, number, len(temperatures), turn), row


def _check_order(check: Check, where: str, wanted: Sequence[str], rows: Rows) -> None:
    names = [row.name for row in rows if row.name in set(wanted)]
    check.compared += len(names)
    for number, (ours, theirs) in enumerate(zip_longest(wanted, names), start=1):
        if ours != theirs:
            check.add(Finding(f"{where}: photograph {number}", str(ours), str(theirs)))
            break


def _check_facts(
    check: Check, space: Workspace, name: str, section: Section, facts: SetFacts
) -> None:
    where = f"{space.project.synthetic(name) / FACTS}: "
    expected = {"name": name, "size": space.split(section.layouts).size}
    if isinstance(section, SetParams):
        expected |= {
            key: getattr(section, key) for key in ("temperatures", "rounds", "new_layouts")
        }
    generator = space.project.generator(section.generator)
    if check.has(generator):
        expected["generator"] = recorded_digest(generator)
    check.known(where, expected, facts)


def _check_ranks(check: Check, where: str, section: SetParams, rows: Rows) -> None:
    """Each image is one of those that were sampled, none twice, and likelier than the next."""
    ranked = sorted(rows, key=lambda row: (row.layout, row.temperature, row.round))
    for (layout, degree), group in groupby(ranked, key=lambda row: (row.layout, row.temperature)):
        kept = list(group)
        seeds = {
            image_seed(section.seed, layout, number) for number in range(section.draws_per_layout)
        }
        for row in kept:
            if row.seed not in seeds:
                expected = f"the seed of one of {section.draws_per_layout} photographs"
                check.add(Finding(f"{where}: {row.name}: seed", expected, str(row.seed)))
        place = f"{where}: {layout}, temperature {degree:g}"
        check.same(f"{place}: seeds", len(kept), len({row.seed for row in kept}))
        bits = [row.log_p_bpd for row in kept]
        known = sorted(value for value in bits if value is not None)
        check.same(f"{place}: bits by rank", known, bits)


def _check_contents(
    check: Check, space: Workspace, where: str, section: TransferParams, rows: Rows
) -> None:
    """As many images as were asked for, each with the content of some scene."""
    count, known = len(space.split(section.layouts)), space.split(section.contents).names
    check.same(f"{where}: photographs", min(count, section.limit or count), len(rows))
    for row in rows:
        if row.content not in known:
            expected = f"a scene of {section.contents}"
            check.add(Finding(f"{where}: {row.name}: content", expected, repr(row.content)))


def _check_labels(check: Check, space: Workspace, name: str) -> None:
    """Pixels have the digests of the manifest, and labels are those of the layouts."""
    folder = space.project.synthetic(name)
    made = read_set(folder)
    check.compared += len(made)
    for row, classes in zip(made.rows, made.classes, strict=True):
        where = folder / label_path(row.photo, "labelIds")
        with check.reading(where):
            check.pixels(where, space.layout_of(name, row).classes[0].numpy(), classes)
        if space.has_new_layouts(name):
            where = folder / label_path(row.photo, "instanceIds")
            with check.reading(where):
                check.pixels(where, space.new_layout(name, row.layout).ids, io.read_ids(where))
