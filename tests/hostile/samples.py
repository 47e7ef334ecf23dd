"""One small sound file of every format that Cutaway reads, and of the kinds of each."""

import bz2
import datetime
import gzip
import importlib.util
import io
import json
import lzma
import struct
import wave
import zipfile
from pathlib import Path

import numpy as np
import polars as pl

from tests.data.spreadsheets import xlsx

ROWS = 120
ARFF = (
    "@relation t\n@attribute a real\n@attribute c {'x y', z}\n@attribute d date yyyy-MM-dd\n@data\n"
)


def write_samples(folder: Path) -> list[str]:
    """Write the samples to a folder; their names."""
    makers = (
        _tables, _parquet, _texts, _images, _masks, _boxes, _volumes, _sounds, _arrays,
        _tokenizers, _weights,
    )  # fmt: skip
    for make in makers:
        for name, content in make():
            (folder / name).write_bytes(content)
    return sorted(path.name for path in folder.iterdir())


def table() -> pl.DataFrame:
    start = datetime.date(2020, 1, 1)
    return pl.DataFrame(
        {
            "day": [start + datetime.timedelta(days=k) for k in range(ROWS)],
            "size": [k * 0.5 for k in range(ROWS)],
            "color": [("red", "green", 'a "b", c')[k % 3] for k in range(ROWS)],
            "count": [None if k % 5 == 0 else k for k in range(ROWS)],
            "passed": [k % 2 == 0 for k in range(ROWS)],
        }
    )


def _tables():
    text = table().write_csv().encode()
    yield "table.csv", text
    days = [datetime.datetime(2020, 1, 1) + datetime.timedelta(hours=7 * k) for k in range(ROWS)]
    forms = ("%m/%d/%Y %I:%M %p", "%m/%d/%Y %H:%M:%S", "%d %b %Y %H:%M", "%Y-%m-%dT%H:%M:%SZ")
    rows = [
        f"{t.strftime(forms[k % 4])},{'AB'[n]},{k * 0.5}"
        for k, t in enumerate(days)
        for n in (0, 1)
    ]
    yield "series_shops.csv", "\n".join(["when,shop,sold", *rows]).encode()
    yield "table.tsv", table().write_csv(separator="\t").encode()
    yield "semicolons.csv", table().write_csv(separator=";").encode().replace(b"\n", b"\r\n")
    yield "table.csv.gz", gzip.compress(text, mtime=0)
    days = table().select("day", "size").write_csv().encode()
    yield "series.csv", days
    yield "title.csv", b"# a comment\n\nSales\n\n" + text.replace(b"red", b"r\xf6t")
    yield "mark.csv", text.decode().encode("utf-16")
    yield "spaces.txt", b'"a" "b"\n' + b"".join(b'"r %d" %d  0.5\n' % (k, k) for k in range(ROWS))
    yield "table.csv.bz2", bz2.compress(text)
    yield "table.csv.xz", lzma.compress(text)
    yield "rows.jsonl", table().write_ndjson().encode()
    yield "table.arff", ARFF.encode() + b"1,'x y',2020-01-01\n{0 2.5, 1 z}\n?,?,?\n" * 40
    if importlib.util.find_spec("fastexcel") is not None:
        yield "table.xlsx", xlsx({"S": [table().columns[1:4], *table()[:, 1:4].rows()]})
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(zipfile.ZipInfo("table.csv"), text)
    yield "table.csv.zip", file.getvalue()


def _parquet():
    import pyarrow.parquet

    nested = table().with_columns(list=pl.Series([[1, 2]] * ROWS))
    for codec in ("uncompressed", "snappy", "zstd", "gzip"):
        file = io.BytesIO()
        nested.write_parquet(file, compression=codec, row_group_size=50)
        yield f"polars_{codec}.parquet", file.getvalue()
    numbers = table().select("size", "passed")
    file = io.BytesIO()
    numbers.write_parquet(file)
    yield "numbers.parquet", file.getvalue()
    plain = table().select("size", "color", pl.int_range(ROWS).alias("id")).to_arrow()
    encodings = (
        {"size": "BYTE_STREAM_SPLIT", "id": "DELTA_BINARY_PACKED", "color": "DELTA_BYTE_ARRAY"},
        {"size": "PLAIN", "id": "PLAIN", "color": "DELTA_LENGTH_BYTE_ARRAY"},
        None,
    )
    for number, encoding in enumerate(encodings):
        file = io.BytesIO()
        pyarrow.parquet.write_table(
            plain,
            file,
            compression="none",
            use_dictionary=encoding is None,
            column_encoding=encoding,
            data_page_version="2.0" if number == 0 else "1.0",
        )
        yield f"arrow_{number}.parquet", file.getvalue()


