"""Audio recordings as arrays, resampling, and μ-law encoding."""

import dataclasses
import functools
import math

import numpy as np

from cutaway.data.folders import ClassFolder, find_class_folders
from cutaway.data.skipped import SkippedFiles
from cutaway.data.wav import read_wav
from cutaway.errors import DataError, OptionError, expect_range
from cutaway.files.content import naming
from cutaway.files.limits import expect_bytes, expect_unpacked

SUFFIXES = (".wav", ".wave")
KAISER_BETA = 5.0  # ripple of 0.3%, as in scipy.signal.resample_poly
FILTER_ARRAYS = 5  # as long as the filter, while it is computed
ZEROS = 10  # zero crossings of the filter on each side


def find_recordings(root) -> dict:
    """The WAV files below root/class/ or root/split/class/, by split; see find_class_folders."""
    return find_class_folders(root, SUFFIXES, what="recordings")


@dataclasses.dataclass(frozen=True)
class Recordings:
    """Recordings in memory, all of one length.

    Attributes:
        x: (rows, time, channels) float32, padded with silence at the end.
        y: (rows,) int32 class numbers.
        lengths: (rows,) int32 samples of each without the padding.
        rate: samples per second.
        classes: names of the classes.
        paths: file of each recording.
        skipped: {path: reason} of files that could not be read.
    """

    x: np.ndarray
    y: np.ndarray
    lengths: np.ndarray
    rate: int
    classes: list
    paths: list
    skipped: dict


def load_recordings(
    folder: ClassFolder,
    *,
    rate=None,
    seconds=None,
    channels=None,
    skip_unreadable: int | SkippedFiles = 0,
) -> Recordings:
    """Read all recordings of a folder.

    Args:
        folder: from find_recordings.
        rate: samples per second of the result; by default those of the first recording.
        seconds: length of the result, by cutting or padding; by default that of the longest.
        channels: 1 for the mean of all channels; by default 1 unless all have the same number.
        skip_unreadable: the most files that are skipped if they cannot be read; or a SkippedFiles,
            which counts those of several folders together.

    Raises:
        DataError: more files that cannot be read, all of which are looked at and the first ones
            named; no recordings left.
    """
    if seconds is not None:
        expect_range(seconds, what="seconds", above=0)
    given = skip_unreadable
    files = given if isinstance(given, SkippedFiles) else SkippedFiles(given)
    sounds, kept = [], []
    for row, path in enumerate(folder.paths):
        found = files.read(path, functools.partial(_sound, rate=rate, channels=channels))
        if found is not None:
            rate = found[1]
            sounds.append(found[0])
            kept.append(row)
    files.expect_within("recordings", len(folder))
    skipped = {path: files.reasons[path] for path in folder.paths if path in files.reasons}
    if not sounds or rate is None:
        reason = next(iter(skipped.values()))
        raise DataError(
            f"none of the {len(folder)} recordings in {folder.root} can be read; {reason}",
            expected="valid WAV files",
        )
    counts = {sound.shape[1] for sound in sounds}
    if channels is not None and counts != {channels}:
        raise OptionError(
            f"channels is {channels}, but the recordings have {sorted(counts)}",
            expected="1, or the number of channels of all recordings",
        )
    if len(counts) > 1:
        sounds = [sound.mean(axis=1, keepdims=True) for sound in sounds]
    longest = max(map(len, sounds)) if seconds is None else max(1, round(seconds * rate))
    shape = len(sounds), longest, sounds[0].shape[1]
    came = f"{len(sounds):,} recordings in {folder.root} of {longest / rate:.6g} s each"
    expect_bytes(math.prod(shape) * 4, came)
    x = np.zeros(shape, np.float32)
    lengths = np.array([min(len(sound), longest) for sound in sounds], np.int32)
    for row, (sound, length) in enumerate(zip(sounds, lengths, strict=True)):
        x[row, :length] = sound[:length]
    folder = folder.subset(kept)
    return Recordings(x, folder.labels, lengths, rate, folder.classes, folder.paths, skipped)


def _sound(path, rate, channels) -> tuple[np.ndarray, int]:
    """(samples, rate) of a file at the rate asked for, or at its own."""
    sound, own_rate = read_wav(path)
    if channels == 1:
        sound = sound.mean(axis=1, keepdims=True)
    rate = own_rate if rate is None else rate
    with naming(path, "a recording"):
        return resample(sound, own_rate, rate), rate


