import io
import struct
import wave

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.io import wavfile
from scipy.signal import resample_poly

from cutaway.data import (
    files_by_label,
    find_recordings,
    load_recordings,
    mu_law_decode,
    mu_law_encode,
    read_wav,
    resample,
    write_wav,
)
from cutaway.errors import DataError, OptionError


def save(path, codes, *, width, channels=1, rate=8000):
    """Whole numbers as WAV, by the standard library."""
    path.parent.mkdir(parents=True, exist_ok=True)
    codes = np.asarray(codes, "<i4")
    if width == 1:
        content = (codes + 128).astype(np.uint8).tobytes()
    else:
        content = codes.view(np.uint8).reshape(-1, 4)[:, :width].tobytes()
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(rate)
        file.writeframes(content)
    return path


@pytest.mark.parametrize("width", [1, 2, 3, 4])
@pytest.mark.parametrize("channels", [1, 2])
def test_whole_numbers_are_shares_of_their_range(tmp_path, width, channels):
    most = 2 ** (8 * width - 1)
    codes = np.array([0, 1, -1, most - 1, -most, most // 2, -most // 2, most // 3])
    samples, rate = read_wav(save(tmp_path / "a.wav", codes, width=width, channels=channels))
    assert rate == 8000 and samples.dtype == np.float32
    np.testing.assert_array_equal(samples, (codes / most).astype(np.float32).reshape(-1, channels))


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int32, np.float32, np.float64])
def test_files_of_another_writer_are_read(tmp_path, dtype):
    rng = np.random.default_rng(0)
    if np.issubdtype(dtype, np.floating):
        values = rng.uniform(-1, 1, (11, 3)).astype(dtype)
        expected = values
    else:
        limits = np.iinfo(dtype)
        values = rng.integers(limits.min, limits.max, (11, 3), dtype=dtype, endpoint=True)
        half = -(limits.min - limits.max - 1) // 2
        expected = (values.astype(np.float64) - (128 if dtype == np.uint8 else 0)) / half
    wavfile.write(tmp_path / "a.wav", 44100, values)
    samples, rate = read_wav(tmp_path / "a.wav")
    assert rate == 44100
    np.testing.assert_array_equal(samples, expected.astype(np.float32))


def chunk(name, content):
    return name + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)


def riff(*chunks):
    content = b"WAVE" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(content)) + content


def header(code, bits, channels=1, rate=8000):
    frame = channels * bits // 8
    return struct.pack("<HHIIHH", code, channels, rate, rate * frame, frame, bits)


def test_extensible_headers_odd_chunks_and_streams_are_read(tmp_path):
    data = np.array([1, -2, 3], "<i2").tobytes()
    extensible = header(0xFFFE, 16) + struct.pack("<HHI", 22, 16, 0)
    extensible += b"\x01\x00\x00\x00\x00\x00\x10\x00\x80\x00\x00\xaa\x00\x38\x9b\x71"
    path = tmp_path / "a.wav"
    path.write_bytes(riff(chunk(b"LIST", b"odd"), chunk(b"fmt ", extensible), chunk(b"data", data)))
    expected = np.array([[1], [-2], [3]], np.float32) / 2**15
    np.testing.assert_array_equal(read_wav(path)[0], expected)
    # a program that writes into a pipe does not know the length yet
    path.write_bytes(riff(chunk(b"fmt ", header(1, 16))) + b"data\xff\xff\xff\xff" + data)
    np.testing.assert_array_equal(read_wav(path)[0], expected)


def test_recordings_that_cannot_be_read_are_named(tmp_path):
    path = tmp_path / "a.wav"
    with pytest.raises(DataError, match="cannot be read"):
        read_wav(path)
    for content, came in [
        (b"", "starts with nothing"),
        (b"ID3 and so on", "is not a WAV file: it starts with 49 44 33"),
        (riff(chunk(b"fmt ", header(1, 16))), "has no data chunk"),
        (riff(chunk(b"data", b"\0\0")), "has no fmt chunk"),
        (riff(chunk(b"fmt ", header(1, 16)), chunk(b"data", b"")), "holds no samples"),
        (riff(chunk(b"fmt ", header(17, 4)), chunk(b"data", b"\0\0")), "format 17 with 4 bits"),
        (riff(chunk(b"fmt ", header(1, 16, 0)), chunk(b"data", b"\0\0")), "and 0 channels"),
        (
            riff(chunk(b"fmt ", header(3, 32)), chunk(b"data", struct.pack("<f", np.nan))),
            "holds NaN",
        ),
    ]:
        path.write_bytes(content)
        with pytest.raises(DataError, match=came):
            read_wav(path)
    whole = save(path, np.arange(100), width=2).read_bytes()
    for end in (20, 40, 43, 100, len(whole) - 1):
        path.write_bytes(whole[:end])
        with pytest.raises(DataError, match=r"a\.wav"):
            read_wav(path)


def test_what_is_written_is_read(tmp_path):
    sound = np.random.default_rng(0).uniform(-1, 1, (50, 2))
    write_wav(tmp_path / "a.wav", sound, 16000)
    samples, rate = read_wav(tmp_path / "a.wav")
    assert rate == 16000
    np.testing.assert_allclose(samples, sound, atol=1 / 2**15)
    write_wav(tmp_path / "a.wav", np.array([2.0, -2.0]), 8000)
    np.testing.assert_allclose(read_wav(tmp_path / "a.wav")[0][:, 0], [32767 / 32768, -1])
    with wave.open(str(tmp_path / "a.wav")) as file:
        assert (file.getnframes(), file.getframerate()) == (2, 8000)
    with pytest.raises(OptionError, match="samples has shape"):
        write_wav(io.BytesIO(), np.zeros((1, 2, 3)), 8000)


