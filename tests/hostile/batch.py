"""A child process that reads damaged files one after another, and says what came of each.

    python -m tests.hostile.batch FOLDER SEED FIRST COUNT

FOLDER holds the samples. See `child.run_draws`.
"""

import functools
import random
import sys
import warnings
from pathlib import Path

import numpy as np

from cutaway.data import (
    ClassFolder,
    ParquetBatches,
    Tokenizer,
    WordPiece,
    load_recordings,
    read_idx,
    read_image,
    read_labels,
    read_series,
    read_table,
    read_text,
    read_texts,
    read_ucr,
    read_volume,
    read_wav,
)
from cutaway.data.box_table import read_box_table
from cutaway.data.class_names import read_class_names
from cutaway.data.coco import pictures_of, read_coco_file
from cutaway.data.decode import image_header
from cutaway.data.marked_pictures import Marked, finished
from cutaway.data.mask_values import find_coding
from cutaway.data.outlines import outline_mask
from cutaway.data.preprocessing import TablePreprocessing
from cutaway.data.raw_masks import read_raw_mask, values_of
from cutaway.data.voc import read_voc_file
from cutaway.data.yolo_labels import names_of_yaml, read_label_file
from cutaway.errors import CutawayError, DataError, RunError
from cutaway.files.arrays import read_arrays
from cutaway.files.content import naming
from cutaway.runs import recognize
from cutaway.weights import read_weights
from tests.hostile.child import run_draws
from tests.hostile.damage import damaged

IMAGES = ("jpg", "png", "gif", "bmp", "tiff", "tif", "webp", "ppm", "pgm")


def read_all(path: Path):
    """Read a file in all ways that its name allows; the first error ends it."""
    return [read(path) for read in READERS[path.name.removesuffix(".gz").rpartition(".")[2]]]


def _table(path):
    frame = read_table(path)
    if "passed" in frame.columns and frame["passed"].n_unique() == 2:
        try:
            arrays = TablePreprocessing.fit(frame, "passed").transform(frame)
        except DataError:  # names the column: a frame has no file
            return
        assert np.isfinite(arrays.x).all()


def _stream(path):
    if path.name.startswith("numbers"):
        for x, _ in ParquetBatches(path, target="passed", block_rows=50).blocks(0):
            assert np.isfinite(x).all()


def _labeled(path):
    if "TRAIN" in path.name:
        read_ucr(path)
    elif "series" in path.name:
        read_series(path)
    elif "reviews" in path.name or "labeled" in path.name:
        read_texts(path)


def _vocabulary(path):
    if "vocab" in path.name:
        WordPiece.load(path).encode(["a cat"])


def _image(path):
    image_header(path)
    read_image(path, (8, 8), channels=1)
    read_image(path)
    if path.name.startswith("mask"):
        found, size = values_of(path)
        colors = {"a": (0, 0, 0), "b": (9, 99, 9), "c": (200, 0, 77)}
        coding, _, _ = find_coding([found], colors=colors)
        assert coding.ids(read_raw_mask(path), path).shape == size


def _volume(path):
    volume, header = read_volume(path)
    assert np.isfinite(volume).all() and volume.shape[:3] == header.shape
    if "labels" in path.name:
        assert read_labels(path)[0].min() >= 0


def _classes(path):
    if "classes" in path.name:
        read_class_names(path)


def _boxes(path):
    """All boxes and masks of a file, as if its pictures were there, 40 x 30 pixels large."""
    suffix, marked = path.suffix, []
    if suffix == ".json" and "boxes" in path.name:
        content = read_coco_file(path)
        names = {c.id: c.name for c in content.categories}
        numbers = {k: number for number, k in enumerate(sorted(names))}
        marked = [
            *pictures_of(path, content, numbers, names, lambda name, *_: path.parent / name, "")
        ]
    elif suffix == ".xml":
        one = Marked(path, path)
        for name, box, difficult in read_voc_file(path)[1]:
            one.add(box, 0, name, ignored=difficult)
        marked = [one]
    elif suffix == ".txt" and "boxes" in path.name:
        one = Marked(path, path, fractions=True)
        read_label_file(one, path)
        marked = [one]
    elif suffix == ".csv" and "boxes" in path.name:
        marked = read_box_table(path, lambda *_: path).marked
    elif suffix == ".yaml":
        names_of_yaml(path)
    for one in marked:
        boxes, kept, wrong = finished(one, (30, 40))
        assert np.isfinite(boxes).all() and kept.sum() + len(wrong) >= len(boxes)
        for outline in one.outlines:
            if outline is not None:
                with naming(path, "a file with outlines"):
                    assert outline_mask(outline, (30, 40)).shape == (30, 40)


