"""Files: written whole or not at all, with checksums, and read within limits of size."""

from cutaway.files.limits import set_max_bytes
from cutaway.files.manifest import Manifest
from cutaway.files.owner import Owner
from cutaway.files.writing import replacing, sweep, write_atomically

__all__ = ["Manifest", "Owner", "replacing", "set_max_bytes", "sweep", "write_atomically"]
