"""Training options: what every kind of data has, and what each kind adds. Quick to import."""

from cutaway.runs.options.every_kind import TrainingOptions
from cutaway.runs.options.flags import (
    DeclaredOption,
    Flag,
    declared_options,
    option,
    required_option,
)

__all__ = [
    "DeclaredOption",
    "Flag",
    "TrainingOptions",
    "declared_options",
    "option",
    "required_option",
]
