"""Names: which tensor of another framework is which of ours."""

import re

import numpy as np

from cutaway.errors import RunError, ShapeError
from cutaway.nn.layers import Standardize
from cutaway.nn.state import Buffer, Stateful, Variable, walk
from cutaway.weights.layout import to_ours

_PART = re.compile(r"(?P<path>.*)\[(?P<index>\d+)/(?P<count>\d+)\]")
_MOST_LISTED = 5


class WeightNames:
    """A table from another framework's names to the paths of a network, and the way through it.

    Args:
        rules: [(pattern, path), ...] or [(pattern, path, layout), ...]. The first pattern that
            matches the whole of a tensor's name holds; in `path`, "\\\\1" stands for its first
            group. A path that ends in
                "[i/n]"  is filled by n tensors, this one's place is i, beside each other along
                         the last axis (queries, keys and values in one matrix);
                "[+]"    is the sum of several (the two biases of a recurrent layer).
            `layout`: function (their array) -> ours, where it does not follow from the layer that
            owns the path (see weights/layout.py). One tensor for several paths: a tuple of paths,
            and one of layouts.
        unused: [(pattern, why), ...], tensors that are known and not wanted.
        prefix: beginnings that are taken off the names, each once, in this order.

    Example:
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
        """[(path, how, layout or None), ...] that their tensor fills; [] not wanted; None unknown.

        how: None; "+", added to others; (i, n), the i-th of n beside each other.
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
            weights: {their name: array}.
            but: beginnings of our paths that keep what they have, like "head".

        Raises:
            RunError: a tensor has no place, or a path gets none, or several.
            ShapeError: a tensor has another shape. The message lists which.
        """
        but = (but,) if isinstance(but, str) else tuple(but)
        owners, variables = _owners(net)
        pieces, strange, skipped = {}, [], set()
        for name, array in weights.items():
            targets = self.targets(name)
            if targets is None:
                strange.append(f"{name} {np.shape(array)}")
                continue
            for path, how, layout in targets:
                if begins(path, but):
                    skipped.add(path)
                elif path not in variables:
                    strange.append(f"{name} {np.shape(array)} (would be {path})")
                else:
                    array = np.asarray(array)
                    leaf = path.rpartition(".")[2]
                    ours = layout(array) if layout else to_ours(array, owners[path], leaf)
                    pieces.setdefault(path, []).append((how, name, ours))
        wanted = [path for path in variables if not begins(path, but)]
        missing = [path for path in wanted if path not in pieces]
        needless = [b for b in but if not any(begins(p, (b,)) for p in [*skipped, *variables])]
        _expect_complete(net, strange, missing, needless)
        out = {path: _joined(path, pieces[path]) for path in wanted}
        _expect_shapes(net, out, variables, pieces)
        return out


def channels_last(channels: int):
    """Layout of a dense layer that reads a flattened map of so many channels.

    PyTorch flattens (channel, height, width), we (height, width, channel), so its inputs stand
    in another order. Height and width must be equal.
    """

    def layout(weight):
        if weight.ndim != 2:
            return weight  # its shape is named where shapes are compared
        out_features, in_features = weight.shape
        side = round((in_features / channels) ** 0.5)
        if side * side * channels != in_features:
            return weight.T
        split = weight.reshape(out_features, channels, side, side)
        return split.transpose(2, 3, 1, 0).reshape(in_features, out_features)

    return layout


def recurrent(theirs: str, ours: str, *, gru: bool = False) -> list:
    """Rules for an RNN or LSTM layer, or a GRU: `theirs` (a pattern) and `ours` are its paths.

    PyTorch has two biases everywhere. Here they are one, but for a GRU's candidate, where the
    second stands inside the reset gate.

    Example:
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
    """Whether `path` is one of the prefixes or stands below it."""
    return any(path == p or path.startswith(f"{p}.") for p in prefixes)


def _owners(net):
    """({path: the object that owns it}, {path: Variable}) of what weights can fill."""
    owners, variables, objects = {}, {}, {}
    for path, value in walk(net):
        if isinstance(value, Stateful):
            objects[path] = value
        elif isinstance(value, Variable):
            owner = objects.get(path.rpartition(".")[0])
            if not _is_ours_alone(value, owner):
                owners[path], variables[path] = owner, value
    return owners, variables


def _is_ours_alone(variable, owner) -> bool:
    """Random keys, and what inputs are standardized with: no framework's files have them."""
    if not isinstance(variable, Buffer):
        return False
    return isinstance(owner, Standardize) or variable.dtype == np.uint32


def _targets(path, layout=None) -> list:
    """A rule's paths, each with its layout."""
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
    """The one array of a path, of all tensors that fill it."""
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
        expected="one tensor for each path, or all parts of one, in shapes that fit each other",
        fix="check that the weights are of this architecture",
    )


def _place(piece) -> int:
    how = piece[0]
    return how[0] if isinstance(how, tuple) else 0


def _expect_complete(net, strange, missing, needless):
    parts = [
        f"{word} {_listed(names)}"
        for word, names in (("no place for", strange), ("nothing for", missing))
        if names
    ]
    if parts:
        raise RunError(
            f"these weights are not those of this {type(net).__name__}: {'; '.join(parts)}",
            expected="each tensor in its place, and each path of the network filled",
            fix="build the network as the weights were trained; for another last layer, name "
            'what is to stay as it is, but=("head",)',
        )
    if needless:
        raise RunError(
            f"{', '.join(needless)} is to be left out, but neither side has it",
            expected=f"beginnings of paths, such as {_listed(sorted(_tops(net)))}",
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
            f"these weights do not fit this {type(net).__name__}: {_listed(wrong, '; ')}",
            expected="each in its path's shape (in our layout: features last)",
            fix="build the network with the sizes that the weights were trained with; for another "
            'number of classes, leave the last layer out, but=("head",)',
        )


def _tops(net):
    return {path.split(".")[0] for path in net.named_parameters()}


def _listed(names, between=", ") -> str:
    shown = between.join(map(str, names[:_MOST_LISTED]))
    rest = len(names) - _MOST_LISTED
    return f"{shown} and {rest} more" if rest > 0 else shown


# a network of ours that has PyTorch's own names, layer by layer
PYTORCH = WeightNames(
    [(r"(.*)", r"\1")], unused=[(r"(.*\.)?num_batches_tracked", "counts batches")]
)
