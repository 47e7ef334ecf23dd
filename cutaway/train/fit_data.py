"""What a fit trains and validates on: rows with their weights, split, and checked."""

import numpy as np

from cutaway.data.split import stratified_split
from cutaway.errors import OptionError
from cutaway.nn.trees import count_rows, is_array, leaves
from cutaway.train.blocks import ArrayRows, StreamRows, to_device
from cutaway.train.compatibility import check_fit
from cutaway.train.program import Program
from cutaway.train.row_weights import WeightedTargets, plain_targets, with_weights


def weighted_arrays(program: Program, arrays, weights):
    """(x, y) on the device, y with the weights of the rows if there are any.

    Args:
        arrays: (x, y); None for a stream.

    Raises:
        OptionError: weights where they cannot be used, or that are none.
    """
    if weights is None:
        return arrays
    if arrays is None:
        raise OptionError(
            "weights were given for a stream, whose rows come in an order of their own",
            expected="a stream that has them: blocks(seed) yields (x, y, weights)",
            fix="pass them to the stream: cutaway.data.ArrayStream(x, y, weights=weights)",
        )
    expect_weightable(program)
    x, y = arrays
    return x, with_weights(y, weights, count_rows(x))


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


def training_sets(program: Program, x, arrays, validation, seed: int):
    """(training rows, validation rows or None).

    Args:
        x: the stream, if arrays is None.
        arrays: (x, y) on the device, or None.
        validation: fraction of the rows, (x, y), (x, y, weights) or None.
        seed: of the split.
    """
    if isinstance(validation, int | float):
        if arrays is None:
            raise OptionError(
                f"validation={validation}: a stream cannot be split",
                expected="validation=(x, y)",
                fix="pass validation rows as arrays: validation=(x, y)",
            )
        inputs, targets = arrays
        plain = plain_targets(targets)
        labels = np.asarray(leaves(plain)[0])
        stratify = is_array(plain) and labels.dtype.kind in "iub"
        chosen, rest = stratified_split(labels, validation, seed=seed, stratify=stratify)
        chosen, rest = chosen.astype(np.int32), rest.astype(np.int32)
        return ArrayRows(inputs, targets, chosen), ArrayRows(inputs, plain, rest)
    training = StreamRows(x) if arrays is None else ArrayRows(*arrays)
    if validation is None:
        return training, None
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
        y = with_weights(y, weights[0], count_rows(x))
    return training, ArrayRows(x, y)


def check_rows(program: Program, rows) -> None:
    """check_fit of a program's loss on these rows; an objective says itself what it takes."""
    x, y = rows.sample()
    if isinstance(y, WeightedTargets):
        expect_weightable(program)
    if program.objective is None:
        check_fit(program.prepared, program.loss, x, plain_targets(y))
