"""The folder of a run: its files, and how they are read and written."""

import contextlib
import json
import os
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

import cutaway
from cutaway.data.fingerprint import ARRAYS, Fingerprint, StoredFingerprint
from cutaway.errors import RunError, did_you_mean
from cutaway.files import Manifest, Owner, owner, sweep
from cutaway.files.arrays import read_arrays
from cutaway.files.content import exists
from cutaway.files.owner import expect_no_owner
from cutaway.files.writing import is_partial
from cutaway.runs.damage import explaining_damage
from cutaway.runs.own_files import remember
from cutaway.runs.schema import Authorship, Config, expect_numbers, read_form
from cutaway.train.checkpoint import read_state
from cutaway.weights.hub import fetch_files, hub_address

MAY_CHANGE = {"format", "cutaway", "options.epochs", "options.skip_unreadable", "skipped_files"}
# what `push_to_hub` uploads of a run: the first ones make it one
ON_HUB = ("config.json", "manifest.json", "preprocessing.json", "weights.safetensors")
ALSO_ON_HUB = ("metrics.json", "history.csv")
FORMAT = 3  # of the files in a run folder: raised when older runs would be misread


class RunFolder:
    """Paths of the files of a run.

    Attributes:
        path: the folder.
        config, weights, preprocessing, history, probes, metrics, report: its files.
        features: of validation examples, in runs with a pretrained backbone.
        fingerprint: hashes of the training data, see data.fingerprint.
        discriminator: weights of the network that a generator was trained against.
        checkpoints: folder of the training state.
        manifest: checksums of the files, by which damage is noticed.
    """

    def __init__(self, path):
        self._place(path)
        self._owner = contextlib.ExitStack()
        self._beginning: dict[str, bytes] = {}
        self._made: list[Path] = []
        self._owned: Owner | None = None
        self._is_new = False

    def _place(self, path):
        self.path = Path(path)
        self.config = self.path / "config.json"
        self.weights = self.path / "weights.safetensors"
        self.preprocessing = self.path / "preprocessing.json"
        self.history = self.path / "history.csv"
        self.probes = self.path / "probes.parquet"
        self.metrics = self.path / "metrics.json"
        self.features = self.path / "features.npz"
        self.fingerprint = self.path / "fingerprint.npz"
        self.discriminator = self.path / "discriminator.safetensors"
        self.report = self.path / "report.html"
        self.checkpoints = self.path / "checkpoints"
        self.manifest = Manifest(self.path)

    @classmethod
    def begin(
        cls,
        out,
        *,
        name: str,
        config: dict,
        preprocessing: dict,
        fingerprint: Fingerprint | None = None,
        resume: bool = False,
    ) -> "RunFolder":
        """Create the folder and write config.json and preprocessing.json.

        The folder is a context in which no other process trains in it.

        Args:
            out: the folder; None: the first unused one of runs/NAME, runs/NAME-2, ...
            name: of the data, for the folder's name.
            config: data, target, options and network spec.
            preprocessing: of the data, as its to_json returns it.
            fingerprint: of the data, as the config has it.
            resume: the folder must hold a run with the same config and data; epochs may be
                increased.

        Raises:
            RunError: the folder is not empty, cannot be written to, or another process is training
                in it.
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
        is_resumed = resume and folder.config.exists()
        if not is_resumed:
            folder.expect_free()
        folder._made = _missing_folders(folder.path)
        config = {"format": FORMAT, "cutaway": cutaway.__version__, **config}
        folder._beginning = {
            folder.config.name: as_json(config),
            folder.preprocessing.name: as_json(preprocessing),
        }
        if fingerprint is not None:
            folder._beginning[folder.fingerprint.name] = fingerprint.to_npz()
        folder._own()
        try:
            if is_resumed:
                folder.expect_same(config, fingerprint)
            else:
                folder._expect_empty()  # now that no other process can change it
                folder._is_new = True
            folder.manifest.write(folder._beginning)
            remember(folder.config, anywhere=True)
        except BaseException:
            folder.discard()
            folder._owner.close()
            raise
        return folder

    def _own(self) -> None:
        """Make the folder, and make sure that no other process trains in it."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RunError(
                f"{self.path} cannot be written: {error.strerror or error}",
                expected="a folder that can be written to",
                fix="choose another --out",
            ) from error
        self._owned = self._owner.enter_context(Owner(self.path, "training"))
        sweep(self.path)

    def __enter__(self) -> "RunFolder":
        return self

    def __exit__(self, *_) -> None:
        self._owner.close()

    def discard(self) -> None:
        """Remove what `begin` made, as long as nothing else is in the folder."""
        names = {*(self._beginning if self._is_new else ()), self.manifest.path.name}
        empty = {self.checkpoints.name} if _is_empty(self.checkpoints) else set()
        if not self._is_new or {p.name for p in self._content()} - names - empty:
            return
        with contextlib.suppress(OSError):  # it may have become read-only, or be gone
            for name in names:
                (self.path / name).unlink(missing_ok=True)
            for name in empty:
                (self.path / name).rmdir()
            self._owner.close()
            for folder in self._made:
                if _is_empty(folder):
                    folder.rmdir()

    def ensure(self) -> str | None:
        """Make the folder again if it was moved or removed during training.

        Returns:
            what happened, in a sentence; None: it is there.
        """
        if self._owned is not None and self._owned.is_there():
            return None
        before = self.path
        if self.path.exists():
            self._place(_first_free(self.path.parent, self.path.name))
        self._own()
        self.manifest.write(self._beginning)
        return f"{before} was moved or removed during training; the run was saved to {self.path}"

    def _content(self) -> list[Path]:
        """What is in the folder, without partial files and the note of its owner."""
        paths = self.path.iterdir() if self.path.is_dir() else ()
        return [p for p in paths if not is_partial(p) and p.name != owner.NAME]

    @classmethod
    def open(cls, path) -> "RunFolder":
        """The folder of a finished run.

        Args:
            path: the folder; or "hf://org/name[@revision]", whose files come into the cache.

        Raises:
            RunError: no such folder, not a run, or its training has not finished; see
                weights.fetch_from_hub.
        """
        address = None if os.path.isdir(path) else hub_address(path)
        folder = cls(path if address is None else fetch_files(address, ON_HUB, ALSO_ON_HUB))
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

    def read(self, path) -> bytes:
        """The content of one of the run's files.

        Raises:
            RunError: it is missing, or is not what was written.
        """
        return self.manifest.read(Path(path).name)

    def write(self, path, content: bytes) -> None:
        """Write one of the run's files."""
        self.manifest.write({Path(path).name: content})

    def read_json(self, path, form: Any = dict) -> Any:
        """The content of one of the run's JSON files.

        Args:
            path: of the file.
            form: the type that it must have.

        Raises:
            RunError: it is missing or damaged.
        """
        content = self.read(path)
        with explaining_damage(path):
            return msgspec.convert(json.loads(content), type=form)  # JSON with NaN

    def write_json(self, path, value: dict) -> None:
        self.write(path, as_json(value))

    def read_config(self) -> dict:
        """The run's config.

        Raises:
            RunError: it cannot be read, or this version does not support its format.
        """
        if self.manifest.path.exists():  # formats 1 and 2 had none
            self.read(self.config)
        self._expect_format()
        config = self.read_json(self.config, Config)
        with explaining_damage(self.config):
            expect_numbers(config)
        return config

    def _expect_format(self):
        try:
            stated = msgspec.json.decode(self.config.read_bytes(), type=Authorship)
        except (OSError, ValueError, RecursionError):
            return  # reading it says what is wrong
        if stated.format not in (None, FORMAT):
            raise RunError(
                f"{self.path} is a run of format {stated.format!r}, "
                f"written by Cutaway {stated.cutaway}",
                expected=f"format {FORMAT}, which Cutaway {cutaway.__version__} reads and writes",
                fix="train again with this version, or open the run with the one that wrote it",
            )

    def verify(self) -> dict[str, str | None]:
        """{path in the folder: what is wrong with it, or None} of all files with a checksum.

        Raises:
            RunError: there is no manifest, or it is damaged.
        """
        problems = self.manifest.problems()
        found = {name: problems.get(name) for name in self.manifest.names}
        for path in sorted(self.checkpoints.glob("*.safetensors")):
            try:
                read_state(path)
                problem = None
            except RunError as error:
                problem = error.came.removeprefix(f"{path} ")
            found[str(path.relative_to(self.path))] = problem
        return found

    def accept(self, names=None) -> list[str]:
        """Take files as they are now, although they are not what Cutaway wrote.

        Args:
            names: of the files; None: all that a run has. Checkpoints cannot be accepted.

        Returns:
            their names.

        Raises:
            RunError: there is no file of that name.
        """
        own = (self.config, self.weights, self.preprocessing, self.history)
        own += (self.probes, self.metrics, self.features, self.fingerprint, self.discriminator)
        own += (self.report,)
        names = [p.name for p in own if p.exists()] if names is None else list(names)
        known = [p.name for p in own]
        for name in names:
            if name not in known:
                raise RunError(
                    f"{name} is not a file of a run that can be accepted",
                    expected="one of " + ", ".join(known),
                    fix=did_you_mean(name, known),
                )
        self.manifest.accept(names)
        return names

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
        expect_no_owner(self.path)
        self._expect_empty()

    def _expect_empty(self) -> None:
        if {p.name for p in self._content()} - {self.manifest.path.name}:
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

    def read_fingerprint(self, config: dict) -> tuple[StoredFingerprint, dict] | None:
        """The fingerprint of the training data, and its arrays; None: the run has none.

        Raises:
            RunError: it is damaged.
        """
        if "fingerprint" not in config or not self.fingerprint.exists():
            return None
        with explaining_damage(self.config):
            stored = read_form(config["fingerprint"], StoredFingerprint)
        self.read(self.fingerprint)  # whether it is what was written
        arrays = read_arrays(
            self.fingerprint,
            ARRAYS,
            expected="hashes of the training data, written by `cutaway train`",
            fix="restore it from a backup, or train again",
            error=RunError,
        )
        with explaining_damage(self.fingerprint):
            if any(a.ndim != 1 or a.dtype != np.uint64 for a in arrays.values()):
                raise ValueError("its arrays are not hashes of 64 bits")
            if len(arrays["names"]) not in (0, len(arrays["rows"])):
                raise ValueError("as many names as files are expected")
        return stored, arrays

    def _expect_same_data(self, before: dict, fingerprint: Fingerprint | None) -> None:
        """Raise RunError if the run was trained on other data; older runs do not know theirs."""
        if fingerprint is None or "fingerprint" not in before:
            return
        known = self.read_fingerprint(before)
        if known is None:  # killed before it was written
            with explaining_damage(self.config):
                known = read_form(before["fingerprint"], StoredFingerprint), None
        difference = fingerprint.difference(*known)
        if difference is not None:
            raise RunError(
                f"{self.path} was trained on other data: {difference}",
                expected="the data of the first call, which --resume continues to train on",
                fix="restore the data as they were, or train into another folder, without --resume",
            )

    def expect_same(self, config: dict, fingerprint: Fingerprint | None = None) -> None:
        """Raise RunError unless the run has this config, apart from what MAY_CHANGE, and data."""
        before = self.read_config()
        found = {
            name: (was, now)
            for name, was, now in _differences(before, json.loads(json.dumps(config)))
            if name not in MAY_CHANGE and name.partition(".")[0] != "fingerprint"
        }
        # what the options make of the network follows from them, as from the data
        given = ("data", "target", "kind")
        named = [name for name in found if name in given or name.startswith("options.")]
        if not named:
            self._expect_same_data(before, fingerprint)
        if found:
            named = named or list(found)
            shown = []
            for name in named:
                option = name.removeprefix("options.").rstrip("_")
                was, now = found.get(option, found[name])  # the value that a default stands for
                shown.append(f"{option} was {_in_words(was)}, now {_in_words(now)}")
            raise RunError(
                f"{self.path} was trained with other options: {'; '.join(shown[:4])}",
                expected="the same data and options, apart from --epochs",
                fix="repeat the options of the first call, or train into another folder",
            )


def as_json(value: dict) -> bytes:
    """A JSON object as the content of a file."""
    text = json.dumps(value, indent=2, ensure_ascii=False) + "\n"
    # a path that is not UTF-8 becomes an escape of JSON, which reads as the same path
    return text.encode("utf-8", "backslashreplace")


def _is_empty(folder: Path) -> bool:
    return folder.is_dir() and not any(folder.iterdir())


def _missing_folders(path: Path) -> list[Path]:
    """The folders that have to be made for a path to exist, the innermost first."""
    return [p for p in (path, *path.parents) if not p.exists()]


def _first_free(parent: Path, name: str) -> Path:
    path, k = parent / name, 1
    while os.path.lexists(path):
        k += 1
        path = parent / f"{name}-{k}"
    return path


def _in_words(value) -> str:
    return "not given" if value is None else repr(value)


def _differences(before, now, prefix=""):
    for name in {**before, **now}:
        was, is_now = before.get(name), now.get(name)
        if isinstance(was, dict) and isinstance(is_now, dict):
            yield from _differences(was, is_now, f"{prefix}{name}.")
        elif was != is_now:
            yield f"{prefix}{name}", was, is_now
