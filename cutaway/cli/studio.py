"""cutaway studio."""

import contextlib
import os
import signal
import socket
import sys
import textwrap

from cutaway.cli.products import product
from cutaway.cli.show import print_json, print_notes
from cutaway.errors import CutawayError, OptionError, visible


def studio_command(
    what, target, kind, given, *, host, port, certificate, key, browser, lesson, record, force,
    trust, as_json
) -> None:  # fmt: skip
    """Serve the studio until Ctrl-C or SIGTERM."""
    from cutaway.studio.server import StudioServer

    files = _certificate(certificate, key)
    with (
        product(record, "--record", inputs=[what, lesson], force=force),
        contextlib.closing(StudioServer(host=host, port=port, certificate=files)) as server,
    ):
        session = _session(what, target, kind, given, lesson, trust)
        subject = session.subject
        session.start()
        recorder = None if record is None else _recorder(session)
        server.start(session)
        if as_json:
            print_json({"url": server.url, "port": server.port, "title": subject.title})
            sys.stdout.flush()
        else:
            print_notes(subject.notes)
            print(_announcement(subject.title, server, is_local=files is None), flush=True)
        if browser and has_browser(sys.platform, os.environ):
            import webbrowser

            webbrowser.open(server.url)
        before = signal.signal(signal.SIGTERM, signal.default_int_handler)
        try:
            server.wait()
        except KeyboardInterrupt:  # the way to end it
            session.close("the studio was ended in the terminal")
        else:
            session.close()
            raise CutawayError(
                "the web server of the studio has ended",
                expected="it to run until Ctrl-C",
                fix="run the command again with --debug and report its output",
            )
        finally:
            signal.signal(signal.SIGTERM, before)
        server.close()  # before the recording is written, which takes a while
        if recorder is not None:
            recorder.write(record, title=subject.title)
            if not as_json:
                print(visible(f"\nSaved the recording: {record}"))


def _session(what, target, kind, given, lesson, trust):
    """The Session of what is named, or else of what the lesson is about."""
    from cutaway.studio.choosing import choose_subject
    from cutaway.studio.session import Session

    cards = None
    if lesson is not None:
        from cutaway.studio.lesson import as_message, read_lesson

        read = read_lesson(lesson)
        cards = as_message(read)
        if what is None:
            what, target = read.data, read.target if target is None else target
    return Session(
        choose_subject(what, target, kind=kind, trust=trust, options=given), lesson=cards
    )


def _recorder(session):
    from cutaway.studio.recorder import Recorder

    return Recorder(session)


def has_browser(platform: str, environment) -> bool:
    """Whether a browser can be opened here: there is a screen, and it is that of the user.

    Args:
        platform: sys.platform.
        environment: os.environ. BROWSER wins, which tools that forward ports set on the far side.
    """
    if environment.get("BROWSER"):
        return True
    if environment.get("SSH_CONNECTION"):
        return False
    if platform in ("win32", "darwin"):
        return True
    return bool(environment.get("DISPLAY") or environment.get("WAYLAND_DISPLAY"))


def _announcement(title: str, server, *, is_local: bool) -> str:
    """What is printed: what it is, how to end it, and its address on a line of its own."""
    rest = " in the studio; Ctrl-C ends it. Open:"
    lines = [textwrap.shorten(visible(title), 80 - len(rest), placeholder="...") + rest]
    if is_local and os.environ.get("SSH_CONNECTION"):
        lines[:0] = [
            "On your own machine first:",
            f"  ssh -L {server.port}:127.0.0.1:{server.port} {socket.gethostname()}",
        ]
    return "\n".join([*lines, server.url])


def _certificate(certificate, key):
    """The Certificate of --certificate and --key; None without them."""
    from cutaway.studio.server import Certificate

    if certificate is None and key is None:
        return None
    if certificate is None or key is None:
        raise OptionError(
            "--certificate and --key belong together, and one of them is missing",
            expected="both, in PEM form",
            fix="give the other one too",
        )
    return Certificate(certificate, key)
