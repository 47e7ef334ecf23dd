"""ct.studio: opens a studio of a trainer, a network, data or a run."""

from typing import Any
from uuid import uuid4

from cutaway.errors import OptionError
from cutaway.nn import Module
from cutaway.story.notebook import in_notebook
from cutaway.studio.session import Session
from cutaway.studio.still import still_html
from cutaway.studio.subject import Subject
from cutaway.train import Trainer

_SESSIONS: list[Session] = []  # that are open


class Studio:
    """An open studio: networks that can be trained, looked into and changed. Made by `ct.studio`.

    As the last line of a notebook's cell it is the page as a widget; elsewhere `show` opens the
    page in a browser. Its training runs in a thread of its own, so cells return at once. A network
    is open in one studio at a time: another one, as when a cell runs again, closes the first.

    Attributes:
        session: the Session.

    Example:
        >>> import cutaway as ct
        >>> with ct.studio("xor") as studio:
        ...     studio.subject.title
        'Exclusive or'
    """

    def __init__(self, subject: Subject, *, lesson: dict | None = None):
        self.subject = subject
        _end_others(subject)
        self._still = f"cutaway-still-{uuid4().hex[:10]}"  # class of the still picture
        # drawn before the session's thread has the network to itself
        self._still_html = still_html(subject, self._still) if in_notebook() else ""
        self.session = Session(subject, lesson=lesson)
        self.session.start()
        _SESSIONS.append(self.session)
        self._server: Any = None
        self._widget: Any = None

    def __repr__(self):
        where = "" if self._server is None else f", {self._server.url.split('#')[0]}"
        return f"{type(self).__name__}({self.subject.title!r}{where})"

    def serve(self, *, port: int = 0) -> str:
        """Serve the page on this machine, and return its address, which holds a secret token.

        Args:
            port: 0: a free one.

        Raises:
            CutawayError: the extra "studio" is not installed.
            OptionError: the port is in use.
        """
        if self._server is None:
            from cutaway.studio.server import StudioServer

            self._server = StudioServer(port=port)
            self._server.start(self.session)
        return self._server.url

    def show(self, *, port: int = 0) -> None:
        """Open the page in the browser, and return when Ctrl-C ends it."""
        import webbrowser

        url = self.serve(port=port)
        print(f"{self.subject.title} in the studio; Ctrl-C ends it. Open:\n{url}", flush=True)
        webbrowser.open(url)
        try:
            self._server.wait()
        except KeyboardInterrupt:
            self.close()

    def close(self) -> None:
        """End the training; the page and the widget say so. The networks keep their weights."""
        self.session.close()
        if self._server is not None:
            self._server.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    # in a notebook

    def widget(self) -> Any:
        """The widget, an anywidget.

        Raises:
            CutawayError: the extra "notebook" is not installed.
        """
        if self._widget is None:
            from cutaway.studio.widget import new_widget

            self._widget = new_widget(self.session, self._still)
        return self._widget

    def _ipython_display_(self) -> None:
        """What Jupyter shows: the widget, which hides the still picture that follows it.

        The picture is an output of its own: beside a widget in the same output nothing else is
        shown, even where no widget works, as on GitHub.
        """
        if not self._still_html:
            print(repr(self))  # IPython in a terminal
            return
        from IPython.display import display

        found = self.widget()._repr_mimebundle_()
        data, *_ = found if isinstance(found, tuple) else (found,)
        display({**data, "text/plain": repr(self)}, raw=True)
        display({"text/html": self._still_html, "text/plain": repr(self)}, raw=True)

    def _display_(self) -> Any:
        """What marimo shows."""
        return self.widget()


def _end_others(subject: Subject) -> None:
    """No two threads train one network."""
    for session in list(_SESSIONS):
        if session.subject.program.net is subject.program.net:
            session.close("the network was opened in another studio")
        if session.is_closed:
            _SESSIONS.remove(session)


def studio(
    what: Any = None,
    x: Any = None,
    y: Any = None,
    *,
    target: str | None = None,
    loss: Any = None,
    validation: Any = None,
    batch_size: int | None = None,
    seed: int | None = None,
    classes: list[str] | None = None,
    names: list[str] | None = None,
    title: str | None = None,
    **options: Any,
) -> Studio:
    """Open a studio: a network that trains before one's eyes, with every number one click away.

    Args:
        what: a Trainer, whose own network is trained; a Module; a Run or the folder of one; the
            path of data, or a frame; "spirals", "circle", "gauss" or "xor"; None: "spirals".
        x, y, validation: the data of a Trainer or a Module, as for Trainer.fit. A network without
            data can be looked at.
        target: the column to predict, for tables and texts in tables.
        loss: for a Module.
        batch_size, seed: None: those of a Trainer's last fit, otherwise 32 and 0.
        classes, names: of the outputs and of the columns of x.
        title: of the page.
        options: training options of data, see `runs.prepare`.

    Raises:
        OptionError: what cannot be opened so. DataError, RunError: data or run cannot be read.

    Example:
        >>> import numpy as np, cutaway as ct
        >>> x = np.random.default_rng(0).normal(size=(64, 2)).astype(np.float32)
        >>> net = ct.Sequential(ct.Linear(2, 4), ct.Tanh(), ct.Linear(4, 1))
        >>> with ct.studio(net, x, x[:, :1], loss=ct.losses.mean_squared_error) as studio:
        ...     studio.session.is_playing
        False
    """
    of_objects = {
        "validation": validation,
        "batch_size": batch_size,
        "seed": seed,
        "classes": classes,
        "names": names,
        "title": title,
    }
    given = {name: value for name, value in of_objects.items() if value is not None}
    if isinstance(what, Trainer | Module):
        from cutaway.studio.origins import from_objects

        if options or target is not None:
            name = "target" if target is not None else next(iter(options))
            raise OptionError(
                f"{name} was given with a {type(what).__name__}",
                expected="options of data with data alone",
                fix=f"omit {name}",
            )
        if isinstance(what, Module):
            return Studio(from_objects.subject_of_net(what, x, y, loss, **given))
        if loss is not None:
            raise OptionError(
                "a loss was given with a Trainer, which has its own", expected="no loss"
            )
        return Studio(from_objects.subject_of_trainer(what, x, y, **given))
    if x is not None or y is not None or loss is not None:
        raise OptionError(
            f"x, y or a loss was given with {what!r}",
            expected="them with a Trainer or a network",
            fix="ct.studio(trainer, x, y)",
        )
    from cutaway.studio.choosing import choose_subject

    own = {name: value for name, value in given.items() if name in ("batch_size", "seed")}
    if len(own) < len(given):
        name = next(name for name in given if name not in own)
        raise OptionError(f"{name} was given with {what!r}", expected="it with a Trainer")
    return Studio(choose_subject(what, target, options={**options, **own}))
