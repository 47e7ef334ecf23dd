"""What a fit trains and validates on: rows with their weights, split, and checked."""

import numpy as np

from cutaway.data.split import stratified_split
from cutaway.errors import OptionError
from cutaway.nn.trees import count_rows, is_array, leaves
from cutaway.train.blocks import ArrayRows, StreamRows, to_device
from cutaway.train.compatibility import check_fit
from cutaway.train.program import Program
from cutaway.train.row_weights import plain_targets, with_weights


def weighted_arrays(program: Program, arrays, weights, accumulate: int):
    """(x, y) on the device, y with the weights of the rows if there are any.

    Args:
        arrays: (x, y); None for a stream.

    Raises:
        OptionError: weights where they cannot be used, or that are none.
    """
    if weights is None:
        return arrays
    if arrays is None or program.objective is not None or program.mix is not None:
        given = "a stream" if arrays is None else "an objective or a mix"
        raise OptionError(
            f"weights were given for {given}",
            expected="weights for arrays and a loss",
            fix="let the objective weight its rows, or fit on arrays without a mix",
        )
    if accumulate > 1:
        raise OptionError(
            f"weights were given with accumulate={accumulate}",
            expected="whole batches: the weights of micro-batches have different sums",
            fix="use accumulate=1 and a smaller batch_size",
        )
    x, y = arrays
    return x, with_weights(y, weights, count_rows(x))


def training_sets(x, arrays, validation, seed: int):
    """(training rows, validation rows or None).

    Args:
        x: the stream, if arrays is None.
        arrays: (x, y) on the device, or None.
        validation: fraction of the rows, (x, y) or None.
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
    x, y = to_device(*validation, what="validation", instead="pass fewer validation rows")
    return training, ArrayRows(x, y)


def check_rows(program: Program, rows) -> None:
    """check_fit of a program's loss on these rows; an objective says itself what it takes."""
    if program.objective is None:
        x, y = rows.sample()
        check_fit(program.prepared, program.loss, x, plain_targets(y))
