"""What a fit trains and validates on: rows with their weights, split, and checked."""

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

from cutaway.data.split import stratified_split
from cutaway.errors import OptionError, ShapeError
from cutaway.nn.trees import count_rows, is_array, leaves
from cutaway.runtime import distributed
from cutaway.runtime.distributed import OwnRows
from cutaway.train.blocks import ArrayRows, StreamRows, leaves_by_name, to_device
from cutaway.train.compatibility import check_fit
from cutaway.train.labels import encoded
from cutaway.train.own_rows import (
    PartArrays,
    PartRows,
    arrays_of_all,
    given_by,
    known_classes,
)
from cutaway.train.program import Program
from cutaway.train.row_weights import (
    WeightedTargets,
    expect_weightable_loss,
    plain_targets,
    with_weights,
    without_equal_weights,
)


def weighted_arrays(program: Program, arrays: Any, weights) -> Any:
    """(x, y) on the device, y with the weights of the rows if there are any.

    Args:
        arrays: (x, y); None for a stream; PartArrays, which have theirs.

    Raises:
        OptionError: weights where they cannot be used, or that are none.
    """
    if weights is None or isinstance(arrays, PartArrays):
        return arrays
    if arrays is None:
        raise OptionError(
            "weights were given for a stream, whose rows come in an order of their own",
            expected="a stream that has them: blocks(seed) yields (x, y, weights)",
            fix="pass them to the stream: cutaway.data.ArrayStream(x, y, weights=weights)",
        )
    expect_weightable(program)
    x, y = arrays
    return x, with_weights(y, weights, count_rows(x), program.members)


def expect_weightable(program: Program) -> None:
    """Raise OptionError unless the loss of a program can be weighted by rows."""
    if program.objective is not None or program.mix is not None:
        given = "an objective" if program.objective is not None else "a mix"
        raise OptionError(
            f"weights of the rows were given for {given}",
            expected="a loss of predictions and targets",
            fix="let the objective weight its rows"
            if program.objective is not None
            else "train without the mix, which joins rows",
        )
    expect_weightable_loss(program.loss)


def with_labels(validation, loss, classes):
    """The validation rows with labels that are texts numbered, see labels.encoded.

    OwnRows become PartArrays.
    """
    if isinstance(validation, OwnRows):
        x, y, weights = given_by(validation)
        if isinstance(x, OwnRows):
            return arrays_of_all(x, loss, known_classes(x, classes), "validation")
        validation = (x, y) if weights is None else (x, y, weights)
    if not isinstance(validation, tuple | list) or len(validation) not in (2, 3):
        return validation
    x, y, *weights = validation
    y, _ = encoded(y, loss, classes)
    return (x, y, *weights)


@dataclasses.dataclass
class FitRows:
    """What a running fit trains and validates on.

    Attributes:
        training: ArrayRows or StreamRows.
        validation: ArrayRows, or None.
        fraction: of the rows that validate; None: they were given, or there are none.
        upcoming: the FitRows of the next epoch, if they are others.
    """

    training: Any
    validation: ArrayRows | None
    fraction: float | None = None
    upcoming: "FitRows | None" = None

    def next_epoch(self) -> "FitRows":
        """Those of the epoch that begins now."""
        return self if self.upcoming is None else self.upcoming

    def replace(self, program: Program, arrays, validation, seed: int, check: Callable) -> bool:
        """Take other rows in place of these; True: at once, False: from the next epoch on.

        Args:
            program: of the fit.
            arrays: (x, y) on the device.
            validation: (x, y), or None: rows chosen as before, or the same ones.
            seed: of the split.
            check: function (FitRows) that raises an error if they cannot be used.

        Raises:
            OptionError, ShapeError, DataError: they do not fit; nothing is replaced.
        """
        held = self.validation
        if isinstance(self.training, StreamRows):
            raise OptionError(
                "replace_data was called in a training on a stream",
                expected="a training on arrays",
                fix="let the stream yield other blocks, or train on arrays",
            )
        if validation is not None and held is None:
            raise OptionError(
                "replace_data got validation rows in a training without",
                expected="validation rows only if the fit has some: their scores are columns of "
                "the history",
                fix="begin the fit with validation=(x, y)",
            )
        expect_same_kind(self.training, arrays, "")
        if held is None or validation is not None:
            fresh = training_sets(program, None, arrays, validation, seed)
        elif self.fraction is None:
            fresh = FitRows(ArrayRows(*arrays), held)
        elif count_rows(arrays[0]) == count_rows(self.training.x):  # the same places validate
            x, y = arrays
            fresh = FitRows(
                ArrayRows(x, y, self.training.indices),
                ArrayRows(x, plain_targets(y), held.indices),
                self.fraction,
            )
        else:
            fresh = training_sets(program, None, arrays, self.fraction, seed)
        if held is not None and fresh.validation is not None:
            expect_same_kind(held, (fresh.validation.x, fresh.validation.y), "validation: ")
        check(fresh)
        pairs = [(self.training, fresh.training), (held, fresh.validation)]
        pairs = [(old, new) for old, new in pairs if old is not None]
        if any(not np.array_equal(old.indices, new.indices) for old, new in pairs):
            self.upcoming = fresh
            return False
        self.upcoming, self.fraction = None, fresh.fraction
        for old, new in pairs:
            old.x, old.y = new.x, new.y
        return True


