"""Files: written whole or not at all, with checksums that are verified when they are read."""

from cutaway.files.manifest import Manifest
from cutaway.files.owner import Owner
from cutaway.files.writing import replacing, sweep, write_atomically

__all__ = ["Manifest", "Owner", "replacing", "sweep", "write_atomically"]
