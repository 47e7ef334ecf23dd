"""A child process that reads damaged files one after another, and says what came of each.

    python -m tests.hostile.batch FOLDER SEED FIRST COUNT

FOLDER holds the samples. Memory is limited to 2 GiB above what the process takes with everything
loaded; a draw of more than 10 seconds ends it.
"""

import collections
import faulthandler
import json
import random
import re
import resource
import sys
import time
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
from cutaway.data.class_names import read_class_names
from cutaway.data.decode import image_header
from cutaway.data.mask_values import find_coding
from cutaway.data.preprocessing import TablePreprocessing
from cutaway.data.raw_masks import read_raw_mask, values_of
from cutaway.errors import CutawayError, DataError, RunError
from cutaway.files.arrays import read_arrays
from cutaway.runs import recognize
from cutaway.weights import read_weights
from tests.hostile.damage import damaged

SECONDS = 10
MEMORY_BYTES = 2 * 2**30
IMAGES = ("jpg", "png", "gif", "bmp", "tiff", "tif", "webp", "ppm", "pgm")


def _peak_bytes() -> int:
    """The most memory that this process has taken; ru_maxrss includes that of its parent."""
    status = Path("/proc/self/status").read_text()
    return 1024 * int(re.search(r"VmHWM:\s+(\d+) kB", status)[1])


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


def _sound(path):
    read_wav(path)
    folder = ClassFolder(path.parent, [path], np.zeros(1, np.int32), ["a", "b"])
    load_recordings(folder, rate=16_000, channels=1)


def _tokenizer(path):
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
    "csv": (_table, _labeled, _classes, recognize),
    "tsv": (_table, _labeled, recognize),
    "txt": (read_text, _labeled, _vocabulary, recognize),
    "parquet": (_table, _stream, recognize),
    **dict.fromkeys(IMAGES, (_image,)),
    "nii": (_volume,),
    "wav": (_sound,),
    "idx": (read_idx,),
    "npz": (_arrays,),
    "json": (_tokenizer,),
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
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    most = pages * resource.getpagesize() + MEMORY_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    before = _peak_bytes()
    counts, faults, slowest = collections.Counter(), [], (0.0, "")
    for number in range(int(first), int(first) + int(count)):
        name, how, content = drawn(samples, int(seed), number)
        path = Path(folder) / "drawn" / name
        path.write_bytes(content)
        print(f"{number} {name} {how}", flush=True)  # the last one, if the process ends here
        faulthandler.dump_traceback_later(SECONDS, exit=True)
        began = time.perf_counter()
        kind, text = outcome_of(path)
        seconds = time.perf_counter() - began
        faulthandler.cancel_dump_traceback_later()
        slowest = max(slowest, (seconds, f"{number} {name} {how}"))
        counts[path.suffix, kind] += 1
        if kind == "fault":
            faults.append(f"draw {number} of seed {seed}, {name}, {how}: {text[:500]}")
        else:
            path.unlink()
    peak = _peak_bytes()
    print(
        json.dumps(
            {
                "counts": {" ".join(key): count for key, count in sorted(counts.items())},
                "faults": faults,
                "slowest": slowest,
                "peak_bytes": peak,
                "loaded_bytes": before,
            }
        )
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
