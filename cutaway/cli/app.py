"""The commands, their options, and what happens to errors. Heavy imports come late."""

import json
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

import cutaway
from cutaway.errors import CutawayError, OptionError, OutOfMemoryError, TrainingError

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
    Path, typer.Argument(metavar="DATA", help="Data of the kind that the run was trained on.")
]


def _use_device(kind: str | None) -> None:
    if kind is not None:
        from cutaway.runtime import use_device

        use_device(kind)
    elif os.environ.get("JAX_PLATFORMS"):  # it may name what is not there
        from cutaway.runtime import device

        device()


# used as soon as it is parsed, so that nothing has run before
Device = Annotated[
    str | None,
    typer.Option(
        "--device",
        callback=_use_device,
        metavar="cpu|gpu",
        help="Device to compute on. [default: the GPU if there is one]",
        show_default=False,
    ),
]
PRECISION = (
    "Of matrix products and convolutions: float32; tensorfloat32 (11 significant bits, on GPUs "
    "only); bfloat16 (8 bits). [default: float32]"
)


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


# the option groups of `cutaway train --help`
TRAINING, TABLES, IMAGES, TEXTS, SERIES = "Training", "Tables", "Images", "Texts", "Series"
KNOWN = "Known networks"


def _option(kind, panel, text, *names, metavar=None):
    return Annotated[
        kind | None,
        typer.Option(*names, help=text, metavar=metavar, rich_help_panel=panel, show_default=False),
    ]


