"""Options of the command line that are made of the training options of all kinds of data."""

import functools
import inspect
from typing import Annotated

import typer

from cutaway.runs.kinds import KINDS
from cutaway.runs.options import DeclaredOption, TrainingOptions, declared_options


@functools.cache
def training_options() -> dict[str, DeclaredOption]:
    """{name: DeclaredOption} of every kind of data, in the order of `cutaway train --help`.

    Those for pretrained backbones come first, then those of every training, then those of each
    kind. Of equal names the first one counts: kinds share the flag of what they share.
    """
    common = declared_options(TrainingOptions)
    kinds = KINDS.values()
    classes = [k.transfer_options for k in kinds if k.transfer_options not in (None, k.options)]
    first = [one for options in classes for one in declared_options(options).values()]
    last = [one for kind in kinds for one in declared_options(kind.options).values()]
    found: dict[str, DeclaredOption] = {}
    for one in (*(one for one in first if one.name not in common), *common.values(), *last):
        found.setdefault(one.name, one)
    return found


def with_training_options(*names: str):
    """Gives a command training options in place of its parameter `given`, a dict of them.

    Args:
        names: of the options, which then stand among the general ones; empty: all, in panels.
    """

    def decorated(function):
        known = training_options()
        chosen = {name: known[name] for name in names} if names else known

        @functools.wraps(function)
        def command(**values):
            texts = {name: values.pop(name) for name in chosen}
            given = {name: _read(chosen[name], v) for name, v in texts.items() if v is not None}
            return function(**values, given=given)

        parameters = []
        for one in inspect.signature(function, eval_str=True).parameters.values():
            if one.name == "given":
                parameters += [
                    _parameter(option, in_panels=not names) for option in chosen.values()
                ]
            else:
                parameters.append(one)
        read = {one.name: one.annotation for one in parameters}
        vars(command).update(__signature__=inspect.Signature(parameters))  # what Typer reads
        command.__annotations__ = read
        return command

    return decorated


def _read(option: DeclaredOption, value):
    return value if option.flag.parse is None else option.flag.parse(value)


def _parameter(option: DeclaredOption, in_panels: bool) -> inspect.Parameter:
    """The option as Typer reads it from a signature."""
    flag = option.flag
    shown = typer.Option(
        *flag.names,
        help=option.help,
        metavar=flag.metavar,
        rich_help_panel=flag.panel if in_panels else None,
        show_default=False,
    )
    return inspect.Parameter(
        option.name,
        inspect.Parameter.POSITIONAL_OR_KEYWORD,
        default=None,
        annotation=Annotated[option.type | None, shown],
    )
