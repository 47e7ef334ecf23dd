"""The folder of a run: its files, and how they are read and written."""

import json
import os
import shutil
from pathlib import Path

import cutaway
from cutaway.errors import RunError, did_you_mean
from cutaway.files.content import exists
from cutaway.train import write_atomically

FORMAT = 2  # of the files in a run folder: raised when older runs would be misread


class RunFolder:
    """Paths of the files of a run.

    Attributes:
        path: the folder.
        config, weights, preprocessing, history, probes, metrics, report: its files.
        features: of validation examples, in runs with a pretrained backbone.
        checkpoints: folder of the training state.
    """

    def __init__(self, path):
        self.path = Path(path)
        self.config = self.path / "config.json"
        self.weights = self.path / "weights.safetensors"
        self.preprocessing = self.path / "preprocessing.json"
        self.history = self.path / "history.csv"
        self.probes = self.path / "probes.parquet"
        self.metrics = self.path / "metrics.json"
        self.features = self.path / "features.npz"
        self.report = self.path / "report.html"
        self.checkpoints = self.path / "checkpoints"
        self._is_new = False

    @classmethod
    def begin(cls, out, *, name: str, config: dict, resume: bool = False) -> "RunFolder":
        """Create the folder and write its config.

        Args:
            out: the folder; None: the first unused one of runs/NAME, runs/NAME-2, ...
            name: of the data, for the folder's name.
            config: data, target, options and network spec.
            resume: the folder must hold a run with the same config; epochs may be increased.

        Raises:
            RunError: the folder is not empty, or cannot be written to.
        """
        if out is None:
            if resume:
                raise RunError(
                    "resume was requested without a run",
                    expected="the folder of the run to continue",
                    fix="name it: --out RUN --resume",
                )
            out = _first_free(Path("runs"), "".join(c if c.isalnum() else "-" for c in name))
        folder = cls(out)
        if resume and folder.config.exists():
            folder.expect_same(config)
        else:
            folder.expect_free()
        folder._is_new = not folder.path.exists()
        try:
            folder.write_json(
                folder.config, {"format": FORMAT, "cutaway": cutaway.__version__, **config}
            )
        except RunError:
            folder.discard()
            raise
        return folder

    def discard(self) -> None:
        """Remove the folder if `begin` created it."""
        if self._is_new and self.path.is_dir():
            shutil.rmtree(self.path)

    @classmethod
    def open(cls, path) -> "RunFolder":
        """The folder of a finished run.

        Raises:
            RunError: no such folder, not a run, or its training has not finished.
        """
        folder = cls(path)
        if not os.path.isdir(folder.path):
            near = (
                [p.name for p in folder.path.parent.glob("*/")]
                if exists(folder.path.parent)
                else []
            )
            raise RunError(
                f"{folder.path} is not a folder",
                expected="the folder of a run, written by `cutaway train`",
                fix=did_you_mean(folder.path.name, near) if near else "train first",
            )
        if not folder.config.exists():
            raise RunError(
                f"{folder.path} is not a run: it has no config.json",
                expected="a folder written by `cutaway train`",
                fix="use the folder named at the end of training",
            )
        if not folder.weights.exists():
            raise RunError(
                f"the training in {folder.path} has not finished: it has no weights.safetensors",
                expected="a finished run",
                fix=f"continue it: the same cutaway train command with "
                f"--out {folder.path} --resume",
            )
        return folder

    def read_json(self, path) -> dict:
        """The JSON object in one of the run's files."""
        try:
            value = json.loads(Path(path).read_text())
        except OSError as error:
            raise RunError(
                f"{path} cannot be read: {error.strerror or error}",
                expected="a complete run folder",
                fix="train again, or restore the file from a backup",
            ) from error
        except ValueError as error:
            raise RunError(
                f"{path} is damaged: {error}",
                expected="JSON written by `cutaway train`",
                fix="train again, or restore the file from a backup",
            ) from error
        return value

    def write_json(self, path, value: dict) -> None:
        text = json.dumps(value, indent=2, ensure_ascii=False) + "\n"
        # a path that is not UTF-8 becomes an escape of JSON, which reads as the same path
        write_atomically(path, text.encode("utf-8", "backslashreplace"))

    def read_config(self) -> dict:
        """The run's config.

        Raises:
            RunError: it cannot be read, or this version does not support its format.
        """
        config = self.read_json(self.config)
        if not isinstance(config, dict) or "format" not in config:
            raise RunError(
                f"{self.config} is not the config of a run: it has no format",
                expected="a config.json written by `cutaway train`",
                fix="train again, or restore the file from a backup",
            )
        if config["format"] != FORMAT:
            raise RunError(
                f"{self.path} is a run of format {config['format']!r}, "
                f"written by Cutaway {config.get('cutaway', '(unknown version)')}",
                expected=f"format {FORMAT}, which Cutaway {cutaway.__version__} reads and writes",
                fix="train again with this version, or open the run with the one that wrote it",
            )
        return config

    def expect_free(self) -> None:
        """Raise RunError unless the folder is empty or does not exist, and can be written to."""
        try:
            str(self.path).encode()
            os.stat(self.path)
        except FileNotFoundError:
            return
        except (OSError, UnicodeEncodeError) as error:
            why = getattr(error, "strerror", None) or "its name is not UTF-8"
            raise RunError(
                f"{self.path} cannot be written: {why}",
                expected="a name in UTF-8, in a folder that this user may write to",
                fix="choose another --out",
            ) from error
        if os.path.isdir(self.path) and any(self.path.iterdir()):
            raise RunError(
                f"{self.path} is not empty, and training would overwrite its contents",
                expected="a new or empty folder",
                fix="choose another --out, add --resume to continue the run in it, or delete it",
            )
        if not self.path.is_dir():
            raise RunError(
                f"{self.path} is a file",
                expected="a folder for the run",
                fix="choose another --out",
            )

    def expect_same(self, config: dict) -> None:
        """Raise RunError unless the run has this config, apart from the number of epochs."""
        before = self.read_config()
        differing = [
            f"{name} was {was!r}, now {now!r}"
            for name, was, now in _differences(before, json.loads(json.dumps(config)))
            if name not in ("format", "cutaway", "options.epochs")
        ]
        if differing:
            raise RunError(
                f"{self.path} was trained with other options: {'; '.join(differing[:4])}",
                expected="the same data and options, apart from --epochs",
                fix="repeat the options of the first call, or train into another folder",
            )


def _first_free(parent: Path, name: str) -> Path:
    path, k = parent / name, 1
    while os.path.lexists(path):
        k += 1
        path = parent / f"{name}-{k}"
    return path


def _differences(before, now, prefix=""):
    for name in {**before, **now}:
        was, is_now = before.get(name), now.get(name)
        if isinstance(was, dict) and isinstance(is_now, dict):
            yield from _differences(was, is_now, f"{prefix}{name}.")
        elif was != is_now:
            yield f"{prefix}{name}", was, is_now
