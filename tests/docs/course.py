"""What the tests of a textbook's claims share."""

import numpy as np

LINE = [[[1.0]]]  # weights of a network with ŷ = x


def flat(story) -> str:
    """The text of a story with single spaces."""
    return " ".join(str(story).split())


def sigma(z):
    return 1 / (1 + np.exp(-np.asarray(z, float)))
