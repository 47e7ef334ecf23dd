"""The commands of the page."""

from typing import Any, Union

from cutaway.leaves import objects_of
from cutaway.studio.commands.contract import Command, StructureEdit


def _is_command(value) -> bool:
    is_one = isinstance(value, type) and issubclass(value, Command)
    return is_one and value not in (Command, StructureEdit)


COMMANDS: list[type[Command]] = objects_of(__name__, __path__, _is_command)
ANY: Any = Union[tuple(COMMANDS)]  # noqa: UP007  # of a list
