"""read_weights: the tensors of a weights file: PyTorch, safetensors or TensorFlow Lite."""

import numpy as np

from cutaway.errors import RunError, did_you_mean, expect_path
from cutaway.weights.files import OWN, OwnWeights, read_bytes, read_safetensors, stated_format
from cutaway.weights.hub import local_file
from cutaway.weights.pth import read_pth
from cutaway.weights.tflite import IDENTIFIER, named_weights, read_tflite

# keys under which training checkpoints store the weights, in order of preference
_KEYS = ("state_dict", "model_state_dict", "model", "net", "network", "params", "weights", "module")


def read_weights(path, *, key: str | None = None) -> dict:
    """{name: array} of a weights file; nothing in the file is executed.

    Args:
        path: .pth, .pt, .th, .bin (PyTorch), .safetensors or .tflite; detected by content. Of a
            .tflite the kernels and biases of convolutions are read, in our layout. Or an address
            of the Hub, hf://org/name[@revision][/file].
        key: key of the weights in a checkpoint with several sets; None: the usual keys are tried.

    Returns:
        of a file that Cutaway wrote, OwnWeights, which `load_into` does not convert.

    Raises:
        RunError: a missing or corrupted file, or one that contains more than tensors and plain
            values, or no tensors.

    Example:
        >>> import cutaway as ct
        >>> ct.read_weights("resnet18-f37072fd.pth")["fc.weight"].shape          # doctest: +SKIP
        (1000, 512)
    """
    expect_path(path, what="read_weights: path")
    path = local_file(path)
    content = read_bytes(path)
    if _is_safetensors(content, path):
        found = read_safetensors(content, path)
        return OwnWeights(found) if stated_format(content) == OWN else found
    if content[4:8] == IDENTIFIER:
        return named_weights(read_tflite(content, path))
    return _tensors_of(read_pth(content, path), path, key)


def _is_safetensors(content, path) -> bool:
    # its header is JSON, after eight bytes of length
    return content[8:9] == b"{" or path.suffix == ".safetensors"


def _tensors_of(found, path, key):
    if not isinstance(found, dict):
        raise RunError(
            f"{path} contains a {type(found).__name__}, not named tensors",
            expected="a state_dict: names and tensors",
            fix="save it with torch.save(model.state_dict(), path)",
        )
    sets = {name: value for name, value in found.items() if _named_tensors(value)}
    if key is not None:
        if key not in sets:
            raise RunError(
                f"{path} has no weights under {key!r}",
                expected="a key with named tensors",
                fix=did_you_mean(key, sets or found),
            )
        return _named_tensors(sets[key])
    own = _named_tensors(found)
    if own:
        return own
    for name in _KEYS:
        if name in sets:
            return _named_tensors(sets[name])
    if len(sets) == 1:
        return _named_tensors(next(iter(sets.values())))
    keys = ", ".join(map(str, list(found)[:8])) or "nothing"
    raise RunError(
        f"{path} contains {keys}; it is unclear which of these are the weights",
        expected=f"named tensors, or a checkpoint with them under one of {', '.join(_KEYS)}",
        fix=f"read_weights(path, key={next(iter(sets))!r})" if sets else None,
    )


def _named_tensors(value) -> dict:
    """The tensors of a dict, without its plain values; {} if there are none."""
    if not isinstance(value, dict):
        return {}
    return {
        name: array
        for name, array in value.items()
        if isinstance(array, np.ndarray) and isinstance(name, str)
    }