def expect_same_kind(rows: ArrayRows, arrays, what: str) -> None:
    """Raise ShapeError unless the leaves have the names, dtypes and shapes of rows as these.

    Args:
        arrays: (x, y).
        what: "validation: " before their names in the error.
    """
    before, now = (
        {
            name: f"{leaf.dtype} of shape {('rows', *leaf.shape[1:])}".replace("'", "")
            for part, tree in zip("xy", pair, strict=True)
            for name, leaf in leaves_by_name(part, tree).items()
        }
        for pair in ((rows.x, rows.y), arrays)
    )
    differing = [name for name in {**before, **now} if before.get(name) != now.get(name)]
    if differing:
        name = differing[0]
        others = f" ({len(differing) - 1} more differ)" if len(differing) > 1 else ""
        raise ShapeError(
            f"replace_data: {what}{name} is {now.get(name, 'missing')}{others}",
            expected=before.get(name, "no such array, as before"),
            fix="pass rows like those that the fit began with, with as many columns and weights "
            "only if it has weights; for others begin another fit",
        )


def training_sets(program: Program, x, arrays: Any, validation, seed: int) -> FitRows:
    """The rows to train and validate on.

    Args:
        x: the stream, if arrays is None.
        arrays: (x, y) on the device, or PartArrays, or None.
        validation: fraction of the rows, (x, y), (x, y, weights), PartArrays or None.
        seed: of the split.
    """
    if isinstance(validation, PartArrays):
        training = training_sets(program, x, arrays, None, seed).training
        return FitRows(training, PartRows(validation))
    if isinstance(validation, int | float):
        if arrays is None:
            raise OptionError(
                f"validation={validation}: a stream cannot be split",
                expected="validation=(x, y)",
                fix="pass validation rows as arrays: validation=(x, y)",
            )
        labels, stratify = arrays.labels() if isinstance(arrays, PartArrays) else _labels(arrays[1])
        chosen, rest = stratified_split(labels, validation, seed=seed, stratify=stratify)
        chosen, rest = chosen.astype(np.int32), rest.astype(np.int32)
        if isinstance(arrays, PartArrays):
            training, held_out = PartRows(arrays, chosen), PartRows(arrays, rest, is_plain=True)
        else:
            inputs, targets = arrays
            training = ArrayRows(inputs, targets, chosen)
            held_out = ArrayRows(inputs, plain_targets(targets), rest)
        return FitRows(training, held_out, float(validation))
    if arrays is None:
        training = StreamRows(x)
    else:
        training = PartRows(arrays) if isinstance(arrays, PartArrays) else ArrayRows(*arrays)
    if validation is None:
        return FitRows(training, None)
    if not isinstance(validation, tuple | list) or len(validation) not in (2, 3):
        raise OptionError(
            f"validation is a {type(validation).__name__}"
            + (f" of {len(validation)}" if isinstance(validation, tuple | list) else ""),
            expected="(x, y), (x, y, weights), or a fraction of the rows",
        )
    x, y, *weights = validation
    x, y = to_device(x, y, what="validation", instead="pass fewer validation rows")
    if weights:
        expect_weightable(program)
        y = with_weights(y, weights[0], count_rows(x), program.members)
        y = without_equal_weights(y)
    return FitRows(training, ArrayRows(x, y))


def _labels(y) -> tuple[np.ndarray, bool]:
    """(the labels by which rows are split, whether they are labels of classes)."""
    plain = plain_targets(y)
    labels = np.asarray(leaves(plain)[0])
    return labels, is_array(plain) and labels.dtype.kind in "iub"


def check_rows(program: Program, rows) -> None:
    """check_fit of a program's loss on these rows; an objective says itself what it takes.

    Of several processes each checks what it reads, and all learn of an error.
    """
    if not distributed.is_sharing():
        _check(program, rows.sample())
    else:
        distributed.gathered(lambda: _check(program, rows.sample()))


def _check(program: Program, sample) -> None:
    if sample is None:  # this process has no rows
        return
    x, y = sample
    if isinstance(y, WeightedTargets):
        expect_weightable(program)
    if program.objective is None:
        with program.opened():
            check_fit(program.prepared, program.loss, x, plain_targets(y))
