"""Files of text: no package is needed."""

import csv
import json
import shutil
from pathlib import Path
from typing import IO, ClassVar

from cutaway.files import write_atomically
from cutaway.train.loggers.contract import EPOCH, Logger
from cutaway.train.loggers.places import file_name, folder_of_logger, folder_of_trial


class CSV(Logger):
    """Writes a folder of text files: each line is there as soon as its epoch is over.

    - epochs.csv: the rows of the history.
    - values.csv: axis, place, name and value of probes and of what you log.
    - config.json, scores.json, texts/NAME.txt, files/NAME.

    Args:
        folder: None: RUN/csv for a run of Cutaway, otherwise a new one in logs/.
    """

    name: ClassVar[str] = "csv"

    def __init__(self, folder=None):
        super().__init__()
        self.given = folder
        self._rows: list[dict] = []
        self._columns: list[str] = []
        self._epochs_file: IO[str] | None = None
        self._values_file: IO[str] | None = None

    @classmethod
    def for_trial(cls, search, trial):
        return cls(folder_of_trial(search, cls.name, trial))

    def open(self, folder):
        place = folder_of_logger(self.given, self.run, folder, self.name)
        is_resumed, self.run = self.run is not None, str(place)
        place.mkdir(parents=True, exist_ok=True)
        epochs = place / "epochs.csv"
        self._columns, self._rows = [], []
        if is_resumed and epochs.exists():
            with epochs.open(newline="", encoding="utf-8") as file:
                self._rows = list(csv.DictReader(file))
        self._values_file = (place / "values.csv").open(
            "a" if is_resumed else "w", newline="", encoding="utf-8"
        )
        if not self._values_file.tell():
            csv.writer(self._values_file).writerow(["axis", "place", "name", "value"])

    def write_config(self, config):
        self._write_json("config.json", config)

    def write_scores(self, place, values):
        self._write_json("scores.json", values)

    def write(self, axis, place, values):
        if axis == EPOCH:
            self._write_epoch({"epoch": place, **values})
            return
        assert self._values_file is not None
        rows = [[axis, place, name, repr(float(value))] for name, value in values.items()]
        csv.writer(self._values_file).writerows(rows)
        self._values_file.flush()

    def write_text(self, name, text):
        path = self._path("texts", f"{file_name(name)}.txt")
        write_atomically(path, (text + "\n").encode("utf-8", "backslashreplace"))

    def write_file(self, path, name):
        shutil.copyfile(path, self._path("files", file_name(name)))

    def end(self, status):
        for file in (self._epochs_file, self._values_file):
            if file is not None:
                file.close()
        self._epochs_file = self._values_file = None

    def _write_epoch(self, row: dict):
        if self._epochs_file is None or not row.keys() <= set(self._columns):
            self._begin_table(row)
        self._rows.append(row)
        self._put(row)

    def _begin_table(self, row: dict):
        """Write the table anew, with the columns of this row too."""
        if self._epochs_file is not None:
            self._epochs_file.close()
        # of a resumed training, an epoch may have been written that no checkpoint has
        self._rows = [one for one in self._rows if int(one["epoch"]) < row["epoch"]]
        self._columns = list(dict.fromkeys(name for one in (*self._rows, row) for name in one))
        self._epochs_file = self._path("epochs.csv").open("w", newline="", encoding="utf-8")
        csv.writer(self._epochs_file).writerow(self._columns)
        for one in self._rows:
            self._put(one)

    def _put(self, row: dict):
        assert self._epochs_file is not None
        csv.writer(self._epochs_file).writerow([row.get(name, "") for name in self._columns])
        self._epochs_file.flush()

    def _path(self, *parts: str) -> Path:
        path = Path(self.run or "", *parts)
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def _write_json(self, name: str, values: dict):
        text = json.dumps(values, indent=2, ensure_ascii=False, default=str) + "\n"
        write_atomically(self._path(name), text.encode("utf-8", "backslashreplace"))
