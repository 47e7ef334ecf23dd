"""Fingerprints of data: by which other data under the same name, and rows seen before, are noticed.

A run keeps one: counts and digests in its config.json, and 8 bytes per row in fingerprint.npz.
"""

import dataclasses
import functools
import io
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from cutaway.data.file_hashes import UNKNOWN, hash_files, is_large
from cutaway.data.json_types import Count
from cutaway.data.row_hashes import (
    digest_in_any_order,
    digest_in_order,
    hash_column,
    hash_rows,
    hash_texts,
)

if TYPE_CHECKING:
    import polars as pl

MOST_KEPT = 1_000_000  # hashes of each kind in a file: 8 MB
SIGMAS = 3.0  # more rows seen before than by chance, in standard deviations
SHOWN = 3  # names in a message
ARRAYS = ("rows", "names", "training")  # of fingerprint.npz


@dataclasses.dataclass(frozen=True)
class Hashes:
    """Hashes of examples, in their order.

    Attributes:
        unit: what an example is, in the plural.
        rows: (n,) uint64 of all that is known of each, also of the names of its files.
        keys: (n,) uint64 of what makes it the same example elsewhere: of a picture its content.
        counted: (n,) whether its key is one of content.
        columns: {name: digest}.
        names: of the files; None: the examples are not files.
        sampled: whether only samples of the files were read.
    """

    unit: str
    rows: np.ndarray
    keys: np.ndarray
    counted: np.ndarray
    columns: dict[str, str]
    names: list[str] | None = None
    sampled: bool = False


def hash_examples(
    frame: "pl.DataFrame",
    *,
    unit: str,
    columns: Sequence[str] | None = None,
    files: Sequence[str] = (),
    key: Sequence[str] | None = None,
    sampled: bool | None = None,
) -> Hashes:
    """Hashes of the rows of a frame.

    Args:
        unit: what a row is, in the plural.
        columns: that count; None: all.
        files: the columns that hold paths of files, whose contents count.
        key: the columns that make a row the same elsewhere; None: all that count.
        sampled: whether only samples of the files are read; None: if they are large.

    Example:
        >>> import polars as pl
        >>> from cutaway.data.fingerprint import hash_examples
        >>> one = hash_examples(pl.DataFrame({"a": [1, 2], "b": ["x", "y"]}), unit="rows")
        >>> two = hash_examples(pl.DataFrame({"b": ["x", "y"], "a": [1.0, 2.0]}), unit="rows")
        >>> one.rows.tolist() == two.rows.tolist()
        True
    """
    columns = frame.columns if columns is None else columns
    columns = [name for name in columns if name in frame.columns]
    paths = {name: frame[name].to_list() for name in columns if name in files}
    if sampled is None:
        sampled = is_large([path for one in paths.values() for path in one])
    counted = np.ones(frame.height, bool)
    contents, whole = {}, {}
    for name in columns:
        if name in paths:
            contents[name], known = hash_files(paths[name], sampled=sampled)
            whole |= {name: contents[name], f"{name} (name)": hash_texts(paths[name])}
            if key is None or name in key:
                counted &= known & (contents[name] != UNKNOWN)
        else:
            contents[name] = whole[name] = hash_column(frame[name])
    keys = {name: one for name, one in contents.items() if key is None or name in key}
    return Hashes(
        unit,
        hash_rows(whole),
        hash_rows(keys),
        counted,
        {name: digest_in_order(hashes) for name, hashes in contents.items()},
        next(iter(paths.values()), None),
        sampled,
    )


class StoredFingerprint(msgspec.Struct):
    """A fingerprint as config.json holds it.

    Attributes:
        unit: what an example is, in the plural.
        count: number of examples.
        digest, unordered: of all of them, in their order and in any.
        keys: digest of their keys, in any order.
        columns: {name: digest}, in the order of the inputs.
        training: number of training examples with a key.
        twins: fraction of them that equal another one.
        sampled: whether only samples of the files were read.
    """

    unit: str
    count: Count
    digest: str
    unordered: str
    keys: str
    columns: dict[str, str]
    training: Count
    twins: float
    sampled: bool

    def __post_init__(self):
        if not 0 <= self.twins <= 1:
            raise ValueError(f"a fraction of {self.twins}")


