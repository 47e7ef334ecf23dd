"""Memory that a step has freed serves the next step."""

import os
import subprocess
import sys

import pytest

FAULTS = """
import resource
import jax
import numpy as np
import cutaway as ct
net = ct.Sequential(ct.Linear(512, 4096), ct.ReLU(), ct.Linear(4096, 1))
step = ct.jit(lambda x: net(x).sum(), net, donate=False)
x = jax.device_put(np.ones((2048, 512), np.float32))
for _ in range(3):
    step(x).data.block_until_ready()
def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
before = faults()
for _ in range(5):
    step(x).data.block_until_ready()
print((faults() - before) // 5)
"""


def page_faults(**settings):
    done = subprocess.run(
        [sys.executable, "-c", FAULTS],
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        check=True,
    )
    return int(done.stdout)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="mallopt is glibc's")
def test_a_step_takes_its_memory_from_the_system_only_once():
    pages = 2048 * 4096 * 4 // 4096  # of the hidden layer's values, 32 MB
    assert page_faults() < pages / 100
    # the user's own settings are left alone: then the system is asked at every step
    assert page_faults(MALLOC_PERTURB_="0", MALLOC_MMAP_THRESHOLD_="1048576") > pages / 2
