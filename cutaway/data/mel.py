"""The log-mel spectrogram."""

import math

import numpy as np

from cutaway.errors import OptionError, expect_range
from cutaway.files.limits import expect_bytes

FILTER_ARRAYS = 5  # of the size of the filter bank, while it is computed
FLOOR = 1e-6  # energy that counts as silence: a little more than the quantization step of 16 bits


def log_mel(
    samples, rate: int, *, bands: int = 40, window_seconds: float = 0.025, step: float = 0.01
) -> np.ndarray:
    """Log energy in mel bands over time.

        X[t, k] = | Σ_n hann[n] samples[t step + n] exp(-2πi k n / size) |² / Σ hann²
        y[t, b] = ln(Σ_k triangle_b(k) X[t, k] + 1e-6)

    Args:
        samples: (..., time) from -1 to 1.
        rate: samples per second.
        bands: number of bands, of equal width on the mel scale, from 0 to half the rate.
        window_seconds: length of the analysis window.
        step: seconds from one frame to the next.

    Returns:
        (..., frames, bands) float32

    References:
        Davis & Mermelstein 1980, "Comparison of parametric representations for monosyllabic word
        recognition", IEEE Transactions on Acoustics, Speech, and Signal Processing 28.

    Example:
        >>> import numpy as np
        >>> from cutaway.data import log_mel
        >>> log_mel(np.zeros((3, 8000), np.float32), 8000).shape
        (3, 98, 40)
    """
    samples = np.asarray(samples, np.float32)
    expect_range(rate, what="rate", least=1)
    expect_range(bands, what="bands", least=1)
    size, hop = round(window_seconds * rate), max(1, round(step * rate))
    if size < 2 or samples.ndim < 1:
        raise OptionError(
            f"log_mel: a window of {window_seconds} s has {size} samples at {rate} per second",
            expected="at least 2 samples",
            fix="use a longer window",
        )
    short = size - samples.shape[-1]
    if short > 0:
        samples = np.pad(samples, [(0, 0)] * (samples.ndim - 1) + [(0, short)])
    window = np.hanning(size + 1)[:-1].astype(np.float32)  # periodic
    length = 2 ** int(np.ceil(np.log2(size)))
    frames = np.lib.stride_tricks.sliding_window_view(samples, size, axis=-1)[..., ::hop, :]
    needed = 8 * bands * max(FILTER_ARRAYS * (length // 2 + 1), math.prod(frames.shape[:-1]) / 2)
    expect_bytes(int(needed), f"{bands:,} mel bands of {samples.shape} samples are large")
    triangles = mel_triangles(rate, length, bands)
    out = np.empty((*frames.shape[:-1], bands), np.float32)
    for t in range(frames.shape[-2]):  # frame by frame, to save memory
        spectrum = np.fft.rfft(frames[..., t, :] * window, length)
        energy = (np.abs(spectrum) ** 2).astype(np.float32) / (window**2).sum()
        out[..., t, :] = np.log(energy @ triangles + FLOOR)
    return out


def mel_triangles(rate: int, length: int, bands: int) -> np.ndarray:
    """(length // 2 + 1, bands): the mel filter bank, the weight of each frequency in each band.

    Each triangle rises from the center of the previous band to its own and falls to the next one's.
    """
    edges = hertz(np.linspace(0, mel(rate / 2), bands + 2))
    low, middle, high = edges[:-2], edges[1:-1], edges[2:]
    frequency = np.fft.rfftfreq(length, 1 / rate)[:, None]
    rising, falling = (frequency - low) / (middle - low), (high - frequency) / (high - middle)
    return np.maximum(0, np.minimum(rising, falling)).astype(np.float32)


def mel(frequency):
    """Frequency in mel, from hertz: 2595 log10(1 + f / 700)."""
    return 2595 * np.log10(1 + np.asarray(frequency) / 700)


def hertz(pitch):
    """Frequency in hertz, from mel; the inverse of `mel`."""
    return 700 * (10 ** (np.asarray(pitch) / 2595) - 1)
