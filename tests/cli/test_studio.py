"""`cutaway studio`: from the command to a page that trains, and its end by Ctrl-C."""

import json
import re
import signal
import socket
import subprocess
import sys
import types
import urllib.request

import pytest
from websockets.exceptions import ConnectionClosed

from cutaway.cli.studio import has_browser
from tests.cli import in_process
from tests.cli.conftest import ENVIRONMENT
from tests.studio.conftest import Browser

HERE = {k: v for k, v in ENVIRONMENT.items() if k not in ("BROWSER", "SSH_CONNECTION")}


def header(message: bytes) -> dict:
    return json.loads(message[4 : 4 + int.from_bytes(message[:4], "little")])


@pytest.fixture
def started(tmp_path):
    """Function (*arguments, **environment) -> a running `cutaway studio`; killed afterwards."""
    running = []

    def start(*arguments, **environment):
        command = [sys.executable, "-m", "cutaway", "studio", *arguments]
        process = subprocess.Popen(
            command,
            cwd=tmp_path,
            env={**HERE, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        running.append(process)
        return process

    yield start
    for process in running:
        process.kill()
        process.communicate()


@pytest.mark.skipif(sys.platform == "win32", reason="sends SIGINT")
def test_the_command_serves_a_network_in_training_until_ctrl_c(started):
    process = started("--no-browser")
    what, address = process.stdout.readline(), process.stdout.readline()
    assert what == "Two spirals in the studio; Ctrl-C ends it. Open:\n"
    found = re.fullmatch(r"(http://127\.0\.0\.1:(\d+)/)#token=([\w-]{43})\n", address)
    assert found and len(address) <= 81
    assert b'id="studio"' in urllib.request.urlopen(found[1], timeout=10).read()
    browser = Browser(types.SimpleNamespace(port=int(found[2]), token=found[3]))
    with browser.joined() as link:
        link.send('{"type": "step", "unit": "batch", "count": 3}')
        steps = (header(link.recv(timeout=60)) for _ in range(50))
        assert any(s["type"] == "frame" and s["lanes"][0]["step"] == 3 for s in steps)
        process.send_signal(signal.SIGINT)
        last = ""
        with pytest.raises(ConnectionClosed) as ended:
            while True:
                last = header(link.recv(timeout=10))["type"]
        assert (last, ended.value.rcvd.code) == ("closed", 1001)
    out, err = process.communicate(timeout=10)
    assert (process.returncode, out, err) == (0, "", "")


@pytest.mark.skipif(sys.platform == "win32", reason="sends signals")
@pytest.mark.parametrize("asked", [signal.SIGINT, signal.SIGTERM])
def test_a_lesson_says_what_is_shown_and_a_recording_is_written_at_the_end(
    started, tmp_path, asked
):
    lesson = {"title": "A ring", "data": "circle", "steps": [{"text": "Look."}]}
    (tmp_path / "lesson.json").write_text(json.dumps(lesson))
    process = started("--lesson", "lesson.json", "--record", "seen.html", "--no-browser", "--json")
    found = json.loads(process.stdout.readline())
    browser = Browser(
        types.SimpleNamespace(port=found["port"], token=found["url"].partition("=")[2])
    )
    with browser.open() as link:
        link.send(json.dumps({"type": "hello", "token": browser.server.token}))
        hello = header(link.recv(timeout=10))
        assert hello["subject"]["title"] == "A disk in a ring"
        assert (hello["lesson"]["title"], hello["lesson"]["steps"][0]["text"]) == (
            "A ring",
            "Look.",
        )
        while header(link.recv(timeout=60))["type"] != "frame":
            pass
        process.send_signal(asked)
        out, err = process.communicate(timeout=20)
    assert (process.returncode, out, err) == (0, "", "")
    page = (tmp_path / "seen.html").read_text()
    assert "<title>A disk in a ring</title>" in page
    assert found["url"].partition("=")[2] not in page


def test_through_ssh_the_command_says_how_to_forward_the_port_and_opens_no_browser(started):
    process = started("xor", "--seed", "3", SSH_CONNECTION="10.0.0.2 50000 10.0.0.1 22")
    lines = [process.stdout.readline() for _ in range(4)]
    port = re.search(r":(\d+)/#token=", lines[3])[1]
    assert lines[0] == "On your own machine first:\n"
    assert lines[1] == f"  ssh -L {port}:127.0.0.1:{port} {socket.gethostname()}\n"


def test_as_json_the_address_can_be_read_by_a_program(started):
    process = started("circle", "--no-browser", "--json")
    found = json.loads(process.stdout.readline())
    assert found["title"] == "A disk in a ring"
    assert found["url"].startswith(f"http://127.0.0.1:{found['port']}/#token=")


@pytest.mark.parametrize(
    ("platform", "environment", "expected"),
    [
        ("linux", {}, False),
        ("linux", {"DISPLAY": ":0"}, True),
        ("linux", {"WAYLAND_DISPLAY": "wayland-0"}, True),
        ("linux", {"DISPLAY": "localhost:10.0", "SSH_CONNECTION": "a 1 b 22"}, False),
        ("linux", {"BROWSER": "code-helper", "SSH_CONNECTION": "a 1 b 22"}, True),
        ("darwin", {}, True),
        ("darwin", {"SSH_CONNECTION": "a 1 b 22"}, False),
        ("win32", {}, True),
    ],
)
def test_a_browser_is_opened_where_there_is_a_screen_of_the_user(platform, environment, expected):
    assert has_browser(platform, environment) is expected


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["spirals", "--patience", "3"], "patience was given with spirals"),
        (["spirals", "--lr", "-1"], "lr is -1"),
        (["xor", "--target", "passed"], "target was given with xor"),
        (["no-such-file.csv"], "no-such-file.csv"),
        (["--port", "70000"], "--port is 70000"),
        (["--host", "192.168.1.5"], "without encryption"),
        (["--host", "0.0.0.0", "--certificate", "c", "--key", "k"], "no address that a browser"),
        (["--certificate", "c.pem"], "--certificate and --key belong together"),
        (["--certificate", "c.pem", "--key", "k.pem"], "the certificate or its key cannot be used"),
    ],
)
def test_what_cannot_be_shown_or_served_is_an_error_before_anything_is_opened(arguments, words):
    code, out, err = in_process.cutaway("studio", "--no-browser", *arguments)
    assert (code, out) == (2, "")
    assert words in err and "fix:" in err


def test_a_run_takes_no_training_options(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    code, _, err = in_process.cutaway("studio", "--no-browser", tmp_path, "--lr", "0.1")
    assert code == 2 and "lr was given with the run" in err


def test_a_port_in_use_is_an_error_of_one_line_and_its_fix():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, _, err = in_process.cutaway("studio", "--no-browser", "--port", port)
    assert code == 2 and f"port {port} of 127.0.0.1 cannot be opened" in err
