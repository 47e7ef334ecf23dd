"""The examples about series, in short."""

import pytest

from tests.docs.scripts import example


@pytest.mark.slow
def test_the_forecast_example_beats_the_naive_forecasts(shared_data):
    found = example("forecast").main(shared_data, epochs=100, only=["airline_passengers"])
    errors = found["airline_passengers"][0]
    assert errors["lstm"] < 0.9 * min(errors["lag 1"], errors["lag 12"])
    found = example("forecast").main(shared_data, epochs=2, only=["daily_min_temperatures"])
    errors = found["daily_min_temperatures"][0]
    assert errors["lstm"] < min(errors["lag 1"], errors["lag 365"])


@pytest.mark.slow
def test_the_gestures_example_learns(shared_data):
    found = example("gestures").main(shared_data, epochs=40, only=["ucr_italy_power"])
    assert found["ucr_italy_power"][0] > 0.9
