"""Small tables to search on."""

import numpy as np
import polars as pl
import pytest


def two_circles():
    """A frame of 120 points of two classes that a line does not part: inside and outside."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(120, 2))
    inside = np.where((x**2).sum(axis=1) < 1.2, "in", "out")
    return pl.DataFrame({"a": x[:, 0], "b": x[:, 1], "where": inside})


@pytest.fixture(scope="session")
def points():
    return two_circles()
