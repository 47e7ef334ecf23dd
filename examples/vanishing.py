"""The gradient vanishes in ten sigmoid layers, but not with ReLU and He initialization.

    python examples/vanishing.py [--html PAGE]

Each sigmoid multiplies the gradient by a slope of at most 1/4, so ten of them leave less than a
millionth. Both untrained networks are explained for the same row.
"""

import argparse

import numpy as np

import cutaway as ct
from cutaway.nn import init
from cutaway.story import write_page

LAYERS, WIDTH = 10, 32


def deep(activation, weights):
    """Ten dense layers; the last has a sigmoid, for a probability."""
    layers = []
    for _ in range(LAYERS - 1):
        layers += [ct.Linear(WIDTH, WIDTH, init=weights), activation()]
    return ct.Sequential(*layers, ct.Linear(WIDTH, 1), ct.Sigmoid())


def main(html=None):
    """The explanations of both networks."""
    x = np.random.default_rng(0).normal(size=WIDTH)
    found = []
    for activation, weights in ((ct.Sigmoid, init.glorot_uniform), (ct.ReLU, init.he_normal)):
        ct.seed(0)
        net = deep(activation, weights)
        found.append(ct.explain(net, x, 1.0, loss=ct.losses.binary_cross_entropy))
    sigmoid, relu = found
    print(sigmoid.flow().beside(relu.flow(), ("sigmoid, Glorot", "ReLU, He")))
    print()
    print(sigmoid.gradient("0.weight", (0, 0), top=1))
    if html is not None:
        stories = [
            ("Sigmoid, layer by layer", sigmoid.flow()),
            ("ReLU and He, layer by layer", relu.flow()),
            ("One weight of the first layer, sigmoid", sigmoid.gradient("0.weight", (0, 0), top=1)),
            ("The same with ReLU and He", relu.gradient("0.weight", (0, 0), top=1)),
        ]
        write_page(html, "Vanishing gradients", stories)
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--html")
    main(**vars(parser.parse_args()))