def _texts():
    lines = [f"{'good' if k % 2 else 'bad'}\tthis is the message number {k}" for k in range(40)]
    yield "labeled.txt", "\n".join(lines).encode()
    yield "plain.txt", ("Der Zürcher See, naïve café.\n" * 30).encode()
    frame = pl.DataFrame(
        {"text": [f"these are five words {k}" for k in range(40)], "y": ["a", "b"] * 20}
    )
    yield "reviews.csv", frame.write_csv().encode()
    rng = np.random.default_rng(0)
    rows = ["\t".join([str(k % 2), *map(str, rng.normal(size=12).round(3))]) for k in range(20)]
    yield "X_TRAIN.tsv", "\n".join(rows).encode()
    header = "#two channels\n@problemName X\n@timeStamps false\n@classLabel true a b\n@data\n"
    rows = [
        ":".join([*(",".join(map(str, rng.normal(size=6).round(3))) for _ in "12"), "ab"[k % 2]])
        for k in range(20)
    ]
    yield "Y_TRAIN.ts", (header + "\n".join(rows)).encode()


def _images():
    from PIL import Image

    pixels = np.random.default_rng(0).integers(0, 256, (24, 20, 3), np.uint8)
    image = Image.fromarray(pixels)
    exif = Image.Exif()
    exif[0x0112] = 6
    for suffix, options in (
        ("jpg", {"exif": exif}),
        ("png", {}),
        ("gif", {}),
        ("bmp", {}),
        ("tiff", {"compression": "tiff_deflate"}),
        ("webp", {"exif": exif}),
        ("ppm", {}),
    ):
        file = io.BytesIO()
        image.save(file, {"jpg": "jpeg"}.get(suffix, suffix), **options)
        yield f"image.{suffix}", file.getvalue()
    for name, made, options in (
        ("raw.tif", image, {}),
        ("lzw.tif", image, {"compression": "tiff_lzw"}),
        ("palette.png", image.quantize(16), {}),
        ("alpha.png", image.convert("RGBA"), {}),
        ("deep.png", Image.fromarray(pixels[..., 0].astype(np.uint16) * 257), {}),
        ("progressive.jpg", image, {"progressive": True}),
        ("gray.pgm", image.convert("L"), {}),
    ):
        file = io.BytesIO()
        kind = {"jpg": "jpeg", "tif": "tiff", "pgm": "ppm"}
        suffix = name.rpartition(".")[2]
        made.save(file, kind.get(suffix, suffix), **options)
        yield name, file.getvalue()


