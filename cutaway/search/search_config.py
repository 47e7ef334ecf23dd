"""What tells one search from another: its data, its options and the hyperparameters it draws."""

import dataclasses
import hashlib
import json

import numpy as np

FORMAT = 2  # 1 had no checksums of trials


def config_of(base, asked: dict, space: dict) -> dict:
    """What is searched, as JSON values.

    Args:
        base: Experiment with the default options.
        asked: {option: value} that the caller has fixed.
        space: {hyperparameter: Choice, Real or Integer}.
    """
    config = {
        "format": FORMAT,
        "kind": base.kind,
        "data": base.source,
        "rows": _fingerprint(base),
        "asked": asked,
        "space": {name: dataclasses.asdict(one) for name, one in space.items()},
    }
    return json.loads(json.dumps(config))


def differences(before: dict, now: dict) -> str:
    """What differs between two of them, in words; "" if nothing does.

    Example:
        >>> from cutaway.search.search_config import differences
        >>> differences({"asked": {"epochs": 5}}, {"asked": {"epochs": 6, "lr": 0.1}})
        'epochs (5 there, 6 here), lr (not given there, 0.1 here)'
    """
    words = []
    for name in dict.fromkeys([*now, *before]):
        there, value = before.get(name), now.get(name)
        if there == value:
            continue
        if name == "asked" and isinstance(there, dict) and isinstance(value, dict):
            options = dict.fromkeys([*there, *value])
            words += [
                f"{option} ({_told(there, option)} there, {_told(value, option)} here)"
                for option in options
                if there.get(option) != value.get(option)
            ]
        else:
            words.append(_NAMES.get(name, name))
    return ", ".join(words)


_NAMES = {
    "rows": "the encoded rows",
    "space": "the hyperparameters",
    "data": "the source of the data",
    "kind": "the kind of the data",
    "format": "the version of Cutaway",
    "asked": "the options",
}


def _told(options: dict, name: str) -> str:
    value = options.get(name)
    return "not given" if value is None else str(value)


def _fingerprint(base) -> str:
    """Hash of the encoded rows: a frame has no name, and a file may have been edited."""
    digest = hashlib.sha256()
    for array in (base.x, base.y):
        if isinstance(array, np.ndarray) and array.dtype != object:
            digest.update(np.ascontiguousarray(array).tobytes())
        else:  # images that are decoded on the fly
            digest.update(str(len(array)).encode())
    return digest.hexdigest()[:16]
