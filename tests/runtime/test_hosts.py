"""Several hosts train what one process trains, and end and come back together."""

import os
import queue
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cutaway.cli.launch import launch_script
from cutaway.errors import OptionError, RunError
from cutaway.runtime.hosts import HostRange, launch_on_hosts, parsed_nodes
from cutaway.runtime.links import SECRET, LinkError, answer, connect
from cutaway.runtime.own_address import own_address, split_address

SECONDS = 240  # for a test to fail in, if something hangs
TRAINING = """
import os, sys, time
import numpy as np
import cutaway as ct

ct.distributed.start()
me, folder, held = ct.distributed.process_index(), *sys.argv[1:3]
rng = np.random.default_rng(0)
x = rng.normal(size=(64, 3)).astype(np.float32)
net = ct.Sequential(ct.Linear(3, 4), ct.Tanh(), ct.Linear(4, 1))
net[0].weight.data = ct.Tensor(rng.normal(size=(3, 4)).astype(np.float32)).data
net[2].weight.data = ct.Tensor(rng.normal(size=(4, 1)).astype(np.float32)).data
trainer = ct.Trainer(net, loss=ct.losses.mean_squared_error, optimizer=ct.Adam(net, lr=0.05))
keeping = ct.train.Checkpoints(folder + "/kept", every_seconds=0, resume=True)

def hold(trainer, row):
    # in the first round and where this host is alone, until something from outside ends it
    is_alone = ct.distributed.process_count() == 1
    if held == "never" or me != 0 or row["epoch"] < 4:
        return
    if is_alone or not os.path.exists(held):
        open(held, "w").close()
        time.sleep(1000)

x_y = (x, x.sum(1, keepdims=True))
trainer.fit(*x_y, epochs=9, batch_size=16, seed=0, callbacks=[keeping, hold], progress=False)
np.savez(f"{folder}/weights-{me}.npz", **net.state_dict())
print("epochs", trainer.epoch, "in", ct.distributed.process_count(), "processes")
"""


class Host:
    """A launcher, as on a host of its own."""

    def __init__(self, folder: Path, script: str, *options, arguments=(), inside=(), secret=None):
        folder.mkdir()
        path = folder / "script.py"
        path.write_text(script)
        self.folder = folder
        command = [*inside, sys.executable, "-m", "cutaway", "launch", *map(str, options)]
        environment = os.environ | ({} if secret is None else {SECRET: secret})
        with open(folder / "out", "w") as out, open(folder / "err", "w") as err:
            self.process = subprocess.Popen(
                [*command, str(path), *map(str, arguments)], stdout=out, stderr=err, env=environment
            )

    def out(self) -> str:
        return (self.folder / "out").read_text()

    def err(self) -> str:
        return (self.folder / "err").read_text()

    def wait_for(self, text: str) -> None:
        until(lambda: text in self.out() + self.err(), f"{text!r} in {self.folder.name}")

    def code(self) -> int:
        return self.process.wait(timeout=SECONDS)


def until(is_so, what: str) -> None:
    end = time.monotonic() + SECONDS
    while not is_so():
        assert time.monotonic() < end, f"there was no {what}"
        time.sleep(0.05)


@pytest.fixture
def hosts(tmp_path):
    """Starts launchers; those that are left at the end are ended."""
    found: list[Host] = []

    def start(name: str, *given, **options) -> Host:
        found.append(Host(tmp_path / name, *given, **options))
        return found[-1]

    yield start
    for host in found:
        if host.process.poll() is None:
            host.process.terminate()
        try:
            host.process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            host.process.kill()


@pytest.fixture
def address():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{found.getsockname()[1]}"


def pair(start, script: str, address: str, *options, **more) -> tuple[Host, Host]:
    """(leader, follower) on this machine."""
    options = ("--nodes", "2", "--processes", "2", "--address", address, *options)
    leader = start("leader", script, *options, **more)
    until(lambda: _listens(address), "leader")
    return leader, start("follower", script, *options, **more)


def _listens(address: str) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(split_address(address)) == 0


# the protocol, on this machine

