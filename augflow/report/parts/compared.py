"""Parts that set systems beside each other: photographs, scores, ablations."""

from __future__ import annotations

from collections.abc import Mapping

from augflow.report.evidence import Evidence
from augflow.report.judged import system_column
from augflow.report.measures import best
from augflow.report.parts.views import Part, Picture, Slider, bounds, view
from augflow.report.pictures import diverse
from augflow.report.sampled import MAIN, page_name
from augflow.report.slider import FOLDER, moved_through
from augflow.report.table import Table

MEASURED = (
    "Confusion matrices of single photographs are summed over a round, then scored: pixel "
    "accuracy, mean class accuracy and mean class IoU. Absent classes are left out of a mean; the "
    "tables' columns absent_zero count them as 0 instead."
)


PAGE = (
    "One layout a row: class map, boundary map, the real photograph, and a synthetic one (round 0) "
    "at each shown temperature T. Layouts are spread evenly over the sorted names, not picked by "
    "eye."
)


BEST = (
    "Best temperature: the one of highest mean class IoU over rounds, on the same photographs that "
    "are scored, so that it flatters systems sampled at many temperatures a little."
)


def photographs(evidence: Evidence) -> Part:
    """Samples of the main system, and how far they spread for one layout."""
    sweep = evidence.params.report.sweep
    main = f" of {evidence.params.sets[sweep[0]].generator}" if sweep else ""
    pictures = [Picture(MAIN, "photo", f"Samples{main}. {PAGE}")]
    point = diverse(evidence)
    if point is not None:
        pictures.append(Picture("diversity", "photo", (
            f"Samples of one layout that differ only in their noise, set {point.name} at "
            f"temperature {point.temperature:g}. Spread: standard deviation over these "
            "samples per pixel, mean of the three channels, white for none to dark blue for 64 of "
            "256 grey values or more."
        )))  # fmt: skip
    return Part("The photographs", tuple(pictures), (), _by_temperature(evidence))


def _by_temperature(evidence: Evidence) -> Slider | None:
    """One layout of the main system, temperature by temperature."""
    degrees = moved_through(evidence)
    if not degrees:
        return None
    maker = evidence.params.sets[degrees[0].name].generator
    return Slider(
        FOLDER, (("classes", "classes"), ("real", "real photo")),
        tuple((str(point.index), f"{point.temperature:g}") for point in degrees),
        f"One held-out layout by {maker} at every temperature, from equal noise.",
    )  # fmt: skip


def systems(evidence: Evidence, tables: Mapping[str, Table]) -> Part:
    """Each system at its best temperature, in numbers and side by side."""
    title = "The systems"
    if "systems" not in tables:
        return Part(title, (), ())
    pictures = (
        Picture("systems_iou", "chart", (
            "Class IoU of the judge on photographs of the same validation layouts, each system at "
            "its best temperature T: mean over rounds of sampling, bars one standard deviation to "
            "both sides. Dashed: real photographs, flat paint, photographs of other layouts."
        )),
        Picture("systems", "photo", (
            "One layout a row: class map, the real photograph, and what each system makes of the "
            "layout (round 0) at its best temperature T."
        )),
    )  # fmt: skip
    time = evidence.params.report.training_time
    caption = (
        "Held-out bits per dimension, of the photograph given its layout (conditional) or alone "
        "(unconditional); a dash where a system has no likelihood. The judge's scores at the best "
        f"temperature T, in %: mean ± standard deviation over rounds of sampling. {BEST} Below: "
        "real photographs (ceiling), flat paint and photographs of other layouts (floors)."
    )
    caption += bounds(tables["systems"])
    caption += f" Training time of every system: {time}." if time else ""
    shown = view(tables["systems"], caption, (
        "generator=row", "system", "preset", "parameters", "steps", "likelihood",
        "bits/dim=val_bpd", "T=temperature", "pixel accuracy=pixel_accuracy±",
        "class accuracy=class_accuracy±", "class IoU=class_iou±", "IoU at T 1=class_iou_at_1±",
        "of real=class_iou.of_real",
    ))  # fmt: skip
    return Part(title, pictures, (shown,))


def pages(evidence: Evidence) -> Part:
    """Samples of every system but the main one, whose page stands at the top."""
    makers = [evidence.params.sets[name].generator for name in evidence.params.report.sweep[1:]]
    pictures = [Picture(page_name(m), "photo", f"Samples of {m}. {PAGE}") for m in makers]
    return Part("Pictures, system by system", tuple(pictures), ())


