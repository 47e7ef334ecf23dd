"""Finished runs without training: their files, and what is done with them, are what counts."""

from pathlib import Path

from cutaway.runs import Run
from cutaway.runs.run_folder import RunFolder
from cutaway.train import History

HISTORY = [{"epoch": 1, "loss": 0.7, "lr": 0.01, "val_loss": 0.6, "seconds": 0.1}]
SCORES = {"accuracy": 0.5}
METRICS = {"train": SCORES, "validation": SCORES, "parameters": 9, "seconds": 1.0, "epochs": 1}
METRICS |= {"best_epoch": 1, "stopped": None, "device": "CPU", "precision": "float32"}


def write_untrained(path, experiment, history=HISTORY) -> Run:
    """Write the run of an Experiment as if it had been trained for an epoch; return it, opened."""
    known = experiment.fingerprint()
    config = {**experiment._config(), "fingerprint": known.to_json()}
    rows = experiment.preprocessing
    begun = RunFolder.begin(
        Path(path), name="x", config=config, preprocessing=rows.to_json(), fingerprint=known
    )
    with begun as folder:
        run = Run(folder, config, rows, experiment.saved_net(), History(history))
        run.metrics = {"task": rows.task, **METRICS}
        run.save()
    return Run.open(path)
