import numpy as np
import pytest

from cutaway.data import log_mel
from cutaway.data.mel import FLOOR, hertz, mel, mel_triangles
from cutaway.errors import OptionError

RATE = 8000


def tone(frequency, seconds=0.5):
    return 0.5 * np.sin(2 * np.pi * frequency * np.arange(round(seconds * RATE)) / RATE)


def test_a_thousand_hertz_are_a_thousand_mel():
    assert mel(1000) == pytest.approx(1000, abs=0.1)
    np.testing.assert_allclose(hertz(mel([20.0, 440.0, 7000.0])), [20, 440, 7000])


@pytest.mark.parametrize("frequency", [300, 1000, 2500])
def test_a_tone_lies_in_the_band_of_its_pitch(frequency):
    loudest = log_mel(tone(frequency), RATE).argmax(axis=-1)
    middles = np.linspace(0, mel(RATE / 2), 42)[1:-1]
    assert set(loudest) == {int(np.abs(middles - mel(frequency)).argmin())}


def test_between_the_first_and_the_last_middle_all_energy_is_counted_once():
    triangles = mel_triangles(RATE, 512, 10)
    frequency = np.fft.rfftfreq(512, 1 / RATE)
    middles = hertz(np.linspace(0, mel(RATE / 2), 12))[1:-1]
    inside = (frequency >= middles[0]) & (frequency <= middles[-1])
    np.testing.assert_allclose(triangles.sum(axis=1)[inside], 1, rtol=1e-5)


def test_twice_as_loud_is_four_times_the_energy():
    quiet, loud = log_mel(tone(1000), RATE), log_mel(2 * tone(1000), RATE)
    audible = quiet > np.log(FLOOR) + 10
    np.testing.assert_allclose((loud - quiet)[audible], np.log(4), rtol=1e-3)


def test_moments_are_a_step_apart_and_short_sounds_are_filled_up():
    assert log_mel(np.zeros((2, RATE)), RATE, bands=20).shape == (2, 98, 20)
    np.testing.assert_allclose(log_mel(np.zeros(3), RATE), np.full((1, 40), np.log(FLOOR)))
    click = np.zeros(RATE)
    click[4000] = 1
    heard = log_mel(click, RATE).max(axis=1) > np.log(FLOOR) + 1
    assert heard.nonzero()[0].tolist() == [48, 49]  # windows of 200 that begin each 80, at 4000
    with pytest.raises(OptionError, match="has 0 samples"):
        log_mel(click, RATE, window_seconds=1e-6)