def judged(evidence: Evidence, tables: Mapping[str, Table]) -> Part:
    """What the judge says per temperature and class, between ceiling and floors."""
    views, pictures = [], []
    if "temperature" in tables:
        views.append(view(
            tables["temperature"],
            f"The judge on synthetic photographs per system and temperature: mean ± standard "
            f"deviation over rounds of sampling, in %. {MEASURED}",
            ("generator", "set", "T=temperature", "rounds", "photos",
             "pixel accuracy=pixel_accuracy±",
             "class accuracy=class_accuracy±", "class IoU=class_iou±",
             "IoU, absent as 0=class_iou_absent_zero.mean", "of real=class_iou.of_real"),
        ))  # fmt: skip
        pictures.append(Picture("temperature", "chart", (
            "The judge, a segmenter trained on real training photographs, looks at synthetic "
            "photographs of validation layouts. Lines: each system's mean over rounds; bars: "
            "standard deviation over rounds. Dashed: the same judge on the real photographs "
            "(ceiling), on layouts painted with each class's mean colour, and on photographs of "
            "other layouts (floors)."
        )))  # fmt: skip
    views.append(view(
        tables["references"],
        "Ceiling and floors in %: real = real validation photographs; best = the main system "
        "at its best temperature; flat = each class painted with its mean colour in the training "
        "photographs; wrong = the photograph of another layout. Last column: class IoU over that "
        "of real.",
        ("row", "set", "T=temperature", "pixel accuracy=pixel_accuracy",
         "class accuracy=class_accuracy",
         "class IoU=class_iou", "IoU, absent as 0=class_iou_absent_zero",
         "of real=class_iou.of_real"),
    ))  # fmt: skip
    sweep = evidence.params.report.sweep
    pictures.append(Picture("classes", "chart", (
        f"The judge's IoU of each class on real photographs{_best(evidence)}, and on the floors."
    )))  # fmt: skip
    makers = [f"{evidence.params.sets[n].generator}={system_column(evidence, n)}" for n in sweep]
    views.append(view(
        tables["judge_per_class"],
        "The judge's IoU of each class, in %, systems at their best temperature; a dash where a "
        "class neither is there nor predicted.",
        ("class", "real=real.iou", *makers, "flat=flat.iou", "wrong=wrong.iou"),
    ))  # fmt: skip
    return Part("Can the judge read them?", tuple(pictures), tuple(views))


def _best(evidence: Evidence) -> str:
    """Words for the main system at its best temperature."""
    if not evidence.params.report.sweep:
        return ""
    point = best(evidence, evidence.params.report.sweep[0])
    maker = evidence.params.sets[point.name].generator
    return f", on photographs of {maker} at temperature {point.temperature:g} (mean over rounds)"


def ablated(tables: Mapping[str, Table]) -> Part:
    """What differs within one system, as far as the study asks for it."""
    views = []
    if "configurations" in tables:
        views.append(view(
            tables["configurations"],
            "Depth and boundary maps of one system at the temperature shown: steps per level from "
            "the finest on, held-out bits per dimension, and the judge's scores as mean ± standard "
            "deviation over rounds, in %.",
            ("generator", "boundary maps", "steps per level", "steps", "parameters",
             "bits/dim=val_bpd", "T=temperature", "pixel accuracy=pixel_accuracy±",
             "class accuracy=class_accuracy±", "class IoU=class_iou±"),
        ))  # fmt: skip
    if "released" in tables:
        views.append(view(
            tables["released"],
            "Systems as their released code has them beside the same systems repaired, trained "
            "equally long: held-out bits per dimension, and class IoU in % at the best temperature "
            "of each.",
            ("released", "repaired", "bits/dim, released=released.val_bpd",
             "repaired=repaired.val_bpd", "class IoU, released=released.class_iou",
             "repaired=repaired.class_iou", "gain in points=gain"),
        ))  # fmt: skip
    if "chosen" in tables:
        views.append(view(
            tables["chosen"],
            "Of so many photographs drawn for a layout, those kept that the flow itself finds "
            "likeliest, beside the same system's plain photographs at that temperature: class IoU "
            "in %, mean ± standard deviation over rounds (of kept ones: over ranks).",
            ("set", "generator", "T=temperature", "drawn", "kept", "class IoU=class_iou±",
             "plain=plain±", "gain in points=gain"),
        ))  # fmt: skip
    return Part("What depth, boundary maps, repairs and choice are worth", (), tuple(views))
