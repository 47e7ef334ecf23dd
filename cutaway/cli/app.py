"""The commands, their options, and how errors are reported. Heavy imports come late."""

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
    help="Deep learning with the side panel off: train a network and inspect every number in it.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")]
RunArgument = Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a run.")]
DataArgument = Annotated[
    Path, typer.Argument(metavar="DATA", help="Data of the kind that the run was trained on.")
]


def _use_device(kind: str | None) -> None:
    if kind is not None:
        from cutaway.runtime import use_device

        use_device(kind)
    elif os.environ.get("JAX_PLATFORMS"):  # it may name a platform that is not available
        from cutaway.runtime import device

        device()


# applied as soon as it is parsed, before anything is computed
Device = Annotated[
    str | None,
    typer.Option(
        "--device",
        callback=_use_device,
        metavar="cpu|gpu",
        help="Device to use. [default: the GPU if there is one]",
        show_default=False,
    ),
]
PRECISION = (
    "Precision of matrix products and convolutions: float32, tensorfloat32 (11 significant bits, "
    "GPU only) or bfloat16 (8 bits). [default: float32]"
)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"cutaway {cutaway.__version__}")
        raise typer.Exit


@app.callback(epilog="Start with: **cutaway train** (trains on a bundled table)")
def _shared(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show the traceback of errors (any command).")
    ] = False,
) -> None:
    pass


# the option groups of `cutaway train --help`
TRAINING, TABLES, IMAGES, TEXTS, SERIES = "Training", "Tables", "Images", "Texts", "Series"
PRETRAINED = "Pretrained models"


def _option(panel: str | None, text: str, *names: str, metavar: str | None = None):
    return typer.Option(
        *names, help=text, metavar=metavar, rich_help_panel=panel, show_default=False
    )


# shared by the commands that read data and train
SomeData = Annotated[
    Path | None, typer.Argument(metavar="[DATA]", help="As for train.", show_default=False)
]
TargetColumn = Annotated[
    str | None, _option(None, "Column to predict, for tables.", metavar="COLUMN")
]
Kind = Annotated[
    str | None,
    _option(
        None,
        "Kind of DATA, if it is detected wrongly: table, images, text, language, series, "
        "time-series-classification or recordings.",
    ),
]
Model = Annotated[
    str | None, _option(None, "Network. [default: depends on the data]", metavar="NAME")
]


