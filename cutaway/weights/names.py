"""Mapping of another framework's tensor names to the paths of a network."""

import re

import numpy as np

from cutaway.errors import RunError, ShapeError
from cutaway.nn.layers import Standardize
from cutaway.nn.state import Buffer, Stateful, Variable, named_variables, walk
from cutaway.weights.files import OwnWeights
from cutaway.weights.layout import to_ours

_PART = re.compile(r"(?P<path>.*)\[(?P<index>\d+)/(?P<count>\d+)\]")
_MOST_LISTED = 5


class WeightNames:
    """A table from another framework's names to the paths of a network.

    Args:
        rules: [(pattern, path), ...] or [(pattern, path, layout), ...]. The first pattern that
            matches a tensor's full name applies; in `path`, "\\\\1" is its first group. A path
            that ends in
                "[i/n]"  is filled by n tensors, this one at position i, concatenated along the
                         last axis (queries, keys and values in one matrix);
                "[+]"    is the sum of several (the two biases of a recurrent layer).
            `layout`: function (source array) -> our array, where it does not follow from the
            layer that owns the path (see weights/layout.py). For one tensor with several paths: a
            tuple of paths, and a tuple of layouts.
        unused: [(pattern, reason), ...], tensors that are ignored.
        prefix: prefixes removed from the names, each once, in this order.

    Example:
        >>> import numpy as np
        >>> from cutaway.weights import WeightNames
        >>> from cutaway.nn import Linear, Sequential
        >>> names = WeightNames([(r"dense(\\d)\\.(weight|bias)", r"\\1.\\2")])
        >>> theirs = {"dense0.weight": np.ones((4, 3)), "dense0.bias": np.zeros(4)}
        >>> names.translate(theirs, Sequential(Linear(3, 4)))["0.weight"].shape
        (3, 4)
    """

    def __init__(self, rules, unused=(), prefix=("module.",)):
        self.rules = [(re.compile(p), _targets(path, *layout)) for p, path, *layout in rules]
        self.unused = [(re.compile(p), why) for p, why in unused]
        self.prefix = tuple(prefix)

    def targets(self, name: str) -> list | None:
        """[(path, how, layout or None), ...] filled by a tensor; []: ignored; None: unknown.

        how: None; "+", added to others; (i, n), the i-th of n concatenated.
        """
        for prefix in self.prefix:
            name = name.removeprefix(prefix)
        if any(pattern.fullmatch(name) for pattern, _ in self.unused):
            return []
        for pattern, targets in self.rules:
            match = pattern.fullmatch(name)
            if match:
                return [(*_parts(match.expand(path)), layout) for path, layout in targets]
        return None

    def translate(self, weights: dict, net, *, but=()) -> dict:
        """{our path: array in our layout} for all parameters and running statistics of `net`.

        Args:
            weights: {source name: array}; OwnWeights keep their names and layout.
            but: prefixes of our paths to leave unchanged, like "head".

        Raises:
            RunError: a tensor without a path, or a path with no tensor or several.
            ShapeError: tensors of other shapes. The message lists them.
        """
        but = (but,) if isinstance(but, str) else tuple(but)
        if isinstance(weights, OwnWeights):
            return _unchanged(weights, net, but)
        owners, variables = _owners(net)
        pieces, unexpected, skipped = {}, [], set()
        for name, array in weights.items():
            targets = self.targets(name)
            if targets is None:
                unexpected.append(f"{name} {np.shape(array)}")
                continue
            for path, how, layout in targets:
                if begins(path, but):
                    skipped.add(path)
                elif path not in variables:
                    unexpected.append(f"{name} {np.shape(array)} (would be {path})")
                else:
                    array = np.asarray(array)
                    leaf = path.rpartition(".")[2]
                    ours = layout(array) if layout else to_ours(array, owners[path], leaf)
                    pieces.setdefault(path, []).append((how, name, ours))
        wanted = [path for path in variables if not begins(path, but)]
        missing = [path for path in wanted if path not in pieces]
        unmatched = [b for b in but if not any(begins(p, (b,)) for p in [*skipped, *variables])]
        _expect_complete(net, unexpected, missing, unmatched)
        out = {path: _joined(path, pieces[path]) for path in wanted}
        _expect_shapes(net, out, variables, pieces)
        return out


def _unchanged(weights, net, but) -> dict:
    """`translate` for weights whose names and layout are those of the network."""
    variables = named_variables(net)
    unexpected = [f"{name} {array.shape}" for name, array in sorted(weights.items())
                  if name not in variables and not begins(name, but)]  # fmt: skip
    wanted = [path for path in variables if not begins(path, but)]
    missing = [path for path in wanted if path not in weights]
    unmatched = [b for b in but if not any(begins(p, (b,)) for p in [*weights, *variables])]
    _expect_complete(net, unexpected, missing, unmatched)
    out = {path: weights[path] for path in wanted}
    _expect_shapes(net, out, variables, {path: [(None, path, out[path])] for path in out})
    return out


def channels_last(channels: int):
    """Layout of a dense layer that reads a flattened map with this number of channels.

    PyTorch flattens (channel, height, width), we flatten (height, width, channel), so the order
    of the inputs differs. Height and width must be equal.
    """

    def layout(weight):
        if weight.ndim != 2:
            return weight  # the shape check reports it
        out_features, in_features = weight.shape
        side = round((in_features / channels) ** 0.5)
        if side * side * channels != in_features:
            return weight.T
        split = weight.reshape(out_features, channels, side, side)
        return split.transpose(2, 3, 1, 0).reshape(in_features, out_features)

    return layout


