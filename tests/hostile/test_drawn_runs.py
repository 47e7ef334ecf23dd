"""Changed files of runs of every kind, drawn at random: a run, or an error that names it.

pytest tests/hostile/test_drawn_runs.py --draws 10000 --seed 1
"""

import pytest

from tests.hostile.child import found_by
from tests.hostile.run_samples import write_runs


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hostile-runs")
    write_runs(folder)
    return folder


@pytest.mark.slow
def test_any_change_of_the_files_of_a_run_gives_a_run_or_an_error_that_names_it(folder, request):
    draws, seed = request.config.getoption("--draws"), request.config.getoption("--seed")
    # one takes as long as several of a single file
    found_by("tests.hostile.run_batch", folder, seed, max(1, draws // 5))
