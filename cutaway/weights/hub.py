"""Weights on the Hub of Hugging Face: hf://org/name[@revision][/file]; nothing there is executed.

Only safetensors files are taken, unless "#any" behind the address says otherwise. A revision is a
branch, a tag or a commit; where the weights of a run are named, it is the commit. Files come into
the cache of huggingface_hub, which HF_HOME moves; with HF_HUB_OFFLINE=1 they are only read there.
"""

import contextlib
import dataclasses
import functools
import re
import urllib.parse
from pathlib import Path
from typing import TypeGuard

import cutaway
from cutaway.errors import OptionError, RunError, install_extra

HUB = "hf://"
FILES = ("model.safetensors", "weights.safetensors")  # the second is that of a run
BESIDE = ("tokenizer.json", "vocab.txt")  # fetched with the weights, if they are there
FORM = "hf://org/name, hf://org/name@revision or hf://org/name@revision/file.safetensors"
_ADDRESS = re.compile(
    r"hf://(?P<repo>[\w-][\w.-]*/[\w-][\w.-]*)(@(?P<revision>[^/@#]+))?(/(?P<file>[^#]+))?"
    r"(?P<any>#any)?"
)
_REACHED = "check the address; for a private one log in with `hf auth login`, or set HF_TOKEN"
_COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclasses.dataclass(frozen=True)
class HubAddress:
    """Where a file is on the Hub.

    Attributes:
        repo: "org/name".
        revision: branch, tag or commit; None: main.
        file: path in the repository; None: one of FILES.
        any_format: whether it may be another file than safetensors.
    """

    repo: str
    revision: str | None = None
    file: str | None = None
    any_format: bool = False

    @classmethod
    def parsed(cls, text: str) -> "HubAddress":
        """The address of "hf://org/name@revision/file".

        Raises:
            OptionError: another form, or no safetensors file without "#any".

        Example:
            >>> from cutaway.weights.hub import HubAddress
            >>> HubAddress.parsed("hf://org/name@main/model.safetensors").revision
            'main'
        """
        match = _ADDRESS.fullmatch(text)
        file = match and match["file"]
        if match is None or (file and {"", ".", ".."} & set(file.split("/"))):
            raise OptionError(f"the address {text}", expected=FORM)
        if file and not file.endswith(".safetensors") and not match["any"]:
            raise OptionError(
                f"{text} is no safetensors file",
                expected="a file that ends in .safetensors",
                fix=f"name another file of {match['repo']}, or append #any: nothing in a file is "
                "executed, but such files are made by programs that may",
            )
        revision = match["revision"]
        revision = None if revision is None else urllib.parse.unquote(revision)
        return cls(match["repo"], revision, file, bool(match["any"]))

    @property
    def is_pinned(self) -> bool:
        """Whether it names one file for ever: by its commit."""
        return self.file is not None and bool(_COMMIT.fullmatch(self.revision or ""))

    def __str__(self):
        revision = "" if self.revision is None else f"@{urllib.parse.quote(self.revision, safe='')}"
        file = "" if self.file is None else f"/{self.file}"
        return f"{HUB}{self.repo}{revision}{file}{'#any' * self.any_format}"


def is_on_hub(source) -> TypeGuard[str]:
    """Whether it is an address of the Hub."""
    return isinstance(source, str) and source.startswith(HUB)


def local_file(source) -> Path:
    """The path itself, or that of the file in the cache if it is an address of the Hub.

    Raises:
        OptionError, RunError: see `fetch_from_hub`.
    """
    return fetch_from_hub(source) if is_on_hub(source) else Path(source)


def fetch_from_hub(source: str) -> Path:
    """The file of an address in the local cache, downloaded if necessary.

    Raises:
        OptionError: see HubAddress.parsed.
        RunError: no such repository, revision or file, or one that may not be read; no connection
            and not in the cache; huggingface_hub is not installed.
    """
    return _fetch(HubAddress.parsed(source))[0]


def pinned(source: str) -> str:
    """The address with the commit and the file that it means now; they are downloaded.

    Raises:
        OptionError, RunError: see `fetch_from_hub`.
    """
    address = HubAddress.parsed(source)
    if address.is_pinned:
        return source
    path, file = _fetch(address)
    commit = path.parts[len(path.parts) - len(Path(file).parts) - 1]  # .../snapshots/COMMIT/file
    return str(dataclasses.replace(address, revision=commit, file=file))


