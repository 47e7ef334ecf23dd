"""Exceptions for users, and how their messages are worded.

Every message says what happened, what was expected, and how to fix it:

    ShapeError: Linear: the input has shape (32, 784), so axis -1 has size 784
      expected: axis -1 of size 512 (set by in_features=512)
      fix: build the layer with in_features=784, or reshape the input
"""

import difflib
import math
import operator
import os
import re
from collections.abc import Iterable
from typing import Any

# control characters but tab and newline, marks that reverse text, and halves of characters
HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)


def visible(text) -> str:
    r"""The text with characters that a terminal or a page would obey as escapes.

    Names, labels and cells come from files that others made.

    Example:
        >>> from cutaway.errors import visible
        >>> print(visible("red: \x1b[31m"))
        red: \x1b[31m
    """
    return HIDDEN.sub(lambda found: found[0].encode("unicode_escape").decode(), str(text))


class CutawayError(Exception):
    """Base class of all errors that Cutaway raises on purpose.

    Args:
        came: what happened, with the offending names and values.
        expected: what would have been valid.
        fix: how to fix it.
    """

    def __init__(self, came: str, *, expected: str | None = None, fix: str | None = None):
        self.came = visible(came)
        self.expected = None if expected is None else visible(expected)
        self.fix = None if fix is None else visible(fix)
        lines = [self.came]
        if expected:
            lines.append(f"  expected: {self.expected}")
        if fix:
            lines.append(f"  fix: {self.fix}")
        super().__init__("\n".join(lines))


class ShapeError(CutawayError, ValueError):
    """Shapes that are incompatible with each other or with a layer."""


class OptionError(CutawayError, ValueError):
    """An argument or option that is out of range, or an unknown name."""


class DataError(CutawayError, ValueError):
    """A file or table that cannot be used in its present form."""


class RunError(CutawayError, ValueError):
    """A run folder, weights or checkpoint that cannot be read or written."""


class GradientError(CutawayError, RuntimeError):
    """A gradient that cannot be computed."""


class TrainingError(CutawayError, RuntimeError):
    """Training that failed.

    Attributes:
        origin: where a NaN or infinity first appeared (train.NanOrigin), or None.
    """

    origin: Any = None


class OutOfMemoryError(CutawayError, MemoryError):
    """A step or a dataset that does not fit in the memory of its device.

    Attributes:
        asked_bytes, free_bytes: size of the failed allocation, and the free memory; None if
            unknown.
        is_general: whether it was raised where neither batch size nor precision is known.
    """

    asked_bytes: int | None = None
    free_bytes: int | None = None
    is_general = False


def install_extra(extra: str) -> str:
    """The command that installs an extra of this installation: for the `fix` of an error.

    Of a checkout it names the checkout: a package of that name elsewhere may be somebody else's.

    Example:
        >>> from cutaway.errors import install_extra
        >>> install_extra("search").startswith("pip install ")
        True
    """
    checkout = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    if os.path.exists(os.path.join(checkout, "pyproject.toml")):
        return f'pip install -e "{checkout}[{extra}]"'
    return f'pip install "cutaway[{extra}]"'


def did_you_mean(name: str, known: Iterable) -> str:
    """The closest known name as a question, or the list of all names: for the `fix` of an error.

    Example:
        >>> from cutaway.errors import did_you_mean
        >>> did_you_mean("pased", ["study", "passed"])
        'did you mean "passed"?'
    """
    known = [str(k) for k in known]
    folded = {k.casefold(): k for k in known}
    near = difflib.get_close_matches(str(name).casefold(), folded, n=1, cutoff=0.5)
    if near:
        return f'did you mean "{folded[near[0]]}"?'
    shown = ", ".join(known[:12]) + (f", ... ({len(known)} in all)" if len(known) > 12 else "")
    return f"choose one of: {shown}"


def expect_one_tensor(x, *, where: str) -> None:
    """Raise ShapeError if x is what a recurrent layer returns, or another tuple, list or dict."""
    if isinstance(x, tuple | list | dict):
        raise ShapeError(
            f"{where}: the input is a {type(x).__name__} of {len(x)}, not one Tensor",
            expected="one Tensor",
            fix="after RNN, LSTM or GRU, which return (outputs, state), put nn.LastStep() or "
            "nn.AllSteps(); otherwise pass one of its Tensors",
        )


def expect_axis(x, axis: int, size: int, *, where: str, name: str) -> None:
    """Raise ShapeError unless x.shape[axis] == size, the size that `name` set in layer `where`."""
    expect_one_tensor(x, where=where)
    shape = tuple(x.shape)
    if len(shape) < (-axis if axis < 0 else axis + 1):
        raise ShapeError(
            f"{where}: the input has shape {shape}, so it has no axis {axis}",
            expected=f"axis {axis} of size {size} (set by {name}={size})",
            fix="add the missing axis; for a single example: x[None, :]",
        )
    if shape[axis] != size:
        raise ShapeError(
            f"{where}: the input has shape {shape}, so axis {axis} has size {shape[axis]}",
            expected=f"axis {axis} of size {size} (set by {name}={size})",
            fix=f"build the layer with {name}={shape[axis]}, or reshape the input",
        )


