"""Files that cannot be read: skipped up to a limit, named and counted."""

import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

from cutaway.errors import DataError, expect_integer

T = TypeVar("T")
SHOWN = 5  # names in a message


class SkippedFiles:
    """Files of a data set that cannot be read and are skipped, up to a limit.

    A file that was skipped once stays skipped, even if it can be read later, so that an epoch
    consists of the same files when a training is resumed. Threads may share one object.

    Args:
        most: the most files that may be skipped.
        option: the option by which more can be skipped, with {count} for their number; "": none.

    Attributes:
        reasons: {path: why it cannot be read} of the files that are skipped.

    Example:
        >>> from cutaway.data import SkippedFiles, read_wav
        >>> skipped = SkippedFiles(1)
        >>> skipped.read("none.wav", read_wav) is None
        True
        >>> skipped.expect_within("recordings", 8)
        >>> skipped.note(["none.wav", "one.wav"], "recordings")[0][:29]
        'skipped 1 of 2 recordings: no'
    """

    def __init__(self, most: int = 0, option: str = "skip_unreadable={count}"):
        expect_integer(most, what="skip_unreadable", least=0)
        self.most = most
        self.option = option
        self.reasons: dict[Path, str] = {}
        self._failed: dict[Path, DataError] = {}  # beyond the limit
        self._lock = threading.Lock()

    def read(self, path, reader: Callable[[Path], T]) -> T | None:
        """`reader(path)`, or None if the file cannot be read or was skipped before."""
        path = Path(path)
        if path in self.reasons:
            return None
        try:
            return reader(path)
        except DataError as error:
            with self._lock:
                if len(self.reasons) < self.most:
                    self.reasons[path] = error.came
                else:
                    self._failed[path] = error
            return None

    def add(self, reasons: dict[Path, str]) -> None:
        """Skip files that another process could not read."""
        with self._lock:
            for path, reason in reasons.items():
                if path in self.reasons:
                    continue
                if len(self.reasons) < self.most:
                    self.reasons[path] = reason
                else:
                    self._failed[path] = DataError(reason, expected="a file that can be read")

    def expect_within(self, what: str, total: int, *, may_remove: bool = True) -> None:
        """Raise an error if more files could not be read than may be skipped.

        Args:
            what: what the files are, in the plural.
            total: number of all files.
            may_remove: whether to advise to remove them.

        Raises:
            DataError: it names the files.
        """
        with self._lock:
            failed, self._failed = self._failed, {}
        if not failed:
            return
        count = len(failed) + len(self.reasons)
        error = min(failed.items())[1]
        advice = [error.fix] if error.fix else []
        if may_remove:
            advice.append("or remove it" if count == 1 else "or remove such files")
        if self.option:
            skip = self.option.format(count=count)
            advice.append(f"or skip {'it' if count == 1 else 'them'}: {skip}")
        fix = "; ".join(advice)
        if count == 1:
            raise DataError(error.came, expected=error.expected, fix=fix) from error.__cause__
        found = _listed(self.reasons | {path: error.came for path, error in failed.items()})
        if count == total:  # an option may be the reason, and skipping leaves nothing
            came, fix = f"none of the {total:,} {what} can be read: {found}", error.fix
        else:
            came = f"{count:,} of {total:,} {what} cannot be read: {found}"
        limit = f"at most {self.most:,} of them (skip_unreadable); each {error.expected}"
        expected = limit if self.most and error.expected else error.expected
        raise DataError(came, expected=expected, fix=fix) from error.__cause__

    def note(self, paths: Iterable, what: str) -> list[str]:
        """[a sentence that names those of the paths that are skipped]; [] if there are none."""
        paths = [Path(path) for path in paths]
        found = {path: self.reasons[path] for path in paths if path in self.reasons}
        if not found:
            return []
        return [f"skipped {len(found):,} of {len(paths):,} {what}: {_listed(found)}"]


def _listed(reasons: dict[Path, str]) -> str:
    """The first files and why they cannot be read."""
    shown = [
        reason if str(path) in reason else f"{path}: {reason}"
        for path, reason in sorted(reasons.items())[:SHOWN]
    ]
    more = len(reasons) - len(shown)
    return "; ".join(shown) + (f"; and {more:,} more" if more else "")
