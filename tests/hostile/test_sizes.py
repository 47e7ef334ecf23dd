"""What a file declares or unpacks to is checked before memory is asked for."""

import gzip
import io
import struct
import tracemalloc
import zipfile
import zlib

import numpy as np
import polars as pl
import pytest
from PIL import Image

from cutaway.data import read_idx, read_image, read_table, read_text, read_wav, resample
from cutaway.data.audio import load_recordings
from cutaway.data.folders import ClassFolder
from cutaway.errors import DataError, OptionError, RunError
from cutaway.files import set_max_bytes
from cutaway.files.limits import ROOM, free_memory, max_bytes, unpacked_limit
from cutaway.runs.nearest_neighbors import ValidationFeatures
from cutaway.runs.run_folder import RunFolder
from cutaway.weights import read_weights


@pytest.fixture(autouse=True)
def default_limits():
    yield
    set_max_bytes(None)


@pytest.fixture
def little_memory():
    """At most 64 MiB of memory are asked for, as Python and numpy count it."""
    tracemalloc.start()
    yield
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 64 * 2**20


def test_the_limit_is_half_of_the_free_memory_and_can_be_set():
    assert 0.3 * free_memory() < max_bytes() < 0.7 * free_memory()
    for given, size in (("8GB", 8 * 10**9), ("1.5 MiB", 1.5 * 2**20), ("300", 300), (7, 7)):
        set_max_bytes(given)
        assert max_bytes() == size and unpacked_limit(1) == size
    set_max_bytes(None)
    assert unpacked_limit(1) == ROOM and unpacked_limit(ROOM // 64) == ROOM // 64 * 100
    for given in ("much", "-1", "0", "", "nan"):
        with pytest.raises(OptionError, match="max_bytes is"):
            set_max_bytes(given)


def test_a_file_above_the_limit_is_refused_with_both_sizes_and_the_option(tmp_path):
    (tmp_path / "a.csv").write_text("a,b\n" + "1,2\n" * 1000)
    set_max_bytes(1000)
    with pytest.raises(
        DataError, match=r"a\.csv is too large: 3\.9 KiB[\s\S]*1,000 bytes \(set"
    ) as e:
        read_table(tmp_path / "a.csv")
    assert "--max-bytes 1GB" in str(e.value) and 'set_max_bytes("1GB")' in str(e.value)
    set_max_bytes("1GB")
    assert read_table(tmp_path / "a.csv").height == 1000


def test_gzip_is_counted_while_it_unpacks(tmp_path):
    packed = gzip.compress(bytes(2 * ROOM), 9)
    (tmp_path / "bomb.csv.gz").write_bytes(packed)
    (tmp_path / "bomb.idx.gz").write_bytes(packed)
    with pytest.raises(DataError, match=r"bomb\.csv\.gz unpacks to more than 128\.0 MiB, from"):
        read_table(tmp_path / "bomb.csv.gz")
    with pytest.raises(DataError, match=r"bomb\.idx\.gz unpacks to more than"):
        read_idx(tmp_path / "bomb.idx.gz")


def test_what_packs_well_is_read_up_to_a_hundred_times_its_size(tmp_path):
    text = "a,b\n" + "1,2\n" * 100_000
    path = tmp_path / "even.csv.gz"
    path.write_bytes(gzip.compress(text.encode(), 9))
    assert len(text) > 100 * path.stat().st_size
    assert read_table(path).height == 100_000
    set_max_bytes(len(text) - 1)
    with pytest.raises(DataError, match="unpacks to more than"):
        read_table(path)


def png(width, height, depth=8, color=2):
    header = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(bytes(100))), (b"IEND", b"")]
    parts = [
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in chunks
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def tiff(width, height):
    entries = [
        (256, 4, width), (257, 4, height), (258, 3, 8), (259, 3, 1), (262, 3, 1), (273, 4, 110),
        (278, 4, height), (279, 4, 20),
    ]  # fmt: skip
    body = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in entries)
    head = struct.pack("<2sHIH", b"II", 42, 8, len(entries))
    return (head + body + bytes(4)).ljust(110, b"\0") + bytes(20)


