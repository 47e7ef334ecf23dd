"""The widget of a notebook without a notebook: what it sends, and whether it thinks it is seen."""

import threading

import pytest

import cutaway as ct
from cutaway.studio import Studio
from cutaway.studio.client import BYTES_PER_SECOND, Client
from cutaway.studio.hearing import SILENT_SECONDS, Hearing
from cutaway.studio.wire import unpacked
from tests.studio.watching import SECONDS, Inbox, new_subject


class Kernel:
    """A kernel's loop and clock, which go on when told to, and whether a cell is running."""

    def __init__(self):
        self.now, self.is_busy, self.is_closed = 100.0, False, False
        self._todo = []

    def call_soon_threadsafe(self, function):
        """As of an event loop."""
        if self.is_closed:
            raise RuntimeError("Event loop is closed")
        self._todo.append(function)

    def turn(self):
        """Run what was asked for."""
        todo, self._todo = self._todo, []
        for function in todo:
            function()

    def after(self, seconds):
        """So many seconds pass."""
        self.now += seconds


@pytest.fixture
def kernel():
    return Kernel()


@pytest.fixture
def hearing(kernel):
    return Hearing(kernel, lambda: kernel.is_busy, lambda: kernel.now)


def test_a_view_that_says_nothing_to_an_idle_kernel_is_gone(kernel, hearing):
    kernel.after(SILENT_SECONDS)
    assert hearing.is_there()  # and asks the loop to turn
    kernel.turn()
    kernel.after(SILENT_SECONDS / 2)
    assert hearing.is_there()
    kernel.after(SILENT_SECONDS / 2)
    assert not hearing.is_there()
    hearing.note()
    assert hearing.is_there()


def test_a_view_cannot_be_heard_while_the_loop_stands_still(kernel, hearing):
    for _ in range(5):
        kernel.after(1000)
        assert hearing.is_there()
    kernel.turn()
    assert hearing.is_there()


def test_a_view_cannot_be_heard_while_a_cell_awaits_though_the_loop_turns(kernel, hearing):
    kernel.is_busy = True
    for _ in range(5):
        kernel.after(1000)
        assert hearing.is_there()
        kernel.turn()
    kernel.is_busy = False
    kernel.after(SILENT_SECONDS)
    assert hearing.is_there()
    kernel.turn()
    kernel.after(SILENT_SECONDS)
    assert not hearing.is_there()


def test_a_word_between_question_and_answer_counts(kernel, hearing):
    kernel.after(SILENT_SECONDS)
    assert hearing.is_there()
    hearing.note()
    kernel.turn()
    kernel.after(SILENT_SECONDS)
    assert hearing.is_there()


def test_a_closed_loop_hears_nobody(kernel, hearing):
    kernel.is_closed = True
    kernel.after(SILENT_SECONDS)
    assert not hearing.is_there()


def paced_client():
    return Client(None, lambda message: None, paced=True)


def bytes_in(client, seconds, size, *, begin=0.0):
    """Bytes that are sent to a client that gets a frame of this size whenever it has room."""
    sent = 0
    for tick in range(int(seconds * 1000)):
        now = begin + tick / 1000
        if client.has_room(now):
            client.send_frame(tick, bytes(size), now)
            sent += size
    return sent


@pytest.mark.parametrize("size", [2_000, 40_000, 163_000, 900_000])
def test_frames_under_way_to_a_notebook_stay_within_its_bytes(size):
    assert bytes_in(paced_client(), 10, size) <= 10 * BYTES_PER_SECOND + size


def test_a_notebook_that_draws_all_gets_more_and_one_that_lags_gets_less():
    quick, slow = paced_client(), paced_client()
    for second in range(1, 11):
        for client, share in ((quick, 1.0), (slow, 0.3)):
            bytes_in(client, 1, 163_000, begin=float(second))
            client.report(int(share * client._sent), 10.0, float(second + 1))
    assert bytes_in(quick, 5, 163_000, begin=20.0) > 5 * BYTES_PER_SECOND
    assert bytes_in(slow, 5, 163_000, begin=20.0) < 5 * BYTES_PER_SECOND


