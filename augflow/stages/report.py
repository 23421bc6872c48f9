"""The report stage: everything that a study found, in tables, figures, pages and claims."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from augflow.core import io
from augflow.core.errors import AugflowError, DataError
from augflow.report import charts, claims, image_figures, page
from augflow.report import evidence as evidences
from augflow.report.answers import arms_to_show
from augflow.report.evidence import Evidence
from augflow.report.table import Table
from augflow.report.tables import compute_tables
from augflow.study.params import Params


def report(params: Params, study_dir: Path, out: Path) -> None:
    """Reads what the other stages left in `study_dir` and writes a report into `out`.

    Parts that a study lacks (arms, transfers, several rounds) are left out.

    Raises:
        DataError: files are missing or do not belong together; or `out` holds something else.
    """
    if out.exists() and any(out.iterdir()) and not (out / "claims.json").exists():
        raise DataError(f"{out}: holds files but no report; name an empty or a new folder")
    with io.fresh_folder(out) as folder:
        evidences.gather(params, study_dir, folder)
        try:
            evidence = evidences.load(folder)
        except AugflowError as fault:
            # the copies carry the fault, the user's files are those of the study
            raise DataError(str(fault).replace(str(folder), str(study_dir))) from fault
        tables = compute_tables(evidence)
        for table in tables.values():
            table.write(folder)
        _draw_photographs(evidence, study_dir, folder)
        _draw_numbers(evidence, tables, folder)
        io.atomic_write(folder / "report.html", page.html_page(evidence, tables, folder))
        io.atomic_write(folder / "report.md", page.markdown_page(evidence, tables, folder))
        claims.write(folder, claims.all_claims(evidence, tables))


def _draw_numbers(evidence: Evidence, tables: Mapping[str, Table], folder: Path) -> None:
    figures = folder / "figures"
    if "temperature" in tables:
        charts.temperature(tables, figures / "temperature.png")
        charts.systems(tables, figures / "systems_iou.png")
    charts.classes(tables, figures / "classes.png")
    if "arms" in tables:
        charts.arms(tables, figures / "arms.png")
        if "comparisons" in tables:
            charts.effects(evidence.params.arms, tables, figures / "effects.png")
        if evidence.segmenters:
            names = {"judge", *arms_to_show(evidence.params.arms, tables)}
            drawn = {
                run: history
                for run, history in evidence.segmenters.items()
                if run.rpartition("-")[0] in names or run in names
            }
            charts.segmenters(drawn, figures / "segmenters.png")
    if any(trained.has("val_bpd") for trained in evidence.generators.values()):
        charts.learning(evidence, figures / "learning.png")


def _draw_photographs(evidence: Evidence, study_dir: Path, folder: Path) -> None:
    prepared = image_figures.Prepared(study_dir / "prepared", evidence.classes.palette)
    figures = folder / "figures"
    image_figures.pages(evidence, study_dir, prepared, figures)
    image_figures.side_by_side(evidence, study_dir, prepared, figures / "systems.png")
    image_figures.slider(evidence, study_dir, prepared, figures)
    image_figures.diversity_figure(evidence, study_dir, prepared, figures / "diversity.png")
    image_figures.transfer_figure(evidence, study_dir, prepared, figures / "transfer.png")
    image_figures.latents(evidence.params, study_dir, prepared, figures)
    image_figures.contact_sheet(prepared, figures / "data.png")