FAILS = """
import os, sys, time
from pathlib import Path
index, mark = int(os.environ["CUTAWAY_PROCESS"]), Path(sys.argv[1])
if index == 0:
    print("of", os.environ["CUTAWAY_PROCESSES"], os.environ["CUTAWAY_ADDRESS"], flush=True)
    mark.touch()
while index == 3:
    if mark.exists():
        sys.exit(print("row 7 is strange", file=sys.stderr) or 7)
time.sleep(1000)
"""


def test_the_first_cause_stands_last_on_every_host_and_exit_codes_agree(hosts, address, tmp_path):
    mark = tmp_path / "mark"
    leader, follower = pair(hosts, FAILS, address, secret="of the two", arguments=[mark])
    assert (leader.code(), follower.code()) == (7, 7)
    assert leader.out().startswith("of 4 127.0.0.1:")
    assert leader.err().splitlines()[-1] == "row 7 is strange"
    assert follower.err().splitlines()[-1] == "row 7 is strange"
    assert "processes 2 to 3 of 4 start here" in follower.err()
    assert follower.out() == ""


SAVES_ONCE = """
import os, sys
from pathlib import Path
mark = Path(sys.argv[1] + os.environ["CUTAWAY_PROCESS"])
if mark.exists():
    sys.exit()
mark.touch()
sys.exit(75)
"""


@pytest.mark.slow
def test_a_script_that_asks_to_be_resumed_is_started_anew_on_all_hosts(hosts, address, tmp_path):
    both = pair(hosts, SAVES_ONCE, address, arguments=[tmp_path / "saved"])
    assert [host.code() for host in both] == [0, 0]
    assert sorted(path.name for path in tmp_path.glob("saved*")) == [f"saved{i}" for i in range(4)]


WAITS = """
import os, signal, sys, time
def end(*_):
    sys.exit(3)
signal.signal(signal.SIGTERM, end)
open(sys.argv[1] + os.environ["CUTAWAY_PROCESS"], "w").close()
print("ready", os.getpid(), flush=True)
time.sleep(1000)
"""


@pytest.mark.slow
@pytest.mark.parametrize("where", [0, 1])
def test_who_asks_one_host_for_an_end_ends_all(where, hosts, address, tmp_path):
    both = pair(hosts, WAITS, address, "--restarts", 3, arguments=[tmp_path / "ready"])
    until(lambda: len(list(tmp_path.glob("ready*"))) == 4, "start of all processes")
    both[where].process.send_signal(signal.SIGTERM)
    assert [host.code() for host in both] == [3, 3]
    assert "anew" not in both[0].err()


@pytest.mark.slow
def test_a_host_without_its_leader_ends_its_processes_and_gives_up_after_a_while(
    hosts, address, tmp_path
):
    options = ("--wait", 12, "--processes", 1)
    leader, follower = pair(hosts, WAITS, address, *options, arguments=[tmp_path / "ready"])
    leader.wait_for("ready")
    child = int(leader.out().split()[1])
    leader.process.kill()
    os.kill(child, signal.SIGKILL)
    assert follower.code() == 2
    assert f"the leader at {address} was lost, the processes here were ended" in follower.err()
    assert f"no leader answered at {address} within 12 s" in follower.err()


HELD = """
import os, sys, time
from pathlib import Path
folder = Path(sys.argv[1])
(folder / os.environ["CUTAWAY_PROCESS"]).touch()
print("started", os.getpid(), flush=True)
while not (folder / "go").exists():
    time.sleep(0.1)
"""


@pytest.mark.slow
def test_a_leader_that_is_started_again_gets_its_hosts_back(hosts, address, tmp_path):
    given = tmp_path / "given"
    given.mkdir()
    options = ("--nodes", "2", "--processes", "1", "--address", address)
    leader, follower = pair(hosts, HELD, address, "--processes", 1, arguments=[given])
    until(lambda: len(list(given.iterdir())) == 2, "start of all processes")
    leader.wait_for("started")
    leader.process.kill()
    os.kill(int(leader.out().split()[1]), signal.SIGKILL)
    follower.wait_for("was lost, the processes here were ended")
    (given / "go").touch()
    again = hosts("again", HELD, *options, arguments=[given])
    assert [again.code(), follower.code()] == [0, 0]


