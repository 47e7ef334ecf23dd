"""Runs: from data to a trained network in a folder, and back from the folder to its use.

A name is loaded when it is first used: the command line asks for kinds and options alone.
"""

import importlib

_HOMES = {
    "experiment": ("Experiment", "write_report"),
    "finished_run": ("Run",),
    "from_path": ("prepare",),
    "kinds": ("KINDS", "DataKind"),
    "model_card": ("push_to_hub",),
    "options": ("TrainingOptions",),
    "recognition": ("Recognized", "recognize"),
    "table": ("TableOptions", "prepare_table", "train_table"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = sorted(_HOME_OF)


def __getattr__(name):
    if name not in _HOME_OF:
        raise AttributeError(f"cutaway.runs has no {name!r}; it has {', '.join(__all__)}")
    value = getattr(importlib.import_module(f"cutaway.runs.{_HOME_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__():
    return __all__
