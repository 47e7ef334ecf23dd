"""Labeled time series of one or several channels in .ts files, as in the UEA archive."""

import numpy as np

from cutaway.data.labeled_series import UCRDataset, label_of, labeled_series, numbers_of
from cutaway.errors import DataError

SUFFIX = ".ts"
_MARKS = (b"@problemname", b"@classlabel", b"@dimensions", b"@univariate", b"@data")


def is_ts_file(begin: bytes) -> bool:
    """Whether the first bytes of a file are a header of a .ts file, and not a program or a film."""
    return any(line.strip().startswith(_MARKS) for line in begin.lower().splitlines())


def read_ts_text(text: str, path, *, classes=None) -> UCRDataset:
    """Labeled series in the text of a .ts file: comments, lines with @, then a series per line.

    A line holds the values of each channel, separated by commas, a colon after each channel, and
    the label: `1,2,3:4,5,6:walking`.

    Args:
        path: of the file, for messages.
        classes: those of the training file, for the same class numbers.

    Raises:
        DataError: no @data or no labels; time stamps; channels or series of different number or
            length; a cell that is not a number; missing values; only one class; a class that is
            not in `classes`.

    References:
        Bagnall et al. 2018, "The UEA multivariate time series classification archive, 2018",
        arXiv:1811.00075.
    """
    lines = [
        (number, line.strip())
        for number, line in enumerate(text.splitlines(), 1)
        if line.strip() and not line.lstrip().startswith(("#", "%"))
    ]
    begin = next((k for k, (_, line) in enumerate(lines) if line.lower() == "@data"), None)
    if begin is None:
        raise DataError(
            f"{path} has no line @data", expected="lines with @, then @data, then a series per line"
        )
    _expect_readable(path, dict(_tag(path, *line) for line in lines[:begin] if line[1][0] == "@"))
    rows = [(number, line.split(":")) for number, line in lines[begin + 1 :]]
    if not rows:
        raise DataError(f"{path} has no series", expected="a series per line after @data")
    first = [len(cells.split(",")) for cells in rows[0][1][:-1]]
    if not first:
        raise DataError(
            f"{path}: line {rows[0][0]} has no label", expected="values, a colon, and the label"
        )
    x = np.empty((len(rows), first[0], len(first)), np.float32)
    for k, (number, (*channels, _)) in enumerate(rows):
        if len(channels) != len(first):
            raise DataError(
                f"{path}: line {number} has {len(channels)} channels",
                expected=f"{len(first)} channels, as in the first series, each with a colon after "
                "it, and the label",
            )
        for channel, cells in enumerate(channels):
            values = cells.split(",")
            if len(values) != first[0]:
                raise DataError(
                    f"{path}: line {number} has {len(values)} values in channel {channel + 1}",
                    expected=f"{first[0]} values, as in the first channel of the first series",
                    fix="pad the shorter series",
                )
            x[k, :, channel] = numbers_of(path, number, values)
    labels = [label_of(cells[-1].strip()) for _, cells in rows]
    return labeled_series(path, x, labels, classes)


def _tag(path, number: int, line: str) -> tuple[str, str]:
    """ "@classLabel true a b" is ("classlabel", "true a b")."""
    if line == "@":
        raise DataError(f"{path}: line {number} is an @ without a name", expected="as @classLabel")
    name, *value = line[1:].split(maxsplit=1)
    return name.lower(), " ".join(value).lower()


def _expect_readable(path, tags: dict[str, str]) -> None:
    """Raise DataError for a .ts file without labels or with a time beside each value."""
    if tags.get("classlabel", "true").split()[:1] != ["true"] or "targetlabel" in tags:
        raise DataError(
            f"{path} has no class labels",
            expected="@classLabel true, and the label at the end of each line",
        )
    if tags.get("timestamps", "false") == "true":
        raise DataError(
            f"{path} has a time stamp beside each value",
            expected="@timeStamps false: values at equally spaced times",
            fix="resample the series",
        )
