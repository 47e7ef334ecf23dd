"""The commands in their order, and how errors are reported. Heavy imports come late."""

import io
import json
import sys
import warnings
from typing import Annotated

import typer

import cutaway
from cutaway.cli.commands import (
    on_course,
    on_data,
    on_pictures,
    on_processes,
    on_runs,
    on_trainings,
)
from cutaway.cli.ctrl_c import is_interrupted
from cutaway.cli.usage import UsageError, is_help, usage_error
from cutaway.errors import (
    CutawayError,
    OptionError,
    OutOfMemoryError,
    TrainingError,
    visible,
)

app = typer.Typer(
    name="cutaway",
    help="Deep learning with the side panel off: train a network and inspect every number in it.",
    invoke_without_command=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

COMMANDS = (
    on_data.train,
    on_data.studio,
    on_data.tune,
    on_data.compare,
    on_runs.predict,
    on_runs.evaluate,
    on_runs.summary,
    on_runs.verify,
    on_data.bench,
    on_runs.generate,
    on_runs.export,
    on_runs.explain,
    on_trainings.doctor,
    on_trainings.race,
    on_processes.launch,
    on_pictures.plot,
    on_course.learn,
    on_course.exercise,
)


FIRST = """Deep learning with the side panel off. What to try first:

  cutaway train                           trains on a bundled table, in seconds
  cutaway studio                          a live page of a network in training
  cutaway explain runs/students --row 3   why the network predicts what it does
  cutaway doctor runs/students            whether it learned, and what to change
  cutaway train DATA --target COLUMN      your table, images, texts or sound
  cutaway predict RUN DATA                predictions for new data
  cutaway compare DATA --target COLUMN    is it better than simple models?

All commands: cutaway --help. Of one: cutaway train --help
Completion with the tab key: cutaway --install-completion"""

# options that name a file or a folder
PATHS = ("--out", "--html", "--png", "--input", "--certificate", "--key", "--lesson", "--record")


def _version(wanted: bool) -> None:
    if wanted:
        print(f"cutaway {cutaway.__version__}")
        raise typer.Exit


EXIT_CODES = (
    "Exit codes: 0 success; 1 failure, or not healthy (doctor) or damaged (verify); 2 invalid "
    "input; 130 interrupted. Every command that reports takes --json."
)


@app.callback(epilog=EXIT_CODES)
def _shared(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show the traceback of errors (any command).")
    ] = False,
) -> None:
    if context.invoked_subcommand is None:
        print(FIRST)


for command in COMMANDS:
    settings = getattr(command, "context_settings", None)
    app.command(epilog=command.epilog, context_settings=settings)(command)


def run() -> None:
    """Parse and run the command; exit code 0 for success, 2 for invalid input, 1 for failures."""
    arguments = sys.argv[1:]
    debug = "--debug" in arguments
    warnings.showwarning = _show_warning
    as_json = "--json" in arguments
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # names need not be UTF-8
    try:
        _expect_paths(arguments)
        given = [a for a in arguments if a != "--debug"]
        sys.exit(app(args=given, prog_name="cutaway", standalone_mode=False))
    except UsageError as error:
        if not is_help(error):
            _print_error(usage_error(error), as_json)
        _exit(2)
    except CutawayError as error:
        if debug:
            raise
        _print_error(error, as_json)
        _exit(1 if isinstance(error, TrainingError | OutOfMemoryError) else 2)
    except KeyboardInterrupt:
        _exit(130)
    except BrokenPipeError:  # as in `cutaway ... | head`
        sys.stderr.close()
        sys.exit(0)
    except BaseException as error:
        # a panic of a library in Rust is not even an Exception
        is_fault = isinstance(error, Exception) or type(error).__name__ == "PanicException"
        if is_fault and is_interrupted():
            _exit(130)
        if debug or not is_fault:
            raise
        _print_error(_unexpected(error), as_json)
        _exit(1)


def _exit(code: int) -> None:
    """End with a failure; as one of several processes at once, not waiting for the others."""
    distributed = sys.modules.get("cutaway.runtime.distributed")  # half imported at Ctrl-C
    count = getattr(distributed, "process_count", None)
    if distributed is not None and count is not None and count() > 1:
        distributed.fail(code)
    sys.exit(code)


def _show_warning(message, category, filename, lineno, file=None, line=None) -> None:
    print(f"note: {visible(message)}", file=sys.stderr)


def _expect_paths(arguments) -> None:
    """Raise OptionError for an empty path, which would mean the current folder.

    It is what a variable of the shell gives that is not set.
    """
    for before, argument in zip(["", *arguments], arguments, strict=False):
        flag = before if before in PATHS else "" if before.startswith("--") else "an argument"
        if argument in {f"{path}=" for path in PATHS}:
            flag, argument = argument[:-1], ""
        if flag and not argument.strip():
            raise OptionError(
                f"{flag} is empty",
                expected="the path of a file or folder",
                fix="write a path, or omit it; for the current folder write .",
            )


SMALLER = "fewer rows of data, or a smaller network"


def _unexpected(error: BaseException) -> CutawayError:
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