@dataclasses.dataclass(frozen=True)
class Fingerprint:
    """Of the data that a training begins with.

    Attributes:
        hashes: of all examples.
        training: (m,) indices of the training examples.
        numbers: (n,) number of each example in the source, counted from 1; for messages.
        may_differ: how many files may have another content, since a training may skip as many.
    """

    hashes: Hashes
    training: np.ndarray
    numbers: np.ndarray
    may_differ: int = 0

    @functools.cached_property
    def _keys(self) -> tuple[np.ndarray, np.ndarray]:
        """(the keys of the training examples, each once and sorted; how often each occurs)."""
        chosen = self.training[self.hashes.counted[self.training]]
        return np.unique(self.hashes.keys[chosen], return_counts=True)

    @functools.cached_property
    def stored(self) -> StoredFingerprint:
        """What config.json holds."""
        hashes, counts = self.hashes, self._keys[1]
        total = int(counts.sum())
        return StoredFingerprint(
            unit=hashes.unit,
            count=len(hashes.rows),
            digest=digest_in_order(hashes.rows),
            unordered=digest_in_any_order(hashes.rows),
            keys=digest_in_any_order(hashes.keys[hashes.counted]),
            columns=hashes.columns,
            training=total,
            twins=float(counts[counts > 1].sum() / total) if total else 0.0,
            sampled=hashes.sampled,
        )

    def to_json(self) -> dict[str, Any]:
        return msgspec.to_builtins(self.stored)

    def to_npz(self) -> bytes:
        """The content of fingerprint.npz."""
        hashes, file = self.hashes, io.BytesIO()
        names = np.zeros(0, np.uint64) if hashes.names is None else self._names
        np.savez(
            file,
            rows=hashes.rows[:MOST_KEPT],
            names=names[:MOST_KEPT],
            # the smallest hashes are a random sample, and it is known of any hash whether it
            # would be among them
            training=self._keys[0][:MOST_KEPT],
        )
        return file.getvalue()

    @functools.cached_property
    def _names(self) -> np.ndarray:
        return hash_texts(self.hashes.names or [])

    def difference(
        self, before: StoredFingerprint, arrays: Mapping[str, np.ndarray] | None
    ) -> str | None:
        """How these data differ from those of a fingerprint, in words; None: they do not.

        Args:
            before: the fingerprint.
            arrays: of its fingerprint.npz; None: it is not there.
        """
        now, unit = self.stored, self.hashes.unit
        if (before.count, before.digest) == (now.count, now.digest):
            # the rows are equal; but the inputs of a network have the order of the columns
            moved = list(before.columns) != list(now.columns)
            return "its columns are in another order" if moved else None
        found = []
        if before.count != now.count:
            found.append(f"{before.count:,} {unit}, now {now.count:,}")
        elif before.unordered == now.unordered:
            found.append(f"the same {unit} in another order")
        if self.hashes.names is None:
            found += _columns(before.columns, now.columns, before.count == now.count)
        if arrays is not None:
            changed = self._changed(arrays["rows"])
            if self.hashes.names is None:
                found += [f"the first difference is in {_one(unit)} {self.numbers[k]:,}"
                          for k in changed[:1]]  # fmt: skip
            else:
                named = self._changed_files(changed, arrays["names"])
                if named is None:
                    return None
                found.append(named)
        return "; ".join(found) or f"other {unit}"

    def _changed(self, before: np.ndarray) -> np.ndarray:
        """Indices of the examples with another hash than before at their place, or with none."""
        own = self.hashes.rows[:MOST_KEPT]
        most = min(len(before), len(own))
        same = np.zeros(len(own), bool)
        same[:most] = before[:most] == own[:most]
        return np.flatnonzero(~same)

    def _changed_files(self, changed: np.ndarray, before: np.ndarray) -> str | None:
        """Which files are new, gone or changed; None: no more than may differ."""
        names, own = self.hashes.names or [], self._names[:MOST_KEPT]
        new = np.flatnonzero(~np.isin(own, before))
        if len(new):
            return f"{_listed([names[k] for k in new])} {'is' if len(new) == 1 else 'are'} new"
        gone = int((~np.isin(before, own)).sum())
        if gone:
            return f"{gone:,} of them {'is' if gone == 1 else 'are'} gone"
        if len(changed) <= self.may_differ:
            return None
        return f"{_listed([names[k] for k in changed])} changed" if len(changed) else "their order"


def _columns(before: dict, now: dict, is_comparable: bool) -> list[str]:
    """What is to be said of columns that are new, gone or changed."""
    words = {
        "new": [name for name in now if name not in before],
        "gone": [name for name in before if name not in now],
    }
    if is_comparable:
        words["changed"] = [n for n in now if n in before and now[n] != before[n]]
    if len(words.get("changed", ())) == len(now) > 1:
        words["changed"] = []  # all of them say nothing
    return [
        f"the column{'s' * (len(names) != 1)} {_listed(list(map(repr, names)))} "
        f"{'is' if len(names) == 1 else 'are'} {what}"
        for what, names in words.items()
        if names
    ]


def _one(unit: str) -> str:
    """The singular of a unit."""
    return unit if unit == "series" else unit.removesuffix("s")


def _listed(names: Sequence[str]) -> str:
    more = len(names) - SHOWN
    return ", ".join(names[:SHOWN]) + (f" and {more:,} more" if more > 0 else "")


def note_of_seen(hashes: Hashes, stored: StoredFingerprint, training: np.ndarray) -> str | None:
    """A sentence if examples are among those that a network was trained on; None: they are not.

    Rows of few different values meet by chance: as many training rows as have a twin among the
    others are expected among new rows too.

    Args:
        hashes: of the examples.
        stored: the fingerprint of the training data.
        training: of its fingerprint.npz.
    """
    keys, unit = hashes.keys[hashes.counted], stored.unit
    if not len(keys) or not len(training):
        return None
    is_sample = len(training) >= MOST_KEPT or stored.sampled
    known = keys[keys <= training[-1]] if len(training) >= MOST_KEPT else keys
    if not len(known):
        return None
    places = np.searchsorted(training, known).clip(max=len(training) - 1)
    seen = int((training[places] == known).sum())
    by_chance = stored.twins * len(known)
    by_chance += SIGMAS * math.sqrt(by_chance * (1 - stored.twins))
    is_whole = digest_in_any_order(keys) == stored.keys
    if not seen or (seen <= by_chance and not is_whole):
        return None
    count = round(seen / len(known) * len(keys))
    about = "about " if is_sample else ""
    verb = "is" if count == 1 else "are"
    return (
        f"{about}{count:,} of {len(hashes.keys):,} {unit} {verb} among the training {unit}: scores "
        "on them say nothing about new data"
    )
