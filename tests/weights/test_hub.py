"""Weights to and from the Hub: its own client against a small server, then the cache alone."""

import base64
import hashlib
import http.server
import json
import threading
import urllib.parse
from pathlib import Path

import numpy as np
import pytest

import cutaway as ct
from cutaway.errors import OptionError, RunError
from cutaway.models.image_parts import load_pretrained
from cutaway.runs import prepare
from cutaway.runs.model_card import write_hub_folder
from cutaway.runs.options.transfer import TransferOptions
from cutaway.weights import PYTORCH, HubAddress, OwnWeights, fetch, pinned, read_weights
from cutaway.weights.files import as_safetensors, save_tensors, stated_format

COMMIT = "0123456789abcdef0123456789abcdef01234567"
hub = pytest.importorskip("huggingface_hub", reason='pip install -e ".[hub]"')


def square():
    """Layers whose shapes do not tell one layout from the other."""
    ct.seed(0)
    return ct.Sequential(ct.Linear(3, 3), ct.ReLU(), ct.Linear(3, 3))


def x():
    return np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)


class _Handler(http.server.BaseHTTPRequestHandler):
    """What the Hub answers to an upload and to downloads of one repository."""

    files: dict[str, bytes]
    asked: list[str]

    def do_HEAD(self):
        self.answer_file(with_content=False)

    def do_GET(self):
        self.answer_file(with_content=True)

    def answer_file(self, with_content):
        path = urllib.parse.unquote(self.path)
        self.asked.append(f"{self.command} {path}")
        _, _, rest = path.partition("/me/net/resolve/")
        revision, _, file = rest.partition("/")
        if revision not in ("main", COMMIT) or file not in self.files:
            code = "EntryNotFound" if revision in ("main", COMMIT) else "RevisionNotFound"
            self.answer(404, b"", {"X-Error-Code": code, "X-Repo-Commit": COMMIT}, with_content)
            return
        content = self.files[file]
        headers = {"X-Repo-Commit": COMMIT, "ETag": f'"{hashlib.sha1(content).hexdigest()}"'}
        self.answer(200, content, headers, with_content)

    def do_POST(self):
        size = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(size) if size else self.chunks()
        self.asked.append(f"POST {self.path}")
        address = f"http://{self.headers['Host']}/me/net"
        if self.path.endswith("/commit/main"):
            for line in body.splitlines():
                said = json.loads(line)
                if said["key"] == "file":
                    content = base64.b64decode(said["value"]["content"])
                    self.files[said["value"]["path"]] = content
            found = {
                "commitUrl": f"{address}/commit/{COMMIT}",
                "commitOid": COMMIT,
                "success": True,
            }
        elif "/preupload/" in self.path:
            names = [file["path"] for file in json.loads(body)["files"]]
            found = {"files": [{"path": n, "uploadMode": "regular", "shouldIgnore": False}
                               for n in names]}  # fmt: skip
        else:
            found = {"url": address, "name": "me/net", "errors": [], "warnings": []}
        self.answer(200, json.dumps(found).encode(), {"Content-Type": "application/json"})

    def chunks(self):
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def answer(self, code, content, headers, with_content=True):
        self.send_response(code)
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        if with_content:
            self.wfile.write(content)

    def log_message(self, *_):
        pass


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache, and no way out."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setenv("HF_TOKEN", "hf_of_this_test")
    monkeypatch.setenv("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1")
    return tmp_path / "cache"


