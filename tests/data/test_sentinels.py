import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cutaway.data.sentinels import find_sentinels

RNG = np.random.default_rng(0)
ROWS = 1000


def with_code(values, code, fraction=0.05):
    values = np.array(values, float)
    values[: max(1, int(fraction * len(values)))] = code
    return values


# as in the air quality set of the UCI: seven quantities, -200 where a sensor failed
AIR = {
    "temperature": RNG.uniform(-1.9, 44.6, ROWS),
    "carbon monoxide": RNG.uniform(0.1, 11.9, ROWS),
    "nitrogen oxides, up to 1479": RNG.integers(2, 1479, ROWS),
}


@pytest.mark.parametrize("name", AIR)
def test_minus_200_of_failed_sensors_is_found(name):
    assert find_sentinels(with_code(AIR[name], -200, 0.04)) == [-200]


@pytest.mark.parametrize(
    ("values", "codes"),
    [
        (with_code(RNG.integers(0, 27, ROWS), 999, 0.96), [999]),  # days since the last call
        (with_code(RNG.normal(1013, 9, ROWS), 9999.9, 0.01), [9999.9]),  # hPa
        (with_code(RNG.integers(18, 90, ROWS), -99), [-99]),
        (with_code(RNG.integers(0, 500, ROWS), -(2**31), 0.01), [-(2**31)]),
        (with_code(RNG.normal(280, 10, ROWS), 9.96921e36), [9.96921e36]),
        (with_code(RNG.normal(50, 12, ROWS), -3.4028234663852886e38), [-3.4028234663852886e38]),
        (with_code(RNG.normal(20, 5, ROWS), -1000), [-1000]),
        (with_code(RNG.normal(20, 5, 300), -9999, 0), [-9999]),
        (with_code(RNG.integers(1, 6, ROWS), 99), [99]),
        ([*range(8)] * 40 + [97] * 5 + [98] * 3 + [99] * 9, [97, 98, 99]),
        ([*np.linspace(-3, 3, 200), *[-999] * 9, *[999] * 5], [-999, 999]),
        ([*np.linspace(3, 90, 200), *[-9999] * 3, *[-999] * 5], [-9999, -999]),
        ([*range(20), 999, 999, np.nan, np.inf], [999]),
    ],
)
def test_usual_codes_apart_from_the_rest_are_found(values, codes):
    assert find_sentinels(np.array(values, float)) == codes


@pytest.mark.parametrize(
    "values",
    [
        np.arange(100),  # ages to 99
        np.tile(np.arange(118), 9),
        with_code(RNG.integers(0, 41310, ROWS), 99999, 0.005),  # capital gain, cut off
        np.minimum(np.floor(RNG.gamma(2, 300, ROWS)), 999),
        np.where(RNG.random(ROWS) < 0.5, 0, RNG.normal(500, 20, ROWS)),  # 0 is a value
        [*np.floor(RNG.gamma(2, 150, ROWS)), 999, 999, 999, 2000],  # prices
        [*np.linspace(10, 30, 300), 5000],  # an outlier
        [*np.linspace(10, 30, 300), 5017, 5017, 5017, 5017],  # no code, not round
        [*range(9), *range(9), 99],  # once, and not far
        [0] * 50 + [999] * 50,
        [0, 1] * 50 + [99] * 50,  # three classes
        [999] * 50,
        [*RNG.integers(0, 30, 200), -9, -8, -9, -9],
        RNG.integers(-99, -30, ROWS),  # dBm
        RNG.integers(0, 101, ROWS),
        RNG.integers(501, 99950, ROWS),
        RNG.normal(0, 200, ROWS).round(-2),
        [],
        [np.nan],
        [999.0],
    ],
)
def test_ordinary_values_are_no_sentinels(values):
    assert find_sentinels(np.array(values, float)) == []


@given(
    seed=st.integers(0, 2**32 - 1),
    rows=st.integers(1, 400),
    kind=st.sampled_from(["poisson", "geometric", "lognormal", "pareto", "normal"]),
)
def test_no_count_amount_or_measurement_is_a_sentinel_unless_it_is_a_usual_code(seed, rows, kind):
    rng = np.random.default_rng(seed)
    values = {
        "poisson": lambda: rng.poisson(rng.uniform(0.1, 60), rows),
        "geometric": lambda: rng.geometric(rng.uniform(0.01, 0.9), rows),
        "lognormal": lambda: np.exp(rng.normal(3, rng.uniform(0.5, 3), rows)).round(1),
        "pareto": lambda: (10 * rng.pareto(1, rows)).round(),
        "normal": lambda: rng.normal(0, 300, rows).round(),
    }[kind]()
    for code in find_sentinels(values):  # no more than bad luck
        assert abs(code) >= 900 and (np.asarray(values) == code).sum() == 1


@given(st.integers(20, 200), st.floats(-50, 50), st.floats(0.1, 50), st.integers(0, 2**32 - 1))
def test_order_and_missing_values_do_not_matter(rows, mean, spread, seed):
    rng = np.random.default_rng(seed)
    values = np.concatenate([rng.uniform(mean - spread, mean + spread, rows), [-9999] * 4])
    mixed = rng.permutation(np.concatenate([values, [np.nan] * 3]))
    assert find_sentinels(values) == find_sentinels(mixed) == [-9999]
