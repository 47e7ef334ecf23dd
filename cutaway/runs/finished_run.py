"""Run: a folder with a trained network and everything needed to use it."""

from pathlib import Path

import numpy as np

from cutaway.data.parquet import read_parquet
from cutaway.losses import LOSSES
from cutaway.metrics import METRICS
from cutaway.nn import Module
from cutaway.runs.networks import build_network
from cutaway.runs.preprocessing import Preprocessing
from cutaway.runs.recognition import kind_of_run
from cutaway.runs.run_folder import RunFolder
from cutaway.train import History, Trainer
from cutaway.train.evaluation import to_probabilities
from cutaway.weights import load_weights, save_weights


class Run:
    """A trained network with its preprocessing, training options, history and scores.

    Attributes:
        path: the folder.
        config: data, target, options and network spec.
        preprocessing: the fitted Preprocessing.
        net: the network, in evaluation mode.
        history: the training History.
        metrics: {"task", "train", "validation", "parameters", "seconds", "device", ...}.
        precision: of training and prediction; see cutaway.matmul_precision.

    Example:
        >>> run = Run.open("runs/students")                            # doctest: +SKIP
        >>> run.evaluate("more_students.csv")["accuracy"]              # doctest: +SKIP
    """

    def __init__(
        self,
        folder: RunFolder,
        config: dict,
        preprocessing: Preprocessing,
        net: Module,
        history: History,
        metrics: dict | None = None,
    ):
        self.folder = folder
        self.path = folder.path
        self.config = config
        self.preprocessing = preprocessing
        self.net = net.eval()
        self.history = history
        self.metrics = {} if metrics is None else metrics
        self.precision = config["options"]["precision"]
        self._trainer = trainer_for(
            net, config["network"]["loss"], preprocessing, precision=self.precision
        )

    @classmethod
    def open(cls, path) -> "Run":
        """Load a run from its folder.

        Raises:
            RunError: not a run, or unfinished, or one of its files is missing or damaged.
        """
        folder = RunFolder.open(path)
        config = folder.read_config()
        kind = kind_of_run(config.get("kind"), folder.path)
        net = build_network(config["network"])
        load_weights(net, folder.weights)
        preprocessing = kind.preprocessing().from_json(folder.read_json(folder.preprocessing))
        history = History.from_csv(folder.history) if folder.history.exists() else History()
        return cls(folder, config, preprocessing, net, history, folder.read_json(folder.metrics))

    @property
    def probes(self):
        """Layer statistics of the training as a polars frame (see train.Probes), or None."""
        if not self.folder.probes.exists():
            return None
        return read_parquet(self.folder.probes)

    def save(self) -> None:
        """Write weights, preprocessing, history and metrics, each file atomically."""
        self.folder.write_json(self.folder.preprocessing, self.preprocessing.to_json())
        self.history.to_csv(self.folder.history)
        self.folder.write_json(self.folder.metrics, self.metrics)
        save_weights(self.net, self.folder.weights)

    def outputs(self, x) -> np.ndarray:
        """Predictions for encoded rows (rows, ...).

        Returns:
            classification: probabilities (rows, classes), two columns for a binary task;
            regression: values (rows,) in the target's unit, for series (rows, horizon).
        """
        return self.to_predictions(self._trainer.predict(np.asarray(x)))

    def to_predictions(self, raw) -> np.ndarray:
        """Raw network outputs (rows, outputs) as probabilities or values; see `outputs`."""
        if self.preprocessing.task == "regression":
            return self.preprocessing.untransform_target(raw[:, 0] if raw.shape[1] == 1 else raw)
        probabilities = np.asarray(to_probabilities(self._trainer.loss, raw), np.float64)
        if self.preprocessing.task == "binary":
            p = np.clip(probabilities[:, 0], 0, 1)
            return np.stack([1 - p, p], axis=1)
        return probabilities

    def predict(self, data):
        """Predictions for new data: a polars frame with one row per example in `data`.

        Args:
            data: path or frame of the same kind as the training data; the target is not needed.

        Returns:
            (frame, notes): the columns of `data`, then `prediction` and, for classification,
            `probability` of the predicted class; and messages about the data.
        """
        frame = self.preprocessing.read(data)
        arrays = self.preprocessing.transform(frame, with_target=False)
        outputs = self.outputs(arrays.x)
        return self.preprocessing.predictions(frame[arrays.rows], outputs), arrays.notes

    def evaluate(self, data) -> tuple[dict, list]:
        """(scores, notes) on labeled data."""
        arrays = self.preprocessing.transform(self.preprocessing.read(data))
        return self.preprocessing.score_run(self, arrays.x, arrays.y), arrays.notes

    def __repr__(self):
        return f"Run({str(Path(self.path))!r}, {self.config['task']} {self.config['target']!r})"


def trainer_for(net, loss: str, preprocessing, optimizer=None, *, precision: str) -> Trainer:
    """A Trainer with the loss of that name and the metrics of the task."""
    return Trainer(
        net,
        loss=LOSSES[loss],
        optimizer=optimizer,
        metrics=[METRICS[n] for n in preprocessing.metrics],
        precision=precision,
    )