@app.command(epilog="Example: **cutaway train students.csv --target passed --layers 16,8**")
def train(
    data: Annotated[
        Path | None,
        typer.Argument(
            metavar="[DATA]",
            help="A table (.csv, .tsv, .parquet), which may hold texts or a time series; a folder "
            "of images or recordings with one subfolder per class; IDX files; files of the UCR "
            "archive; a plain text. [default: the bundled students table]",
            show_default=False,
        ),
    ] = None,
    target: TargetColumn = None,
    out: Annotated[
        Path | None,
        _option(None, "Folder for the run. [default: a new one in runs/]", metavar="RUN"),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue the training in --out.")
    ] = False,
    kind: Kind = None,
    model: Model = None,
    from_: Annotated[
        str | None,
        _option(
            PRETRAINED,
            "Train a new head on a pretrained backbone: efficientnet-lite0 or resnet50 for images, "
            "minilm for texts; NAME:FILE for your own weights.",
            "--from",
            metavar="NAME",
        ),
    ] = None,
    fine_tune: Annotated[
        bool | None,
        _option(
            PRETRAINED, "Then fine-tune the last stages of the backbone as well.", "--fine-tune"
        ),
    ] = None,
    unfreeze: Annotated[
        str | None,
        _option(
            PRETRAINED,
            "First stage to fine-tune. [default: the last third]",
            metavar="STAGE",
        ),
    ] = None,
    epochs: Annotated[
        int | None, _option(TRAINING, "Maximum number of epochs. [default: depends on the data]")
    ] = None,
    batch_size: Annotated[
        int | None, _option(TRAINING, "Batch size. [default: depends on the data]")
    ] = None,
    optimizer: Annotated[str | None, _option(TRAINING, "Optimizer. [default: adamw]")] = None,
    lr: Annotated[
        float | None, _option(TRAINING, "Learning rate. [default: depends on the optimizer]")
    ] = None,
    schedule: Annotated[
        str | None,
        _option(
            TRAINING, "Learning-rate schedule: cosine (down to 0) or constant. [default: cosine]"
        ),
    ] = None,
    weight_decay: Annotated[
        float | None, _option(TRAINING, "Weight decay, for adamw. [default: depends on the data]")
    ] = None,
    dropout: Annotated[
        float | None,
        _option(TRAINING, "Dropout rate. [default: depends on the data]", metavar="P"),
    ] = None,
    patience: Annotated[
        int | None,
        _option(TRAINING, "Stop after this many epochs without improvement. [default: never]"),
    ] = None,
    validation: Annotated[
        float | None, _option(TRAINING, "Fraction of the rows used for validation. [default: 0.2]")
    ] = None,
    seed: Annotated[int | None, _option(TRAINING, "Random seed. [default: 0]")] = None,
    precision: Annotated[str | None, _option(TRAINING, PRECISION, metavar="NAME")] = None,
    layers: Annotated[
        str | None,
        _option(
            TABLES, 'Sizes of the hidden layers; "" for none. [default: 128,128]', metavar="N,N"
        ),
    ] = None,
    activation: Annotated[
        str | None, _option(TABLES, "Activation of the hidden layers. [default: relu]")
    ] = None,
    loss: Annotated[
        str | None, _option(TABLES, "Loss. [default: depends on the target]", metavar="NAME")
    ] = None,
    init: Annotated[
        str | None, _option(TABLES, "Weight initializer. [default: glorot_uniform]", metavar="NAME")
    ] = None,
    task: Annotated[
        str | None,
        _option(TABLES, "binary, multiclass or regression. [default: depends on the target]"),
    ] = None,
    ignore: Annotated[
        str | None, _option(TABLES, "Columns to ignore.", metavar="COLUMN,...")
    ] = None,
    size: Annotated[
        int | None,
        _option(IMAGES, "Image size in pixels. [default: the original size, at most 96]"),
    ] = None,
    augment: Annotated[
        bool | None,
        _option(
            IMAGES,
            "Augment with random shifts and flips. [default: yes]",
            "--augment/--no-augment",
        ),
    ] = None,
    skip_corrupt: Annotated[
        bool | None, _option(IMAGES, "Skip images that cannot be read.", "--skip-corrupt")
    ] = None,
    text: Annotated[
        str | None,
        _option(TEXTS, "Text column. [default: the one with the longest texts]", metavar="COLUMN"),
    ] = None,
    tokens: Annotated[
        str | None,
        _option(TEXTS, "Tokenizer: word, bpe or character. [default: depends on the data]"),
    ] = None,
    length: Annotated[
        int | None, _option(TEXTS, "Maximum tokens per text. [default: depends on the data]")
    ] = None,
    column: Annotated[
        str | None,
        _option(SERIES, "Column to forecast. [default: the only one]", metavar="COLUMN"),
    ] = None,
    window: Annotated[
        int | None, _option(SERIES, "Input window in steps. [default: two seasons]")
    ] = None,
    horizon: Annotated[
        int | None, _option(SERIES, "Steps to forecast. [default: depends on the data]")
    ] = None,
    preflight: Annotated[
        bool,
        typer.Option(
            "--preflight/--no-preflight", help="Check data and network first (takes seconds)."
        ),
    ] = True,
    device: Device = None,
    as_json: Json = False,
) -> None:
    """Train a network on your data, report its scores, and save it as a run."""
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
        "loss": None if loss is None else LOSS_ALIASES.get(loss, loss),
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


# training options that are fixed in a search; shared by the commands that train many networks
Fixed = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="NAME=VALUE",
        help="Fix a training option, as for train; repeatable. Fixed options are not searched.",
        show_default=False,
    ),
]


@app.command(epilog="Example: **cutaway tune students.csv --target passed --trials 30**")
def tune(
    data: SomeData = None,
    target: TargetColumn = None,
    trials: Annotated[int, typer.Option(help="Number of trials, including earlier ones.")] = 20,
    jobs: Annotated[int, typer.Option(help="Parallel processes.")] = 1,
    out: Annotated[
        Path | None,
        _option(None, "Folder; the same command resumes in it. [default: runs/NAME-tune]"),
    ] = None,
    test: Annotated[float, typer.Option(help="Fraction of the rows kept as the test set.")] = 0.2,
    epochs: Annotated[
        int | None, _option(None, "Maximum epochs per trial. [default: depends on the data]")
    ] = None,
    seed: Annotated[int | None, _option(None, "Random seed. [default: 0]")] = None,
    kind: Kind = None,
    fixed: Fixed = None,
    device: Device = None,
    as_json: Json = False,
) -> None:
    """Search for the best hyperparameters for your data, and keep the best run."""
    from cutaway.cli.tune import tune_command

    given = {"test": test, "epochs": epochs, "seed": seed, **_settings(fixed)}
    given = {name: value for name, value in given.items() if value is not None}
    tune_command(data, target, kind, given, trials=trials, jobs=jobs, out=out, as_json=as_json)