@pytest.mark.parametrize(
    "name, content, pixels",
    [
        ("wide.png", png(30_000, 30_000), "30,000 x 30,000"),
        ("gray.png", png(60_000, 20_000, 16, 0), "60,000 x 20,000"),
        ("a.tif", tiff(335_544_320, 1), "335,544,320 x 1"),
    ],
)
def test_a_picture_is_measured_by_its_header(tmp_path, little_memory, name, content, pixels):
    (tmp_path / name).write_bytes(content)
    for size in (None, (32, 32)):
        with pytest.raises(DataError, match=f"{name}: an image of {pixels} pixels: .*from"):
            read_image(tmp_path / name, size)


def test_a_large_picture_is_read_if_its_file_is_large_or_the_limit_is_raised(tmp_path):
    side = 6000  # 144 MB as RGB: more than any small file may unpack to
    Image.new("L", (side, side)).save(tmp_path / "blank.png")
    with pytest.raises(DataError, match="6,000 x 6,000 pixels: 137"):
        read_image(tmp_path / "blank.png", (8, 8))
    set_max_bytes("200MB")
    assert read_image(tmp_path / "blank.png", (8, 8), channels=1).shape == (8, 8, 1)
    assert Image.MAX_IMAGE_PIXELS is not None  # of Pillow, which other code may rely on


def wav(rate, samples=100):
    data = bytes(2 * samples)
    header = struct.pack("<HHIIHH", 1, 1, rate, 2 * rate % 2**32, 2, 16)
    body = b"WAVEfmt " + struct.pack("<I", 16) + header + b"data" + struct.pack("<I", len(data))
    return b"RIFF" + struct.pack("<I", len(body) + len(data)) + body + data


def test_a_rate_that_would_need_a_filter_of_terabytes_is_refused(tmp_path, little_memory):
    path = tmp_path / "a.wav"
    folder = ClassFolder(tmp_path, [path], np.zeros(1, np.int32), ["a", "b"])
    path.write_bytes(wav(4_294_967_295))
    assert read_wav(path)[1] == 4_294_967_295  # the samples themselves are small
    words = r"a\.wav: resampling from 4,294,967,295 to 16,000 samples per second: 640\.0 GiB"
    with pytest.raises(DataError, match=words):
        load_recordings(folder, rate=16_000)
    path.write_bytes(wav(1, samples=4000))
    with pytest.raises(DataError, match=r"a\.wav: resampling from 1 to 16,000"):
        load_recordings(folder, rate=16_000)
    path.write_bytes(wav(0))
    with pytest.raises(DataError, match=r"a\.wav declares 0 samples per second"):
        load_recordings(folder, rate=16_000)
    assert len(resample(np.zeros(1000, np.float32), 192_000, 44_100)) == 230


def npz(**headers):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, shape in headers.items():
            entry = io.BytesIO()
            described = {"descr": "<f8", "fortran_order": False, "shape": shape}
            np.lib.format.write_array_header_1_0(entry, described)
            archive.writestr(f"{name}.npy", entry.getvalue())
    return file.getvalue()


def read_features(path):
    """As of a run whose user has accepted the file as it is."""
    folder = RunFolder(path.parent)
    folder.manifest.accept([path.name])
    return ValidationFeatures.read(folder)


def test_the_shape_of_an_array_is_compared_with_its_bytes(tmp_path, little_memory):
    path = tmp_path / "features.npz"
    path.write_bytes(npz(features=(10**11,), truth=(1,), names=(1,)))
    with pytest.raises(RunError, match=r"features\.npz is damaged: features\.npy has the shape"):
        read_features(path)
    file = io.BytesIO()
    np.save(file, np.ones(3))
    path.write_bytes(file.getvalue())  # an array alone, as np.save writes it
    with pytest.raises(RunError, match=r"features\.npz is damaged"):
        read_features(path)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("features.npy", bytes(3 * 2**20))
    content = bytearray(path.read_bytes())
    entry = content.rindex(b"PK\x01\x02")
    content[entry + 24 : entry + 28] = struct.pack("<I", 2**31)  # its size in the directory
    path.write_bytes(content)
    with pytest.raises(RunError, match=r"features\.npz declares arrays: 2\.0 GiB"):
        read_features(path)