def hub_address(source) -> str | None:
    """The address that a text or a path is, "hf:/org/name" too, as pathlib has it; None: none.

    Example:
        >>> from pathlib import Path
        >>> from cutaway.weights.hub import hub_address
        >>> hub_address(Path("hf://org/name@v1")), hub_address("runs/students")
        ('hf://org/name@v1', None)
    """
    text = source.as_posix() if isinstance(source, Path) else str(source)
    match = re.match("hf:/+", text)
    return None if match is None else HUB + text[match.end() :]


def fetch_files(source: str, needed: tuple[str, ...], wanted: tuple[str, ...]) -> Path:
    """The folder in the cache with these files of one commit; others are not downloaded.

    Args:
        source: "hf://org/name" or "hf://org/name@revision".
        needed: names of the files; the first decides which commit a revision is.
        wanted: names of files that may be missing.

    Raises:
        OptionError: another form of address.
        RunError: see `fetch_from_hub`.
    """
    address = HubAddress.parsed(source)
    if address.file is not None:
        raise OptionError(
            f"{source} names a file",
            expected="hf://org/name or hf://org/name@revision",
            fix=f"omit /{address.file}",
        )
    package = hub_package()
    download = _downloading(package, address)
    folder, revision = Path(), address.revision
    fix = f"{_REACHED}; weights alone, without {', '.join(needed)}, are for ct.load_weights"
    with _explaining(str(address), "be fetched", fix):
        for name in needed:
            path = Path(download(filename=name, revision=revision))
            folder = path.parent  # .../snapshots/COMMIT
            revision = folder.name
        for name in wanted:
            known = package.try_to_load_from_cache(address.repo, name, revision=revision)
            if known is None:  # neither there nor known to be missing
                with contextlib.suppress(OSError, package.errors.EntryNotFoundError):
                    download(filename=name, revision=revision)
    return folder


def hub_package():
    """The package huggingface_hub.

    Raises:
        RunError: it is not installed.
    """
    try:
        import huggingface_hub
    except ImportError as error:
        raise RunError(
            "addresses hf://... require the package huggingface_hub, which is not installed",
            fix=install_extra("hub"),
        ) from error
    return huggingface_hub


def upload(
    folder: Path, repo: str, *, private: bool | None, revision: str | None, message: str
) -> str:
    """Upload the files of a folder as one commit; the repository is made if there is none.

    Returns:
        the commit, 40 hexadecimal digits.

    Raises:
        OptionError: `repo` is not "org/name".
        RunError: not logged in, not allowed, or no connection.
    """
    if not re.fullmatch(r"[\w-][\w.-]*/[\w-][\w.-]*", repo):
        raise OptionError(f"the repository {repo!r}", expected='"org/name"')
    package = hub_package()
    api = package.HfApi(library_name="cutaway", library_version=cutaway.__version__)
    with _explaining(repo, "be uploaded", "log in with `hf auth login`, or set HF_TOKEN"):
        api.create_repo(repo, private=private, exist_ok=True)
        done = api.upload_folder(
            repo_id=repo, folder_path=folder, revision=revision, commit_message=message
        )
        return done.oid


def _fetch(address: HubAddress) -> tuple[Path, str]:
    """The file of an address in the cache, and its path in the repository."""
    package = hub_package()
    download = _downloading(package, address)
    with _explaining(str(address), "be fetched", _REACHED):
        *first, last = FILES if address.file is None else (address.file,)
        for file in first:
            try:
                path = Path(download(filename=file, revision=address.revision))
                break
            except package.errors.EntryNotFoundError:
                continue
        else:
            file = last
            path = Path(download(filename=file, revision=address.revision))
    commit = path.parts[len(path.parts) - len(Path(file).parts) - 1]
    for name in BESIDE:
        beside = str(Path(file).with_name(name).as_posix())
        known = package.try_to_load_from_cache(address.repo, beside, revision=commit)
        if known is None:  # neither there nor known to be missing
            try:
                download(filename=beside, revision=commit)
            except (OSError, package.errors.EntryNotFoundError):
                continue  # offline, or there is none
    return path, file


def _downloading(package, address: HubAddress):
    """hf_hub_download for the repository of an address."""
    return functools.partial(
        package.hf_hub_download,
        address.repo,
        library_name="cutaway",
        library_version=cutaway.__version__,
    )


@contextlib.contextmanager
def _explaining(what: str, verb: str, fix: str):
    """What huggingface_hub raises, of many classes, as RunError."""
    try:
        yield
    except Exception as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        raise RunError(
            f"{what} could not {verb} ({': '.join([type(error).__name__, *lines[:1]])})",
            expected="a repository and a file that exist, and a connection to the Hub or, for what "
            "was fetched before, its cache",
            fix=fix,
        ) from error
