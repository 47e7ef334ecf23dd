"""Event files of TensorBoard, written by its own package; TensorFlow is not needed."""

import importlib
import json
import time
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

from cutaway.train.loggers.contract import Logger
from cutaway.train.loggers.places import folder_of_logger, folder_of_trial

FLUSH_SECONDS = 5  # what a crash may lose


class TensorBoard(Logger):
    """Writes event files: `tensorboard --logdir runs` shows them.

    Values over epochs and values over steps are scalars, weights and gradients by layer of `Probes`
    histograms; the configuration, findings and names of files are texts, the values of a trial of a
    search hyperparameters.

    Args:
        folder: None: RUN/tensorboard for a run of Cutaway, otherwise a new one in logs/.
    """

    name: ClassVar[str] = "tensorboard"
    modules: ClassVar[tuple[str, ...]] = ("tensorboard",)

    def __init__(self, folder=None):
        super().__init__()
        self.given = folder
        self._writer: Any = None

    @classmethod
    def for_trial(cls, search, trial):
        return cls(folder_of_trial(search, cls.name, trial))

    def open(self, folder):
        from tensorboard.summary.writer.event_file_writer import EventFileWriter

        self.run = str(folder_of_logger(self.given, self.run, folder, self.name))
        self._writer = EventFileWriter(self.run, flush_secs=FLUSH_SECONDS)

    def write(self, axis, place, values):
        kind = _proto("summary").Summary
        found = [kind.Value(tag=name, simple_value=value) for name, value in values.items()]
        self._add(kind(value=found), place)

    def write_histogram(self, step, name, counts, edges):
        kind = _proto("summary")
        middles = (edges[1:] + edges[:-1]) / 2
        drawn = kind.HistogramProto(
            min=edges[0],
            max=edges[-1],
            num=counts.sum(),
            sum=(counts * middles).sum(),
            sum_squares=(counts * middles**2).sum(),
            bucket_limit=edges.tolist(),  # a bucket ends at its limit; before the first are none
            bucket=[0.0, *counts.tolist()],
        )
        self._add(kind.Summary(value=[kind.Summary.Value(tag=name, histo=drawn)]), step)

    def write_config(self, config):
        # four spaces: a block of code in the page's Markdown
        lines = json.dumps(config, indent=2, ensure_ascii=False, default=str).splitlines()
        self.write_text("config", "\n".join(f"    {line}" for line in lines))

        self._write_hyperparameters(config.get("hyperparameters", {}))

    def _write_hyperparameters(self, values: dict):
        """For the page HPARAMS, which compares the runs of a search by them."""
        if not values:
            return
        from tensorboard.plugins.hparams import metadata

        messages = importlib.import_module("tensorboard.plugins.hparams.plugin_data_pb2")
        start: Any = messages.SessionStartInfo(start_time_secs=time.time())
        for name, value in values.items():
            if isinstance(value, bool):
                start.hparams[name].bool_value = value
            elif isinstance(value, int | float):
                start.hparams[name].number_value = float(value)
            else:
                start.hparams[name].string_value = str(value)
        data = messages.HParamsPluginData(session_start_info=start)
        kind = _proto("summary").Summary
        about = metadata.create_summary_metadata(data)
        tensor = metadata.NULL_TENSOR
        tag = metadata.SESSION_START_INFO_TAG
        self._add(kind(value=[kind.Value(tag=tag, metadata=about, tensor=tensor)]), 0)

    def write_text(self, name, text):
        from tensorboard.plugins.text.metadata import create_summary_metadata

        kind = _proto("summary").Summary
        tensor = _proto("tensor").TensorProto(
            dtype=_proto("types").DT_STRING,
            string_val=[text.encode("utf-8", "backslashreplace")],
            tensor_shape=_proto("tensor_shape").TensorShapeProto(),
        )
        about = create_summary_metadata(name, None)
        self._add(kind(value=[kind.Value(tag=name, metadata=about, tensor=tensor)]), 0)

    def write_file(self, path, name):
        """Where the file is: an event file cannot hold it."""
        self.write_text(f"files/{name}", str(Path(path).resolve()))

    def end(self, status):
        self._writer.close()
        self._writer = None

    def _add(self, summary, place: int):
        event = _proto("event").Event(wall_time=time.time(), step=place, summary=summary)
        self._writer.add_event(event)


def _proto(name: str) -> ModuleType:
    """A module of messages that protobuf made, whose names no type checker sees."""
    return importlib.import_module(f"tensorboard.compat.proto.{name}_pb2")
