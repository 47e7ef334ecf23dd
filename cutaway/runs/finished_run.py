"""Run: a folder with a trained network and everything needed to use it."""

import functools
from pathlib import Path
from typing import Any

import numpy as np

from cutaway.data.fingerprint import note_of_seen
from cutaway.data.pandas_frames import is_pandas, like
from cutaway.data.parquet import read_parquet
from cutaway.errors import RunError, ShapeError
from cutaway.models import Detector, detection_objective
from cutaway.nn import Module
from cutaway.runs.damage import explaining_damage
from cutaway.runs.evaluation import Evaluation
from cutaway.runs.networks import build_network, loss_of
from cutaway.runs.own_files import is_own
from cutaway.runs.preprocessing import FilePredictions, Preprocessing
from cutaway.runs.recognition import kind_of_run
from cutaway.runs.row_predictions import RowPredictions
from cutaway.runs.run_folder import RunFolder, as_json
from cutaway.runs.schema import Metrics, expect_numbers
from cutaway.train import History, Trainer
from cutaway.weights.files import as_safetensors, read_safetensors


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
        trusted: whether data and weights may be read from where the config of a run says that
            another user made; always for one's own.

    Example:
        >>> import cutaway as ct
        >>> run = ct.Run.open("runs/students")                            # doctest: +SKIP
        >>> run = ct.Run.open("hf://me/students@v1")                      # doctest: +SKIP
        >>> run.evaluate("more_students.csv")["accuracy"]              # doctest: +SKIP
    """

    def __init__(
        self,
        folder: RunFolder,
        config: dict,
        preprocessing: Preprocessing,
        net: Module,
        history: History | None = None,
    ):
        self.folder = folder
        self.path = folder.path
        self.config = config
        self.preprocessing = preprocessing
        self.net = net.eval()
        if history is not None:
            self.history = history
        self.precision = config["options"]["precision"]
        self.trusted = False
        self._trainer = trainer_for(net, config["network"], preprocessing, precision=self.precision)

    @classmethod
    def open(cls, path) -> "Run":
        """Load a run from its folder, or from the Hub of Hugging Face.

        Args:
            path: the folder; or "hf://org/name" or "hf://org/name@revision", what `push_to_hub`
                uploaded. Of its files only those of a run are downloaded, all of one commit, into
                the cache of huggingface_hub; with HF_HUB_OFFLINE=1 they are read there. Nothing in
                them is executed. `path` of the run is then the folder of that commit.

        Raises:
            RunError: not a run, or unfinished, or one of its files is missing or damaged; no
                connection and not in the cache.
        """
        folder = RunFolder.open(path)
        config = folder.read_config()
        kind = kind_of_run(config.get("kind"), folder.path)
        weights = read_safetensors(folder.read(folder.weights), folder.weights)
        with explaining_damage(folder.config):
            net = build_network(config["network"])
        with explaining_damage(folder.weights):
            net.load_state_dict(weights)
        content = folder.read_json(folder.preprocessing)
        with explaining_damage(folder.preprocessing):
            expect_numbers(content)
            preprocessing = kind.preprocessing().from_json(content)
        with explaining_damage(folder.config):
            if config["task"] != preprocessing.task:
                raise ValueError(f"its task is {config['task']}, the data are {preprocessing.task}")
            preprocessing.expect_network(config["network"])
            return cls(folder, config, preprocessing, net)

    def source(self) -> str:
        """The path of the training data, if it may be read.

        Raises:
            RunError: the run was made by another user, and is not trusted.
        """
        if not self.trusted and not is_own(self.folder.config, anywhere=True):
            named = [self.config["data"], self.config["options"].get("from_")]
            raise RunError(
                f"the run {self.path} was not trained by you on this machine; its config names "
                + " and ".join(str(name) for name in named if name),
                expected="data that you name, or your word that what the config names may be read",
                fix="name the data (explain: --input FILE), or add --trust",
            )
        return self.config["data"]

    @functools.cached_property
    def history(self) -> History:
        if not self.folder.history.exists():
            return History()
        content = self.folder.read(self.folder.history)
        with explaining_damage(self.folder.history):
            return History.parsed(content, self.folder.history)

    @functools.cached_property
    def metrics(self) -> dict:
        return self.folder.read_json(self.folder.metrics, Metrics)

    def notes_of_seen(self, frame) -> list[str]:
        """[a sentence] if the network was trained on rows of a frame from preprocessing.read."""
        if self._fingerprint is None:
            return []
        stored, arrays = self._fingerprint
        hashes = self.preprocessing.hashes(frame, sampled=stored.sampled)
        note = note_of_seen(hashes, stored, arrays["training"])
        return [] if note is None else [note]

    @functools.cached_property
    def _fingerprint(self):
        """Of the training data; None: the run has none."""
        return self.folder.read_fingerprint(self.config) if "fingerprint" in self.config else None

    @property
    def probes(self):
        """Layer statistics of the training as a polars frame (see train.Probes), or None."""
        if not self.folder.probes.exists():
            return None
        import polars as pl

        self.folder.read(self.folder.probes)  # whether it is what was written
        raised = (pl.exceptions.PolarsError, pl.exceptions.PanicException)
        with explaining_damage(self.folder.probes, *raised):
            return read_parquet(self.folder.probes)

    def save(self) -> None:
        """Write history, metrics, weights and preprocessing, with their checksums."""
        folder = self.folder
        folder.manifest.write(
            {
                folder.preprocessing.name: as_json(self.preprocessing.to_json()),
                folder.history.name: self.history.csv().encode(),
                folder.metrics.name: as_json(self.metrics),
                folder.weights.name: as_safetensors(self.net.state_dict()),
            }
        )

    def outputs(self, x) -> np.ndarray:
        """Predictions for encoded rows (rows, ...).

        Returns:
            classification: probabilities (rows, classes), two columns for a binary task;
            regression: values (rows,) in the target's unit, for series (rows, horizon).
        """
        try:
            return self.to_predictions(self._trainer.predict(np.asarray(x)))
        except ShapeError as error:
            raise RunError(
                f"the files of the run {self.path} do not fit together: {error.came}",
                expected="a network whose inputs are those of preprocessing.json",
                fix="restore the folder from a backup, or train again",
            ) from error

    def to_predictions(self, raw) -> np.ndarray:
        """Raw network outputs (rows, outputs) as probabilities or values; see `outputs`."""
        return self.preprocessing.to_predictions(raw, self._trainer.loss)

    def predict(self, data):
        """Predictions for new data: a polars frame with one row per example in `data`.

        Args:
            data: path or frame of the same kind as the training data; the target is not needed.

        Returns:
            (frame, notes): the columns of `data`, then `prediction` and, for classification,
            `probability` of the predicted class and of each class, for numbers `lower` and
            `upper`; and messages about the data. Of a pandas frame a pandas frame with its index.
            For kinds whose predictions are files, what is in them; see `predict_files`.
        """
        if self.preprocessing.predicts_files or not is_pandas(data):
            return self.preprocessing.predict(self, data)
        found = self.preprocessing.predict_rows(self, data)
        if not found.given or len(found.frame) != len(data):
            return found.frame, found.notes  # a forecast, whose rows are not those of the data
        predicted: Any = like(data, found.frame.select(found.frame.columns[found.given :]))
        import pandas as pd

        return pd.concat([data, predicted], axis=1), found.notes

    def predict_rows(self, data) -> RowPredictions:
        """Predictions for new data as a table, which can be written as its input was.

        Raises:
            OptionError: a kind whose predictions are files.
        """
        return self.preprocessing.predict_rows(self, data)

    def predict_files(self, data) -> FilePredictions:
        """Predictions for new data as files, for kinds that predict pictures or volumes.

        Raises:
            OptionError: a kind that does not.
        """
        return self.preprocessing.predict_files(self, data)

    def evaluate(self, data) -> tuple[dict, list]:
        """(scores, notes) on labeled data; a note says how many rows are training rows."""
        return self.preprocessing.evaluate(self, data)

    def evaluation(self, data) -> Evaluation:
        """The scores on labeled data, and the tables and curves behind them."""
        return self.preprocessing.evaluation(self, data)

    def _repr_html_(self):
        from cutaway.runs.run_html import run_html

        return run_html(self)

    def __repr__(self):
        return f"Run({str(Path(self.path))!r}, {self.config['task']} {self.config['target']!r})"


def trainer_for(net, spec: dict, preprocessing, optimizer=None, *, precision: str) -> Trainer:
    """A Trainer with the loss of a network's spec and the metrics of the task.

    A Detector has its loss itself.
    """
    of_net = isinstance(net, Detector)
    return Trainer(
        net,
        loss=None if of_net else loss_of(spec),
        objective=detection_objective if of_net else None,
        optimizer=optimizer,
        metrics=preprocessing.metric_functions(),
        precision=precision,
    )
