"""Arguments and options that commands share, and how they are read. Quick to import."""

import json
import os
from pathlib import Path
from typing import Annotated

import typer

from cutaway.cli.training_options import training_options
from cutaway.errors import OptionError
from cutaway.runs.kinds import KINDS


def option(text: str, *names: str, metavar: str | None = None):
    """A Typer option that shows no default but what the text says."""
    return typer.Option(*names, help=text, metavar=metavar, show_default=False)


def textbook(text: str, *names: str, metavar: str | None = None):
    """An option of `cutaway explain` for a network that has no run."""
    panel = "A network of a textbook, instead of RUN"
    return typer.Option(
        *names, help=text, metavar=metavar, show_default=False, rich_help_panel=panel
    )


def example(command: str):
    """Puts an example below the help of a command."""

    def with_epilog(function):
        plain = command.replace("*", "\\*")  # the help is Markdown: x**2 would be bold
        function.epilog = f"Example: **{plain}**"
        return function

    return with_epilog


Json = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")]
Force = Annotated[bool, typer.Option("--force", help="Replace a file that Cutaway did not write.")]
Trust = Annotated[
    bool,
    typer.Option("--trust", help="Read the data that RUN names, although someone else made it."),
]
RunArgument = Annotated[
    Path, typer.Argument(metavar="RUN", help="Folder of a run, or hf://org/name[@revision].")
]
RunOrDetectorArgument = Annotated[
    Path,
    typer.Argument(
        metavar="RUN",
        help="Folder of a run, hf://org/name[@revision], or a published detector: yolov3-tiny or "
        "ssd-mobilenet.",
    ),
]
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


def _set_max_bytes(size: str | None) -> None:
    from cutaway.files import set_max_bytes

    if size is not None:
        set_max_bytes(size)


MaxBytes = Annotated[
    str | None,
    typer.Option(
        "--max-bytes",
        callback=_set_max_bytes,
        metavar="SIZE",
        help="Largest table, picture or other thing to read, such as 8GB. "
        "[default: half of the free memory; less for small files that unpack to much]",
        show_default=False,
    ),
]


# shared by the commands that read data and train
SomeData = Annotated[
    Path | None, typer.Argument(metavar="[DATA]", help="As for train.", show_default=False)
]
TargetColumn = Annotated[str | None, option("Column to predict, for tables.", metavar="COLUMN")]
_names = [*KINDS]
Kind = Annotated[
    str | None,
    option(f"Kind of DATA, if it is detected wrongly: {', '.join(_names[:-1])} or {_names[-1]}."),
]
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


def settings(texts) -> dict:
    """{"lr": 0.01, "layers": (16, 8)} of ["lr=0.01", "layers=16,8"]."""
    found, declared = {}, training_options()
    for text in texts or ():
        name, sign, value = text.partition("=")
        if not sign or not name.strip():
            raise OptionError(
                f"the setting {text!r}",
                expected="a name, = and a value",
                fix="write for example --set dropout=0.1",
            )
        name = name.strip().replace("-", "_")
        parse = declared[name].flag.parse if name in declared else None
        found[name] = _json(value) if parse is None else parse(value)
    return found


def _json(text: str):
    """The JSON value of a text, or the text itself."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text
