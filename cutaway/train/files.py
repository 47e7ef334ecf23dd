"""Weights as safetensors."""

from pathlib import Path

from cutaway.errors import RunError
from cutaway.files import write_atomically


def save_weights(net, path) -> None:
    """Write net.state_dict() to `path` as safetensors, whole or not at all."""
    from safetensors.numpy import save

    write_atomically(path, save(net.state_dict(), metadata={"format": "cutaway"}))


def load_weights(net, path) -> None:
    """Give `net` the weights in the safetensors file `path`.

    Raises:
        RunError: no such file, a damaged one, or weights of another architecture.
        ShapeError: weights of another size. In every case `net` is unchanged.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    path = Path(path)
    try:
        state = load(path.read_bytes())
    except OSError as error:
        raise RunError(
            f"{path} cannot be read: {error.strerror or error}",
            expected="a file of weights, as `save_weights` or `cutaway train` writes it",
        ) from error
    except SafetensorError as error:
        raise RunError(
            f"{path} is damaged ({error})",
            expected="a whole safetensors file",
            mend="train again, or take the file from a backup",
        ) from error
    net.load_state_dict(state)
