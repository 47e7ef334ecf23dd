"""Damaged files of every format, drawn at random: each is read, or an error names it.

pytest tests/hostile/test_drawn_files.py --draws 10000 --seed 1
"""

import pytest

from tests.hostile.child import found_by
from tests.hostile.samples import write_samples


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hostile")
    (folder / "samples").mkdir()
    write_samples(folder / "samples")
    return folder


@pytest.mark.slow
def test_every_damaged_file_is_read_or_named_in_an_error_within_memory_and_time(folder, request):
    draws, seed = request.config.getoption("--draws"), request.config.getoption("--seed")
    found_by("tests.hostile.batch", folder, seed, draws)
