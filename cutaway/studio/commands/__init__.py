"""The commands of the page."""

from typing import Any, Union

from cutaway.leaves import objects_of
from cutaway.studio.commands.contract import Command


def _is_command(value) -> bool:
    return isinstance(value, type) and issubclass(value, Command) and value is not Command


COMMANDS: list[type[Command]] = objects_of(__name__, __path__, _is_command)
ANY: Any = Union[tuple(COMMANDS)]  # noqa: UP007  # of a list
