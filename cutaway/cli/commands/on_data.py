"""Commands that read data and train: train, studio, tune, compare, bench."""

from pathlib import Path
from typing import Annotated

import typer

from cutaway.cli.options import (
    Device,
    Fixed,
    Force,
    Json,
    Kind,
    MaxBytes,
    SomeData,
    TargetColumn,
    Trust,
    example,
    option,
    settings,
)
from cutaway.cli.training_options import with_training_options
from cutaway.runs.kinds import KINDS

_DATA = "; ".join(kind.takes for kind in KINDS.values() if kind.takes)
_DATA = _DATA[:1].upper() + _DATA[1:]


@example("cutaway train students.csv --target passed --layers 16,8")
@with_training_options()
def train(
    data: Annotated[
        Path | None,
        typer.Argument(
            metavar="[DATA]",
            help=f"{_DATA}. [default: the bundled students table]",
            show_default=False,
        ),
    ] = None,
    target: TargetColumn = None,
    out: Annotated[
        Path | None,
        option("Folder for the run. [default: a new one in runs/]", metavar="RUN"),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue the training in --out.")
    ] = False,
    kind: Kind = None,
    *,
    given: dict,
    preflight: Annotated[
        bool,
        typer.Option(
            "--preflight/--no-preflight", help="Check data and network first (takes seconds)."
        ),
    ] = True,
    processes: Annotated[
        int | None,
        option("Processes that share each batch, on this machine. [default: 1]", metavar="N"),
    ] = None,
    devices: Annotated[
        str | None,
        option(
            "GPUs of each process that share each batch. [default: 1, or all with --processes]",
            metavar="all|N",
        ),
    ] = None,
    shard_parameters: Annotated[
        bool,
        typer.Option(
            "--shard-parameters",
            help="Keep large parameters in parts on the devices, for a network that does not fit "
            "on one.",
        ),
    ] = False,
    log: Annotated[
        list[str] | None,
        option(
            "Also write the training to csv, tensorboard, wandb or mlflow; repeatable.",
            metavar="LOGGER",
        ),
    ] = None,
    device: Device = None,
    max_bytes: MaxBytes = None,
    as_json: Json = False,
) -> None:
    """Train a network on your data, report its scores, and save it as a run."""
    if processes is not None and processes != 1:
        from cutaway.cli.launch import launch_itself

        launch_itself(processes)
    from cutaway.cli.train import train_command

    train_command(
        data,
        target,
        kind,
        given,
        out=out,
        resume=resume,
        before=preflight,
        log=log or (),
        as_json=as_json,
        devices=devices,
        shard_parameters=shard_parameters,
    )


@example("cutaway studio students.csv --target passed")
@with_training_options()
def studio(
    what: Annotated[
        str | None,
        typer.Argument(
            metavar="[DATA|RUN]",
            help="As for train; the folder of a run; or points of a plane: spirals, circle, gauss, "
            "xor. [default: spirals]",
            show_default=False,
        ),
    ] = None,
    target: TargetColumn = None,
    kind: Kind = None,
    *,
    given: dict,
    port: Annotated[int, option("Port of the page. [default: a free one]")] = 0,
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", help="Open the page in a browser.")
    ] = True,
    host: Annotated[
        str,
        option(
            "Address of this machine that others may connect to; needs --certificate and --key. "
            "Simpler: ssh -L PORT:127.0.0.1:PORT. [default: 127.0.0.1, this machine only]",
        ),
    ] = "127.0.0.1",
    certificate: Annotated[
        Path | None, option("Certificate for --host, in PEM form.", metavar="FILE")
    ] = None,
    key: Annotated[Path | None, option("Its private key, in PEM form.", metavar="FILE")] = None,
    lesson: Annotated[
        Path | None, option("Lesson to follow on the page, JSON.", metavar="FILE")
    ] = None,
    record: Annotated[
        Path | None,
        option("HTML page to write at the end: what was seen, to play again.", metavar="FILE"),
    ] = None,
    force: Force = False,
    trust: Trust = False,
    device: Device = None,
    max_bytes: MaxBytes = None,
    as_json: Json = False,
) -> None:
    """Watch a network train on a live page, and change it while it does."""
    from cutaway.cli.studio import studio_command

    studio_command(
        what,
        target,
        kind,
        given,
        host=host,
        port=port,
        certificate=certificate,
        key=key,
        browser=browser,
        lesson=lesson,
        record=record,
        force=force,
        trust=trust,
        as_json=as_json,
    )


