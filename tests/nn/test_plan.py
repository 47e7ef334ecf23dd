"""How programs are compiled may change their speed and nothing else."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import cutaway as ct
from cutaway.engine import Tensor, float64, no_grad
from cutaway.nn import plan

on_cpu = pytest.mark.skipif(jax.default_backend() != "cpu", reason="the rules are for CPU")


def network():
    ct.seed(0)
    return ct.Sequential(ct.Conv2d(3, 8, 3, padding="same"), ct.ReLU(), ct.Conv2d(8, 4, 3))


def images():
    return np.random.default_rng(0).normal(size=(4, 12, 12, 3)).astype(np.float32)


@on_cpu
def test_only_programs_with_convolutions_get_the_option():
    net = network()
    compiled = ct.jit(lambda x: net(x), net)
    compiled(images())
    assert compiled.plans[0].options == plan.CONVOLUTION and "2 conv" in compiled.plans[0].why
    dense = ct.Linear(3, 2)
    compiled = ct.jit(lambda x: dense(x), dense)
    compiled(np.ones((1, 3)))
    assert compiled.plans[0].options is None


@on_cpu
def test_convolutions_inside_loops_are_seen():
    net = network()
    compiled = ct.jit(lambda x: net(x), net)
    compiled.scan(images()[None])
    assert compiled.plans[0].options == plan.CONVOLUTION


@on_cpu
def test_an_option_that_xla_does_not_know_is_left_out_without_noise(monkeypatch, capfd):
    monkeypatch.setattr(plan, "CONVOLUTION", {"xla_cpu_no_such_option": "1"})
    net = network()
    compiled = ct.jit(lambda x: net(x), net)
    assert compiled(images()).shape == (4, 10, 10, 4)
    assert compiled.plans[0].options is None and "does not know" in compiled.plans[0].why
    assert capfd.readouterr().err == ""


@on_cpu
def test_all_ways_of_compiling_agree_with_float64():
    net, x = network(), images()
    planned = ct.jit(lambda x: net(x), net)(x).numpy()
    plain = ct.jit(lambda x: net(x), net, compiler_options={})(x).numpy()
    with float64(), no_grad():
        exact = network().astype(jnp.float64)(Tensor(x.astype(np.float64))).numpy()
    for found in (planned, plain):
        np.testing.assert_allclose(found, exact, rtol=1e-5, atol=1e-5 * np.abs(exact).max())
