"""The report stage: everything that a study found, in tables, figures, pages and claims."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from augflow.core import io
from augflow.core.errors import AugflowError, DataError
from augflow.data.classes import IGNORE
from augflow.data.scenes import SPLITS, SceneFolder
from augflow.data.synthetic import REASONS, SELECTION, read_decisions
from augflow.report import charts, claims, image_figures, page
from augflow.report import evidence as evidences
from augflow.report.answers import arms_to_show
from augflow.report.evidence import Evidence, diverse_generators, segmenter_folders
from augflow.report.table import Table
from augflow.report.tables import compute_tables, main_metrics
from augflow.study.params import Params
from augflow.study.results import GeneratorFacts, SelectionSummary

FACTS = ("val_bpd", "val_scenes", "round_trip", "val_distance", "likelihood", "bound")
"""The facts of a generator's `config.json` that a report keeps, as far as they are there."""


def report(params: Params, study_dir: Path, out: Path) -> None:
    """Reads what the other stages left in `study_dir` and writes a report into `out`.

    Parts that a study lacks (arms, transfers, several rounds) are left out.

    Raises:
        DataError: files are missing or do not belong together; or `out` holds something else.
    """
    if out.exists() and any(out.iterdir()) and not (out / "claims.json.gz").exists():
        raise DataError(f"{out}: holds files but no report; name an empty or a new folder")
    with io.fresh_folder(out) as folder:
        gather(params, study_dir, folder)
        try:
            evidence = evidences.load(folder)
        except AugflowError as fault:
            # the copies carry the fault, the user's files are those of the study
            where = str(fault).replace(str(folder), str(study_dir))
            raise DataError(where.replace(evidences.SCORES, ".json")) from fault
        _draw_photographs(evidence, study_dir, folder)
        _write_all(evidence, folder)


def render_again(report_dir: Path) -> None:
    """Writes a finished report once more from its own evidence; its pictures stay as they are.

    Raises:
        DataError: there is no report, or its evidence is damaged.
    """
    if not (report_dir / "claims.json.gz").is_file():
        raise DataError(
            f"{report_dir}: no claims.json.gz in it; name the folder of a finished report"
        )
    evidence = evidences.load(report_dir)
    with io.fresh_folder(report_dir) as folder:
        for part in ("evidence", "scores", "pictures"):
            if (report_dir / part).is_dir():
                shutil.copytree(report_dir / part, folder / part)
        _write_all(evidence, folder)


def _write_all(evidence: Evidence, folder: Path) -> None:
    """Tables, charts, pages and claims, into a folder with evidence and pictures."""
    tables = compute_tables(evidence)
    for table in tables.values():
        table.write(folder)
    io.write_json(folder / "metrics.json", main_metrics(tables))
    draw_numbers(evidence, tables, folder)
    io.atomic_write(folder / "report.html", page.html_page(evidence, tables, folder))
    io.atomic_write(folder / "report.md", page.markdown_page(evidence, tables, folder))
    claims.write(folder, claims.all_claims(evidence, tables))


def _draw_photographs(evidence: Evidence, study_dir: Path, folder: Path) -> None:
    prepared = image_figures.Prepared(study_dir / "prepared", evidence.classes.palette)
    pictures = folder / "pictures"
    image_figures.opening(evidence, study_dir, prepared, pictures)
    image_figures.pages(evidence, study_dir, prepared, pictures)
    image_figures.side_by_side(evidence, study_dir, prepared, pictures / "systems.webp")
    image_figures.slider(evidence, study_dir, prepared, pictures)
    image_figures.diversity_figure(evidence, study_dir, prepared, pictures / "diversity.webp")
    image_figures.transfer_figure(evidence, study_dir, prepared, pictures / "transfer.webp")
    image_figures.latents(evidence.params, study_dir, prepared, pictures)
    image_figures.contact_sheet(prepared, pictures / "data.webp")


def draw_numbers(evidence: Evidence, tables: Mapping[str, Table], folder: Path) -> None:
    """Draws the figures that follow from the evidence alone."""
    figures = folder / "figures"
    if "temperature" in tables:
        charts.temperature(evidence.params, tables, figures / "temperature.png")
        charts.systems(evidence.params, tables, figures / "systems_iou.png")
    charts.classes(tables, figures / "classes.png")
    if "arms" in tables and evidence.segmenters:
        names = {"judge", *arms_to_show(evidence.params.arms, tables)}
        drawn = {
            run: history
            for run, history in evidence.segmenters.items()
            if run.rpartition("-")[0] in names or run in names
        }
        charts.segmenters(evidence.params, drawn, figures / "segmenters.png")
    if any(trained.has("val_bpd") for trained in evidence.generators.values()):
        charts.learning(evidence, figures / "learning.png")


