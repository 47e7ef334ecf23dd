"""Arithmetic that a reader can calculate again: as many digits as its result needs."""

from cutaway.story.text import number

MOST_DIGITS = 17  # of a float64


class _Operand:
    """A number in a formula: in brackets if it is negative, with the format `n` without them."""

    def __init__(self, shown: str):
        self.shown = shown

    def __format__(self, spec):
        return f"({self.shown})" if self.shown.startswith("-") and spec != "n" else self.shown


def equation(template: str, compute, *values: float, digits: int = 4) -> str:
    """A formula with its numbers, and its result: "(5 - 7.811) / 1.847 = -1.522".

    The numbers have as many digits as it takes for the formula to give, calculated with what is
    shown, the result that is shown.

    Args:
        template: the formula with {0}, {1}, ... for the numbers; {0:n} is not put in brackets.
        compute: function of the numbers -> the result.
        values: the numbers.
        digits: significant digits of the result.

    Example:
        >>> from cutaway.story.equation import equation
        >>> equation("({0:n} - {1}) / {2}", lambda x, m, s: (x - m) / s, 5.0, 7.8112, 1.8466)
        '(5 - 7.811) / 1.847 = -1.522'
    """
    result = number(compute(*values), digits)
    shown = [number(v, digits) for v in values]
    for more in range(digits, MOST_DIGITS + 1):
        shown = [number(v, more) for v in values]
        if number(compute(*map(float, shown)), digits) == result:
            break
    return f"{template.format(*map(_Operand, shown))} = {result}"
