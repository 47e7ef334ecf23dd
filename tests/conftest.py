"""What all tests share: real data where it lies beside the repository, and quiet libraries."""

import os
from pathlib import Path

import hypothesis
import jax
import pytest

import cutaway as ct

hypothesis.settings.register_profile(
    "cutaway", deadline=None, derandomize=True, max_examples=12, database=None
)
hypothesis.settings.load_profile("cutaway")

# tests leave nothing in the user's folders, also in the processes that they start
os.environ["JAX_ENABLE_COMPILATION_CACHE"] = "false"
jax.config.update("jax_enable_compilation_cache", False)

# GPUs multiply float32 matrices with fewer bits by default, which is too coarse to compare
jax.config.update("jax_default_matmul_precision", "highest")


@pytest.fixture(autouse=True)
def seeded():
    """Every test starts from the same random numbers."""
    ct.seed(0)


@pytest.fixture
def shared_data() -> Path:
    """The folder of real data sets; a test that needs it is skipped where it is not."""
    folder = Path(__file__).parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"the data sets are not at {folder}")
    return folder