def resample(samples, old_rate: int, new_rate: int) -> np.ndarray:
    """Change the sample rate of a sound.

    Upsampling by p, a low-pass filter (a sinc with a Kaiser window), and downsampling by q, where
    p / q is the ratio of the rates in lowest terms; only the samples of the result are computed.

    Args:
        samples: (time,) or (time, channels).
        old_rate, new_rate: samples per second.

    Returns:
        (ceil(time p / q), ...) of the same dtype.

    Raises:
        DataError: the filter or the result is larger than the limit of size.

    References:
        Crochiere & Rabiner 1983, "Multirate digital signal processing", chapter 4.

    Example:
        >>> import numpy as np
        >>> from cutaway.data import resample
        >>> resample(np.zeros((80, 1), np.float32), 8000, 16000).shape
        (160, 1)
    """
    expect_range(old_rate, what="old_rate", least=1)
    expect_range(new_rate, what="new_rate", least=1)
    samples = np.asarray(samples)
    common = math.gcd(int(old_rate), int(new_rate))
    up, down = int(new_rate) // common, int(old_rate) // common
    if up == down or not len(samples):
        return samples
    half = ZEROS * max(up, down)
    time = len(samples)
    count = -(-time * up // down)
    needed = 8 * max((2 * half + 1) * FILTER_ARRAYS, count * (samples.size // time))
    came = f"resampling from {old_rate:,} to {new_rate:,} samples per second"
    expect_unpacked(needed, samples.nbytes, came)
    taps = np.arange(-half, half + 1)
    cutoff = 1 / max(up, down)
    kernel = cutoff * np.sinc(cutoff * taps) * np.kaiser(len(taps), KAISER_BETA)
    kernel *= up / kernel.sum()
    reach = half // up + 1  # samples on each side that an output depends on
    flat = samples.reshape(time, -1).astype(np.float64)
    flat = np.pad(flat, ((reach, reach + 1), (0, 0)))
    out = np.empty((count, flat.shape[1]))
    # output m is at m down / up; outputs with the same fractional part share their weights
    for phase in range(min(up, count)):
        first, fraction = divmod(phase * down, up)
        near = np.arange(-reach, reach + 1)
        place = fraction - near * up + half
        weights = np.where((place >= 0) & (place < len(kernel)), kernel[place % len(kernel)], 0)
        spans = np.lib.stride_tricks.sliding_window_view(flat, 2 * reach + 1, axis=0)
        out[phase::up] = spans[first::down][: len(out[phase::up])] @ weights
    return out.reshape(count, *samples.shape[1:]).astype(samples.dtype)


def mu_law_encode(samples, levels: int = 256) -> np.ndarray:
    """Samples from -1 to 1 as integers from 0 to levels - 1, with finer steps near 0.

        f(x) = sign(x) ln(1 + μ |x|) / ln(1 + μ),  μ = levels - 1;  (f(x) + 1) / 2 μ, rounded

    References:
        van den Oord et al. 2016, "WaveNet", arXiv:1609.03499, section 2.2.
    """
    expect_range(levels, what="levels", least=2)
    x = np.clip(np.asarray(samples, np.float64), -1, 1)
    mu = levels - 1
    squeezed = np.sign(x) * np.log1p(mu * np.abs(x)) / np.log1p(mu)
    return np.floor((squeezed + 1) / 2 * mu + 0.5).astype(np.int32)


def mu_law_decode(codes, levels: int = 256) -> np.ndarray:
    """float32 samples from -1 to 1, at the center of their levels; the inverse of mu_law_encode.

    Example:
        >>> from cutaway.data import mu_law_decode, mu_law_encode
        >>> mu_law_decode(mu_law_encode([-1.0, 1.0])).tolist()
        [-1.0, 1.0]
    """
    expect_range(levels, what="levels", least=2)
    mu = levels - 1
    squeezed = 2 * np.asarray(codes, np.float64) / mu - 1
    return (np.sign(squeezed) * np.expm1(np.abs(squeezed) * np.log1p(mu)) / mu).astype(np.float32)
