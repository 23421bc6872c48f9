"""The parts of a report: which figures and tables stand together, and what is said of them."""

from __future__ import annotations

from collections.abc import Mapping

from augflow.report.evidence import Evidence
from augflow.report.parts.compared import ablated, judged, pages, photographs, systems
from augflow.report.parts.probed import attributed, latents, predicted, transferred, varied
from augflow.report.parts.trained import data, helped, learning, selected, trained_on
from augflow.report.parts.views import Part, Picture, View
from augflow.report.table import Table

__all__ = ["Part", "Picture", "View", "parts"]


def parts(evidence: Evidence, tables: Mapping[str, Table]) -> list[Part]:
    """All parts in reading order; one without tables and figures says nothing."""
    return [
        helped(),
        photographs(evidence),
        systems(evidence, tables),
        pages(evidence),
        judged(evidence, tables),
        ablated(tables),
        varied(evidence, tables),
        attributed(evidence, tables),
        predicted(tables),
        latents(evidence),
        trained_on(evidence, tables),
        selected(tables),
        transferred(),
        learning(tables),
        data(evidence, tables),
    ]