@app.command(epilog="Example: **cutaway train students.csv --target passed --layers 16,8**")
def train(
    data: Annotated[
        Path | None,
        typer.Argument(
            metavar="[DATA]",
            help="A table (.csv, .tsv, .parquet), also of texts or of a time series; a folder of "
            "images or recordings with a folder for each class; IDX files; series with classes "
            "(UCR); a text. Without it, the students table that comes along.",
            show_default=False,
        ),
    ] = None,
    target: _option(str, None, "The column to predict, for tables.", metavar="COL") = None,
    out: _option(
        Path, None, "Folder for the run. [default: a new one in runs/]", metavar="RUN"
    ) = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the training begun in --out.")
    ] = False,
    kind: _option(str, None, "What DATA is, if it is taken for something else.") = None,
    model: _option(str, None, "Which network. [default: fits the data]", metavar="NAME") = None,
    from_: _option(
        str,
        KNOWN,
        "Take the body of a known network and train a new head: efficientnet-lite0 or resnet50 "
        "for images, minilm for texts; NAME:FILE for weights of your own.",
        "--from",
        metavar="NAME",
    ) = None,
    fine_tune: _option(
        bool, KNOWN, "Then train the later stages of the body too, more slowly.", "--fine-tune"
    ) = None,
    unfreeze: _option(
        str,
        KNOWN,
        "First stage that --fine-tune trains. [default: the last third]",
        metavar="STAGE",
    ) = None,
    epochs: _option(int, TRAINING, "Most epochs. [default: fits the data]") = None,
    batch_size: _option(int, TRAINING, "Rows a step. [default: fits the data]") = None,
    optimizer: _option(str, TRAINING, "How weights move. [default: adamw]") = None,
    lr: _option(float, TRAINING, "Learning rate. [default: fits the optimizer]") = None,
    schedule: _option(
        str, TRAINING, "How the rate changes: cosine (down to 0) or constant. [default: cosine]"
    ) = None,
    weight_decay: _option(
        float, TRAINING, "Of adamw: pulls weights to 0. [default: fits the data]"
    ) = None,
    dropout: _option(
        float, TRAINING, "Share of hidden units dropped. [default: 0.2]", metavar="P"
    ) = None,
    patience: _option(
        int, TRAINING, "Epochs without improvement that end it. [default: runs them all]"
    ) = None,
    validation: _option(float, TRAINING, "Share of the rows held out. [default: 0.2]") = None,
    seed: _option(int, TRAINING, "Of everything random. [default: 0]") = None,
    precision: _option(str, TRAINING, PRECISION, metavar="NAME") = None,
    layers: _option(
        str, TABLES, 'Sizes of the hidden layers, "" for none. [default: 128,128]', metavar="N,N"
    ) = None,
    activation: _option(str, TABLES, "After each hidden layer. [default: relu]") = None,
    loss: _option(str, TABLES, "[default: fits the target]", metavar="NAME") = None,
    init: _option(str, TABLES, "Initial weights. [default: glorot_uniform]", metavar="NAME") = None,
    task: _option(
        str, TABLES, "binary, multiclass or regression. [default: as the target looks]"
    ) = None,
    ignore: _option(str, TABLES, "Columns to leave out.", metavar="COL,COL") = None,
    size: _option(
        int, IMAGES, "Edge in pixels that images get. [default: their own, at most 96]"
    ) = None,
    augment: _option(
        bool,
        IMAGES,
        "Move and mirror them in training. [default: yes]",
        "--augment/--no-augment",
    ) = None,
    skip_corrupt: _option(
        bool, IMAGES, "Leave out images that cannot be read.", "--skip-corrupt"
    ) = None,
    text: _option(
        str, TEXTS, "The column of the texts. [default: the longest]", metavar="COL"
    ) = None,
    tokens: _option(
        str, TEXTS, "What a text is cut into: word, bpe or character. [default: fits the data]"
    ) = None,
    length: _option(int, TEXTS, "Tokens of a text at most. [default: fits the data]") = None,
    column: _option(
        str, SERIES, "The series to forecast. [default: the only one]", metavar="COL"
    ) = None,
    window: _option(int, SERIES, "Steps that are seen. [default: two seasons]") = None,
    horizon: _option(int, SERIES, "Steps that are forecast. [default: fits the data]") = None,
    preflight: Annotated[
        bool,
        typer.Option(
            "--preflight/--no-preflight", help="Look at data and network before, for seconds."
        ),
    ] = True,
    device: Device = None,
    as_json: Json = False,
) -> None:
    """Train a network on your data, show it working, and save it as a run."""
    from cutaway.cli.train import train_command
    from cutaway.losses import LOSS_ALIASES

    given = {
        "from_": from_,
        "fine_tune": fine_tune,
        "unfreeze": unfreeze,
        "model": model,
        "epochs": epochs,
        "batch_size": batch_size,
        "optimizer": optimizer,
        "lr": lr,
        "schedule": schedule,
        "weight_decay": weight_decay,
        "dropout": dropout,
        "patience": patience,
        "validation": validation,
        "seed": seed,
        "precision": precision,
        "layers": None if layers is None else _sizes(layers),
        "activation": activation,
        "loss": LOSS_ALIASES.get(loss, loss),
        "init": init,
        "task": task,
        "ignore": None if ignore is None else _names(ignore),
        "size": size,
        "augment": augment,
        "skip_corrupt": skip_corrupt,
        "text": text,
        "tokens": tokens,
        "length": length,
        "column": column,
        "window": window,
        "horizon": horizon,
    }
    given = {name: value for name, value in given.items() if value is not None}
    train_command(
        data, target, kind, given, out=out, resume=resume, before=preflight, as_json=as_json
    )


# options of a training that a search leaves as they are, shared by the commands that train many
Fixed = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="NAME=VALUE",
        help="An option of every training, as for train (repeat it); it is not searched.",
        show_default=False,
    ),
]


