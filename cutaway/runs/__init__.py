"""Runs: from data to a trained network in a folder, and back from the folder to its use."""

from cutaway.runs.options import TableOptions
from cutaway.runs.run import Run
from cutaway.runs.table import PreparedTable, prepare_table, train_table, write_report

__all__ = ["PreparedTable", "Run", "TableOptions", "prepare_table", "train_table", "write_report"]
