"""The catalog of architectures matches cutaway.models."""

import numpy as np
import pytest

from cutaway import models
from cutaway.models import catalog
from cutaway.nn import init

ARCHITECTURES = catalog()


def test_the_catalog_goes_from_the_oldest_to_the_newest_and_names_each_once():
    years = [entry.year for entry in ARCHITECTURES]
    assert years == sorted(years)
    names = [entry.name for entry in ARCHITECTURES]
    assert len(set(names)) == len(names) and set(names) <= set(models.__all__)


@pytest.mark.parametrize(
    "entry", [entry for entry in ARCHITECTURES if entry.parameters], ids=lambda entry: entry.name
)
def test_a_network_has_as_many_parameters_as_the_catalog_says(entry, monkeypatch):
    # drawing 138 million random numbers takes seconds, zeros none
    for name in ("_normal", "_uniform"):
        monkeypatch.setattr(init, name, lambda shape, scale: np.zeros(shape, np.float32))
    net = getattr(models, entry.name)()
    assert sum(p.size for p in net.parameters()) == entry.parameters
