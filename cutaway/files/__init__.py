"""Files: written whole or not at all, and read within limits of size."""

from cutaway.files.limits import set_max_bytes
from cutaway.files.writing import write_atomically

__all__ = ["set_max_bytes", "write_atomically"]
