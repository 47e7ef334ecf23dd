"""Images a second: decode, resize, augment and batch JPEG photographs, as a stream gives them.

    python -m benchmarks.images
    python -m benchmarks.images --threads 2 --rounds 5 --transforms flip,crop

Makes 500 photo-like JPEGs of 500x375 in a temporary folder, and reads them at 160x160. Prints the
median and spread of a few rounds, beside plain Pillow calls in as many threads, which decode at
full size; and what each step takes. Four fifths of it is the JPEG decoder.
"""

import argparse
import statistics
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from cutaway.data import (
    ColorJitter,
    Compose,
    ImageStream,
    Normalize,
    RandAugment,
    RandomCrop,
    RandomFlip,
    find_images,
    read_image,
)

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
STEPS = {
    "flip": RandomFlip(),
    "crop": RandomCrop(16),
    "color": ColorJitter(),
    "randaugment": RandAugment(),
    "normalize": Normalize(MEAN, STD),
}


def photograph(rng, width: int, height: int) -> Image.Image:
    """Noise at many scales, the coarse ones strongest, as in photographs: about 30 kB as JPEG."""
    image = np.zeros((height, width, 3), np.float32)
    for scale in (2, 4, 8, 16, 32, 64, 128):
        size = (width // scale + 2, height // scale + 2)
        noise = rng.integers(0, 256, (*size[::-1], 3), dtype=np.uint8)
        layer = Image.fromarray(noise).resize((width, height), Image.Resampling.BICUBIC)
        image += (np.asarray(layer, np.float32) - 128) * (scale / 128) ** 0.8
    return Image.fromarray(np.clip(128 + 0.7 * image, 0, 255).astype(np.uint8))


def make_photographs(root: Path, count: int) -> None:
    rng = np.random.default_rng(0)
    for k in range(count):
        folder = root / f"class{k % 2}"
        folder.mkdir(exist_ok=True)
        photograph(rng, 500, 375).save(folder / f"{k:04}.jpg", quality=90)


def stream_rate(folder, size, transform, threads) -> float:
    stream = ImageStream(folder, size, transform=transform, threads=threads, channels=3)
    start = time.perf_counter()
    rows = sum(len(y) for _, y in stream.blocks(0))
    return rows / (time.perf_counter() - start)


def plain_rate(folder, size, threads) -> float:
    """Pillow at full size, then flip and normalize one image at a time."""
    rng = np.random.default_rng(0)
    mean, std = np.float32(MEAN), np.float32(STD)

    def one(path):
        with Image.open(path) as image:
            image = ImageOps.fit(image.convert("RGB"), size[::-1], Image.Resampling.BILINEAR)
        if rng.random() < 0.5:
            image = ImageOps.mirror(image)
        return (np.asarray(image, np.float32) / 255 - mean) / std

    start = time.perf_counter()
    with ThreadPoolExecutor(threads) as pool:
        images = list(pool.map(one, folder.paths))
    np.stack(images)
    return len(folder) / (time.perf_counter() - start)


def microseconds_each(folder, size, steps) -> dict:
    """What reading and every step takes for an image, in one thread."""
    rng = np.random.default_rng(0)
    start = time.perf_counter()
    batch = np.stack([read_image(path, size) for path in folder.paths[:128]])
    taken = {"decode and resize": (time.perf_counter() - start) / len(batch) * 1e6}
    for name in steps:
        start = time.perf_counter()
        for k in range(0, len(batch), 32):
            STEPS[name](batch[k : k + 32], rng)
        taken[name] = (time.perf_counter() - start) / len(batch) * 1e6
    return taken


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--images", type=int, default=500)
    parser.add_argument("--size", type=int, default=160)
    parser.add_argument("--transforms", default="flip,crop,normalize")
    options = parser.parse_args()
    size = (options.size, options.size)
    names = options.transforms.split(",")
    transform = Compose(*(STEPS[name] for name in names))
    with tempfile.TemporaryDirectory() as root:
        make_photographs(Path(root), options.images)
        folder = find_images(root)["train"]
        kilobytes = statistics.mean(path.stat().st_size for path in folder.paths) / 1000
        print(
            f"{len(folder)} JPEGs of 500x375, {kilobytes:.0f} kB each, to "
            f"{options.size}x{options.size}, {options.threads} threads"
        )
        rates = {"cutaway": [], "plain Pillow": []}
        for _ in range(options.rounds):
            rates["cutaway"].append(stream_rate(folder, size, transform, options.threads))
            rates["plain Pillow"].append(plain_rate(folder, size, options.threads))
        for name, found in rates.items():
            what = ", ".join(names) if name == "cutaway" else "flip, normalize"
            print(
                f"{name}: {statistics.median(found):,.0f} images/s "
                f"({min(found):,.0f} to {max(found):,.0f}); {what}"
            )
        pairs = zip(rates["cutaway"], rates["plain Pillow"], strict=True)
        print(f"ratio: {statistics.median(a / b for a, b in pairs):.2f}")
        for name, taken in microseconds_each(folder, size, list(STEPS)).items():
            print(f"  {name}: {taken:,.0f} µs an image in one thread")


if __name__ == "__main__":
    main()