def _sound(path):
    read_wav(path)
    folder = ClassFolder(path.parent, [path], np.zeros(1, np.int32), ["a", "b"])
    load_recordings(folder, rate=16_000, channels=1)


def _tokenizer(path):
    if "boxes" in path.name:
        return
    kind = WordPiece if "pieces" in path.name else Tokenizer
    tokenizer = kind.load(path)
    tokenizer.decode(tokenizer.encode(["a cat sat"]).ids[0])


def _weights(path):
    for array in read_weights(path).values():
        np.isfinite(array.astype(np.float32)).all()


def _arrays(path):
    words = {"expected": "features of validation examples", "fix": "train again"}
    read_arrays(path, ("features", "truth", "names"), **words, error=RunError)


READERS = {
    "csv": (_table, _labeled, _classes, _boxes, recognize),
    "tsv": (_table, _labeled, recognize),
    **dict.fromkeys(("arff", "jsonl", "zip", "bz2", "xz", "xlsx"), (_table, recognize)),
    "ts": (_labeled, recognize),
    "txt": (read_text, _labeled, _vocabulary, _boxes, recognize),
    "parquet": (_table, _stream, recognize),
    **dict.fromkeys(IMAGES, (_image,)),
    "nii": (_volume,),
    "wav": (_sound,),
    "idx": (read_idx,),
    "npz": (_arrays,),
    "json": (_tokenizer, _boxes),
    **dict.fromkeys(("xml", "yaml"), (_boxes,)),
    **dict.fromkeys(("safetensors", "pth", "pt"), (_weights,)),
}


def outcome_of(path: Path) -> tuple[str, str]:
    """("value", ""), ("error", message), or ("fault", what is wrong)."""
    try:
        read_all(path)
    except CutawayError as error:
        text = str(error)
        if path.name not in text:
            return "fault", f"does not name the file: {text}"
        if "does not fit in memory" in text:
            return "fault", f"memory was asked for: {text}"
        return "error", text
    except BaseException as error:
        return "fault", f"{type(error).__name__}: {error}"
    return "value", ""


def drawn(samples: list[Path], seed: int, number: int) -> tuple[str, str, bytes]:
    """(name of the file, damage, content) of one draw."""
    rnd = random.Random(f"{seed}/{number}")
    sample = rnd.choice(samples)
    name, content = sample.name, sample.read_bytes()
    how, content = damaged(rnd, content)
    if rnd.random() < 0.06:
        other = rnd.choice(samples)
        how, name = f"{how}, as {other.name}", other.name
    return name, how, content


def main(folder: str, seed: str, first: str, count: str) -> None:
    warnings.simplefilter("ignore")
    samples = sorted((Path(folder) / "samples").iterdir())
    (Path(folder) / "drawn").mkdir(exist_ok=True)
    for sample in samples:
        if outcome_of(sample)[0] != "value":
            raise SystemExit(f"the sound sample {sample.name}: {outcome_of(sample)}")
    run_draws(_draws(Path(folder), samples, int(seed), int(first), int(count)))


def _draws(folder, samples, seed, first, count):
    for number in range(first, first + count):
        name, how, content = drawn(samples, seed, number)
        path = folder / "drawn" / name
        path.write_bytes(content)
        yield (
            f"draw {number} of seed {seed}, {name}, {how}",
            path.suffix,
            functools.partial(outcome_of, path),
        )


if __name__ == "__main__":
    main(*sys.argv[1:])
