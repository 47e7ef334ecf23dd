"""Weights that somebody wrote by hand, as they stand in a textbook: CSV or YAML.

A CSV holds one block of rows for each layer, an empty line between two blocks. A row holds the
weights that leave one input, w_i1, w_i2, ..., so that column j belongs to neuron j; a last row that
begins with b holds the biases. Lines that begin with # are comments.

    # 2 inputs, 3 neurons            - weight: [[0.1, 0.2, 0.3], [0.4, 0.5, 0.6]]
    0.1, 0.2, 0.3                      bias: [0, 0, 1]
    0.4, 0.5, 0.6                      activation: sigmoid
    b, 0, 0, 1

    # 3 inputs, 1 neuron             - weight: [[1], [-1], [0.5]]
    1
    -1
    0.5

A spreadsheet's separators (; or tab) and decimal commas beside ; are read too. A YAML file is a
list of layers as on the right, or such a list under the key `layers`.
"""

import dataclasses
import re
from pathlib import Path

import numpy as np

from cutaway.data.encoding import to_utf8
from cutaway.errors import DataError, counted, expect_path
from cutaway.files.content import read_content

BIAS = re.compile(r"b(ias(es)?)?\s*[:=]?", re.IGNORECASE)
YAML = (".yaml", ".yml")
KEYS = ("weight", "bias", "activation")
FORM = "for each layer a row of numbers per input, then b and the biases; an empty line after it"


@dataclasses.dataclass(frozen=True)
class WrittenLayer:
    """The weights of one dense layer, as they were written.

    Attributes:
        weight: (inputs, neurons), float64: weight[i, j] leads from input i to neuron j.
        bias: (neurons,), or None if none are given.
        activation: its name, or None.
        place: where it stands, for errors: "weights.csv, lines 2 to 4".
    """

    weight: np.ndarray
    bias: np.ndarray | None = None
    activation: str | None = None
    place: str = "weights"


def read_written_layers(path) -> list[WrittenLayer]:
    """The layers of a weights file that was written by hand, in their order.

    Args:
        path: .csv or .txt in blocks of rows, or .yaml.

    Raises:
        DataError: no such file, a cell that is no number, rows of unequal length, a bias of the
            wrong length, or no layer at all.

    Example:
        >>> import pathlib, tempfile
        >>> from cutaway.weights import read_written_layers
        >>> path = pathlib.Path(tempfile.mkdtemp(), "weights.csv")
        >>> _ = path.write_text("0.1,0.2\\n0.3,0.4\\nb,0,1\\n\\n5\\n-5\\n")
        >>> [layer.weight.shape for layer in read_written_layers(path)]
        [(2, 2), (2, 1)]
    """
    expect_path(path, what="read_written_layers: path")
    path = Path(path)
    text = to_utf8(read_content(path), path)[0].decode()
    layers = _of_yaml(text, path) if path.suffix.lower() in YAML else _of_blocks(text, path)
    if not layers:
        raise DataError(f"{path} holds no weights", expected=FORM)
    return layers


def _of_blocks(text: str, path) -> list[WrittenLayer]:
    separator, comma = _separator(text)
    blocks: list[list[tuple[int, list[str]]]] = [[]]
    for number, line in enumerate(text.splitlines(), 1):
        cells = [cell.strip().strip('"') for cell in separator.split(line.strip())]
        while cells and not cells[-1]:  # a spreadsheet fills rows up to the longest
            cells.pop()
        if line.lstrip().startswith("#"):
            continue
        if cells:
            blocks[-1].append((number, [c.replace(",", ".") if comma else c for c in cells]))
        elif blocks[-1]:
            blocks.append([])
    return [_of_rows(block, path) for block in blocks if block]


