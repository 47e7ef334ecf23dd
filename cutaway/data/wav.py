"""WAV files with integers of 8 to 32 bits or floats, as float32 from -1 to 1."""

import struct
from pathlib import Path

import numpy as np

from cutaway.errors import DataError, OptionError
from cutaway.files.content import read_content
from cutaway.files.limits import expect_bytes

PCM, FLOAT, EXTENSIBLE = 1, 3, 0xFFFE
UNSIZED = 0xFFFFFFFF  # written by programs that do not know the length yet


def read_wav(path):
    """Read the samples of a WAV file and their rate.

    Integers of b bits are divided by 2^(b-1); those of 8 bits, which are unsigned, are first
    centered at zero. Floats are returned as they are.

    Args:
        path: the file.

    Returns:
        (samples, rate): float32 (time, channels), and samples per second.

    Raises:
        DataError: no such file, not WAV, truncated, or an unsupported encoding.

    References:
        Microsoft & IBM 1991, "Multimedia programming interface and data specifications 1.0".
    """
    path = Path(path)
    content = read_content(path)
    if content[:4] != b"RIFF" or content[8:12] != b"WAVE":
        raise DataError(
            f"{path} is not a WAV file: it starts with {content[:12].hex(' ') or 'nothing'}",
            expected="RIFF, a length, WAVE",
            fix="convert it, for example: ffmpeg -i FILE new.wav",
        )
    header, data = _chunks(path, content)
    code, channels, rate, _, frame, bits = struct.unpack("<HHIIHH", header[:16])
    if code == EXTENSIBLE and len(header) >= 26:
        code = struct.unpack("<H", header[24:26])[0]
    if (code, bits) not in _READERS or channels == 0 or frame != channels * bits // 8:
        raise DataError(
            f"{path}: format {code} with {bits} bits and {channels} channels",
            expected="integers of 8, 16, 24 or 32 bits (format 1), or floats of 32 or 64 bits "
            "(format 3)",
            fix="convert it, for example: ffmpeg -i FILE -c:a pcm_s16le new.wav",
        )
    if len(data) < frame:
        raise DataError(f"{path} holds no samples", expected="at least one sample")
    if rate == 0:
        raise DataError(
            f"{path} declares 0 samples per second",
            expected="a positive rate",
            fix="the header is damaged: copy it again, or convert it with ffmpeg",
        )
    data = data[: len(data) - len(data) % frame]
    wide = len(data) // (bits // 8) * 4  # as float32
    expect_bytes(wide, f"{path} holds many samples")
    samples = _READERS[code, bits](data).reshape(-1, channels)
    if not np.isfinite(samples).all():
        raise DataError(f"{path} holds NaN or infinity", expected="finite samples")
    return samples, rate


def write_wav(path, samples, rate: int) -> None:
    """Write samples (time,) or (time, channels) from -1 to 1 as 16 bits, clipped."""
    samples = np.asarray(samples, np.float64)
    if samples.ndim not in (1, 2):
        raise OptionError(
            f"samples has shape {samples.shape}", expected="(time,) or (time, channels)"
        )
    channels = 1 if samples.ndim == 1 else samples.shape[1]
    data = np.clip(np.rint(samples * 32768), -32768, 32767).astype("<i2").tobytes()
    header = struct.pack("<HHIIHH", PCM, channels, rate, rate * channels * 2, channels * 2, 16)
    body = b"WAVEfmt " + struct.pack("<I", 16) + header + b"data" + struct.pack("<I", len(data))
    Path(path).write_bytes(b"RIFF" + struct.pack("<I", len(body) + len(data)) + body + data)


def _chunks(path, content):
    """The contents of the chunks "fmt " and "data"."""
    header, at = None, 12
    while at + 8 <= len(content):
        name, size = content[at : at + 4], struct.unpack("<I", content[at + 4 : at + 8])[0]
        chunk = content[at + 8 : at + 8 + size]
        if name == b"fmt " and len(chunk) >= 16:
            header = chunk
        if name == b"data" and header is not None:
            if len(chunk) < size and size != UNSIZED:
                raise DataError(
                    f"{path} holds {len(chunk):,} bytes of samples",
                    expected=f"{size:,}, according to its header",
                    fix="the file is truncated: copy it again",
                )
            return header, chunk
        at += 8 + size + size % 2  # chunks start at even offsets
    raise DataError(
        f"{path} has no {'data' if header else 'fmt'} chunk",
        expected='a chunk "fmt " and a chunk "data"',
        fix="the file is truncated: copy it again",
    )


def _read_8(data):
    return (np.frombuffer(data, np.uint8).astype(np.float32) - 128) / 128


def _read_16(data):
    return np.frombuffer(data, "<i2").astype(np.float32) / 2**15


def _read_24(data):
    # three bytes become the upper three of four, which puts the sign bit in its place
    wide = np.zeros((len(data) // 3, 4), np.uint8)
    wide[:, 1:] = np.frombuffer(data, np.uint8).reshape(-1, 3)
    return (wide.view("<i4")[:, 0] / 2**31).astype(np.float32)


def _read_32(data):
    return (np.frombuffer(data, "<i4") / 2**31).astype(np.float32)


_READERS = {
    (PCM, 8): _read_8,
    (PCM, 16): _read_16,
    (PCM, 24): _read_24,
    (PCM, 32): _read_32,
    (FLOAT, 32): lambda data: np.frombuffer(data, "<f4").astype(np.float32),
    (FLOAT, 64): lambda data: np.frombuffer(data, "<f8").astype(np.float32),
}
