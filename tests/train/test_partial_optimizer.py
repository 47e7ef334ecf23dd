"""An optimizer of a part of the network trains that part, however many epochs are scanned."""

import numpy as np
import pytest

import cutaway as ct


def net():
    ct.seed(0)
    return ct.Sequential(ct.Linear(6, 8), ct.Tanh(), ct.Linear(8, 1))


@pytest.mark.parametrize("rows", [40, 1050])
def test_only_the_given_layer_moves_as_if_the_other_were_frozen(rows):
    x = np.random.default_rng(0).normal(size=(rows, 6)).astype(np.float32)
    y = x[:, :1] * x[:, 1:2]
    frozen = net()
    frozen[0].freeze()
    ended = []
    for made, given in ((net(), None), (frozen, frozen)):
        optimizer = ct.Adam(made[2] if given is None else given, lr=0.01)
        trainer = ct.Trainer(made, loss=ct.losses.mean_squared_error, optimizer=optimizer)
        trainer.fit(x, y, epochs=4, batch_size=32, seed=0, progress=False)
        assert all(p.grad is None for p in made.parameters())
        ended.append(made.state_dict())
    start = net().state_dict()
    np.testing.assert_array_equal(ended[0]["0.weight"], start["0.weight"])
    assert not np.array_equal(ended[0]["2.weight"], start["2.weight"])
    for path, value in ended[0].items():
        np.testing.assert_allclose(value, ended[1][path], rtol=1e-5, atol=1e-7)
