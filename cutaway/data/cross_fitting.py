"""Folds: rows dealt out so that each is held out once, for cross-fitting."""

import dataclasses

import numpy as np

from cutaway.errors import DataError, ShapeError, expect_integer, expect_range


@dataclasses.dataclass(frozen=True)
class Folds:
    """Which rows each of several networks is trained on, and which it is scored on.

    Network m of repeat r trains on all rows but those of one fold, and predicts the rows of that
    fold: so each row is predicted by networks that have not seen it ("cross-fitting").

    Attributes:
        numbers: (repeats, rows) the fold of each row, from 0; -1: of none, no network trains on it.
        count: folds of a repeat.

    Example:
        >>> import numpy as np
        >>> from cutaway.data import Folds
        >>> folds = Folds.deal(np.array([0, 0, 0, 1, 1, 1]), count=3, seed=0)
        >>> folds.held_out.shape, folds.held_out.sum(axis=0).tolist()
        ((6, 3), [2.0, 2.0, 2.0])
    """

    numbers: np.ndarray
    count: int

    @classmethod
    def deal(
        cls,
        y,
        count: int,
        *,
        repeats: int = 1,
        seed: int = 0,
        stratify: bool = True,
        groups=None,
        apart: float = 0.0,
    ) -> "Folds":
        """Deal rows out at random.

        Args:
            y: (rows,) targets; class numbers if stratify.
            count: folds, at least 2.
            repeats: how many times all rows are dealt out, each time differently.
            seed: random seed.
            stratify: whether each fold gets the same fraction of every class.
            groups: (rows,) rows of one group stay in one fold, and nothing is stratified unless
                each group is of one class; None: each row is by itself.
            apart: fraction of the rows, about, that no network trains on, at most a half: on them
                the mean of all networks can be looked at.

        Raises:
            OptionError: fewer than 2 folds, no repeat, or another fraction.
            DataError: fewer rows, or groups, than folds.
        """
        expect_integer(count, what="folds", least=2)
        expect_integer(repeats, what="repeats", least=1)
        expect_range(apart, what="apart", least=0, most=0.5)
        y = np.asarray(y)
        keys = np.arange(len(y)) if groups is None else np.unique(groups, return_inverse=True)[1]
        if len(keys) != len(y):
            raise ShapeError(f"{len(keys)} groups for {len(y)} rows", expected="one for each row")
        units = int(keys.max()) + 1 if len(keys) else 0
        if units < count:
            what = "rows" if groups is None else "groups"
            raise DataError(
                f"{units} {what} cannot be dealt out into {count} folds",
                expected=f"at least {count} {what}",
            )
        rng = np.random.default_rng(seed)
        sizes = np.bincount(keys, minlength=units)
        classes = np.zeros(units, int)
        if stratify and (groups is None or _of_one_class(keys, y)):
            classes = np.unique(y, return_inverse=True)[1]
            classes = classes[np.unique(keys, return_index=True)[1]]

        def deal(chosen, folds):
            if groups is None:
                return _dealt(classes[chosen], folds, rng)
            return _dealt_groups(sizes[chosen], classes[chosen], folds, rng)

        dealt = np.arange(units)
        if apart:
            dealt = dealt[deal(dealt, round(1 / apart)) > 0]
        numbers = np.full((repeats, units), -1)
        for repeat in numbers:
            repeat[dealt] = deal(dealt, count)
        return cls(numbers[:, keys], count)

    @property
    def networks(self) -> int:
        """How many networks there are: one for each fold of each repeat."""
        return len(self.numbers) * self.count

    @property
    def held_out(self) -> np.ndarray:
        """(rows, networks) float32: 1 where a network does not train on a row, otherwise 0."""
        numbers = self.numbers[:, :, None]
        each = (numbers == np.arange(self.count)) | (numbers < 0)  # (repeats, rows, folds)
        return np.concatenate(list(each), axis=1).astype(np.float32)

    @property
    def trained_on(self) -> np.ndarray:
        """(rows, networks) float32: 1 where a network trains on a row, otherwise 0."""
        return 1 - self.held_out


def _of_one_class(groups: np.ndarray, y: np.ndarray) -> bool:
    """Whether all rows of each group have the same target."""
    return len(np.unique(np.stack([groups, y]), axis=1).T) == int(groups.max()) + 1


def _dealt(classes: np.ndarray, count: int, rng) -> np.ndarray:
    """The fold of each row; those of each class go round, going on where the last class ended."""
    order = rng.permutation(len(classes))
    order = order[np.argsort(classes[order], kind="stable")]
    found = np.empty(len(classes), int)
    found[order] = np.arange(len(classes)) % count
    return rng.permutation(count)[found]


def _dealt_groups(sizes: np.ndarray, classes: np.ndarray, count: int, rng) -> np.ndarray:
    """The fold of each group: the largest first, into the fold with the fewest rows of its class.

    Of several such folds the one with the fewest rows in all.
    """
    found, rows = np.empty(len(sizes), int), np.zeros((int(classes.max()) + 1, count))
    total = int(sizes.sum()) + 1
    shuffled = rng.permutation(len(sizes))
    for group in shuffled[np.argsort(-sizes[shuffled], kind="stable")]:
        own = rows[classes[group]]
        found[group] = (own * total + rows.sum(axis=0)).argmin()
        own[found[group]] += sizes[group]
    return rng.permutation(count)[found]
