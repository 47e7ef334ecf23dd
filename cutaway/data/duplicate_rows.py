"""Rows that are copies of other rows: across the split, and with targets that contradict."""

import numpy as np

from cutaway.data.columns import clean
from cutaway.data.found_leak import Leak

MOST_COLUMNS = 30  # of the most distinct values, by which copies are told from coincidences
# How often two rows agree by chance in a column that counts, and in the best of them.
CHANCE, LEAST_CHANCE = 0.6, 0.25
# A row that occurs more often, and in more than this fraction of all rows, is a usual one ("all
# counts are 0") and no copy.
USUAL_ROWS, USUAL_FRACTION = 20, 0.02
LEAST_ROWS, LEAST_FRACTION = 2, 0.01


def find_duplicates(frame, target: str, columns, training, held_out: dict) -> list[Leak]:
    """Validation and test rows that are in the training set too, and rows that contradict.

    In a table of few and coarse columns, rows are equal by chance; these are not told.

    Args:
        frame: polars frame.
        columns: names of the columns that are used.
        training: indices of the training rows.
        held_out: {name of a set: indices of its rows}.
    """
    keys = _copied(frame, target, columns)
    if keys is None:
        return []
    features, whole, rare = keys
    found = []
    for name, rows in held_out.items():
        count = int((np.isin(whole[rows], whole[training]) & rare[rows]).sum())
        if count >= max(LEAST_ROWS, LEAST_FRACTION * len(rows)):
            found.append(_in_training(name, count, len(rows)))
    contradicting = _contradicting(features[rare], whole[rare])
    if contradicting >= max(LEAST_ROWS, LEAST_FRACTION * len(whole)):
        found.append(_contradiction(target, contradicting, len(whole)))
    return found


def groups_of_copies(frame, target: str, columns) -> np.ndarray | None:
    """(rows,) the number of the group of equal rows that each is in; None: there are no copies.

    Features and target are equal. Where a table is cut into parts, copies belong into one of them.

    Args:
        frame, target, columns: see `find_duplicates`.
    """
    keys = _copied(frame, target, columns)
    if keys is None:
        return None
    _, whole, rare = keys
    # usual rows are no copies: each is by itself
    own = np.where(
        rare, np.unique(whole, return_inverse=True)[1], len(whole) + np.arange(len(rare))
    )
    return np.unique(own, return_inverse=True)[1]


def _copied(frame, target, columns) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """(key of the features, key of the whole row, whether it is not a usual one) of each row.

    None: equal rows are so by chance, or there are none.
    """
    hashes = {name: _hashes(frame[name], k) for k, name in enumerate(columns)}
    features = np.stack(list(hashes.values())).sum(axis=0, dtype=np.uint64)  # (rows,)
    rare = _group_sizes(features) <= max(USUAL_ROWS, USUAL_FRACTION * len(features))
    if not _are_copies(features[rare], {name: keys[rare] for name, keys in hashes.items()}):
        return None
    return features, features + _hashes(frame[target], len(hashes)), rare


def _in_training(name, count, rows) -> Leak:
    return Leak(
        "duplicates",
        (),
        count / rows,
        f"fraction of the {name} rows that are training rows too",
        f"{count:,} of {rows:,} {name} rows are in the training set too, with the same features "
        "and target",
        f"remove repeated rows from the data, because the {name} score is too good with them",
    )


def _contradiction(target, count, rows) -> Leak:
    return Leak(
        "contradiction",
        (),
        count / rows,
        "fraction of rows with the features of another row and a different target",
        f"{count:,} of {rows:,} rows have the same features as another row and a different "
        f"`{target}`",
        "check their targets, because no model can predict both",
    )


def _hashes(series, seed) -> np.ndarray:
    """(rows,) a number for each value."""
    return clean(series).hash(seed=seed).to_numpy()


def _are_copies(features, hashes) -> bool:
    """Whether there are equal rows, and more of them than columns that agree by chance explain.

    Rows that agree in all columns, relative to those that agree in all but one: by chance it is
    about how often two rows agree in that one; for copies it is 1.
    """
    pairs, rows = _equal(features)
    if not pairs:
        return False
    chances = {name: _agreeing(values) for name, values in hashes.items()}
    chosen = sorted(chances, key=chances.__getitem__)[:MOST_COLUMNS]
    chosen = [name for name in chosen if chances[name] <= CHANCE]
    if len(hashes) < 2 or min(chances.values()) > LEAST_CHANCE:
        return False
    for name in chosen:
        more_pairs, more_rows = _equal(features - hashes[name])
        if min(pairs / more_pairs, rows / more_rows) < (1 + chances[name]) / 2:
            return False
    return True


def _group_sizes(keys) -> np.ndarray:
    """(rows,) how many rows equal each."""
    _, place, counts = np.unique(keys, return_inverse=True, return_counts=True)
    return counts[place]


def _equal(keys) -> tuple[int, int]:
    """(pairs of equal rows, rows that equal another one)."""
    _, counts = np.unique(keys, return_counts=True)
    return int((counts * (counts - 1) // 2).sum()), int(counts[counts > 1].sum())


def _agreeing(values) -> float:
    """How often two rows agree by chance."""
    _, counts = np.unique(values, return_counts=True)
    return float(((counts / len(values)) ** 2).sum())


def _contradicting(features, whole) -> int:
    """Rows whose features occur with several targets."""
    pairs = np.unique(np.column_stack([features, whole]), axis=0)[:, 0]
    keys, counts = np.unique(pairs, return_counts=True)
    return int(np.isin(features, keys[counts > 1]).sum())
