# Written by scripts/write_stubs.py: do not edit.
from cutaway.runs.experiment import Experiment as Experiment
from cutaway.runs.experiment import write_report as write_report
from cutaway.runs.finished_run import Run as Run
from cutaway.runs.from_path import prepare as prepare
from cutaway.runs.kinds import DataKind as DataKind
from cutaway.runs.kinds import KINDS as KINDS
from cutaway.runs.model_card import push_to_hub as push_to_hub
from cutaway.runs.options import TrainingOptions as TrainingOptions
from cutaway.runs.recognition import Recognized as Recognized
from cutaway.runs.recognition import recognize as recognize
from cutaway.runs.table import TableOptions as TableOptions
from cutaway.runs.table import prepare_table as prepare_table
from cutaway.runs.table import train_table as train_table

__all__ = [
    "DataKind",
    "Experiment",
    "KINDS",
    "Recognized",
    "Run",
    "TableOptions",
    "TrainingOptions",
    "prepare",
    "prepare_table",
    "push_to_hub",
    "recognize",
    "train_table",
    "write_report",
]
