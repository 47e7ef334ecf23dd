"""The device: chosen before anything runs, named as people know it."""

import subprocess
import sys

import jax
import jax.numpy as jnp
import pytest

import cutaway as ct
from cutaway.errors import OptionError, install_extra
from cutaway.runtime import device, on_cpu, on_gpu
from cutaway.runtime.devices import Device, free_bytes

HAS_GPU = jax.default_backend() == "gpu"


def alone(code):
    """What the code prints in a process of its own: a device is chosen for the whole process."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_a_cpu_is_named_with_its_cores_and_a_gpu_with_its_memory():
    assert str(Device("cpu", "AMD EPYC", 1, None)) == "CPU (AMD EPYC, 1 core)"
    assert str(Device("cpu", "AMD EPYC", 8, None)) == "CPU (AMD EPYC, 8 cores)"
    h100 = Device("gpu", "NVIDIA H100 80GB HBM3", None, 60 * 2**30)
    assert str(h100) == "GPU (NVIDIA H100 80GB HBM3, 60 GiB for programs)"
    assert str(Device("gpu", "NVIDIA T4", None, None)) == "GPU (NVIDIA T4)"


def test_the_device_is_the_one_on_which_arrays_are_made():
    made = next(iter(jnp.ones(2).devices()))
    assert device().kind == made.platform
    assert on_cpu() == (made.platform == "cpu") and on_gpu() == (made.platform == "gpu")
    assert free_bytes() > 2**20


def test_without_a_choice_it_is_a_gpu_where_there_is_one():
    assert device().kind == jax.default_backend()


def test_the_cpu_can_be_chosen_and_is_then_the_only_device():
    code = (
        "import cutaway as ct, jax, jax.numpy as jnp\n"
        "print(ct.use_device('cpu').kind, ct.device().kind, jax.devices()[0].platform,\n"
        "      next(iter(jnp.ones(2).devices())).platform)"
    )
    assert alone(code) == "cpu cpu cpu cpu"


@pytest.mark.skipif(not HAS_GPU, reason="chooses a GPU")
def test_a_gpu_can_be_chosen():
    code = (
        "import cutaway as ct, jax.numpy as jnp\n"
        "print(ct.use_device('gpu').kind, "
        "next(iter(jnp.ones(2).devices())).platform)"
    )
    assert alone(code) == "gpu gpu"


def test_an_unknown_device_is_named_and_changes_nothing():
    before = jax.config.jax_default_device
    with pytest.raises(OptionError, match="unknown device 'cuda'") as caught:
        ct.use_device("cuda")
    assert caught.value.expected == "one of cpu, gpu"
    assert jax.config.jax_default_device is before


@pytest.mark.skipif(HAS_GPU, reason="there is a GPU")
def test_a_missing_gpu_is_an_error_that_says_what_to_install():
    with pytest.raises(OptionError) as caught:
        ct.use_device("gpu")
    assert "device 'gpu'" in str(caught.value)
    if jax.config.jax_platforms:
        assert "unset JAX_PLATFORMS" in caught.value.fix
    else:
        assert install_extra("cuda") in caught.value.fix


def test_a_gpu_asked_for_after_the_cpu_says_that_the_choice_was_made():
    code = (
        "import cutaway as ct\n"
        "ct.use_device('cpu')\n"
        "try:\n"
        "    ct.use_device('gpu')\n"
        "except ct.errors.OptionError as error:\n"
        "    print(error)\n"
    )
    assert "this process is restricted to cpu" in alone(code)
