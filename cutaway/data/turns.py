"""Prediction averaged over turns: for pictures that look alike in any direction."""

import numpy as np


def averaged_over_turns(predict):
    """A function like `predict`, of tiles, that averages four views of each.

    Square tiles are turned by 0, 90, 180 and 270 degrees, others mirrored along neither axis, the
    first, the second and both; the maps are put back, and their mean is returned. Errors that
    depend on the direction cancel. It takes four times as long.

    Args:
        predict: function of tiles (rows, height, width, channels) that returns maps
            (rows, *size, ...).

    Shapes:
        result: as that of `predict`

    Example:
        >>> import numpy as np
        >>> from cutaway.data import averaged_over_turns
        >>> brighter_at_the_top = lambda tiles: tiles * np.array([4.0, 0.0])[:, None, None]
        >>> averaged_over_turns(brighter_at_the_top)(np.ones((1, 2, 2, 1)))[0, ..., 0].tolist()
        [[2.0, 2.0], [2.0, 2.0]]
    """

    def averaged(tiles):
        if tiles.shape[1] == tiles.shape[2]:
            maps = [_turned(predict(_turned(tiles, k)), -k) for k in range(4)]
        else:
            axes = ((), (1,), (2,), (1, 2))
            maps = [np.flip(predict(np.flip(tiles, one)), one) for one in axes]
        return np.mean(maps, axis=0)

    return averaged


def _turned(maps, quarters: int) -> np.ndarray:
    return np.rot90(np.asarray(maps), quarters, (1, 2))