@given(
    length=st.integers(1, 400),
    rates=st.sampled_from([(8000, 16000), (16000, 8000), (44100, 16000), (3, 2), (2, 3), (7, 7)]),
    channels=st.integers(1, 2),
)
def test_resampling_is_scipys(length, rates, channels):
    sound = np.random.default_rng(length).normal(size=(length, channels))
    up, down = rates[::-1]
    np.testing.assert_allclose(
        resample(sound, *rates), resample_poly(sound, up, down, axis=0), atol=1e-12
    )


def test_resampling_keeps_a_tone_and_the_type():
    time = np.arange(8000) / 8000
    tone = np.sin(2 * np.pi * 440 * time).astype(np.float32)
    new = resample(tone, 8000, 22050)
    assert new.shape == (22050,) and new.dtype == np.float32
    expected = np.sin(2 * np.pi * 440 * np.arange(22050) / 22050)
    np.testing.assert_allclose(new[500:-500], expected[500:-500], atol=5e-3)
    assert resample(np.zeros((0, 1)), 8000, 16000).shape == (0, 1)
    with pytest.raises(OptionError, match="new_rate"):
        resample(tone, 8000, 0)


@pytest.fixture
def folder(tmp_path):
    for name in ("one", "two"):
        for k in range(3):
            save(tmp_path / name / f"{k}.wav", [k * 100] * (10 + k), width=2)
    return tmp_path


def test_recordings_get_one_length(folder):
    found = find_recordings(folder)["train"]
    read = load_recordings(found)
    assert read.x.shape == (6, 12, 1) and read.rate == 8000
    assert read.lengths.tolist() == [10, 11, 12] * 2 and read.y.tolist() == [0] * 3 + [1] * 3
    assert (read.x[1, :11] == np.float32(100 / 2**15)).all() and (read.x[1, 11:] == 0).all()
    cut = load_recordings(found, seconds=11 / 8000)
    assert cut.x.shape == (6, 11, 1) and cut.lengths.tolist() == [10, 11, 11] * 2
    assert load_recordings(found, rate=16000).x.shape == (6, 24, 1)


def test_recordings_of_unequal_channels_are_mixed(folder):
    found = find_recordings(folder)["train"]
    save(found.paths[0], [100, 300] * 10, width=2, channels=2)
    read = load_recordings(found)
    assert read.x.shape == (6, 12, 1)
    np.testing.assert_allclose(read.x[0, :10, 0], 200 / 2**15)
    with pytest.raises(OptionError, match=r"channels is 2, but the recordings have \[1, 2\]"):
        load_recordings(found, channels=2)
    for path in found.paths:
        save(path, [100, 300] * 10, width=2, channels=2)
    assert load_recordings(found).x.shape == (6, 10, 2)
    assert load_recordings(found, channels=1).x.shape == (6, 10, 1)


def test_a_broken_recording_is_named_and_skipped_only_on_request(folder):
    found = find_recordings(folder)["train"]
    bad = found.paths[4]
    bad.write_bytes(bad.read_bytes()[:50])
    with pytest.raises(DataError, match=r"two/1\.wav holds 6 bytes"):
        load_recordings(found)
    read = load_recordings(found, skip_unreadable=6)
    assert list(read.skipped) == [bad] and read.y.tolist() == [0, 0, 0, 1, 1]
    for path in found.paths:
        path.write_bytes(b"")
    with pytest.raises(DataError, match="none of the 6 recordings"):
        load_recordings(found, skip_unreadable=6)


@given(st.integers(2, 1024))
def test_the_mu_law_gives_every_level_back(levels):
    codes = np.arange(levels)
    samples = mu_law_decode(codes, levels)
    assert (np.diff(samples) > 0).all() and samples[0] == -1 and samples[-1] == 1
    np.testing.assert_array_equal(mu_law_encode(samples.astype(np.float64), levels), codes)


def test_the_mu_law_is_the_formula_and_fine_where_it_is_quiet():
    x = np.linspace(-1, 1, 2001)
    decoded = mu_law_decode(mu_law_encode(x))
    assert np.abs(decoded - x).max() < 0.025
    quiet = np.abs(x) < 0.01
    assert np.abs(decoded - x)[quiet].max() < 5e-4
    f = np.log(1 + 255 * 0.5) / np.log(256)
    assert mu_law_encode(0.5) == round((f + 1) / 2 * 255)
    assert mu_law_encode([-9.0, 9.0]).tolist() == [0, 255]


def test_real_recordings_are_read(shared_data):
    found = files_by_label(
        shared_data / "fsdd" / "recordings", [".wav"], lambda p: p.name[0], what="recordings"
    )
    read = load_recordings(found.subset(np.arange(0, 450, 9)), seconds=0.5)
    assert read.x.shape == (50, 4000, 1) and read.rate == 8000
    assert np.bincount(read.y).tolist() == [5] * 10
    _, expected = wavfile.read(read.paths[0])
    np.testing.assert_array_equal(
        read.x[0, : read.lengths[0], 0], expected[:4000] / np.float32(2**15)
    )
