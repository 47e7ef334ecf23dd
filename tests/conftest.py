"""What all tests share: real data where it lies beside the repository, and quiet libraries."""

import gc
import os
import shutil
import tempfile
from pathlib import Path

import hypothesis
import jax
import numpy as np
import pytest

import cutaway as ct
from tests.compiling import QUICK_FLAGS, SLOW_PROGRAMS
from tests.shapes import THOROUGH

# quick is what every run of the tests takes; CI runs those with drawn shapes again as thorough
for profile, shapes in (("quick", 12), ("thorough", THOROUGH)):
    hypothesis.settings.register_profile(
        profile, deadline=None, derandomize=True, max_examples=shapes, database=None
    )
hypothesis.settings.load_profile("quick")

# a program that one test has compiled serves the others of this run, in all its processes; the
# folder goes when the run ends, and nothing is left in the user's
IS_WORKER = "PYTEST_XDIST_WORKER" in os.environ  # of a process that has made the folder
if not IS_WORKER:
    os.environ["JAX_COMPILATION_CACHE_DIR"] = tempfile.mkdtemp(prefix="cutaway-tests-")
PROGRAMS = os.environ["JAX_COMPILATION_CACHE_DIR"]
os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
jax.config.update("jax_compilation_cache_dir", PROGRAMS)
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)

MOST_BYTES = 2 * 2**30  # of a process of the tests, until its programs are let go

# GPUs multiply float32 matrices with fewer bits by default, which is too coarse to compare
jax.config.update("jax_default_matmul_precision", "highest")


def pytest_configure(config):
    """The thorough tests are compiled as users' programs are, all others quickly."""
    if config.getoption("--hypothesis-profile") != "thorough" and not shutil.which("nvidia-smi"):
        trains = config.getoption("-m") != "not slow"
        flags = QUICK_FLAGS if trains else f"{QUICK_FLAGS} {SLOW_PROGRAMS}"
        os.environ.setdefault("XLA_FLAGS", flags)


def pytest_collection_modifyitems(items):
    """Names of tests are the same in all processes, or the workers refuse to begin."""
    addresses = [item.nodeid for item in items if " at 0x" in item.nodeid]
    if addresses:
        raise pytest.UsageError(f"{addresses[0]}: its name holds an address; give the cases ids=")


def pytest_sessionfinish():
    if not IS_WORKER:
        shutil.rmtree(PROGRAMS, ignore_errors=True)


def pytest_addoption(parser):
    group = parser.getgroup("hostile", "damaged files (tests/hostile)")
    group.addoption("--draws", type=int, default=300, help="Number of damaged files.")
    group.addoption("--seed", type=int, default=0, help="Seed of the damage.")


@pytest.fixture(autouse=True)
def seeded():
    """Every test starts from the same random numbers."""
    ct.seed(0)


DRAWN = {}  # the state of each module's own generator before the first of its tests


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    """A test draws the same numbers from its module's RNG, whichever tests ran before it."""
    generator = getattr(getattr(item, "module", None), "RNG", None)
    if isinstance(generator, np.random.Generator):
        state = generator.bit_generator.state
        generator.bit_generator.state = DRAWN.setdefault(item.module.__name__, state)


def _resident_bytes() -> int:
    """Memory of this process; 0 where the system does not say."""
    status = Path("/proc/self/statm")
    return int(status.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") if status.exists() else 0


@pytest.fixture(scope="module", autouse=True)
def few_programs():
    """Programs in memory are let go when they take much; they are still in the folder."""
    yield
    if _resident_bytes() > MOST_BYTES:
        jax.clear_caches()
        gc.collect()


@pytest.fixture(scope="module")
def compile_quickly():
    """For modules whose tests compile most of the time, and hardly run what they compiled."""
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", False)


@pytest.fixture
def shared_data() -> Path:
    """The folder of real data sets; a test that needs it is skipped where it is not."""
    folder = Path(__file__).parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"the data sets are not at {folder}")
    return folder