@app.command(epilog="Example: **cutaway tune students.csv --target passed --trials 30**")
def tune(
    data: Annotated[
        Path | None,
        typer.Argument(metavar="[DATA]", help="As for train.", show_default=False),
    ] = None,
    target: _option(str, None, "The column to predict, for tables.", metavar="COL") = None,
    trials: Annotated[int, typer.Option(help="How many in all, earlier ones included.")] = 20,
    jobs: Annotated[int, typer.Option(help="Processes that try at the same time.")] = 1,
    out: _option(
        Path, None, "Folder; the same command goes on in it. [default: runs/NAME-tune]"
    ) = None,
    test: Annotated[float, typer.Option(help="Share of the rows that no trial sees.")] = 0.2,
    epochs: _option(int, None, "Most epochs of a trial. [default: fits the data]") = None,
    seed: _option(int, None, "Of everything random. [default: 0]") = None,
    kind: _option(str, None, "What DATA is, if it is taken for something else.") = None,
    fixed: Fixed = None,
    device: Device = None,
    as_json: Json = False,
) -> None:
    """Try learning rates, sizes, optimizers and more on your data, and keep the best run."""
    from cutaway.cli.tune import tune_command

    given = {"test": test, "epochs": epochs, "seed": seed, **_settings(fixed)}
    given = {name: value for name, value in given.items() if value is not None}
    tune_command(data, target, kind, given, trials=trials, jobs=jobs, out=out, as_json=as_json)


@app.command(epilog="Example: **cutaway compare students.csv --target passed --seeds 10**")
def compare(
    data: Annotated[
        Path | None,
        typer.Argument(metavar="[DATA]", help="As for train.", show_default=False),
    ] = None,
    target: _option(str, None, "The column to predict, for tables.", metavar="COL") = None,
    sizes: Annotated[int, typer.Option(help="How many numbers of rows to train on.")] = 5,
    seeds: Annotated[int, typer.Option(help="How often everything is repeated.")] = 5,
    out: _option(
        Path, None, "Folder for page and plot. [default: a new one in runs/]", metavar="FOLDER"
    ) = None,
    test: Annotated[float, typer.Option(help="Share of the rows to test on.")] = 0.25,
    epochs: _option(int, None, "Most epochs of the network. [default: fits the data]") = None,
    kind: _option(str, None, "What DATA is, if it is taken for something else.") = None,
    fixed: Fixed = None,
    device: Device = None,
    as_json: Json = False,
) -> None:
    """Say when depth pays: the network beside linear models and trees, on more and more rows."""
    from cutaway.cli.compare import compare_command

    given = {"test": test, "epochs": epochs, **_settings(fixed)}
    given = {name: value for name, value in given.items() if value is not None}
    compare_command(data, target, kind, given, sizes=sizes, seeds=seeds, out=out, as_json=as_json)


@app.command(epilog="Example: **cutaway predict runs/students new.csv --out predictions.csv**")
def predict(
    run: RunArgument,
    data: DataArgument,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="CSV file to write. [default: print them]"),
    ] = None,
    device: Device = None,
    as_json: Json = False,
) -> None:
    """Predict the target for every row or image of new data."""
    from cutaway.cli.use import predict_command

    predict_command(run, data, out=out, as_json=as_json)


@app.command(epilog="Example: **cutaway evaluate runs/students more_students.csv**")
def evaluate(
    run: RunArgument, data: DataArgument, device: Device = None, as_json: Json = False
) -> None:
    """Say how good a run is on other data that have the target."""
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


@app.command(epilog="Example: **cutaway bench photos --batch-size 64 --explain**")
def bench(
    data: Annotated[
        Path | None,
        typer.Argument(metavar="[DATA]", help="As for train.", show_default=False),
    ] = None,
    target: _option(str, None, "The column to predict, for tables.", metavar="COL") = None,
    kind: _option(str, None, "What DATA is, if it is taken for something else.") = None,
    model: _option(str, None, "Which network. [default: fits the data]", metavar="NAME") = None,
    batch_size: _option(int, None, "Rows a step. [default: fits the data]") = None,
    precision: _option(str, None, PRECISION, metavar="NAME") = None,
    seconds: Annotated[float, typer.Option(help="How long to measure.")] = 2.0,
    explain: Annotated[
        bool, typer.Option("--explain", help="Show how the step was compiled, and why.")
    ] = False,
    device: Device = None,
    as_json: Json = False,
) -> None:
    """Say how fast the network for your data trains on this machine."""
    from cutaway.cli.bench import bench_command

    given = {"model": model, "batch_size": batch_size, "precision": precision}
    given = {name: value for name, value in given.items() if value is not None}
    bench_command(data, target, kind, given, seconds=seconds, explain=explain, as_json=as_json)