@app.command(epilog="Example: **cutaway compare students.csv --target passed --seeds 10**")
def compare(
    data: SomeData = None,
    target: TargetColumn = None,
    sizes: Annotated[int, typer.Option(help="Number of training-set sizes.")] = 5,
    seeds: Annotated[int, typer.Option(help="Repetitions, each with its own seed.")] = 5,
    out: Annotated[
        Path | None,
        _option(
            None, "Folder for report and plot. [default: a new one in runs/]", metavar="FOLDER"
        ),
    ] = None,
    test: Annotated[float, typer.Option(help="Fraction of the rows kept as the test set.")] = 0.25,
    epochs: Annotated[
        int | None, _option(None, "Maximum epochs of the network. [default: depends on the data]")
    ] = None,
    kind: Kind = None,
    fixed: Fixed = None,
    device: Device = None,
    as_json: Json = False,
) -> None:
    """Compare the network with linear models and trees on training sets of growing size."""
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
        typer.Option(metavar="FILE", help="CSV file to write. [default: print to the terminal]"),
    ] = None,
    device: Device = None,
    as_json: Json = False,
) -> None:
    """Predict the target of every row, image, text or recording in new data."""
    from cutaway.cli.use import predict_command

    predict_command(run, data, out=out, as_json=as_json)


@app.command(epilog="Example: **cutaway evaluate runs/students more_students.csv**")
def evaluate(
    run: RunArgument, data: DataArgument, device: Device = None, as_json: Json = False
) -> None:
    """Score a run on other labeled data."""
    from cutaway.cli.use import evaluate_command

    evaluate_command(run, data, as_json=as_json)


@app.command(epilog="Example: **cutaway summary 4,3,2,1**")
def summary(
    what: Annotated[
        str, typer.Argument(metavar="RUN|SIZES", help="A run, or layer sizes like 4,3,2,1.")
    ],
    as_json: Json = False,
) -> None:
    """Show a network layer by layer: output shapes and trainable parameters."""
    from cutaway.cli.use import summary_command

    sizes = None
    if not Path(what).exists() and set(what) <= set("0123456789,- "):
        sizes = _sizes(what.replace("-", ","))
    summary_command(what, sizes, as_json=as_json)


@app.command(epilog="Example: **cutaway bench photos --batch-size 64 --explain**")
def bench(
    data: SomeData = None,
    target: TargetColumn = None,
    kind: Kind = None,
    model: Model = None,
    batch_size: Annotated[
        int | None, _option(None, "Batch size. [default: depends on the data]")
    ] = None,
    precision: Annotated[str | None, _option(None, PRECISION, metavar="NAME")] = None,
    seconds: Annotated[float, typer.Option(help="Duration of the measurement.")] = 2.0,
    explain: Annotated[
        bool, typer.Option("--explain", help="Show how the training step was compiled, and why.")
    ] = False,
    device: Device = None,
    as_json: Json = False,
) -> None:
    """Measure how fast the network for your data trains on this machine."""
    from cutaway.cli.bench import bench_command

    given = {"model": model, "batch_size": batch_size, "precision": precision}
    given = {name: value for name, value in given.items() if value is not None}
    bench_command(data, target, kind, given, seconds=seconds, explain=explain, as_json=as_json)


@app.command(epilog='Example: **cutaway generate runs/shakespeare --prompt "ROMEO:"**')
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


@app.command(epilog="Example: **cutaway export runs/students --onnx students.onnx**")
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
    device: Device = None,
    as_json: Json = False,
) -> None:
    """Export a run's network, with a description of its inputs and outputs."""
    from cutaway.cli.export import export_command

    export_command(run, out, onnx=onnx, safetensors=safetensors, as_json=as_json)


