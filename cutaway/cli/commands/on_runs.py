"""Commands that use a trained run: predict, evaluate, summary, verify, generate, export,
explain."""

import os
from pathlib import Path
from typing import Annotated

import typer

from cutaway.cli.options import (
    DataArgument,
    Device,
    Force,
    Json,
    MaxBytes,
    RunArgument,
    Trust,
    example,
    option,
)
from cutaway.runs.options.flags import parse_sizes


@example("cutaway predict runs/students new.csv --out predictions.csv")
def predict(
    run: RunArgument,
    data: DataArgument,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE|FOLDER",
            help="CSV file to write; for masks, volumes and pairs of pictures, a folder. "
            "[default: print to the terminal]",
        ),
    ] = None,
    force: Force = False,
    device: Device = None,
    max_bytes: MaxBytes = None,
    as_json: Json = False,
) -> None:
    """Predict the target of every row, image, text or recording in new data."""
    from cutaway.cli.use import predict_command

    predict_command(run, data, out=out, force=force, as_json=as_json)


@example("cutaway evaluate runs/students more_students.csv")
def evaluate(
    run: RunArgument,
    data: DataArgument,
    html: Annotated[
        Path | None,
        option("HTML page to write; of detectors with precision over recall.", metavar="FILE"),
    ] = None,
    force: Force = False,
    device: Device = None,
    max_bytes: MaxBytes = None,
    as_json: Json = False,
) -> None:
    """Score a run on other labeled data."""
    from cutaway.cli.use import evaluate_command

    evaluate_command(run, data, html=html, force=force, as_json=as_json)


@example("cutaway summary 4,3,2,1")
def summary(
    what: Annotated[
        str, typer.Argument(metavar="RUN|SIZES", help="A run, or layer sizes like 4,3,2,1.")
    ],
    as_json: Json = False,
) -> None:
    """Show a network layer by layer: output shapes and trainable parameters."""
    from cutaway.cli.use import summary_command

    sizes = None
    if not os.path.exists(what) and set(what) <= set("0123456789,- "):
        sizes = parse_sizes(what.replace("-", ","))
    summary_command(what, sizes, as_json=as_json)


@example("cutaway verify runs/students")
def verify(
    run: RunArgument,
    accept: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FILE",
            help="Accept a file that was changed on purpose: its present content becomes the "
            "right one. May be repeated.",
        ),
    ] = None,
    accept_all: Annotated[
        bool, typer.Option("--accept-all", help="Accept all files of the run as they are.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Check the files of a run against the checksums that were written with them."""
    from cutaway.cli.use import verify_command

    verify_command(run, accept, accept_all, as_json=as_json)


@example('cutaway generate runs/shakespeare --prompt "ROMEO:"')
def generate(
    run: RunArgument,
    prompt: Annotated[str, typer.Option(help="Text to continue.")] = "",
    length: Annotated[int, typer.Option(help="Tokens (by default characters) to generate.")] = 500,
    temperature: Annotated[
        float, typer.Option(help="Sampling temperature; 0 picks the most likely token.")
    ] = 1.0,
    seed: Annotated[int, typer.Option(help="Random seed.")] = 0,
    device: Device = None,
    as_json: Json = False,
) -> None:
    """Generate text with a run that was trained on a plain text."""
    from cutaway.cli.use import generate_command

    generate_command(run, prompt, length, temperature, seed, as_json=as_json)


@example("cutaway export runs/students --onnx students.onnx")
def export(
    run: RunArgument,
    out: Annotated[
        Path | None,
        typer.Argument(
            metavar="[FILE]",
            help="File to write. [default: network.onnx or network.safetensors in the run]",
            show_default=False,
        ),
    ] = None,
    onnx: Annotated[bool, typer.Option("--onnx", help="Export the network as ONNX.")] = False,
    safetensors: Annotated[
        bool, typer.Option("--safetensors", help="Export the weights only.")
    ] = False,
    nms: Annotated[
        bool,
        typer.Option(
            "--nms/--no-nms",
            help="Of detectors: whether the ONNX file leaves out boxes that better ones cover.",
        ),
    ] = True,
    force: Force = False,
    device: Device = None,
    as_json: Json = False,
) -> None:
    """Export a run's network, with a description of its inputs and outputs."""
    from cutaway.cli.export import export_command

    export_command(
        run, out, onnx=onnx, safetensors=safetensors, nms=nms, force=force, as_json=as_json
    )


@example("cutaway explain runs/students --row 3 --weight 0:2,1")
def explain(
    run: RunArgument,
    row: Annotated[int, typer.Option(help="Row of the data, counted from 0.")] = 0,
    data: Annotated[
        Path | None,
        option(
            "Data to take the row from. [default: the training data]",
            "--input",
            metavar="FILE",
        ),
    ] = None,
    neuron: Annotated[
        str | None,
        option("Show one neuron's output term by term.", metavar="LAYER:J"),
    ] = None,
    weight: Annotated[
        str | None,
        option("Show one weight's gradient path by path.", metavar="LAYER:I,J"),
    ] = None,
    step: Annotated[
        bool,
        typer.Option(
            "--step",
            help="Show the optimizer's next step for the weight. [default weight: the one with the "
            "largest gradient]",
        ),
    ] = False,
    window: Annotated[
        str | None,
        option(
            "Show one window of a convolution: window, kernel and product.",
            metavar="LAYER:Y,X,C",
        ),
    ] = None,
    gates: Annotated[
        str | None,
        option("Show the gates of an LSTM or GRU at each time step.", metavar="LAYER"),
    ] = None,
    top: Annotated[int, typer.Option(help="Number of paths to list, strongest first.")] = 10,
    box: Annotated[
        int | None,
        option("Of pictures with boxes, the box to explain. [default: the best one]", metavar="K"),
    ] = None,
    html: Annotated[Path | None, option("HTML report to write.", metavar="FILE")] = None,
    force: Force = False,
    trust: Trust = False,
    device: Device = None,
    max_bytes: MaxBytes = None,
    as_json: Json = False,
) -> None:
    """Explain the prediction for one row, down to the arithmetic of single weights."""
    from cutaway.cli.explain import explain_command

    explain_command(
        run,
        row=row,
        data=data,
        neuron=neuron,
        weight=weight,
        step=step,
        window=window,
        gates=gates,
        top=top,
        box=box,
        html=html,
        force=force,
        trust=trust,
        as_json=as_json,
    )
