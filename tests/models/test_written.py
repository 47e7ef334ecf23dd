"""Networks with the weights of a textbook."""

import numpy as np
import pytest

import cutaway as ct
from cutaway.errors import DataError, OptionError, ShapeError

W1, B1 = [[0.1, 0.2, 0.3], [0.4, 0.5, 0.6]], [0, 0, 1]
W2 = [[1], [-1], [0.5]]


def by_numpy(x):
    hidden = 1 / (1 + np.exp(-(x @ np.array(W1) + B1)))
    return 1 / (1 + np.exp(-(hidden @ np.array(W2))))


def test_a_network_computes_with_the_weights_that_it_is_given():
    net = ct.network((2, 3, 1), [(W1, B1), W2])
    x = np.array([[1.0, -2.0], [0.5, 3.0]])
    np.testing.assert_allclose(net(x).numpy(), by_numpy(x), rtol=1e-6)


def test_sizes_are_those_of_the_weights_if_none_are_given(tmp_path):
    path = tmp_path / "weights.csv"
    path.write_text("0.1,0.2,0.3\n0.4,0.5,0.6\nb,0,0,1\n\n1\n-1\n0.5\n")
    net = ct.network(weights=path)
    x = np.array([[1.0, -2.0]])
    np.testing.assert_allclose(net(x).numpy(), by_numpy(x), rtol=1e-6)


def test_a_files_activations_come_first(tmp_path):
    path = tmp_path / "weights.yaml"
    path.write_text("- weight: [[2]]\n  activation: relu\n- weight: [[3]]\n  activation: none\n")
    assert [type(layer) for layer in ct.network((1, 1, 1), path)] == [
        ct.Linear,
        ct.ReLU,
        ct.Linear,
    ]
    assert ct.network((1, 1, 1), path)(np.array([[4.0]])).item() == 24


def test_activations_are_one_for_all_layers_or_one_for_each():
    net = ct.network((4, 3, 2, 1), activations=[ct.Tanh, ct.ReLU, None])
    assert [type(layer) for layer in net] == [ct.Linear, ct.Tanh, ct.Linear, ct.ReLU, ct.Linear]
    assert net.summary().total == 26
    assert len(ct.network((4, 1), activations=None)) == 1


@pytest.mark.parametrize(
    ("arguments", "error", "said"),
    [
        ({}, OptionError, "neither sizes nor weights"),
        ({"sizes": (2,)}, OptionError, "at least two"),
        ({"sizes": (2, 0)}, OptionError, "at least two"),
        ({"sizes": (2, 2.5)}, OptionError, "at least two"),
        ({"sizes": (3, 2), "weights": [W1]}, ShapeError, "transposed"),
        ({"sizes": (2, 4), "weights": [W1]}, ShapeError, "shape (2, 3)"),
        ({"sizes": (2, 3), "weights": [W1, W2]}, ShapeError, "weights of 2 layers"),
        ({"sizes": (2, 3), "weights": [(W1, [1])]}, ShapeError, "1 bias value"),
        ({"weights": [W1, W1]}, ShapeError, "2 rows of weights after a layer of 3 neurons"),
        ({"weights": [[1, 2, 3]]}, ShapeError, "shape (3,)"),
        ({"weights": [["a"]]}, ShapeError, "no array"),
        ({"weights": 3}, OptionError, "network: weights"),
        ({"weights": "no.csv"}, DataError, "no.csv"),
        ({"sizes": (2, 1), "activations": "sigmoid"}, OptionError, "activations=ct.Sigmoid"),
        ({"sizes": (2, 1), "activations": [ct.ReLU] * 2}, OptionError, "2 activations"),
        ({"sizes": (2, 1), "activations": ct.ReLU()}, OptionError, "the class of"),
    ],
)
def test_what_does_not_fit_is_an_error_that_says_how_to_fix_it(arguments, error, said):
    with pytest.raises(error) as raised:
        ct.network(**arguments)
    assert said in str(raised.value)


def test_an_unknown_activation_of_a_file_is_named_with_its_layer(tmp_path):
    path = tmp_path / "weights.yaml"
    path.write_text("- weight: [[2]]\n  activation: sigmoyd\n")
    with pytest.raises(OptionError, match="layer 1: the activation 'sigmoyd'") as raised:
        ct.network(weights=path)
    assert "sigmoid" in str(raised.value)
