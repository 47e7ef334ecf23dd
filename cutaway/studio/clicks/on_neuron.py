"""A click on a neuron, or on any element of a layer's output: how it was computed."""

from cutaway.studio.clicks.contract import Click
from cutaway.studio.lit_weights import weights_of_sum
from cutaway.studio.stories import told


class NeuronClick(Click):
    """The forward pass of one element; the weights of its sum are lit."""

    what = "neuron"

    def tell(self, clicked):
        story = clicked.why.forward(clicked.path, clicked.index)
        lit = weights_of_sum(clicked.why, clicked.path, clicked.index)
        return told(f"{story.name} of layer {story.layer}", story, lit=lit)
