"""Saliency: Grad-CAM on a few validation images."""

import base64
import io
from html import escape

import numpy as np

from cutaway.explain import grad_cam

SHOWN = 4
FIGURE = "display:inline-block;vertical-align:top;width:180px;margin:0 1em 1em 0"


def saliency_section(net, x, truth, outputs, run) -> str:
    """HTML: the images with the largest and smallest errors, with their saliency maps.

    Args:
        x: (rows, height, width, channels) uint8.
        truth: (rows,) class numbers.
        outputs: (rows, classes) probabilities.
    """
    probability = outputs[np.arange(len(truth)), truth]
    order = np.argsort(probability, kind="stable")
    half = SHOWN // 2
    chosen = list(dict.fromkeys([*order[:half], *order[::-1][:half]]))
    classes = run.preprocessing.classes
    figures = []
    for k in chosen:
        guess = int(outputs[k].argmax())
        found = grad_cam(net, x[k].astype(np.float32), target=guess)
        caption = f"{classes[guess]}, {outputs[k][guess]:.1%}"
        if guess != truth[k]:
            caption += f" (true class: {classes[truth[k]]})"
        figures.append(
            f'<figure style="{FIGURE}">{heat_image(x[k], found)}'
            f'<figcaption class="soft">{escape(caption)}</figcaption></figure>'
        )
    return (
        '<p class="soft">Grad-CAM: where an image is bright, the last convolution finds what '
        "speaks for the prediction; where it is dark, nothing. Shown are the images with the "
        "lowest and those with the highest probability of the true class.</p>" + "".join(figures)
    )


def heat_image(pixels, found) -> str:
    """The image, darkened where saliency is low, as an img element."""
    from PIL import Image

    heat = np.asarray(found.values, np.float64)
    heat = heat / (heat.max() or 1.0)
    shown = np.asarray(pixels, np.float64) * (0.25 + 0.75 * heat[..., None])
    file = io.BytesIO()
    Image.fromarray(shown.astype(np.uint8).squeeze()).save(file, "JPEG", quality=85)
    data = base64.b64encode(file.getvalue()).decode()
    return f'<img alt="saliency map" width="180" src="data:image/jpeg;base64,{data}">'
