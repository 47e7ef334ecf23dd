"""Loggers: callbacks that write a training to files and tracking servers, one file each."""

from cutaway.leaves import objects_of
from cutaway.train.loggers.contract import Logger

__all__ = ["LOGGERS", "Logger"]


def _is_logger(value) -> bool:
    return isinstance(value, type) and issubclass(value, Logger) and bool(vars(value).get("name"))


# by their names on the command line: every class in this folder with a name
LOGGERS: dict[str, type[Logger]] = {
    found.name: found for found in objects_of(__name__, __path__, _is_logger)
}
globals().update({found.__name__: found for found in LOGGERS.values()})