@pytest.fixture
def server(cache, monkeypatch):
    """Of the Hub, with no files."""
    handler = type("Handler", (_Handler,), {"files": {}, "asked": []})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        monkeypatch.setenv("NO_PROXY", "*")
        address = f"http://127.0.0.1:{running.server_port}"
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", address)
        template = (
            f"http://127.0.0.1:{running.server_port}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
        )
        monkeypatch.setattr("huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
        yield handler
        running.shutdown()
        thread.join()


def laid(cache, files, repo="me/net"):
    """A cache with one commit of a repository, as huggingface_hub lays it."""
    folder = cache / f"models--{repo.replace('/', '--')}"
    for name, content in files.items():
        path = folder / "snapshots" / COMMIT / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    (folder / "refs").mkdir()
    (folder / "refs" / "main").write_text(COMMIT)


def test_a_network_comes_back_from_the_hub_and_then_from_the_cache_alone(server, monkeypatch):
    net = square()
    address = ct.push_to_hub(net, "me/net", license="apache-2.0")
    assert address == f"hf://me/net@{COMMIT}"
    assert set(server.files) == {"README.md", "config.json", "model.safetensors"}
    assert stated_format(server.files["model.safetensors"]) == "cutaway"
    card = server.files["README.md"].decode()
    assert card.startswith("---\nlibrary_name: cutaway\nlicense: apache-2.0\n")
    assert "24 parameters" in card
    for offline in (False, True):
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", offline)
        other = ct.Sequential(ct.Linear(3, 3), ct.ReLU(), ct.Linear(3, 3))
        before = len(server.asked)
        ct.load_weights(other, "hf://me/net")
        np.testing.assert_array_equal(other(x()).numpy(), net(x()).numpy())
        assert (len(server.asked) == before) == offline
    # a commit is a commit: what is in the cache is not asked for again
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    before = len(server.asked)
    fetch(f"{address}/model.safetensors")
    assert len(server.asked) == before


def test_a_run_stays_a_run_and_no_folder_of_this_machine_goes_with_it(server, tmp_path):
    run = prepare(None, epochs=2).train(tmp_path / "run", progress=False)
    ct.push_to_hub(run, "me/net")
    for name, content in server.files.items():
        assert str(Path(run.config["data"]).parent).encode() not in content, name
    accuracy = run.metrics["validation"]["accuracy"]
    assert f"| accuracy | {run.metrics['train']['accuracy']:.4g} | {accuracy:.4g} |" in (
        server.files["README.md"].decode()
    )
    (tmp_path / "copy").mkdir()
    for name, content in server.files.items():
        (tmp_path / "copy" / name).write_bytes(content)
    copy, data = ct.Run.open(tmp_path / "copy"), run.config["data"]
    expected = run.predict(data)[0]["probability"].to_list()
    assert copy.predict(data)[0]["probability"].to_list() == expected


def hub_files(run, folder):
    """{name: content} of what `push_to_hub` uploads of a run."""
    folder.mkdir()
    write_hub_folder(run, folder, "me/net")
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_run_opens_from_the_hub_by_its_files_alone_and_then_offline(
    server, tmp_path, monkeypatch
):
    run = prepare(None, epochs=2).train(tmp_path / "run", progress=False)
    address = ct.push_to_hub(run, "me/net")
    server.files |= {"pytorch_model.bin": b"a pickle", "probes.parquet": b"of someone else"}
    expected = run.predict(run.config["data"])[0]["probability"].to_list()
    for offline in (False, True):
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", offline)
        for source in ("hf://me/net", address, Path("hf://me/net")):
            before = len(server.asked)
            found = ct.Run.open(source)
            assert found.path.name == COMMIT
            assert found.predict(run.config["data"])[0]["probability"].to_list() == expected
            assert found.metrics["parameters"] == run.metrics["parameters"]
            assert (len(server.asked) == before) or not offline
    assert {path.name for path in found.path.iterdir()} == {
        *("config.json", "manifest.json", "preprocessing.json", "weights.safetensors"),
        *("metrics.json", "history.csv"),
    }
    assert not found.trusted


def test_a_run_of_a_cache_is_that_of_its_commit_and_damage_in_it_is_noticed(cache, tmp_path):
    run = prepare(None, epochs=1, layers=(4,)).train(tmp_path / "run", progress=False)
    files = hub_files(run, tmp_path / "files")
    laid(cache, {**files, "weights.safetensors": files["weights.safetensors"] + b" "})
    with pytest.raises(RunError, match=r"weights\.safetensors"):
        ct.Run.open(f"hf://me/net@{COMMIT}")
    with pytest.raises(RunError, match="hf://me/net@v2 could not be fetched"):
        ct.Run.open("hf://me/net@v2")


def test_what_is_no_run_on_the_hub_is_said(cache):
    laid(cache, {"config.json": b"{}", "model.safetensors": as_safetensors({})})
    with pytest.raises(RunError, match="hf://me/net could not be fetched"):
        ct.Run.open("hf://me/net")
    with pytest.raises(OptionError, match="names a file"):
        ct.Run.open("hf://me/net/weights.safetensors")


def test_the_command_takes_a_run_of_the_hub(cache, tmp_path, capsys):
    from cutaway.cli.use import predict_command, summary_command

    run = prepare(None, epochs=1, layers=(4,)).train(tmp_path / "run", progress=False)
    laid(cache, hub_files(run, tmp_path / "files"))
    data, out = Path(run.config["data"]), tmp_path / "out.csv"
    predict_command(Path("hf://me/net"), data, out=out, force=False, as_json=True)
    assert json.loads(capsys.readouterr().out)["rows"] == len(out.read_text().splitlines()) - 1
    summary_command("hf://me/net", None, as_json=True)
    assert json.loads(capsys.readouterr().out)["total"] == run.metrics["parameters"]


def test_paths_in_options_become_names_and_addresses_stay(tmp_path):
    run = prepare(None, epochs=1, layers=(4,)).train(tmp_path / "run", progress=False)
    config = json.loads(run.folder.config.read_text())
    config["options"]["split"] = "/home/me/splits/test.txt"
    config["options"]["from_"] = "resnet50:hf://org/name@main/a.safetensors"
    run.folder.write_json(run.folder.config, config)
    (tmp_path / "out").mkdir()
    write_hub_folder(run, tmp_path / "out", "me/net")
    options = json.loads((tmp_path / "out" / "config.json").read_text())["options"]
    assert options["split"] == "test.txt"
    assert options["from_"] == "resnet50:hf://org/name@main/a.safetensors"


def test_without_a_connection_what_is_not_in_the_cache_says_so(cache):
    with pytest.raises(RunError, match="hf://me/other could not be fetched") as raised:
        fetch("hf://me/other")
    assert "hf auth login" in raised.value.fix


def test_a_revision_that_does_not_exist_is_named(server):
    server.files["model.safetensors"] = as_safetensors(square().state_dict())
    with pytest.raises(RunError, match=r"hf://me/net@v2.*RevisionNotFound"):
        fetch("hf://me/net@v2")


def test_an_address_is_pinned_to_its_commit_and_file_also_offline(cache):
    laid(cache, {"weights.safetensors": as_safetensors(square().state_dict())})
    found = pinned("hf://me/net")
    assert found == f"hf://me/net@{COMMIT}/weights.safetensors"
    assert pinned(found) == found
    options = TransferOptions(from_="resnet18:hf://me/net@main")
    assert options.from_ == f"resnet18:{found}"
    assert TransferOptions(from_="resnet18").from_ == "resnet18"


def test_the_tokenizer_beside_the_weights_comes_along(server):
    server.files |= {"model.safetensors": as_safetensors({}), "vocab.txt": b"[UNK]\n"}
    path = fetch("hf://me/net")
    assert (path.parent / "vocab.txt").read_bytes() == b"[UNK]\n"
    before = len(server.asked)
    fetch(f"hf://me/net@{COMMIT}/model.safetensors")
    assert len(server.asked) == before  # that there is no tokenizer.json is known


@pytest.mark.parametrize(
    "address",
    ["hf://net", "hf://me/net@", "hf://me/net/../a.safetensors", "hf://me//a.safetensors", "hf://"],
)
def test_another_form_of_address_is_refused(address):
    with pytest.raises(OptionError, match="the address"):
        HubAddress.parsed(address)


def test_an_address_reads_as_it_is_written():
    for text in ("hf://me/net", "hf://me/net@v1.0/a/b.safetensors", "hf://me/net@refs%2Fpr%2F1"):
        assert str(HubAddress.parsed(text)) == text
    assert HubAddress.parsed("hf://me/net@refs%2Fpr%2F1").revision == "refs/pr/1"


def test_only_safetensors_are_taken_unless_the_address_says_otherwise(cache):
    laid(cache, {"pytorch_model.bin": b"anything"})
    with pytest.raises(OptionError, match="no safetensors file") as raised:
        fetch("hf://me/net/pytorch_model.bin")
    assert "#any" in raised.value.fix
    assert fetch("hf://me/net/pytorch_model.bin#any").read_bytes() == b"anything"


# layouts


def test_weights_of_cutaway_are_loaded_as_they_are_also_where_layers_are_square(tmp_path):
    net, other = square(), square()
    other.load_state_dict({k: np.zeros_like(v) for k, v in net.state_dict().items()})
    ct.save_weights(net, tmp_path / "own.safetensors")
    assert isinstance(read_weights(tmp_path / "own.safetensors"), OwnWeights)
    ct.load_into(other, tmp_path / "own.safetensors")
    np.testing.assert_array_equal(other(x()).numpy(), net(x()).numpy())


def test_weights_of_pytorch_are_transposed_by_load_into_and_refused_by_load_weights(tmp_path):
    net, other = square(), square()
    theirs = {k: v.T if v.ndim == 2 else v for k, v in net.state_dict().items()}
    path = tmp_path / "theirs.safetensors"
    save_tensors(theirs, path, {"format": "pt"})
    before = other.state_dict()
    other[0].weight.data = other[0].weight.data * 0
    with pytest.raises(RunError, match="layout of PyTorch") as raised:
        ct.load_weights(other, path)
    assert "ct.load_into" in raised.value.fix
    assert not other[0].weight.numpy().any()
    ct.load_into(other, path)
    for name, value in other.state_dict().items():
        np.testing.assert_array_equal(value, before[name])


def test_weights_of_cutaway_that_do_not_fit_are_refused_and_a_head_can_be_left_out(tmp_path):
    path = tmp_path / "own.safetensors"
    ct.save_weights(square(), path)
    longer = ct.Sequential(ct.Linear(3, 3), ct.ReLU(), ct.Linear(3, 5))
    with pytest.raises(ct.errors.ShapeError, match=r"2\.weight"):
        ct.load_into(longer, path)
    before = longer.state_dict()
    ct.load_into(longer, path, but=("2",))
    np.testing.assert_array_equal(longer.state_dict()["2.weight"], before["2.weight"])
    np.testing.assert_array_equal(longer.state_dict()["0.weight"], square()[0].weight.numpy())
    with pytest.raises(RunError, match=r"unexpected 2\.bias"):
        ct.load_into(ct.Sequential(ct.Linear(3, 3)), path)


class Headed(ct.Module):
    """A square body and a head."""

    def __init__(self, outputs):
        self.body = ct.Linear(3, 3)
        self.head = ct.Linear(3, outputs)

    def forward(self, x):
        return self.head(self.body(x))


@pytest.mark.parametrize("outputs", [2, 3])
def test_pretrained_weights_of_cutaway_keep_a_head_of_the_same_size_only(tmp_path, outputs):
    first, net = Headed(2), Headed(outputs)
    ct.save_weights(first, tmp_path / "own.safetensors")
    before = net.head.weight.numpy().copy()
    load_pretrained(net, tmp_path / "own.safetensors", PYTORCH, fresh=("head",))
    np.testing.assert_array_equal(net.body.weight.numpy(), first.body.weight.numpy())
    head = first.head.weight.numpy() if outputs == 2 else before
    np.testing.assert_array_equal(net.head.weight.numpy(), head)


def test_without_the_package_the_error_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "huggingface_hub", None)
    with pytest.raises(RunError, match="huggingface_hub") as raised:
        fetch("hf://me/net")
    assert "[hub]" in raised.value.fix
