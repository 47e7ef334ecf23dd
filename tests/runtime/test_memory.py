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
def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
each = []
for _ in range(40):
    before = faults()
    step(x).data.block_until_ready()
    each.append(faults() - before)
print(sorted(each)[20])
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


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="mallopt is glibc's")
def test_most_steps_take_no_memory_from_the_system():
    pages = 2048 * 4096 * 4 // 4096  # of the hidden layer's values, 32 MB
    # a few steps do, until the heap has room for whatever order things are freed in
    assert page_faults() < pages / 100
    # the user's own settings are left alone: then the system is asked at every step
    assert page_faults(MALLOC_PERTURB_="0", MALLOC_MMAP_THRESHOLD_="1048576") > pages / 2
