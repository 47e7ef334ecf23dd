"""The programs: importing this package enters all of them in case.FAULTS and case.HEALTHY."""

from cutaway.leaves import modules_of

MODULES = modules_of(__name__, __path__)  # a new file is found by being there
