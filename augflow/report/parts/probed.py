"""Parts on what a generator can do besides: diversity, attributes, prediction, latents."""

from __future__ import annotations

from collections.abc import Mapping

from augflow.report.diverse import shown_level
from augflow.report.evidence import Evidence
from augflow.report.explored import EDITS, PATHS, STYLES
from augflow.report.parts.views import Part, Picture, view
from augflow.report.table import Table


def varied(evidence: Evidence, tables: Mapping[str, Table]) -> Part:
    """Diversity, per class and per temperature."""
    title = "How much do they differ for one layout?"
    if "diversity" not in tables:
        return Part(title, (), ())
    scores = next(iter(evidence.diversity.values()))
    table = tables["diversity"]
    return Part(title, (), (
        view(
            table,
            f"For each of {len(scores.layouts)} validation layouts, {scores.samples} photographs "
            f"at temperature {shown_level(scores).temperature:g} are divided by k-means into "
            f"{scores.clusters} clusters. Variance among one random member of each, pixels in "
            f"[0, 1], times 100: mean over the pixels of a class, {scores.repeats} picks, and the "
            "layouts. Flat paint is one picture a layout. Diversity says nothing of whether "
            "photographs look real: noise has most of it.",
            tuple(column.name for column in table.columns),
        ),
        view(
            tables["diversity_spread"],
            "The same over all pixels per temperature; the variance among all photographs, times "
            "100 too; and the perceptual distance of two of them: the squared difference of unit "
            f"feature vectors ({scores.features}), summed over layers.",
            ("generator", "T=temperature", "layouts", "photos a layout=samples",
             "among clusters=clustered", "variance", "perceptual"),
        ),
    ))  # fmt: skip


def attributed(evidence: Evidence, tables: Mapping[str, Table]) -> Part:
    """Attributes read back, and how steady they are while others change."""
    title, scores = "Do attributes come out as asked for?", evidence.attributes
    if scores is None or "attributes" not in tables:
        return Part(title, (), ())
    changes = tables["attribute_changes"]
    return Part(title, (), (
        view(
            tables["attributes"],
            "Attributes read in photographs: dark and bright (terciles of the mean luminance, "
            "measured) and much of a class (more than the median layout, read by a small network "
            f"trained on the real training photographs). {scores.samples} photographs for each "
            f"of {len(scores.layouts)} validation layouts at temperature {scores.temperature:g}. "
            "Light is asked for where a system can be; classes come from the layout. Variance: of "
            "the mean probability over layouts, what was asked for taken off.",
            ("photographs", "accuracy", "light", "classes=layout", "variance"),
        ),
        view(
            changes,
            "One condition after the other is changed: the light, where a system can be asked for "
            "it, then whole classes of the layout. How far the mean probability of all other "
            "attributes moves at each change.",
            tuple(column.name for column in changes.columns),
        ),
    ))  # fmt: skip


def predicted(tables: Mapping[str, Table]) -> Part:
    """Class maps that flows predict from photographs."""
    title = "How well does a flow predict class maps from photographs?"
    if "predictions" not in tables:
        return Part(title, (), ())
    table = tables["predictions"]
    caption = (
        "C-Glow in its own use, structured prediction: a class map is the mean of so many samples, "
        "rounded. Real validation photographs, in %; the judge's look at the same photographs "
        "stands beside it."
    )
    heads = ("predictor", "photos=photographs", "samples", "pixel accuracy=pixel_accuracy",
             "class accuracy=class_accuracy", "class IoU=class_iou")  # fmt: skip
    return Part(title, (), (view(table, caption, heads),))


def latents(evidence: Evidence) -> Part:
    """Paths between latents, styles and edits."""
    title, section = "Latents: interpolation, style, edits", evidence.params.explore
    if section is None:
        return Part(title, (), ())
    form = {"spherical": "along the arc on the sphere", "linear": "along the straight line"}
    drawn = f"at temperature {section.temperature:g}, not picked by eye"
    changes = "given in params.yaml" if section.edits else "chosen by the layout's content"
    pictures = (
        Picture(PATHS, "photo", (
            f"Interpolation: from one draw of the latents to another, {form[section.path]} at "
            f"equal shares, for one layout a row. Two draws {drawn}, the same for all layouts. "
            "Systems whose latents are coins (dropout) have nothing between two draws."
        )),
        Picture(STYLES, "photo", (
            "Style: each of the two draws over different layouts. What a row has in common is the "
            f"draw's; drawn {drawn}."
        )),
        Picture(EDITS, "photo", (
            f"Edits, one upon the other, {changes}. A row is made from one draw of the latents "
            f"{drawn}: what was not edited should stay."
        )),
    )  # fmt: skip
    return Part(title, pictures, ())


def transferred() -> Part:
    """One photograph's content under other layouts."""
    caption = (
        "Content transfer: the latents of the first photograph, encoded under its own layout, "
        "are decoded under the second layout. Right: the real photograph of that layout."
    )
    picture = Picture("transfer", "photo", caption)
    return Part("Content moved into other structures", (picture,), ())
