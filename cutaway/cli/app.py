"""The commands, their options, and what happens to errors. Heavy imports come late."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

import cutaway
from cutaway.errors import CutawayError, OptionError, TrainingError

app = typer.Typer(
    name="cutaway",
    help="Deep learning with the side panel off: train a network, and see every number in it.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object, for machines.")]
RunArgument = Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a run.")]
DataArgument = Annotated[
    Path, typer.Argument(metavar="DATA", help="A .csv, .tsv or .parquet file.")
]


def _version(wanted: bool) -> None:
    if wanted:
        print(f"cutaway {cutaway.__version__}")
        raise typer.Exit


@app.callback(epilog="Start with: **cutaway train** (trains on a table that comes along)")
def _shared(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show the traceback of an error (any command).")
    ] = False,
) -> None:
    pass


@app.command(epilog="Example: **cutaway train students.csv --target passed --layers 16,8**")
def train(
    data: Annotated[
        Path | None,
        typer.Argument(
            metavar="[DATA]",
            help="A .csv, .tsv or .parquet file; without it, the students table that comes along.",
            show_default=False,
        ),
    ] = None,
    target: Annotated[
        str | None, typer.Option(metavar="COL", help="The column to predict.", show_default=False)
    ] = None,
    layers: Annotated[
        str, typer.Option(metavar="N,N", help='Sizes of the hidden layers; "" for none.')
    ] = "128,128",
    activation: Annotated[str, typer.Option(help="After each hidden layer.")] = "relu",
    optimizer: Annotated[str, typer.Option(help="How weights move.")] = "adamw",
    lr: Annotated[
        float | None, typer.Option(help="Learning rate. [default: fits the optimizer]")
    ] = None,
    schedule: Annotated[
        str, typer.Option(help="How the rate changes: cosine (down to 0) or constant.")
    ] = "cosine",
    weight_decay: Annotated[float, typer.Option(help="Of adamw: pulls weights to 0.")] = 1.0,
    epochs: Annotated[
        int | None, typer.Option(help="Most epochs. [default: fits the data, 50 to 500]")
    ] = None,
    patience: Annotated[
        int | None,
        typer.Option(help="Epochs without improvement that end it. [default: runs them all]"),
    ] = None,
    batch_size: Annotated[
        int | None, typer.Option(help="Rows a step. [default: fits the data, 32 to 512]")
    ] = None,
    loss: Annotated[
        str | None, typer.Option(metavar="NAME", help="[default: fits the target]")
    ] = None,
    dropout: Annotated[
        float, typer.Option(metavar="P", help="Share of hidden units dropped in training.")
    ] = 0.2,
    init: Annotated[str, typer.Option(metavar="NAME", help="Initial weights.")] = "glorot_uniform",
    task: Annotated[
        str | None,
        typer.Option(help="binary, multiclass or regression. [default: as the target looks]"),
    ] = None,
    ignore: Annotated[
        str | None, typer.Option(metavar="COL,COL", help="Columns to leave out.")
    ] = None,
    validation: Annotated[float, typer.Option(help="Share of the rows held out.")] = 0.2,
    seed: Annotated[int, typer.Option(help="Of everything random.")] = 0,
    out: Annotated[
        Path | None,
        typer.Option(metavar="RUN", help="Folder for the run. [default: a new one in runs/]"),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the training begun in --out.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Train a network on a table, show it working, and save it as a run."""
    from cutaway.cli.train import train_command
    from cutaway.losses import LOSS_ALIASES
    from cutaway.runs import TableOptions

    options = TableOptions(
        layers=_sizes(layers),
        activation=activation,
        optimizer=optimizer,
        lr=lr,
        schedule=schedule,
        weight_decay=weight_decay,
        epochs=epochs,
        patience=patience,
        batch_size=batch_size,
        loss=LOSS_ALIASES.get(loss, loss),
        dropout=dropout,
        init=init,
        task=task,
        ignore=tuple(name.strip() for name in (ignore or "").split(",") if name.strip()),
        validation=validation,
        seed=seed,
    )
    train_command(data, target, options, out=out, resume=resume, as_json=as_json)


@app.command(epilog="Example: **cutaway predict runs/students new.csv --out predictions.csv**")
def predict(
    run: RunArgument,
    data: DataArgument,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="CSV file to write. [default: print them]"),
    ] = None,
    as_json: Json = False,
) -> None:
    """Predict the target for every row of a table."""
    from cutaway.cli.use import predict_command

    predict_command(run, data, out=out, as_json=as_json)


@app.command(epilog="Example: **cutaway evaluate runs/students more_students.csv**")
def evaluate(run: RunArgument, data: DataArgument, as_json: Json = False) -> None:
    """Say how good a run is on a table that has the target."""
    from cutaway.cli.use import evaluate_command

    evaluate_command(run, data, as_json=as_json)


@app.command(epilog="Example: **cutaway summary 4,3,2,1**")
def summary(
    what: Annotated[
        str, typer.Argument(metavar="RUN|SIZES", help="A run, or layer sizes like 4,3,2,1.")
    ],
    as_json: Json = False,
) -> None:
    """Show a network layer by layer: shapes and trainable parameters."""
    from cutaway.cli.use import summary_command

    sizes = None
    if not Path(what).exists() and set(what) <= set("0123456789,- "):
        sizes = _sizes(what.replace("-", ","))
    summary_command(what, sizes, as_json=as_json)


@app.command(epilog='Example: **cutaway generate runs/shakespeare --prompt "ROMEO:"**')
def generate(
    run: RunArgument,
    prompt: Annotated[str, typer.Option(help="What the text goes on after.")] = "",
    length: Annotated[int, typer.Option(help="Characters (or other tokens) to write.")] = 500,
    temperature: Annotated[
        float, typer.Option(help="Below 1 keeps to what is likely; 0 takes the likeliest.")
    ] = 1.0,
    seed: Annotated[int, typer.Option(help="Of the draws.")] = 0,
    as_json: Json = False,
) -> None:
    """Write text with a run that was trained on a plain text."""
    from cutaway.cli.use import generate_command

    generate_command(run, prompt, length, temperature, seed, as_json=as_json)


def _sizes(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(",") if part.strip())
    except ValueError:
        raise OptionError(
            f"layer sizes {text!r}",
            expected="whole numbers with commas between",
            mend="for example --layers 64,64",
        ) from None


def run() -> None:
    """Parse and carry out; exit with 0 on success only, 2 for wrong input, 1 for failures."""
    arguments = sys.argv[1:]
    debug = "--debug" in arguments
    as_json = "--json" in arguments
    try:
        app(args=[a for a in arguments if a != "--debug"], prog_name="cutaway")
    except CutawayError as error:
        if debug:
            raise
        _print_error(error, as_json)
        sys.exit(1 if isinstance(error, TrainingError) else 2)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:  # `cutaway ... | head` has seen enough
        sys.stderr.close()
        sys.exit(0)
    except Exception as error:
        if debug:
            raise
        _print_error(
            CutawayError(
                f"{type(error).__name__}: {error}",
                expected="this not to happen: it is a fault of Cutaway",
                mend="run the command again with --debug and report what it prints",
            ),
            as_json,
        )
        sys.exit(1)


def _print_error(error: CutawayError, as_json: bool) -> None:
    if as_json:
        found = {"came": error.came, "expected": error.expected, "mend": error.mend}
        print(json.dumps({"error": {"type": type(error).__name__, **found}}))
    else:
        print(f"cutaway: {error}", file=sys.stderr)
