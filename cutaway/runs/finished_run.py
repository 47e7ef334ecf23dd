"""Run: a trained network with all it needs to be used, as a folder."""

from pathlib import Path

import numpy as np

from cutaway.losses import LOSSES
from cutaway.metrics import METRICS
from cutaway.runs.kinds import preprocessing_of
from cutaway.runs.networks import build_network
from cutaway.runs.run_folder import RunFolder
from cutaway.train import History, Trainer
from cutaway.train.evaluation import to_probabilities
from cutaway.weights import load_weights, save_weights


class Run:
    """A trained network, its preprocessing, and how it came about.

    Attributes:
        path: the folder.
        config: what was asked for.
        preprocessing: the fitted Preprocessing.
        net: the network, in evaluation mode.
        history: the History of its training.
        metrics: {"task", "train", "validation", "parameters", "seconds", "device", ...}.
        precision: in which it was trained and predicts; see cutaway.precision.

    Example:
        >>> run = Run.open("runs/students")                            # doctest: +SKIP
        >>> run.evaluate("more_students.csv")["accuracy"]              # doctest: +SKIP
    """

    def __init__(self, folder: RunFolder, config, preprocessing, net, history, metrics=None):
        self.folder = folder
        self.path = folder.path
        self.config = config
        self.preprocessing = preprocessing
        self.net = net.eval()
        self.history = history
        self.metrics = metrics
        self.precision = config["options"]["precision"]
        self._trainer = trainer_for(
            net, config["network"]["loss"], preprocessing, precision=self.precision
        )

    @classmethod
    def open(cls, path) -> "Run":
        """Load a run from its folder.

        Raises:
            RunError: not a run, unfinished, or a file of it is missing or damaged.
        """
        folder = RunFolder.open(path)
        config = folder.read_config()
        kind = preprocessing_of(config.get("kind"), folder.path)
        net = build_network(config["network"])
        load_weights(net, folder.weights)
        preprocessing = kind.from_json(folder.read_json(folder.preprocessing))
        history = History.from_csv(folder.history) if folder.history.exists() else History()
        return cls(folder, config, preprocessing, net, history, folder.read_json(folder.metrics))

    @property
    def probes(self):
        """What the layers did in training, as a polars frame (see train.Probes), or None."""
        if not self.folder.probes.exists():
            return None
        import polars as pl

        return pl.read_parquet(self.folder.probes)

    def save(self) -> None:
        """Write weights, preprocessing, history and metrics, each whole or not at all."""
        self.folder.write_json(self.folder.preprocessing, self.preprocessing.to_json())
        self.history.to_csv(self.folder.history)
        self.folder.write_json(self.folder.metrics, self.metrics)
        save_weights(self.net, self.folder.weights)

    def outputs(self, x) -> np.ndarray:
        """Encoded rows (rows, ...) -> what the network means by its outputs.

        Returns:
            classification: probabilities (rows, classes), two columns for a binary task;
            regression: values (rows,) in the target's own units, for series (rows, horizon).
        """
        return self.meaning(self._trainer.predict(np.asarray(x)))

    def meaning(self, raw) -> np.ndarray:
        """What the network means by raw outputs (rows, outputs); see `outputs`."""
        if self.preprocessing.task == "regression":
            return self.preprocessing.untransform_target(raw[:, 0] if raw.shape[1] == 1 else raw)
        probabilities = np.asarray(to_probabilities(self._trainer.loss, raw), np.float64)
        if self.preprocessing.task == "binary":
            p = np.clip(probabilities[:, 0], 0, 1)
            return np.stack([1 - p, p], axis=1)
        return probabilities

    def predict(self, data):
        """Predictions for new data: a polars frame with one row for each example in `data`.

        Args:
            data: path or frame, of the kind that training used; the target is not needed.

        Returns:
            (frame, notes): the columns of `data`, then `prediction` and, for classes,
            `probability` of the predicted class; and what was noticed in the data.
        """
        frame = self.preprocessing.read(data)
        arrays = self.preprocessing.transform(frame, with_target=False)
        outputs = self.outputs(arrays.x)
        return self.preprocessing.predictions(frame[arrays.rows], outputs), arrays.notes

    def evaluate(self, data) -> tuple[dict, list]:
        """(scores, notes) on data that have the target."""
        arrays = self.preprocessing.transform(self.preprocessing.read(data))
        return self.preprocessing.score_run(self, arrays.x, arrays.y), arrays.notes

    def __repr__(self):
        return f"Run({str(Path(self.path))!r}, {self.config['task']} {self.config['target']!r})"


def trainer_for(net, loss: str, preprocessing, optimizer=None, *, precision: str) -> Trainer:
    """A Trainer with the loss of that name and the metrics that go with the task."""
    task = preprocessing.task
    names = {"regression": ["r2"], "language": []}.get(task, ["accuracy"])
    return Trainer(
        net,
        loss=LOSSES[loss],
        optimizer=optimizer,
        metrics=[METRICS[n] for n in names],
        precision=precision,
    )