def counted(number: int, noun: str) -> str:
    """A number of things: "1 row", "1,200 rows".

    Example:
        >>> from cutaway.errors import counted
        >>> counted(1, "row"), counted(1200, "row")
        ('1 row', '1,200 rows')
    """
    return f"{number:,} {noun}{'s' * (number != 1)}"


def option_name(name: str) -> str:
    """A name as options with lists of names take it: in double quotes if it needs them.

    Example:
        >>> from cutaway.errors import option_name
        >>> option_name("age"), option_name("a,b")
        ('age', '"a,b"')
    """
    if name == name.strip() and "," not in name and not name.startswith('"'):
        return name
    return '"' + name.replace('"', '""') + '"'


def expect_choice(value, known, *, what: str) -> None:
    """Raise OptionError unless value is one of the known names."""
    try:
        is_known = value in known
    except (TypeError, ValueError):  # a list as the key of a dict, an array
        is_known = False
    if not is_known:
        raise OptionError(
            f"unknown {what} {value!r}",
            expected="one of " + ", ".join(map(str, known)),
            fix=did_you_mean(str(value), known),
        )


def expect_range(value, *, what: str, above=None, least=None, below=None, most=None) -> None:
    """Raise OptionError unless above < value, least <= value, value < below and value <= most.

    NaN and what is no number are outside every range. Limits that are None are not checked.

    Example:
        >>> from cutaway.errors import expect_range
        >>> expect_range("a", what="Linear: in_features", least=1)
        Traceback (most recent call last):
        cutaway.errors.OptionError: Linear: in_features is 'a'
          expected: a number >= 1
          fix: choose in_features >= 1
    """
    _expect_within(value, "a number", what, above, least, below, most)


def expect_integer(value, *, what: str, least=None, below=None, most=None) -> None:
    """Raise OptionError unless value is an integer with least <= value, value < below, <= most.

    Example:
        >>> from cutaway.errors import expect_integer
        >>> expect_integer(2.5, what="Linear: in_features", least=1)
        Traceback (most recent call last):
        cutaway.errors.OptionError: Linear: in_features is 2.5
          expected: an integer >= 1
          fix: choose in_features >= 1
    """
    _expect_within(value, "an integer", what, None, least, below, most)


def expect_type(value, types, *, what: str, expected: str, fix: str | None = None) -> None:
    """Raise OptionError unless value is of one of the types.

    Example:
        >>> from cutaway.errors import expect_type
        >>> expect_type(3, dict, what="settings", expected="a dict", fix="pass {name: value}")
        Traceback (most recent call last):
        cutaway.errors.OptionError: settings is 3
          expected: a dict
          fix: pass {name: value}
    """
    if not isinstance(value, types):
        raise OptionError(f"{what} is {_short(value)}", expected=expected, fix=fix)


def expect_function(value, *, what: str, expected: str, fix: str | None = None) -> None:
    """Raise OptionError unless value can be called."""
    if not callable(value):
        raise OptionError(f"{what} is {_short(value)}", expected=expected, fix=fix)


def expect_path(value, *, what: str) -> None:
    """Raise OptionError unless value is a text or a pathlib.Path."""
    expect_type(value, str | os.PathLike, what=what, expected="a path, as str or pathlib.Path")


def _short(value) -> str:
    """A value of few letters, or what it is."""
    text = repr(value)
    return text if len(text) <= 40 and "\n" not in text else f"of type {type(value).__name__}"


def _expect_within(value, kind: str, what: str, above, least, below, most) -> None:
    tests: list[tuple[Any, Any, str]] = [
        (above, operator.gt, f"> {above}"),
        (least, operator.ge, f">= {least}"),
        (below, operator.lt, "finite" if below == math.inf else f"< {below}"),
        (most, operator.le, f"<= {most}"),
    ]
    tests = [test for test in tests if test[0] is not None]
    try:
        if kind == "an integer":
            operator.index(value)
        fits = all(holds(value, limit) for limit, holds, _ in tests)
    except (TypeError, ValueError):  # a text, None, an array
        fits = False
    if not fits:
        limits = " and ".join(text for _, _, text in tests)
        raise OptionError(
            f"{what} is {value!r}" if isinstance(value, str) else f"{what} is {value}",
            expected=f"{kind} {limits}",
            fix=f"choose {what.rpartition(': ')[2]} {limits}",
        )
