"""pixel_evidence: receptive fields measured by the gradient are those of the windows."""

import numpy as np
import pytest

import cutaway as ct
from cutaway.errors import OptionError, ShapeError
from cutaway.explain import pixel_evidence


def test_the_measured_field_is_that_of_the_windows():
    # 1 + Σ (k - 1) of 3, 5 and 3 is 9
    layers = [ct.Conv2d(n, m, k, padding=k // 2) for n, m, k in ((2, 3, 3), (3, 3, 5), (3, 2, 3))]
    net = ct.Sequential(*layers)
    found = pixel_evidence(net, np.ones((15, 17, 2)), (7, 5))
    assert found.field == [(3, 12), (1, 10)]
    assert pixel_evidence(net, np.ones((15, 17, 2)), (0, 16)).field == [(0, 5), (12, 17)]
    assert found.reach(1.0) == 4 and found.reach(0.5) <= found.reach(0.9) <= 4


def test_evidence_of_a_linear_network_is_its_weights():
    net = ct.Conv2d(1, 2, 3, padding=1, bias=False)
    found = pixel_evidence(net, np.zeros((5, 5, 1)), (2, 2), target=1)
    weights = np.abs(net.weight.numpy()[:, :, 0, 1])
    np.testing.assert_allclose(found.values[1:4, 1:4], weights, rtol=1e-6)
    assert found.values.sum() == pytest.approx(weights.sum(), rel=1e-6)
    assert found.to_dict()["field"] == [[1, 4], [1, 4]]
    assert "rows: 1 to 3 (3), columns: 1 to 3 (3)" in found.text()


def test_places_and_networks_that_do_not_fit_are_named():
    net = ct.Conv2d(1, 2, 3, padding=1)
    with pytest.raises(OptionError, match=r"the position \(5, 0\) of an input of 5 x 5"):
        pixel_evidence(net, np.zeros((5, 5, 1)), (5, 0))
    with pytest.raises(OptionError, match="target 2"):
        pixel_evidence(net, np.zeros((5, 5, 1)), (0, 0), target=2)
    with pytest.raises(ShapeError, match="an output of shape"):
        pixel_evidence(ct.Conv2d(1, 2, 3), np.zeros((5, 5, 1)), (0, 0))
