"""Masks as COCO's run lengths: {"size": [height, width], "counts": text}.

A mask of an object takes a few hundred letters instead of a byte for each pixel of the picture. The
lengths count pixels outside and inside of the object in turn, down the columns, and begin outside.
"""

import numpy as np

from cutaway.data.outlines import outline_mask, runs_of_text


def run_lengths(mask) -> dict:
    """The run lengths of a mask.

    Args:
        mask: (height, width) bool.

    Example:
        >>> from cutaway.data.run_lengths import run_lengths
        >>> run_lengths([[False, True], [True, False]])  # 1 outside, 2 inside, 1 outside
        {'size': [2, 2], 'counts': '121'}
    """
    mask = np.asarray(mask, bool)
    return window_runs(mask, (0, 0), mask.shape)


def window_runs(window, corner, size) -> dict:
    """The run lengths of a mask that is False outside of a window.

    Args:
        window: (rows, columns) bool, within the picture.
        corner: (row, column) of its upper left pixel.
        size: (height, width) of the picture.
    """
    height, width = (int(n) for n in size)
    columns = np.pad(np.asarray(window, bool).T, ((0, 0), (1, 1)))
    column, row = np.nonzero(columns[:, 1:] != columns[:, :-1])  # beginnings and ends in turn
    places = (column + corner[1]) * height + row + corner[0]
    # a run that reaches the bottom of a column may go on at the top of the next one
    joined = np.zeros(len(places) + 1, bool)
    joined[1:-1] = places[1:] == places[:-1]
    places = places[~(joined[:-1] | joined[1:])]
    counts = np.diff(np.concatenate([[0], places, [height * width]]))
    if len(counts) > 1 and counts[-1] == 0:
        counts = counts[:-1]
    return {"size": [height, width], "counts": text_of_runs(counts)}


def object_runs(outline, box, size) -> dict:
    """The run lengths of an object: of its outline, or of its box if it has none.

    Args:
        outline: polygons or run lengths, see outlines.outline_mask; or None.
        box: (4,) x1 y1 x2 y2 in pixels.
        size: (height, width) of the picture.

    Raises:
        DataError: run lengths that do not fit the picture.
    """
    if outline is not None:
        return run_lengths(outline_mask(outline, size))
    height, width = size
    x1, y1, x2, y2 = np.rint(np.clip(box, 0, [width, height, width, height])).astype(int)
    return window_runs(np.ones((max(0, y2 - y1), max(0, x2 - x1)), bool), (y1, x1), size)


def runs_area(runs: dict) -> int:
    """Number of pixels inside.

    Example:
        >>> from cutaway.data.run_lengths import runs_area
        >>> runs_area({"size": [2, 2], "counts": "121"})
        2
    """
    return int(runs_of_text(runs["counts"])[1::2].sum())


def text_of_runs(counts) -> str:
    """COCO's compressed form of run lengths; see outlines.runs_of_text.

    Example:
        >>> from cutaway.data.run_lengths import text_of_runs
        >>> text_of_runs([6, 1, 40, 4, 5, 4])
        '61X13mN0'
    """
    rest = np.array(counts, np.int64)
    rest[3:] -= np.asarray(counts, np.int64)[1:-2]
    letters, follows = [], np.ones(len(rest), bool)
    while follows.any():
        bits = rest & 31
        rest = rest >> 5
        more = follows & np.where(bits & 16, rest != -1, rest != 0)
        letters.append(np.where(follows, bits + 32 * more + 48, 0))
        follows = more
    found = np.stack(letters, axis=1).astype(np.uint8)
    return found[found > 0].tobytes().decode("ascii")