@pytest.mark.slow
def test_a_host_that_comes_later_starts_all_anew(hosts, address, tmp_path):
    options = ("--nodes", "1:2", "--processes", "1", "--address", address)
    held = tmp_path / "held"
    first = hosts("first", TRAINING, *options, arguments=[tmp_path / "first", held])
    until(held.exists, "first round")
    second = hosts("second", TRAINING, *options, arguments=[tmp_path / "second", held])
    assert [first.code(), second.code()] == [0, 0], first.err() + second.err()
    assert "epochs 9 in 2 processes" in first.out()
    expect_weights_of_one(hosts, tmp_path / "first" / "weights-0.npz", tmp_path)


def test_a_leader_whose_hosts_do_not_come_says_how_many_came(hosts, address):
    options = ("--nodes", "2", "--address", address, "--wait", 0.5)
    alone = hosts("alone", FAILS, *options)
    assert alone.code() == 2
    assert "1 of at least 2 hosts came within 0.5 s" in alone.err()


def handshake(monkeypatch, leaders: str, followers: str) -> tuple[Any, Any]:
    """What each side of a handshake gets: a Link, or an error."""
    listener = socket.create_server(("127.0.0.1", 0))
    found: queue.Queue = queue.Queue()

    def lead():
        connection = listener.accept()[0]
        try:
            link, hello = answer(connection)
            link.accept(hello)
            found.put(link)
        except LinkError as error:
            connection.close()
            found.put(error)

    monkeypatch.setattr("cutaway.runtime.links._secret", secret_of(leaders, followers))
    thread = threading.Thread(target=lead, name="leader")
    thread.start()
    other: Any = None
    try:
        other = connect(listener.getsockname(), {"id": "1", "name": "b", "processes": 2})
    except (RunError, OptionError) as error:
        other = error
    listener.close()
    thread.join(timeout=20)
    return found.get(timeout=20), other


def secret_of(leaders: str, followers: str):
    def secret():
        is_leader = threading.current_thread().name == "leader"
        return (leaders if is_leader else followers).encode()

    return secret


def test_hosts_with_different_secrets_do_not_join(monkeypatch):
    ours, theirs = handshake(monkeypatch, "one", "another")
    assert isinstance(ours, LinkError)
    assert f"its {SECRET} is another one" in str(theirs)
    with pytest.raises(OptionError, match="is set on the leader, but not here"):
        raise handshake(monkeypatch, "one", "")[1]


def test_lines_that_somebody_else_has_written_end_a_link_with_a_secret(monkeypatch):
    leader, follower = handshake(monkeypatch, "one", "one")
    inbox: queue.Queue = queue.Queue()
    leader.start(inbox)
    follower.send("ended", number=1)
    assert inbox.get(timeout=20)[1] == {"kind": "ended", "number": 1}
    follower._lines.write({"message": {"kind": "ended", "number": 2}, "proof": "0" * 64})
    until(lambda: leader.is_closed, "end of the link")
    follower.close()
    assert inbox.empty()
    assert leader.loss == "a line with a wrong proof came"


def test_numbers_of_hosts_and_addresses_are_read_or_refused():
    assert parsed_nodes("2:4") == HostRange(2, 4)
    assert parsed_nodes("3") == HostRange(3, 3)
    for wrong in ("4:2", "0", "two", "2:"):
        with pytest.raises(OptionError, match="MIN:MAX"):
            parsed_nodes(wrong)
    assert split_address("[fd00::5]:8476") == ("fd00::5", 8476)
    for wrong in ("10.0.0.5", "fd00::5:8476", "host:0", ":80"):
        with pytest.raises(OptionError, match="HOST:PORT"):
            split_address(wrong)
    assert own_address("127.0.0.1:1") == "127.0.0.1"
    with pytest.raises(OptionError, match="means every host"):
        launch_on_hosts(["false"], 1, "0.0.0.0:29500", HostRange(1, 1))
    with pytest.raises(OptionError, match="--nodes alone"):
        launch_script(Path(__file__), [], 1, 0, nodes="2")


# trainings