def gather(params: Params, study: Path, out: Path) -> None:
    """Copies what the other stages left, as far as a report needs it, into a report folder.

    Raises:
        DataError: files that no report can do without are missing; all of them are named.
    """
    import yaml

    missing = [path for path in _required_files(params, study) if not path.exists()]
    if missing:
        listed = ", ".join(str(path) for path in missing)
        raise DataError(f"{listed}: no such file; run the stages before the report (dvc repro)")
    for name in _score_names(params):
        scored = study / "scores" / f"{name}.json"
        if scored.exists():
            io.write_gzip(out / "scores" / f"{name}{evidences.SCORES}", io.read_bytes(scored))
    held = out / "evidence"
    # what verify checks changes nothing here, so that the report does not depend on it
    text = yaml.safe_dump(params.model_dump(mode="json"), sort_keys=False)
    io.atomic_write(held / "params.yaml", text.encode())
    _copy(study / "prepared" / "dataset.json", held / "dataset.json")
    _write_pixels(study / "prepared", held / "pixels.csv")
    for name in params.generators:
        _gather_generator(name, params, study / "generators" / name, held / "generators")
    gather_selections(params, study, held)
    for name, place in segmenter_folders(params).items():
        _copy(study / "segmenters" / place / "history.csv", held / "segmenters" / f"{name}.csv")


def gather_selections(params: Params, study: Path, held: Path) -> None:
    """Puts what selections and choices left into a folder of evidence, selections in numbers."""
    for name in params.selections:
        folder = study / "selected" / name
        if (folder / SELECTION).exists():
            _summary(name, folder).write(held / "selections" / f"{name}.json")
    for name in params.choices:
        _copy(study / "chosen" / f"{name}.json", held / "choices" / f"{name}.json")


def _required_files(params: Params, study: Path) -> list[Path]:
    sweep = params.report.sweep
    generators = dict.fromkeys(params.sets[name].generator for name in sweep)
    names = [
        "prepared/dataset.json",
        "prepared/scenes.csv",
        "scores/references.json",
        *(f"scores/{name}.json" for name in sweep),
        *(f"synthetic/{name}/manifest.csv" for name in sweep),
        *(
            f"generators/{name}/{kind}"
            for name in generators
            for kind in ("config.json", "history.csv")
        ),
    ]
    return [study / name for name in names]


def _score_names(params: Params) -> list[str]:
    names = ["references", "arms", "leaks", "costs", *params.sets, *params.transfers]
    names += [f"diversity/{name}" for name in diverse_generators(params)]
    names += [f"predictors/{name}" for name in params.predictors]
    return [*names, "attributes"] if params.attributes else names


def _copy(source: Path, target: Path) -> None:
    if source.exists():
        io.atomic_write(target, source.read_bytes())


def _gather_generator(name: str, params: Params, folder: Path, out: Path) -> None:
    """Its facts and history, where training has left both."""
    if not ((folder / "config.json").exists() and (folder / "history.csv").exists()):
        return
    section, record = params.generators[name], io.read_json(folder / "config.json")
    final, config = record.get("facts", {}), record.get("config", {})
    named = {fact: final.get(fact) for fact in FACTS}
    named |= {"levels": config.get("steps"), "boundary": config.get("boundary")}
    facts = GeneratorFacts(
        system=section.system,
        preset=section.preset,
        parameters=record.get("parameters"),
        **{fact: value for fact, value in named.items() if value is not None},
    )
    facts.write(out / f"{name}.json")
    _copy(folder / "history.csv", out / f"{name}.csv")


def _summary(name: str, folder: Path) -> SelectionSummary:
    facts, decisions = io.read_json(folder / SELECTION), read_decisions(folder)
    kept = [one for one in decisions if one.kept]
    reasons = Counter(one.reason for one in decisions if not one.kept)
    weights = [one.weight or 0.0 for one in kept]
    return SelectionSummary(
        selection=name,
        set=facts["set"],
        judge=facts["judge"],
        thresholds=facts["thresholds"],
        candidates=len(decisions),
        kept=len(kept),
        dropped={reason: reasons[reason] for reason in REASONS if reasons[reason]},
        trusted=float(np.mean([one.trusted for one in kept])),
        agreement_kept=_mean([one.agreement for one in kept]),
        agreement_dropped=_mean([one.agreement for one in decisions if not one.kept]),
        heaviest=float(max(weights) / np.mean(weights)),
    )


def _mean(values: list[float]) -> float | None:
    return float(np.mean(values)) if values else None


def _write_pixels(prepared: Path, target: Path) -> None:
    """Counts the pixels of each class in each prepared scene."""
    rows = []
    for split in SPLITS:
        folder = SceneFolder(prepared, split)
        ids = [*range(folder.table.count), IGNORE]
        maps = folder.scenes().layout.classes.numpy()
        for name, drive, classes in zip(folder.names, folder.drives, maps, strict=True):
            counts = np.bincount(classes.ravel(), minlength=IGNORE + 1)
            head = {"split": split, "scene": name, "drive": drive}
            rows.append({**head, **{str(i): int(counts[i]) for i in ids}})
    columns = ["split", "scene", "drive", *map(str, ids)]
    io.write_csv(target, sorted(rows, key=lambda r: (r["split"], r["scene"])), columns)