@app.command(epilog='Example: **cutaway generate runs/shakespeare --prompt "ROMEO:"**')
def generate(
    run: RunArgument,
    prompt: Annotated[str, typer.Option(help="What the text goes on after.")] = "",
    length: Annotated[int, typer.Option(help="Characters (or other tokens) to write.")] = 500,
    temperature: Annotated[
        float, typer.Option(help="Below 1 keeps to what is likely; 0 takes the likeliest.")
    ] = 1.0,
    seed: Annotated[int, typer.Option(help="Of the draws.")] = 0,
    device: Device = None,
    as_json: Json = False,
) -> None:
    """Write text with a run that was trained on a plain text."""
    from cutaway.cli.use import generate_command

    generate_command(run, prompt, length, temperature, seed, as_json=as_json)


@app.command(epilog="Example: **cutaway export runs/students --onnx students.onnx**")
def export(
    run: RunArgument,
    out: Annotated[
        Path | None,
        typer.Argument(
            metavar="[FILE]",
            help="File to write. [default: network.onnx or .safetensors in the run]",
            show_default=False,
        ),
    ] = None,
    onnx: Annotated[bool, typer.Option("--onnx", help="The network, for other programs.")] = False,
    safetensors: Annotated[bool, typer.Option("--safetensors", help="The weights alone.")] = False,
    device: Device = None,
    as_json: Json = False,
) -> None:
    """Write a run's network for other programs, and say what its inputs must look like."""
    from cutaway.cli.export import export_command

    export_command(run, out, onnx=onnx, safetensors=safetensors, as_json=as_json)


@app.command(epilog="Example: **cutaway explain runs/students --row 3 --weight 0:2,1**")
def explain(
    run: RunArgument,
    row: Annotated[int, typer.Option(help="Which row of the data, from 0.")] = 0,
    data: _option(
        Path,
        None,
        "Data to take the row from. [default: those of the training]",
        "--input",
        metavar="FILE",
    ) = None,
    neuron: _option(
        str, None, "One element of a layer's output, term by term.", metavar="LAYER:J"
    ) = None,
    weight: _option(
        str, None, "The chain rule of one weight, path by path.", metavar="LAYER:I,J"
    ) = None,
    top: Annotated[int, typer.Option(help="How many of the strongest paths are named.")] = 10,
    html: _option(Path, None, "Page to write, for a browser.", metavar="FILE") = None,
    device: Device = None,
    as_json: Json = False,
) -> None:
    """Show why a run decided as it did on one row: every number of it, as arithmetic."""
    from cutaway.cli.explain import explain_command

    explain_command(
        run, row=row, data=data, neuron=neuron, weight=weight, top=top, html=html, as_json=as_json
    )


@app.command(epilog="Example: **cutaway doctor runs/students --treat**")
def doctor(
    what: Annotated[
        str,
        typer.Argument(
            metavar="RUN|FILE.py:NAME",
            help="Folder of a run, or a name in a Python file: (trainer, x, y), a Program, or a "
            "function that returns one.",
        ),
    ],
    treat: Annotated[
        bool, typer.Option("--treat", help="Try what is prescribed, against control and chance.")
    ] = False,
    seeds: Annotated[int, typer.Option(help="Of the trials: trainings of each arm.")] = 5,
    budget: _option(int, None, "Of the trials: trainings in all. [default: no limit]") = None,
    apply: Annotated[
        bool,
        typer.Option("--apply", help="Try, and write a new run with what helped most."),
    ] = False,
    out: _option(
        Path, None, "Folder for that run. [default: a new one in runs/]", metavar="RUN"
    ) = None,
    html: _option(Path, None, "Page to write, for a browser.", metavar="FILE") = None,
    device: Device = None,
    as_json: Json = False,
) -> None:
    """Say what is wrong with a training, and prove what fixes it. Exit code 1: something is."""
    from cutaway.cli.doctor import doctor_command

    doctor_command(
        what,
        treated=treat,
        seeds=seeds,
        budget=budget,
        applied=apply,
        out=out,
        html=html,
        as_json=as_json,
    )