@example("cutaway tune students.csv --target passed --trials 30")
def tune(
    data: SomeData = None,
    target: TargetColumn = None,
    trials: Annotated[int, typer.Option(help="Number of trials, including earlier ones.")] = 20,
    jobs: Annotated[int, typer.Option(help="Parallel processes.")] = 1,
    out: Annotated[
        Path | None,
        option("Folder; the same command resumes in it. [default: runs/NAME-tune]"),
    ] = None,
    study: Annotated[
        str | None,
        option(
            "Where the same command on several machines shares the trials: a journal file on a "
            "common disk, or a database URL.",
            metavar="FILE|URL",
        ),
    ] = None,
    test: Annotated[float, typer.Option(help="Fraction of the rows kept as the test set.")] = 0.2,
    epochs: Annotated[
        int | None, option("Maximum epochs per trial. [default: depends on the data]")
    ] = None,
    seed: Annotated[int | None, option("Random seed. [default: 0]")] = None,
    kind: Kind = None,
    fixed: Fixed = None,
    log: Annotated[
        list[str] | None,
        option(
            "Also write each trial to csv, tensorboard, wandb or mlflow; repeatable.",
            metavar="LOGGER",
        ),
    ] = None,
    device: Device = None,
    max_bytes: MaxBytes = None,
    as_json: Json = False,
) -> None:
    """Search for the best hyperparameters for your data, and keep the best run."""
    from cutaway.cli.tune import tune_command

    given = {"test": test, "epochs": epochs, "seed": seed, **settings(fixed)}
    given = {name: value for name, value in given.items() if value is not None}
    tune_command(
        data,
        target,
        kind,
        given,
        trials=trials,
        jobs=jobs,
        out=out,
        log=log or (),
        study=study,
        as_json=as_json,
    )


@example("cutaway compare students.csv --target passed --seeds 10")
def compare(
    data: SomeData = None,
    target: TargetColumn = None,
    sizes: Annotated[
        int | None,
        option(
            "Learning curves over so many training-set sizes. [default: 5; of tables no learning "
            "curve]"
        ),
    ] = None,
    seeds: Annotated[int, typer.Option(help="Repetitions, each with its own seed and split.")] = 5,
    seconds: Annotated[
        float | None,
        option("Of tables: no further split begins if it would end later. [default: 100]"),
    ] = None,
    out: Annotated[
        Path | None,
        option("Folder for report and plot. [default: a new one in runs/]", metavar="FOLDER"),
    ] = None,
    test: Annotated[float, typer.Option(help="Fraction of the rows kept as the test set.")] = 0.25,
    epochs: Annotated[
        int | None, option("Maximum epochs of the network. [default: depends on the data]")
    ] = None,
    kind: Kind = None,
    fixed: Fixed = None,
    device: Device = None,
    max_bytes: MaxBytes = None,
    as_json: Json = False,
) -> None:
    """Compare the network with linear models and trees on your data.

    Of a table, on repeated splits: which is better, by how much, and on which rows trees are. Of
    other data, and with --sizes, on training sets of growing size.
    """
    from cutaway.cli.compare import compare_command

    given = {"test": test, "epochs": epochs, **settings(fixed)}
    given = {name: value for name, value in given.items() if value is not None}
    compare_command(
        data,
        target,
        kind,
        given,
        sizes=sizes,
        seeds=seeds,
        seconds=seconds,
        out=out,
        as_json=as_json,
    )


@example("cutaway bench photos --batch-size 64 --explain")
@with_training_options("model", "batch_size", "precision")
def bench(
    data: SomeData = None,
    target: TargetColumn = None,
    kind: Kind = None,
    *,
    given: dict,
    seconds: Annotated[float, typer.Option(help="Duration of the measurement.")] = 2.0,
    explain: Annotated[
        bool, typer.Option("--explain", help="Show how the training step was compiled, and why.")
    ] = False,
    device: Device = None,
    max_bytes: MaxBytes = None,
    as_json: Json = False,
) -> None:
    """Measure how fast the network for your data trains on this machine."""
    from cutaway.cli.bench import bench_command

    bench_command(data, target, kind, given, seconds=seconds, explain=explain, as_json=as_json)
