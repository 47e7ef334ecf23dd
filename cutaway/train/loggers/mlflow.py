"""MLflow: a database or a server, written by a thread of its own."""

import contextlib
import logging
import os
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any, ClassVar

from cutaway.train.loggers.contract import Logger, flat_config
from cutaway.train.loggers.job_thread import JobThread
from cutaway.train.loggers.places import file_name

MOST_METRICS, MOST_PARAMS, LONGEST_PARAM = 1000, 100, 6000  # of a batch; MLflow's own limits
STATUS = {"finished": "FINISHED", "interrupted": "KILLED", "failed": "FAILED"}


class MLflow(Logger):
    """Writes a run of MLflow; `mlflow ui --backend-store-uri sqlite:///mlflow.db` shows it.

    A new database takes seconds to be made, an epoch 50 ms to be written: a thread does both, and
    the training does not wait. At the end it is waited for.

    Args:
        uri: of the database or server: "sqlite:///mlflow.db", "http://..."; None: that of
            MLFLOW_TRACKING_URI, otherwise mlflow.db in the current folder. Folders ("file://...")
            are no longer written by MLflow itself.
        experiment: name of the group of runs, made if it does not exist.
        title: of the run; None: the name of the run's folder, or one that MLflow makes up.
        timeout_seconds: how long the end is waited for.
    """

    name: ClassVar[str] = "mlflow"
    modules: ClassVar[tuple[str, ...]] = ("mlflow", "sqlalchemy", "alembic")

    def __init__(
        self,
        uri: str | None = None,
        *,
        experiment: str = "cutaway",
        title: str | None = None,
        timeout_seconds: float = 60.0,
    ):
        super().__init__()
        self.uri = uri
        self.experiment = experiment
        self.title = title
        self.timeout_seconds = timeout_seconds
        self._client: Any = None
        self._thread: JobThread | None = None

    @classmethod
    def for_trial(cls, search, trial):
        return cls(experiment=search.name, title=trial)

    def open(self, folder):
        if self.title is None and folder is not None:
            self.title = folder.name
        self._thread = JobThread(self._carry_out)
        self._put(self._begin)

    def write(self, axis, place, values):
        now = int(time.time() * 1000)
        self._put(self._log_values, [(key_of(k), float(v), now, place) for k, v in values.items()])

    def write_config(self, config):
        self._put(self._log_params, flat_config(config))

    def write_text(self, name, text):
        self._put(self._log_text, text, f"{key_of(name)}.txt")

    def write_file(self, path, name):
        self._put(self._log_file, path, file_name(name))

    def end(self, status):
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.put((self._finish, (STATUS[status],)))
            thread.close(self.timeout_seconds)

    def remedy(self, error):
        where = self.uri or os.environ.get("MLFLOW_TRACKING_URI") or "mlflow.db"
        return f"Check that MLflow can write to {where}; MLFLOW_TRACKING_URI names another place."

    def _put(self, function, *given):
        assert self._thread is not None
        self._thread.put((function, given))

    # in the thread

    def _carry_out(self, jobs: list) -> None:
        values: list = []
        for function, given in jobs:
            if function == self._log_values:  # together with those that follow
                values += given[0]
                continue
            self._log_values(values)
            values = []
            function(*given)
        self._log_values(values)

    def _begin(self):
        from mlflow.tracking import MlflowClient

        with _quiet("mlflow", "alembic"):  # each table of a new database would have its line
            self._client = client = MlflowClient(self.uri)
            found = client.get_experiment_by_name(self.experiment)
        if self.run is not None:
            client.update_run(self.run, status="RUNNING")
            return
        group = client.create_experiment(self.experiment) if found is None else found.experiment_id
        self.run = client.create_run(group, run_name=self.title).info.run_id

    def _log_values(self, values: list):
        from mlflow.entities import Metric

        for k in range(0, len(values), MOST_METRICS):
            batch = [Metric(*value) for value in values[k : k + MOST_METRICS]]
            self._client.log_batch(self.run, metrics=batch)

    def _log_params(self, config: dict[str, str]):
        from mlflow.entities import Param

        known = self._client.get_run(self.run).data.params  # a parameter is written once
        params = [
            Param(key_of(name), value[:LONGEST_PARAM])
            for name, value in config.items()
            if key_of(name) not in known
        ]
        for k in range(0, len(params), MOST_PARAMS):
            self._client.log_batch(self.run, params=params[k : k + MOST_PARAMS])

    def _log_text(self, text: str, file: str):
        self._client.log_text(self.run, text, file)

    def _log_file(self, path, name: str):
        with tempfile.TemporaryDirectory() as folder:  # MLflow keeps a file under its own name
            copied = shutil.copyfile(path, Path(folder, name))
            self._client.log_artifact(self.run, str(copied))

    def _finish(self, status: str):
        self._client.set_terminated(self.run, status)


@contextlib.contextmanager
def _quiet(*names: str):
    """Loggers of the library logging say warnings only."""
    loggers = [logging.getLogger(name) for name in names]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)


def key_of(name: str) -> str:
    """A name as MLflow allows it: letters, digits and . _ - /, no empty part."""
    return "/".join(file_name(part) for part in name.split("/"))
