"""Numbers that stand for a missing value: -200, 999, 9999 apart from all others."""

import numpy as np

MIN_OTHERS = 12  # fewer other values show no range
MAX_CODES = 4  # at one end of a column: 96 not applicable, 97 refused, 98 unknown, 99 missing
_NINES = [float("9" * digits) for digits in range(2, 10)]
_REPEATED = [float(str(d) * digits) for d in (7, 8) for digits in range(2, 6)]
_BESIDE = frozenset(nines - k for nines in _NINES[:3] for k in (1.0, 2.0, 3.0))
_TENTHS = [nines + 0.9 for nines in _NINES] + [nines + 0.99 for nines in _NINES]
_OF_MACHINES = [32767.0, 65535.0, 2147483647.0, 4294967295.0, 2.0**63]
USUAL = frozenset({*_NINES, *_REPEATED, *_BESIDE, *_TENTHS, *_OF_MACHINES})
USUAL_NEGATIVE = USUAL | {9.0, 200.0, 900.0, 32768.0, 2147483648.0}
LARGEST = 3.4e38  # about that of float32
HUGE = 1e20  # -1e30, 9.96921e36: fill values of scientific files


def find_sentinels(values: np.ndarray) -> list[float]:
    """The numbers of a column that mean "missing", in ascending order.

    A number at an end of the column is one if a wide gap separates it from all others, and it is
    a usual code (-200, -99, 999, 9999, ...) or a round number in at least 1% of the rows:

    - a usual code that is repeated, with a gap of 3 times the range of the others, or one from
      900 on that occurs once, with a gap of 10 times;
    - a negative usual code that occurs at least 3 times where no other value is negative, or in
      1% of the rows (5 at least) with a gap as wide as the range of the others;
    - another multiple of 100 with a gap of 20 times the range.

    The largest of values that go on to it, as 99 among ages, and a single outlier are none.

    Args:
        values: of a numeric column; NaN and infinity are skipped.

    Example:
        >>> import numpy as np
        >>> from cutaway.data.sentinels import find_sentinels
        >>> find_sentinels(np.array([*range(20), -999, -999]))
        [-999.0]
        >>> find_sentinels(np.arange(100))
        []
    """
    values = np.asarray(values, np.float64)
    values = values[np.isfinite(values)]
    low, without_low = _candidates(-values, USUAL_NEGATIVE)
    high, _ = _candidates(-without_low, USUAL)
    # -999 must not widen the range beside which 999 is judged, nor 999 the one for -999
    high = _confirmed(high, -without_low, USUAL)
    if high:
        values = values[values < high[-1]]
    low = _confirmed(low, -values, USUAL_NEGATIVE)
    return sorted([-code for code in low] + high)


def _candidates(values: np.ndarray, usual: frozenset) -> tuple[list[float], np.ndarray]:
    """The largest values as far as they may be codes, descending, and the values below them."""
    codes: list[float] = []
    while len(values) >= MIN_OTHERS and len(codes) < MAX_CODES:
        top = float(values.max())
        if not _may_be_code(top, codes, usual):
            break
        codes.append(top)
        values = values[values < top]
    return codes, values


def _may_be_code(value: float, larger: list[float], usual: frozenset) -> bool:
    if value <= 0:
        return False
    if value in _BESIDE and not any(other in _NINES for other in larger):
        return False
    return value in usual or value >= HUGE or value % 100 == 0


def _confirmed(candidates: list[float], values: np.ndarray, usual: frozenset) -> list[float]:
    """The most candidates, from the largest on, that stand apart from all values below them."""
    for number in range(len(candidates), 0, -1):
        codes = candidates[:number]
        others = values[values < codes[-1]]
        if len(others) < MIN_OTHERS:
            continue
        top, bottom = float(others.max()), float(others.min())
        if not ((bottom < others) & (others < top)).any():  # two values are no range
            continue
        gap = (codes[-1] - top) / (top - bottom)  # in ranges of the others
        counts = [int((values == code).sum()) for code in codes]
        if all(
            _is_spike(count, gap, others)
            if code not in usual and code < HUGE
            else _is_apart(code, count, gap)
            or (usual is USUAL_NEGATIVE and _is_negative_code(count, gap, others))
            for code, count in zip(codes, counts, strict=True)
        ):
            return codes
    return []


def _is_apart(code: float, count: int, gap: float) -> bool:
    """Whether a usual code is so far from the others that it is one."""
    if count >= 2:
        return gap >= 3
    return gap >= 10 and 900 <= code < LARGEST  # a larger one is named as an error


def _is_negative_code(count: int, gap: float, negated: np.ndarray) -> bool:
    """Whether a negative usual code is one: the only negative number, or too many for outliers."""
    alone = negated.max() <= 0
    return count >= 3 if alone else gap >= 1 and count >= max(5, len(negated) / 100)


def _is_spike(count: int, gap: float, others: np.ndarray) -> bool:
    """The same for a round number that is no usual code."""
    return gap >= 20 and count >= max(3, len(others) / 100) and len(np.unique(others)) >= 10