def _masks():
    from PIL import Image

    ids = (np.indices((24, 20)).sum(axis=0) // 9 % 3).astype(np.uint8)
    colors = np.array([(0, 0, 0), (9, 99, 9), (200, 0, 77)], np.uint8)
    palette = Image.fromarray(ids)
    palette.putpalette([*colors.ravel().tolist(), *[0] * (768 - 9)])
    for name, made in (
        ("mask_gray.png", Image.fromarray(ids)),
        ("mask_deep.png", Image.fromarray(ids.astype(np.uint16))),
        ("mask_palette.png", palette),
        ("mask_colors.png", Image.fromarray(colors[ids])),
        ("mask_bits.png", Image.fromarray(ids * 255).convert("1")),
    ):
        file = io.BytesIO()
        made.save(file, "png")
        yield name, file.getvalue()
    lines = [
        "name,r,g,b",
        *(f"{n},{r},{g},{b}" for n, (r, g, b) in zip("abc", colors, strict=True)),
    ]
    yield "classes.csv", "\n".join(lines).encode()


def _boxes():
    runs = {"counts": [0, 40 * 30 - 7, 7], "size": [30, 40]}
    packed = {"counts": "36WU1", "size": [30, 40]}
    annotations = [
        {
            "id": k,
            "image_id": k % 3,
            "category_id": 1 + 4 * (k % 2),
            "bbox": [k, 2.5, 9, 4],
            "iscrowd": int(k == 3),
            "segmentation": [[[1, 2, 9, 2, 9, 7.5]], runs, packed, []][k % 4],
        }
        for k in range(8)
    ]
    images = [{"id": k, "file_name": f"{k}.png", "width": 40, "height": 30} for k in range(3)]
    categories = [{"id": k, "name": f"class {k}"} for k in (1, 5)]
    content = {"images": images, "annotations": annotations, "categories": categories}
    yield "boxes_coco.json", json.dumps(content).encode()
    objects = "".join(
        f"<object><name>cell</name><difficult>0</difficult><bndbox><xmin>{k}</xmin><ymin>3</ymin>"
        f"<xmax>{k + 9}</xmax><ymax>20.5</ymax></bndbox></object>"
        for k in range(1, 6)
    )
    size = "<size><width>40</width><height>30</height><depth>3</depth></size>"
    yield "boxes.xml", f"<annotation>{size}{objects}</annotation>".encode()
    yield "boxes_yolo.txt", b"0 0.5 0.5 0.25 0.5\n2 0.1 0.2 0.3 0.2 0.3 0.6 0.1 0.6\n"
    lines = ["filename,xmin,ymin,xmax,ymax,class", *(f"{k}.png,{k},2,9,8,cell" for k in range(6))]
    yield "boxes_table.csv", "\n".join(lines).encode()
    yield "data.yaml", b"path: .\nnc: 3\nnames:\n  0: cell\n  1: 'platelet'  # small\n  2: x\n"


def _volumes():
    import nibabel

    ids = (np.indices((7, 6, 5)).sum(axis=0) // 4 % 3).astype(np.uint8)
    affine = np.diag([-1.0, 2.0, 1.5, 1.0])
    labels = nibabel.Nifti1Image(ids, affine).to_bytes()
    volume = nibabel.Nifti1Image(ids.astype(np.float32) * 10.5, affine)
    yield "labels.nii", labels
    yield "labels.nii.gz", gzip.compress(labels, mtime=0)
    yield "volume.nii.gz", gzip.compress(volume.to_bytes(), mtime=0)
    scaled = nibabel.Nifti1Image(ids.astype(np.int16), affine)
    scaled.header.set_slope_inter(0.5, -1)
    yield "scaled.nii", scaled.to_bytes()
    yield "second.nii", nibabel.Nifti2Image(ids, affine).to_bytes()


def _sounds():
    tone = (np.sin(np.arange(400) / 5) * 20_000).astype("<i2")
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setparams((1, 2, 8000, 0, "NONE", ""))
        sound.writeframes(tone.tobytes())
    yield "pcm.wav", file.getvalue()
    data = (tone / 32768).astype("<f4").repeat(2).tobytes()
    header = struct.pack("<HHIIHH", 3, 2, 16000, 16000 * 8, 8, 32)
    body = b"WAVEfmt " + struct.pack("<I", 16) + header + b"data" + struct.pack("<I", len(data))
    yield "float.wav", b"RIFF" + struct.pack("<I", len(body) + len(data)) + body + data


def _arrays():
    images = np.arange(6 * 4 * 5, dtype=">u1").reshape(6, 4, 5)
    idx = bytes([0, 0, 8, 3]) + np.array(images.shape, ">u4").tobytes() + images.tobytes()
    yield "images.idx", idx
    yield "images.idx.gz", gzip.compress(idx, mtime=0)
    floats = np.arange(6, dtype=">f4")
    yield "floats.idx", bytes([0, 0, 13, 1]) + np.array([6], ">u4").tobytes() + floats.tobytes()
    for name, write in (("plain.npz", np.savez), ("packed.npz", np.savez_compressed)):
        file = io.BytesIO()
        write(
            file,
            features=np.ones((5, 3), np.float32),
            truth=np.arange(5),
            names=np.array(list("abcde")),
        )
        yield name, file.getvalue()


def _tokenizers():
    from cutaway.data import Tokenizer, WordPiece

    texts = ["a cat sat on the mat", "the dog ran after the cat"]
    for kind in ("word", "bpe", "character"):
        size = 300 if kind == "bpe" else 100
        yield f"{kind}.json", Tokenizer.train(texts, kind=kind, size=size).to_json().encode()
    pieces = WordPiece.train(texts, size=60)
    yield "pieces.json", pieces.to_json().encode()
    words = [pieces.token(k) for k in range(pieces.size)]
    yield "vocab.txt", "\n".join(words).encode()


def _weights():
    import torch
    from safetensors.numpy import save

    arrays = {"a.weight": np.ones((4, 3), np.float32), "a.bias": np.zeros(3, np.float16)}
    yield "net.safetensors", save(arrays)
    tensors = {"a.weight": torch.ones(4, 3), "a.bias": torch.arange(3), "lr": 0.1}
    for name, is_zip in (("net.pth", True), ("legacy.pt", False)):
        file = io.BytesIO()
        torch.save(tensors, file, _use_new_zipfile_serialization=is_zip)
        yield name, file.getvalue()
