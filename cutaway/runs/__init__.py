"""Runs: from data to a trained network in a folder, and back from the folder to its use."""

from cutaway.runs.experiment import Experiment, write_report
from cutaway.runs.finished_run import Run
from cutaway.runs.from_path import prepare
from cutaway.runs.options import TrainingOptions
from cutaway.runs.table import TableOptions, prepare_table, train_table

__all__ = [
    "Experiment",
    "Run",
    "TableOptions",
    "TrainingOptions",
    "prepare",
    "prepare_table",
    "train_table",
    "write_report",
]
