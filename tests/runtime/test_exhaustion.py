"""Out of memory: XLA's messages are read, and what is advised would fit."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import cutaway as ct
from cutaway.errors import OutOfMemoryError
from cutaway.runtime import explaining_exhaustion
from cutaway.runtime.exhaustion import asked_bytes, explaining_placing, fitting_batch

ROWS = 2_000_000  # an array of ROWS times ROWS takes 15 TiB


def sorted_table(x):
    """Allocates ROWS x ROWS: XLA cannot sort what it does not store."""
    return jnp.sort(x * x.T, axis=1)[:, :1]


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("Out of memory while trying to allocate 171798691840 bytes.", 171798691840),
        ("Out of memory while trying to allocate 160.00GiB.", 160 * 2**30),
        ("RESOURCE_EXHAUSTED: Failed to allocate 4194304 bytes for a constant", 4194304),
        ("Failed to allocate request for 2.50MiB (2621440B) on device ordinal 0", 2621440),
        ("Out of memory allocating 16000000000000 bytes.", 16 * 10**12),
        ("Unable to allocate 1.50 TiB for an array with shape (1,)", 3 * 2**39),
        ("Out of memory while trying to allocate 512.0KiB.", 2**19),
        ("CUDA_ERROR_OUT_OF_MEMORY: out of memory", None),
    ],
)
def test_what_was_asked_for_is_read_from_every_form_of_the_message(text, count):
    assert asked_bytes(text) == count


def test_the_batch_that_is_advised_is_a_power_of_two_that_fits():
    assert fitting_batch(256, 0.4) == 64  # 102 rows would fit
    assert fitting_batch(256, 0.5) == 128
    assert fitting_batch(48, None) == 16
    assert fitting_batch(8, 1 / 16) == 0  # not even one row
    assert fitting_batch(1, 0.5) == 0


class Message(jax.errors.JaxRuntimeError):
    """An exception with the text of a GPU's."""


def explained(text, free, monkeypatch, **known):
    from cutaway.runtime import exhaustion

    monkeypatch.setattr(exhaustion, "free_bytes", lambda: free)
    with pytest.raises(OutOfMemoryError) as caught, explaining_exhaustion("a step", **known):
        raise Message(text)
    return caught.value


def test_a_step_is_advised_a_batch_that_fits_and_micro_batches_that_divide_the_batch(monkeypatch):
    text = "RESOURCE_EXHAUSTED: Out of memory while trying to allocate 160.00GiB."
    error = explained(text, 40 * 2**30, monkeypatch, batch_size=96, accumulate=1)
    assert "it needs one block of 160 GiB, and 40 GiB are free" in error.came
    assert error.asked_bytes == 160 * 2**30 and error.free_bytes == 40 * 2**30
    assert "batch_size=16 (--batch-size 16) instead of 96" in error.fix  # 19 rows would fit
    assert "accumulate=6" in error.fix and "micro-batches of 16" in error.fix
    assert "layers 20% as wide" in error.fix  # a fifth of what is free is left alone


def test_micro_batches_that_there_are_already_are_counted(monkeypatch):
    text = "RESOURCE_EXHAUSTED: Out of memory while trying to allocate 10.00GiB."
    error = explained(text, 7 * 2**30, monkeypatch, batch_size=64, accumulate=4)
    assert "batch_size=32" in error.fix and "accumulate=8" in error.fix


def test_where_not_even_one_row_fits_no_batch_is_advised(monkeypatch):
    text = "RESOURCE_EXHAUSTED: Out of memory while trying to allocate 160.00GiB."
    error = explained(text, 2**30, monkeypatch, batch_size=8, accumulate=1)
    assert "batch_size" not in error.fix and "narrower layers" in error.fix


def test_bfloat16_is_advised_on_a_gpu_alone_and_not_twice(monkeypatch):
    from cutaway.runtime import exhaustion

    text = "RESOURCE_EXHAUSTED: Out of memory while trying to allocate 10.00GiB."
    for gpu, now, wanted in (
        (True, "float32", True),
        (True, "bfloat16", False),
        (False, "float32", False),
    ):
        monkeypatch.setattr(exhaustion, "on_gpu", lambda gpu=gpu: gpu)
        error = explained(text, 2**30, monkeypatch, batch_size=8, accumulate=1, precision=now)
        assert ("--precision bfloat16" in error.fix) == wanted


