"""Where a network looked: Grad-CAM over a few held-out images."""

import base64
import io
from html import escape

import numpy as np

from cutaway.explain import grad_cam

SHOWN = 4


def saliency_section(net, x, truth, outputs, run) -> str:
    """HTML: images that are most wrong and most right, and what spoke for the prediction.

    Args:
        x: (rows, height, width, channels) uint8.
        truth: (rows,) numbers of classes.
        outputs: (rows, classes) probabilities.
    """
    chance = outputs[np.arange(len(truth)), truth]
    order = np.argsort(chance, kind="stable")
    half = SHOWN // 2
    chosen = list(dict.fromkeys([*order[:half], *order[::-1][:half]]))
    classes = run.preprocessing.classes
    figures = []
    for k in chosen:
        guess = int(outputs[k].argmax())
        found = grad_cam(net, x[k].astype(np.float32), target=guess)
        told = f"{classes[guess]}, {outputs[k][guess]:.1%}"
        if guess != truth[k]:
            told += f" (in truth {classes[truth[k]]})"
        figures.append(
            f'<figure style="display:inline-block;margin:0 1em 1em 0">{heat_image(x[k], found)}'
            f"<figcaption>{escape(told)}</figcaption></figure>"
        )
    return (
        "<p>Bright is where the last convolution found what speaks for the prediction "
        f"(Grad-CAM). The {half} that it got most wrong, and {half} of which it was surest.</p>"
        + "".join(figures)
    )


def heat_image(pixels, found) -> str:
    """The image darkened where nothing spoke for the output, as an element."""
    from PIL import Image

    heat = np.asarray(found.values, np.float64)
    heat = heat / (heat.max() or 1.0)
    shown = np.asarray(pixels, np.float64) * (0.25 + 0.75 * heat[..., None])
    file = io.BytesIO()
    Image.fromarray(shown.astype(np.uint8).squeeze()).save(file, "JPEG", quality=85)
    data = base64.b64encode(file.getvalue()).decode()
    return f'<img alt="where it looked" width="180" src="data:image/jpeg;base64,{data}">'
