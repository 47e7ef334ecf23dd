import numpy as np
import pytest

import cutaway as ct
from cutaway.models import Perceptron, mlp


@pytest.mark.parametrize(
    ("sizes", "counts"),
    [
        ((4, 3, 2, 1), (15, 8, 3)),
        ((3, 3, 2, 1), (12, 8, 3)),
        ((2, 2, 1), (6, 3)),
    ],
)
def test_layers_have_as_many_parameters_as_the_textbooks_count(sizes, counts):
    net = mlp(sizes)
    layers = [m for m in net.modules().values() if isinstance(m, ct.Linear)]
    assert tuple(sum(p.size for p in layer.parameters()) for layer in layers) == counts
    assert net.summary().total == sum(counts)


def test_a_perceptron_has_a_number_for_each_input_and_one_more():
    assert sum(v.size for v in Perceptron(2).state_dict().values()) == 3


def test_rosenblatts_rule_step_by_step_on_and():
    # worked by hand, η = 1, from zero; every row that is wrong moves w and b by (y - ŷ) (x, 1)
    x, y = [(0, 0), (0, 1), (1, 0), (1, 1)], [0, 0, 0, 1]
    after = [((1, 1), 0), ((2, 1), -1), ((2, 1), -2), ((2, 2), -2), ((2, 1), -3), ((2, 1), -3)]
    mistakes = [2, 3, 3, 2, 1, 0]
    for epochs, ((w0, w1), b) in enumerate(after, start=1):
        neuron = Perceptron(2).fit(x, y, epochs=epochs)
        assert (neuron.weight.numpy()[:, 0].tolist(), neuron.bias.item()) == ([w0, w1], b)
    assert neuron.mistakes == mistakes and neuron.converged


@pytest.mark.parametrize("seed", range(5))
def test_it_moves_no_more_often_than_novikoff_allows(seed):
    rng = np.random.default_rng(seed)
    u = rng.normal(size=4)
    u /= np.linalg.norm(u)  # a plane that separates, its last number the constant
    x = np.concatenate([rng.normal(size=(300, 3)), np.ones((300, 1))], axis=1)
    margins = x @ u
    kept = np.abs(margins) > 0.2
    x, margins = x[kept], margins[kept]
    neuron = Perceptron(3).fit(x[:, :3], (margins > 0).astype(int), epochs=1000)
    bound = (np.linalg.norm(x, axis=1).max() / np.abs(margins).min()) ** 2
    assert neuron.converged and sum(neuron.mistakes) <= bound