def test_memory_that_is_free_in_small_pieces_only_is_said_to_be(monkeypatch):
    text = "RESOURCE_EXHAUSTED: Out of memory while trying to allocate 2.00GiB."
    error = explained(text, 3 * 2**30, monkeypatch, batch_size=8, accumulate=1)
    assert error.came.endswith("3 GiB are free, but fragmented")
    assert "batch_size=4" in error.fix


def test_other_errors_of_jax_and_of_python_pass_through():
    with pytest.raises(Message, match="INTERNAL"), explaining_exhaustion("a step"):
        raise Message("INTERNAL: something else")
    with pytest.raises(MemoryError) as caught, explaining_exhaustion("a step"):
        raise MemoryError("of Python")
    assert not isinstance(caught.value, OutOfMemoryError)


def test_pythons_own_lack_of_memory_is_told_where_data_are_placed():
    with (
        pytest.raises(
            OutOfMemoryError, match=r"of the host: it needs one block of 1\.5 TiB"
        ) as caught,
        explaining_placing("the data", "a stream"),
    ):
        raise MemoryError("Unable to allocate 1.50 TiB for an array")
    assert caught.value.fix == "a stream"


def test_jaxs_own_exception_is_explained():
    x = np.ones((ROWS, 1), np.float32)
    with pytest.raises(OutOfMemoryError) as caught, explaining_exhaustion("sorting"):
        jax.jit(sorted_table)(x).block_until_ready()
    assert caught.value.asked_bytes >= 4 * ROWS**2
    assert caught.value.came.startswith("sorting does not fit in the memory of the ")
    assert "RESOURCE_EXHAUSTED" in str(caught.value.__cause__)


def compiled(donate):
    net = ct.Linear(1, 1)

    def wide(x):
        net.weight.data = net.weight.data + 1
        return ct.Tensor(sorted_table(net(x).data))

    return net, ct.jit(wide, net, donate=donate)


def test_a_compiled_function_says_what_it_knows_and_keeps_the_values_from_before():
    net, step = compiled(donate=False)
    before = net.state_dict()
    with pytest.raises(OutOfMemoryError, match="the compiled function 'wide'") as caught:
        step(np.ones((ROWS, 1), np.float32))
    assert "batch_size" not in str(caught.value)
    np.testing.assert_array_equal(net.weight.numpy(), before["weight"])
    assert step(np.ones((4, 1), np.float32)).shape == (4, 1)  # and goes on with fewer rows
    np.testing.assert_array_equal(net.weight.numpy(), before["weight"] + 1)


def test_it_is_found_out_for_each_shape_not_only_in_the_first_call():
    net, step = compiled(donate=False)
    step(np.ones((4, 1), np.float32))
    weight = net.weight.numpy()
    with pytest.raises(OutOfMemoryError):
        step(np.ones((ROWS, 1), np.float32))
    np.testing.assert_array_equal(net.weight.numpy(), weight)


def test_donated_values_are_back_or_said_to_be_lost():
    net, step = compiled(donate=True)
    before = net.state_dict()
    with pytest.raises(OutOfMemoryError) as caught:
        step(np.ones((ROWS, 1), np.float32))
    if net.weight.data.is_deleted():
        assert "those of this call are lost" in caught.value.fix
    else:
        np.testing.assert_array_equal(net.weight.numpy(), before["weight"])
        assert "lost" not in caught.value.fix


def test_what_is_done_around_a_compiled_function_is_named_instead():
    _, step = compiled(donate=False)
    with (
        pytest.raises(OutOfMemoryError, match="a step does not fit") as caught,
        explaining_exhaustion("a step", batch_size=ROWS, accumulate=1),
    ):
        step(np.ones((ROWS, 1), np.float32))
    assert "batch_size=" in caught.value.fix