@app.command(epilog="Example: **cutaway explain runs/students --row 3 --weight 0:2,1**")
def explain(
    run: RunArgument,
    row: Annotated[int, typer.Option(help="Row of the data, counted from 0.")] = 0,
    data: Annotated[
        Path | None,
        _option(
            None,
            "Data to take the row from. [default: the training data]",
            "--input",
            metavar="FILE",
        ),
    ] = None,
    neuron: Annotated[
        str | None,
        _option(None, "Show one neuron's output term by term.", metavar="LAYER:J"),
    ] = None,
    weight: Annotated[
        str | None,
        _option(None, "Show one weight's gradient path by path.", metavar="LAYER:I,J"),
    ] = None,
    top: Annotated[int, typer.Option(help="Number of paths to list, strongest first.")] = 10,
    html: Annotated[Path | None, _option(None, "HTML report to write.", metavar="FILE")] = None,
    device: Device = None,
    as_json: Json = False,
) -> None:
    """Explain the prediction for one row, down to the arithmetic of single weights."""
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
            help="Folder of a run, or a name in a Python file: (trainer, x, y), a TrainingPlan, or "
            "a function that returns one of these.",
        ),
    ],
    treat: Annotated[
        bool,
        typer.Option(
            "--treat", help="Test the prescriptions against a control and a random change."
        ),
    ] = False,
    seeds: Annotated[
        int, typer.Option(help="Trainings per prescription, each with its own seed.")
    ] = 5,
    budget: Annotated[
        int | None, _option(None, "Maximum number of trainings. [default: no limit]")
    ] = None,
    apply: Annotated[
        bool,
        typer.Option("--apply", help="Test, and train a new run with the most helpful change."),
    ] = False,
    out: Annotated[
        Path | None,
        _option(None, "Folder for the new run. [default: a new one in runs/]", metavar="RUN"),
    ] = None,
    html: Annotated[Path | None, _option(None, "HTML report to write.", metavar="FILE")] = None,
    device: Device = None,
    as_json: Json = False,
) -> None:
    """Diagnose a training and test what fixes it. Exit code 1 means that it is not healthy."""
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
        typer.Argument(metavar="SURFACE", help="Test function; see --list."),
    ] = "ravine",
    optimizer: Annotated[
        str | None, _option(None, "Optimizers. [default: all ten]", metavar="NAME,...")
    ] = None,
    steps: Annotated[
        int | None, _option(None, "Number of steps. [default: depends on the surface]")
    ] = None,
    start: Annotated[
        str | None,
        _option(None, "Starting point. [default: depends on the surface]", metavar="X,Y"),
    ] = None,
    lr: Annotated[
        float | None,
        _option(None, "Learning rate for all. [default: chosen for each; the output says how]"),
    ] = None,
    png: Annotated[Path | None, _option(None, "PNG image to write.", metavar="FILE")] = None,
    html: Annotated[Path | None, _option(None, "HTML report to write.", metavar="FILE")] = None,
    listed: Annotated[bool, typer.Option("--list", help="List the surfaces.")] = False,
    device: Device = None,
    as_json: Json = False,
) -> None:
    """Race optimizers on a test function from one starting point, and say where they end."""
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
                fix="write for example --set dropout=0.1",
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
            expected="integers separated by commas",
            fix="write for example --layers 64,64",
        ) from None


def _numbers(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise OptionError(
            f"the starting point {text!r}",
            expected="two numbers separated by a comma",
            fix="write for example --start -2,1.5",
        ) from None


def run() -> None:
    """Parse and run the command; exit code 0 for success, 2 for invalid input, 1 for failures."""
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
    except BrokenPipeError:  # as in `cutaway ... | head`
        sys.stderr.close()
        sys.exit(0)
    except Exception as error:
        if debug:
            raise
        _print_error(_unexpected(error), as_json)
        sys.exit(1)


SMALLER = "fewer rows of data, or a smaller network"


def _unexpected(error: Exception) -> CutawayError:
    """The CutawayError for any other exception."""
    from cutaway.runtime.exhaustion import general_error, host_error, is_exhaustion

    if is_exhaustion(error):
        return general_error(error, "this command", SMALLER)
    if isinstance(error, MemoryError):
        return host_error(error, "this command", SMALLER)
    return CutawayError(
        f"{type(error).__name__}: {error}",
        expected="no such error: this is a bug in Cutaway",
        fix="run the command again with --debug and report its output",
    )


def _print_error(error: CutawayError, as_json: bool) -> None:
    if as_json:
        parts = {"came": error.came, "expected": error.expected, "fix": error.fix}
        print(json.dumps({"error": {"type": type(error).__name__, **parts}}))
    else:
        print(f"cutaway: {error}", file=sys.stderr)