def test_a_report_that_waited_for_the_kernel_changes_no_bytes():
    client = paced_client()
    client.report(0, 10.0, 0.0)
    bytes_in(client, 30, 100_000)
    before = client.bytes_per_second
    client.report(3, 10.0, 30.0)  # of one second of these thirty
    assert client.bytes_per_second == before


@pytest.fixture
def opened():
    """A studio, its widget, and what the notebook gets of it."""
    with Studio(new_subject((2, 3, 1))) as studio:
        widget, inbox = studio.widget(), Inbox()

        def send(content, buffers):
            inbox.put(*unpacked(buffers[0]))

        widget.send = send
        yield studio, widget, inbox
        widget.close()


def test_nothing_is_sent_until_a_view_says_hello_and_then_everything_is(opened):
    studio, widget, inbox = opened
    done = threading.Event()
    for task in (studio.session.say_state, done.set):
        studio.session._todo.put(task)
    assert done.wait(SECONDS)
    assert inbox.messages == []
    widget._handle_custom_msg({"type": "hello", "protocol": 1}, [])
    header, _ = inbox.wait("hello", "frame")
    assert header["type"] == "hello"
    assert header["subject"]["title"] == "points"
    widget._handle_custom_msg({"type": "look", "views": ["boundary"]}, [])
    _, arrays = inbox.wait("frame", when=lambda header: header["lanes"][0]["views"])
    assert arrays["0/boundary/grid"].shape == (100, 100)


def test_a_paused_studio_says_that_it_lives(opened):
    _, widget, inbox = opened
    widget._handle_custom_msg({"type": "hello", "protocol": 1}, [])
    inbox.wait("alive")


def test_a_view_that_was_thought_to_be_gone_is_told_everything_anew(opened):
    _, widget, inbox = opened
    widget._handle_custom_msg({"type": "hello", "protocol": 1}, [])
    inbox.wait("hello")
    widget._client.is_listening = False
    begin = len(inbox.messages)
    widget._handle_custom_msg({"type": "report", "drawn": 0, "ms": 0}, [])
    inbox.wait("hello", begin=begin)


def test_a_view_of_a_closed_studio_is_told_that_it_is_closed(opened):
    studio, widget, inbox = opened
    studio.close()
    assert studio.session.is_closed
    widget._handle_custom_msg({"type": "hello", "protocol": 1}, [])
    header, _ = inbox.wait("closed")
    assert header["why"] == "the studio was closed"


def trainer_and_data():
    ct.seed(0)
    net = ct.models.mlp((2, 3, 1))
    subject = new_subject()
    loss = ct.losses.binary_cross_entropy_with_logits
    trainer = ct.Trainer(net, loss=loss, optimizer=ct.Adam(net, lr=0.01))
    return trainer, subject.x, subject.y


def test_the_studio_of_a_trainer_trains_the_trainers_own_network():
    trainer, x, y = trainer_and_data()
    before = trainer.net(x).numpy()
    with ct.studio(trainer, x, y) as studio:
        inbox = Inbox()
        client = studio.session.connect(lambda message: inbox.put(*unpacked(message)))
        client.receive({"type": "step", "unit": "batch", "count": 3})
        inbox.wait("frame", when=lambda header: header["lanes"][0]["step"] == 3)
    assert (trainer.net(x).numpy() != before).all()


def test_a_network_is_open_in_one_studio_at_a_time():
    trainer, x, y = trainer_and_data()
    first = ct.studio(trainer, x, y)
    with ct.studio("xor") as other, ct.studio(trainer, x, y) as second:
        assert first.session.is_closed
        assert first.session.why_closed == "the network was opened in another studio"
        assert not second.session.is_closed
        assert not other.session.is_closed


def test_the_address_with_its_token_is_in_no_output():
    with Studio(new_subject((2, 3, 1))) as studio:
        url = studio.serve()
        assert "token" in url
        assert "token" not in repr(studio)
