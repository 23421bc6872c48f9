"""`augflow predict`: class maps for a folder of photographs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from augflow.cli.options import Labels, Out, Overwrite, default_folder


def predict(
    images: Annotated[Path, typer.Option(help="Folder of photographs, PNG or JPEG.")],
    predictor: Annotated[
        Path | None, typer.Option(help="Folder of a trained predictor; else the project's first.")
    ] = None,
    samples: Annotated[int, typer.Option(min=1, help="Samples whose mean a prediction is.")] = 10,
    layouts: Annotated[
        Path | None, typer.Option(help="Folder of label maps to score the predictions against.")
    ] = None,
    labels: Labels = "auto",
    out: Out = Path("predicted"),
    overwrite: Overwrite = False,
) -> None:
    """Predicts the class map of every photograph: label maps, a contact sheet, scores."""
    from augflow.data.label_maps import SHEET
    from augflow.tools.predict import predict_photos

    made = predict_photos(
        images,
        predictor or default_folder("predictor"),
        out,
        samples=samples,
        truth=layouts,
        labels=labels,
        overwrite=overwrite,
    )
    typer.echo(f"{made.count} label maps in {out}; look at {out / SHEET}")
    if made.scores is not None:
        found = made.scores
        typer.echo(
            f"pixel accuracy {100 * found.pixel_accuracy:.2f}, "
            f"class accuracy {100 * found.class_accuracy:.2f}, "
            f"class IoU {100 * found.class_iou:.2f}"
        )
