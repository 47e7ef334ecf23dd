"""Loggers: callbacks that write a training to files and tracking servers, one file each."""

from cutaway.errors import expect_choice
from cutaway.leaves import objects_of
from cutaway.train.loggers.contract import Logger

__all__ = ["LOGGERS", "Logger", "named_loggers"]


def _is_logger(value) -> bool:
    return isinstance(value, type) and issubclass(value, Logger) and bool(vars(value).get("name"))


# by their names on the command line: every class in this folder with a name
LOGGERS: dict[str, type[Logger]] = {
    found.name: found for found in objects_of(__name__, __path__, _is_logger)
}
globals().update({found.__name__: found for found in LOGGERS.values()})


def named_loggers(names) -> list[Logger]:
    """New loggers with their default options, each once.

    Args:
        names: keys of LOGGERS.

    Raises:
        OptionError: an unknown name, or a logger whose package is not installed.

    Example:
        >>> from cutaway.train.loggers import named_loggers
        >>> named_loggers(["csv"])
        [CSV()]
    """
    for name in names:
        expect_choice(name, LOGGERS, what="logger")
    return [LOGGERS[name]() for name in dict.fromkeys(names)]
