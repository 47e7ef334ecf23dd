"""Files: written whole or not at all."""

from cutaway.files.writing import replacing, sweep, write_atomically

__all__ = ["replacing", "sweep", "write_atomically"]
