"""Examples that generate run, on real data and in short."""

import pytest
from PIL import Image

from cutaway.data.wav import read_wav
from tests.docs.scripts import example


@pytest.mark.slow
def test_speech_in_short_is_foretold_better_than_by_a_linear_predictor(shared_data, tmp_path):
    out = tmp_path / "spoken.wav"
    scores = example("wavenet_speech").main(
        shared_data / "fsdd",
        epochs=6,
        recordings=24,
        out=out,
        seconds=0.2,
        length=1024,
        lr=4e-3,
        channels=16,
        skip_channels=32,
        dilations=(1, 2, 4, 8, 16),
    )
    assert scores["network"] < min(scores["residual"], scores["by level"])
    samples, rate = read_wav(out)
    assert samples.shape == (4 * 1600, 1) and rate == 8000


@pytest.mark.slow
def test_digits_in_short_come_back_better_than_from_principal_components(shared_data, tmp_path):
    out = tmp_path / "digits.png"
    errors = example("autoencoder").main(
        shared_data / "mnist", epochs=20, components=4, latent=4, rows=1500, out=out
    )
    assert errors["autoencoder"] < errors["pca"]
    assert errors["bound"] < 784 * 0.6931  # that of even chances for every pixel
    with Image.open(out) as sheet:
        assert sheet.size == (16 * 28, 6 * 28)
