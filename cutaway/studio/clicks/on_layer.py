"""A click on a layer of neurons: its arithmetic in matrix form."""

from cutaway.studio.clicks.contract import Click
from cutaway.studio.stories import told


class LayerClick(Click):
    """z = Wᵀ x + b and O = act(z), with numbers."""

    what = "layer"

    def tell(self, clicked):
        return told(f"Layer {clicked.path} in matrix form", clicked.why.layer(clicked.path))