def expect_weights_of_one(hosts, found: Path, tmp_path: Path) -> None:
    """The weights in a file are those that one process ends with."""
    one = hosts("one", TRAINING, "--processes", 1, arguments=[tmp_path / "one", "never"])
    assert one.code() == 0, one.err()
    alone, other = np.load(tmp_path / "one" / "weights-0.npz"), np.load(found)
    for name in alone.files:
        np.testing.assert_allclose(other[name], alone[name], rtol=1e-5, atol=1e-5)


def cannot_make_hosts() -> str:
    """Why no network namespaces can be made here; "" if they can."""
    if shutil.which("ip") is None:
        return "there is no ip of iproute2"
    name = f"probe{os.getpid()}"
    made = ip("netns", "add", name, check=False)
    if made.returncode:
        return f"no network namespace can be made: {made.stderr.strip()}"
    ip("netns", "del", name)
    return ""


def ip(*words, check: bool = True):
    return subprocess.run(["ip", *words], capture_output=True, text=True, check=check)


@pytest.fixture
def wire():
    """Two namespaces, each with its end of a wire: (name, name)."""
    reason = cannot_make_hosts()
    if reason:
        pytest.skip(reason)
    names = [f"host{i}x{os.getpid()}" for i in (1, 2)]
    ends = [f"e{i}x{os.getpid()}" for i in (1, 2)]
    for name in names:
        ip("netns", "add", name)
    try:
        ip("link", "add", ends[0], "type", "veth", "peer", "name", ends[1])
        for i, (name, end) in enumerate(zip(names, ends, strict=True)):
            ip("link", "set", end, "netns", name)
            ip("-n", name, "link", "set", end, "name", "wire")
            ip("-n", name, "addr", "add", f"10.77.0.{i + 1}/24", "dev", "wire")
            ip("-n", name, "link", "set", "lo", "up")
            ip("-n", name, "link", "set", "wire", "up")
        yield names
    finally:
        for name in names:
            ip("netns", "del", name, check=False)


def on_both(hosts, wire, tmp_path, held, *options) -> tuple[Host, Host]:
    """(leader, follower); the first round has both, also where 1:2 hosts are asked."""
    options = ("--processes", "1", "--address", "10.77.0.1:29500", *options)

    def on(name: str) -> Host:
        inside = ("ip", "netns", "exec", name)
        return hosts(name, TRAINING, *options, arguments=[tmp_path / name, held], inside=inside)

    follower = on(wire[1])
    follower.wait_for("no leader answers at 10.77.0.1:29500 yet")
    return on(wire[0]), follower


@pytest.mark.slow
def test_two_hosts_train_what_one_process_trains(hosts, wire, tmp_path):
    both = on_both(hosts, wire, tmp_path, "never", "--nodes", "2")
    assert [host.code() for host in both] == [0, 0], both[0].err() + both[1].err()
    assert both[0].out() == "epochs 9 in 2 processes\n"
    expect_weights_of_one(hosts, both[0].folder / "weights-0.npz", tmp_path)
    first = np.load(both[0].folder / "weights-0.npz")
    second = np.load(both[1].folder / "weights-1.npz")
    assert all(np.array_equal(first[name], second[name]) for name in first.files)
    assert not (both[1].folder / "kept").exists()  # process 0 writes, on the leader's host


@pytest.mark.slow
@pytest.mark.parametrize("nodes", ["2", "1:2"])
def test_a_link_that_is_cut_and_comes_back_costs_no_training(nodes, hosts, wire, tmp_path):
    held = tmp_path / "held"
    both = on_both(hosts, wire, tmp_path, held, "--nodes", nodes, "--restarts", "3")
    until(held.exists, "first round")
    ip("-n", wire[1], "link", "set", "wire", "down")
    both[0].wait_for("was lost: it was silent for 10 s")
    both[1].wait_for("was lost, the processes here were ended")
    ip("-n", wire[1], "link", "set", "wire", "up")
    assert [host.code() for host in both] == [0, 0], both[0].err() + both[1].err()
    assert "epochs 9 in 2 processes" in both[0].out()
    expect_weights_of_one(hosts, both[0].folder / "weights-0.npz", tmp_path)