def recurrent(theirs: str, ours: str, *, gru: bool = False) -> list:
    """Rules for an RNN, LSTM or GRU layer: `theirs` (a pattern) and `ours` are its paths.

    PyTorch always has two biases. Here they are summed into one, except for a GRU's candidate,
    where the second is inside the reset gate.

    Example:
        >>> from cutaway.weights import recurrent
        >>> len(recurrent("encoder.rnn", "lstm"))
        8
    """
    rules = []
    for suffix, layers in (("_reverse", "reversed_layers"), ("", "layers")):
        own = rf"{ours}.{layers}.\1"
        for kind, path in (("weight_ih", "weight"), ("weight_hh", "hidden_weight")):
            rules.append((rf"{theirs}\.{kind}_l(\d+){suffix}", f"{own}.{path}"))
        rules.append((rf"{theirs}\.bias_ih_l(\d+){suffix}", f"{own}.bias[+]"))
        second = rf"{theirs}\.bias_hh_l(\d+){suffix}"
        if gru:
            both = (f"{own}.bias[+]", f"{own}.hidden_bias")
            rules.append((second, both, (_without_candidate, _candidate)))
        else:
            rules.append((second, f"{own}.bias[+]"))
    return rules


def _candidate(bias):
    return bias[2 * len(bias) // 3 :]


def _without_candidate(bias):
    return np.where(np.arange(len(bias)) < 2 * len(bias) // 3, bias, np.zeros_like(bias))


def begins(path: str, prefixes) -> bool:
    """Whether `path` is one of the prefixes or lies below it."""
    return any(path == p or path.startswith(f"{p}.") for p in prefixes)


def _owners(net):
    """({path: owning object}, {path: Variable}) of all variables that weights can fill."""
    owners, variables, objects = {}, {}, {}
    for path, value in walk(net):
        if isinstance(value, Stateful):
            objects[path] = value
        elif isinstance(value, Variable):
            owner = objects.get(path.rpartition(".")[0])
            if not _is_internal(value, owner):
                owners[path], variables[path] = owner, value
    return owners, variables


def _is_internal(variable, owner) -> bool:
    """Random keys and input standardization, which weights of other frameworks do not contain."""
    if not isinstance(variable, Buffer):
        return False
    return isinstance(owner, Standardize) or variable.dtype == np.uint32


def _targets(path, layout=None) -> list:
    """The paths of a rule, each with its layout."""
    if isinstance(path, str):
        return [(path, layout)]
    return list(zip(path, layout or [None] * len(path), strict=True))


def _parts(target: str):
    if target.endswith("[+]"):
        return target[:-3], "+"
    match = _PART.fullmatch(target)
    if match:
        return match["path"], (int(match["index"]), int(match["count"]))
    return target, None


def _joined(path, pieces):
    """The array of a path, combined from all tensors that fill it."""
    pieces = sorted(pieces, key=_place)
    hows = [how for how, _, _ in pieces]
    arrays = [array for _, _, array in pieces]
    if hows == [None]:
        return arrays[0]
    shapes = {array.shape for array in arrays}
    if set(hows) == {"+"} and len(shapes) == 1:
        return sum(arrays)
    are_all_parts = isinstance(hows[0], tuple) and hows == [
        (i, len(hows)) for i in range(len(hows))
    ]
    if are_all_parts and len({shape[:-1] for shape in shapes}) == 1:
        return np.concatenate(arrays, axis=-1)
    listed = ", ".join(f"{name} {array.shape}" for _, name, array in pieces)
    raise RunError(
        f"{path} would be filled by {listed}",
        expected="one tensor per path, or all parts of one with matching shapes",
        fix="check that the weights belong to this architecture",
    )


def _place(piece) -> int:
    how = piece[0]
    return how[0] if isinstance(how, tuple) else 0


def _expect_complete(net, unexpected, missing, unmatched):
    parts = [
        f"{word} {_listed(names)}"
        for word, names in (("unexpected", unexpected), ("missing", missing))
        if names
    ]
    if parts:
        raise RunError(
            f"these weights do not match this {type(net).__name__}: {'; '.join(parts)}",
            expected="one tensor for each path of the network, and no others",
            fix="build the network that the weights were trained with; to keep another last "
            'layer, pass but=("head",)',
        )
    if unmatched:
        raise RunError(
            f"but={', '.join(unmatched)} matches neither the network nor the weights",
            expected=f"prefixes of paths, such as {_listed(sorted(_tops(net)))}",
        )


def _expect_shapes(net, out, variables, pieces):
    wrong = [
        f"{', '.join(name for _, name, _ in pieces[path])} gives {path} shape {array.shape}, "
        f"not {variables[path].shape}"
        for path, array in out.items()
        if array.shape != variables[path].shape
    ]
    if wrong:
        raise ShapeError(
            f"shapes do not match this {type(net).__name__}: {_listed(wrong, '; ')}",
            expected="tensors with the shapes of their paths (in our layout: features last)",
            fix="build the network with the sizes that the weights were trained with; for another "
            'number of classes, skip the last layer: but=("head",)',
        )


def _tops(net):
    return {path.split(".")[0] for path in net.named_parameters()}


def _listed(names, between=", ") -> str:
    shown = between.join(map(str, names[:_MOST_LISTED]))
    rest = len(names) - _MOST_LISTED
    return f"{shown} and {rest} more" if rest > 0 else shown


# for a network with the same paths as in PyTorch
PYTORCH = WeightNames(
    [(r"(.*)", r"\1")], unused=[(r"(.*\.)?num_batches_tracked", "counts batches")]
)
