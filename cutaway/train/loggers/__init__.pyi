# Written by scripts/write_stubs.py: do not edit.
from cutaway.train.loggers.contract import Logger as Logger
from cutaway.train.loggers.csv_folder import CSV as CSV
from cutaway.train.loggers.mlflow import MLflow as MLflow
from cutaway.train.loggers.tensorboard import TensorBoard as TensorBoard
from cutaway.train.loggers.wandb import WandB as WandB

LOGGERS: dict[str, type[Logger]]

__all__ = [
    "CSV",
    "LOGGERS",
    "Logger",
    "MLflow",
    "TensorBoard",
    "WandB",
]
