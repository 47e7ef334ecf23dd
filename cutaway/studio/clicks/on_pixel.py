"""A click on a pixel of a feature map: the window it was computed from."""

from cutaway.errors import OptionError
from cutaway.studio.clicks.contract import Click
from cutaway.studio.lit_weights import weights_of_sum
from cutaway.studio.stories import told


class PixelClick(Click):
    """The window of a convolution with its numbers; of another layer the forward pass."""

    what = "pixel"

    def tell(self, clicked):
        layer = clicked.why.trace.modules.get(clicked.path)
        forward = clicked.why.forward(clicked.path, clicked.index)  # raises for what is not there
        if layer is None or layer.layer_kind != "convolution":
            return told(f"{forward.name} of layer {forward.layer}", forward)
        try:
            window = clicked.why.window(clicked.path, clicked.index)
        except OptionError:  # a transposed one, or one of volumes
            return told(f"{forward.name} of layer {forward.layer}", forward)
        lit = weights_of_sum(clicked.why, clicked.path, clicked.index)
        return told(f"{window.name}: a window of layer {clicked.path}", window, lit=lit)
