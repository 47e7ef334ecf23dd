"""The distance of made pictures from real ones, in the features of a pretrained network."""

import numpy as np

from cutaway.engine import no_grad
from cutaway.metrics import DiagonalFrechet
from cutaway.models.pretrained import load_backbone, pretrained_backbone
from cutaway.nn.lifting import jit

MAPS = {"efficientnet-lite0": "stage5"}  # the map at 1/16 of the picture


class FeatureDistance:
    """Diagonal Fréchet distance of two sets of pictures, of a pretrained network's features.

    The features of all positions of a map count, each position by itself: the distance is small if
    the made pictures have the same textures and parts as the real ones, wherever they are.

    Args:
        source: the pretrained network, see models.PRETRAINED_BACKBONES.
        stage: whose map is read; None: of EfficientNet-Lite0 stage5 (1/16, 112 channels), of
            others the last but one.

    Raises:
        RunError: the weights are not available.

    Example:
        distance = FeatureDistance()
        distance.collect(real, made)  # (rows, height, width, 3), 0 to 255
        distance.result()
    """

    def __init__(self, source: str = "efficientnet-lite0", stage: str | None = None):
        backbone = load_backbone(source, "images").eval()
        scale = pretrained_backbone(source, "images")[0].first_layer()
        stage = stage or MAPS.get(source.partition(":")[0]) or backbone.stages[-2]
        backbone.stages_before(stage)  # an error if there is none
        self.stage = stage

        @no_grad()
        def features(x):
            return backbone.maps(x if scale is None else scale(x))[stage]

        owners = [backbone, *([] if scale is None else [scale])]
        self._features = jit(features, *owners, donate=False)
        self._distance = DiagonalFrechet()

    def collect(self, real, made) -> None:
        """Add real and made pictures, (rows, height, width, 3) with pixels from 0 to 255."""
        self._distance.collect(*(self.features(pictures) for pictures in (real, made)))

    def features(self, pictures) -> np.ndarray:
        """(rows, height / 16, width / 16, channels)."""
        return self._features(np.asarray(pictures, np.float32)).numpy()

    def result(self) -> float:
        """The distance of all that was collected."""
        return self._distance.result()