@app.command(epilog="Example: **cutaway race rosenbrock --optimizer sgd,adam --html race.html**")
def race(
    surface: Annotated[
        str,
        typer.Argument(metavar="SURFACE", help="A textbook surface; see --list."),
    ] = "ravine",
    optimizer: _option(
        str, None, "Which of them race. [default: all ten]", metavar="NAME,..."
    ) = None,
    steps: _option(int, None, "How many steps. [default: fits the surface]") = None,
    start: _option(
        str, None, "From where they run. [default: fits the surface]", metavar="X,Y"
    ) = None,
    lr: _option(float, None, "Learning rate of all. [default: by a rule, which it says]") = None,
    png: _option(Path, None, "Picture to write.", metavar="FILE") = None,
    html: _option(Path, None, "Page to write, for a browser.", metavar="FILE") = None,
    listed: Annotated[bool, typer.Option("--list", help="List the surfaces.")] = False,
    device: Device = None,
    as_json: Json = False,
) -> None:
    """Let optimizers run down a surface from one point, and say where they arrive."""
    from cutaway.cli.race import list_command, race_command

    if listed:
        list_command(as_json=as_json)
        return
    race_command(
        surface,
        None if optimizer is None else _names(optimizer),
        steps=steps,
        start=None if start is None else _numbers(start),
        lr=lr,
        png=png,
        html=html,
        as_json=as_json,
    )


def _settings(texts) -> dict:
    """{"lr": 0.01, "layers": (16, 8)} of ["lr=0.01", "layers=16,8"]."""
    found = {}
    for text in texts or ():
        name, sign, value = text.partition("=")
        if not sign or not name.strip():
            raise OptionError(
                f"the setting {text!r}",
                expected="a name, = and a value",
                fix="for example --set dropout=0.1",
            )
        name = name.strip().replace("-", "_")
        if name in ("layers", "ignore"):
            found[name] = _sizes(value) if name == "layers" else _names(value)
            continue
        try:
            found[name] = json.loads(value)
        except ValueError:
            found[name] = value
    return found


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _sizes(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(",") if part.strip())
    except ValueError:
        raise OptionError(
            f"layer sizes {text!r}",
            expected="whole numbers with commas between",
            fix="for example --layers 64,64",
        ) from None


def _numbers(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise OptionError(
            f"the start {text!r}",
            expected="two numbers with a comma between",
            fix="for example --start -2,1.5",
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
        sys.exit(1 if isinstance(error, TrainingError | OutOfMemoryError) else 2)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:  # `cutaway ... | head` has seen enough
        sys.stderr.close()
        sys.exit(0)
    except Exception as error:
        if debug:
            raise
        _print_error(_unforeseen(error), as_json)
        sys.exit(1)


SMALLER = "fewer rows of data, or a smaller network"


def _unforeseen(error: Exception) -> CutawayError:
    """The error for an exception that is none of ours."""
    from cutaway.runtime.exhaustion import general_error, host_error, is_exhaustion

    if is_exhaustion(error):
        return general_error(error, "this command", SMALLER)
    if isinstance(error, MemoryError):
        return host_error(error, "this command", SMALLER)
    return CutawayError(
        f"{type(error).__name__}: {error}",
        expected="this not to happen: it is a fault of Cutaway",
        fix="run the command again with --debug and report what it prints",
    )


def _print_error(error: CutawayError, as_json: bool) -> None:
    if as_json:
        found = {"came": error.came, "expected": error.expected, "fix": error.fix}
        print(json.dumps({"error": {"type": type(error).__name__, **found}}))
    else:
        print(f"cutaway: {error}", file=sys.stderr)
