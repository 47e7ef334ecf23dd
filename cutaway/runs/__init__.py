"""Runs: from data to a trained network in a folder, and back from the folder to its use."""

from cutaway.runs.options import TrainingOptions
from cutaway.runs.prepare import prepare
from cutaway.runs.prepared import Prepared, write_report
from cutaway.runs.run import Run
from cutaway.runs.table import TableOptions, prepare_table, train_table

__all__ = [
    "Prepared",
    "Run",
    "TableOptions",
    "TrainingOptions",
    "prepare",
    "prepare_table",
    "train_table",
    "write_report",
]