def _separator(text: str) -> tuple[re.Pattern, bool]:
    """What separates the cells, and whether commas are decimal marks."""
    lines = "\n".join(x for x in text.splitlines() if not x.lstrip().startswith("#"))
    if ";" in lines:
        return re.compile(";"), True
    return re.compile("\t" if "\t" in lines else "," if "," in lines else r"\s+"), False


def _of_rows(block, path) -> WrittenLayer:
    first, last = block[0][0], block[-1][0]
    place = f"{path}, line{'s' * (first != last)} {first}" + f" to {last}" * (first != last)
    bias = None
    if BIAS.fullmatch(block[-1][1][0]):
        number, cells = block.pop()
        bias = np.array([_number(cell, path, number) for cell in cells[1:]])
    rows = [[_number(cell, path, number) for cell in cells] for number, cells in block]
    if not rows:
        raise DataError(f"{place}: biases without weights", expected=FORM)
    for (number, _), row in zip(block, rows, strict=True):
        if len(row) != len(rows[0]):
            raise DataError(
                f"{path}, line {number}: {counted(len(row), 'weight')}, the row on line "
                f"{block[0][0]} has {len(rows[0])}",
                expected="as many weights in each row as the layer has neurons",
                fix="separate two layers by an empty line" if len(rows) > 1 else None,
            )
    return _layer(rows, bias, None, place)


def _number(cell: str, path, line: int) -> float:
    try:
        value = float(cell.replace("−", "-"))
    except ValueError:
        value = float("nan")
    if not np.isfinite(value):
        raise DataError(
            f"{path}, line {line}: {cell!r} is not a finite number",
            expected=FORM,
            fix="mark a comment with # at the beginning of its line",
        )
    return value


def _layer(rows, bias, activation, place: str) -> WrittenLayer:
    weight = np.array(rows, np.float64)
    if bias is not None and bias.shape != (weight.shape[1],):
        raise DataError(
            f"{place}: {counted(bias.size, 'bias value')} for {counted(weight.shape[1], 'neuron')}",
            expected=f"one bias for each of the {weight.shape[1]} columns of weights",
        )
    return WrittenLayer(weight, bias, activation, place)


def _of_yaml(text: str, path) -> list[WrittenLayer]:
    import yaml

    try:
        found = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError) as raised:
        problem = " ".join(str(raised).split()) or type(raised).__name__
        raise DataError(f"{path} is not valid YAML: {problem}") from raised
    if isinstance(found, dict):
        found = found.get("layers")
    if not isinstance(found, list):
        raise DataError(
            f"{path} holds no list of layers",
            expected="- weight: [[0.1, 0.2], [0.3, 0.4]]\n  bias: [0, 0]",
        )
    return [_of_mapping(entry, f"{path}, layer {k}") for k, entry in enumerate(found, 1)]


def _of_mapping(entry, place: str) -> WrittenLayer:
    keys = set(entry) if isinstance(entry, dict) else set()
    if "weight" not in keys or not keys <= set(KEYS):
        came = ", ".join(map(str, entry)) if isinstance(entry, dict) else repr(entry)
        raise DataError(
            f"{place}: {came}",
            expected="weight: rows of numbers, one for each input; if you like bias, activation",
        )
    bias, activation = entry.get("bias"), entry.get("activation")
    if activation is not None and not isinstance(activation, str):
        raise DataError(f"{place}: activation is {activation!r}", expected="a name, like sigmoid")
    rows = _numbers(entry["weight"], f"{place}: weight", 2)
    return _layer(rows, None if bias is None else _numbers(bias, f"{place}: bias", 1),
                  activation, place)  # fmt: skip


def _numbers(value, what: str, axes: int) -> np.ndarray:
    try:
        found = np.array(value, np.float64)
    except (TypeError, ValueError):
        found = np.array(np.nan)
    if found.ndim != axes or not found.size or not np.isfinite(found).all():
        raise DataError(
            f"{what} is {value!r}",
            expected="rows of numbers of equal length" if axes == 2 else "a list of numbers",
        )
    return found