def test_the_axes_of_idx_and_safetensors_are_compared_with_their_bytes(tmp_path, little_memory):
    path = tmp_path / "a.idx"
    path.write_bytes(bytes([0, 0, 8, 3]) + struct.pack(">III", 2**32 - 1, 2**32 - 1, 2))
    with pytest.raises(DataError, match=r"a\.idx has 16 bytes[\s\S]*36,893,488,130,239,234,066"):
        read_idx(path)
    path = tmp_path / "w.safetensors"
    for shape in ([2**40], [0] * 70, [-1], [2**63, 2]):
        header = f'{{"w":{{"dtype":"F32","shape":{shape},"data_offsets":[0,0]}}}}'.encode()
        path.write_bytes(struct.pack("<Q", len(header)) + header)
        with pytest.raises(RunError, match=r"w\.safetensors is corrupted"):
            read_weights(path)
    header = b'{"w":{"dtype":"F32","shape":[0,3],"data_offsets":[0,0]}}'
    path.write_bytes(struct.pack("<Q", len(header)) + header)
    assert read_weights(path)["w"].shape == (0, 3)


def test_a_tensor_that_repeats_one_number_without_end_is_refused(tmp_path):
    import torch

    torch.save({"w": torch.ones(1).expand(10**6, 10**6)}, tmp_path / "w.pth")
    with pytest.raises(RunError, match=r"w\.pth: a tensor of size \(1000000, 1000000\) repeats"):
        read_weights(tmp_path / "w.pth")
    torch.save({"w": torch.ones(3).expand(4, 3)}, tmp_path / "w.pth")
    assert read_weights(tmp_path / "w.pth")["w"].shape == (4, 3)


def test_what_a_parquet_file_declares_is_compared_with_what_it_holds(tmp_path, little_memory):
    path = tmp_path / "a.parquet"
    file = io.BytesIO()
    pl.DataFrame({"a": [7] * 300}).write_parquet(file, compression="uncompressed")
    content = file.getvalue()
    end = int.from_bytes(content[-8:-4], "little") + 8
    varint = b"\xd8\x04"  # 300 as Thrift writes it
    assert content[-end:].count(varint) >= 2
    for count in (1, 2, 9):  # 4 GB of rows in some, then in all of the places that count them
        footer = content[-end:-8].replace(varint, b"\xfe\xff\xff\xff\x0f", count)
        path.write_bytes(content[:-end] + footer + struct.pack("<I", len(footer)) + b"PAR1")
        with pytest.raises(DataError, match=r"a\.parquet"):
            read_table(path)


def test_a_header_of_a_million_separators_is_refused_where_memory_is_short(tmp_path):
    (tmp_path / "a.csv").write_text("," * 10**6 + "\n1\n")
    set_max_bytes("10GB")
    with pytest.raises(DataError, match=r"a\.csv has 1,000,001 columns, which take 15\.3 GiB"):
        read_table(tmp_path / "a.csv")


def test_recordings_and_images_are_counted_together(tmp_path):
    for k in range(3):
        (tmp_path / f"{k}.wav").write_bytes(wav(8000, 5000))
    paths = sorted(tmp_path.iterdir())
    folder = ClassFolder(tmp_path, paths, np.zeros(3, np.int32), ["a", "b"])
    set_max_bytes(50_000)
    with pytest.raises(DataError, match=r"3 recordings in .* of 0\.625 s each: 58"):
        load_recordings(folder)


def test_text_above_the_limit_is_refused(tmp_path):
    (tmp_path / "a.txt").write_text("word " * 100)
    set_max_bytes(100)
    with pytest.raises(DataError, match=r"a\.txt is too large: 500 bytes"):
        read_text(tmp_path / "a.txt")
