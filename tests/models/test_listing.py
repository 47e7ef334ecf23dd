"""The table of known networks says what is there."""

import numpy as np
import pytest

from cutaway import models
from cutaway.models import catalog
from cutaway.nn import init

KNOWN = catalog()


def test_the_catalog_goes_from_the_oldest_to_the_newest_and_names_each_once():
    years = [known.year for known in KNOWN]
    assert years == sorted(years)
    names = [known.name for known in KNOWN]
    assert len(set(names)) == len(names) and set(names) <= set(models.__all__)


@pytest.mark.parametrize(
    "known", [known for known in KNOWN if known.parameters], ids=lambda known: known.name
)
def test_a_network_has_as_many_parameters_as_the_catalog_says(known, monkeypatch):
    # drawing 138 million random numbers takes seconds, zeros none
    for name in ("_normal", "_uniform"):
        monkeypatch.setattr(init, name, lambda shape, scale: np.zeros(shape, np.float32))
    net = getattr(models, known.name)()
    assert sum(p.size for p in net.parameters()) == known.parameters
