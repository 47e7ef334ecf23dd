"""The studio as a widget in JupyterLab, marimo, and where there is no kernel."""

import base64
import re
import time
from collections.abc import Iterator
from pathlib import Path

import nbclient
import nbformat
import pytest

import cutaway as ct
from cutaway.diagram import draw
from tests.studio.chromium import Chromium
from tests.studio.notebooks import (
    SECONDS,
    Notebook,
    Views,
    environment,
    jupyterlab,
    marimo,
    notebook,
)

TRAINER = """
import pathlib, time
import numpy as np
import cutaway as ct
ct.seed(0)
x = np.random.default_rng(0).normal(size=(200, 2)).astype(np.float32)
y = (x[:, :1] * x[:, 1:] > 0).astype(np.float32)
net = ct.models.mlp((2, 3, 1), activation=ct.Tanh)
loss = ct.losses.binary_cross_entropy_with_logits
trainer = ct.Trainer(net, loss=loss, optimizer=ct.Adam(net, lr=0.01))
""".strip()
STUDIO = "studio = ct.studio(trainer, x, y)\nstudio"
WAIT = "while not pathlib.Path('go').exists(): time.sleep(0.05)"
WATCHED = """
import threading
studio = ct.studio(trainer, x, y)
client = studio.widget()._client
def tell():
    while True:
        pathlib.Path('is_listening').write_text(str(client.is_listening))
        time.sleep(0.1)
threading.Thread(target=tell, daemon=True).start()
studio
""".strip()
APP = f"""
import marimo

app = marimo.App()


@app.cell
def _():
{"".join(f"    {line}" + chr(10) for line in TRAINER.splitlines())}
    return ct, trainer, x, y


@app.cell
def _(ct, trainer, x, y):
    studio = ct.studio(trainer, x, y)
    studio
    return (studio,)


@app.cell
def _(studio):
    studio
    return
""".lstrip()


@pytest.fixture(scope="module")
def browser() -> Iterator[Chromium]:
    with Chromium() as found:
        yield found


@pytest.fixture(scope="module")
def lab(browser, tmp_path_factory) -> Iterator[tuple[Path, str]]:
    """(folder of the notebooks, address of JupyterLab)."""
    pytest.importorskip("jupyterlab")
    folder = tmp_path_factory.mktemp("lab")
    with jupyterlab(folder) as url:
        yield folder, url


@pytest.fixture
def open_notebook(browser, lab):
    """Function (*cells) -> (Notebook, folder of its kernel), in JupyterLab."""
    pages = []

    def opened(*cells: str) -> tuple[Notebook, Path]:
        folder, url = lab
        own = folder / f"book-{len(list(folder.iterdir()))}"
        own.mkdir()
        (own / "of.ipynb").write_text(notebook(*cells))
        page = browser.open(url.format(own.name), own.name)
        pages.append(page)
        return Notebook(page, len(cells)), own

    yield opened
    for page in pages:
        page.close()


def wait_for(path: Path, text: str) -> None:
    """Wait until a file has this content."""
    end = time.monotonic() + SECONDS
    while not path.exists() or path.read_text() != text:
        assert time.monotonic() < end, f"{path.name} is never {text}"
        time.sleep(0.1)


@pytest.mark.slow
def test_in_jupyterlab_it_is_led_while_another_cell_runs(open_notebook):
    book, folder = open_notebook(TRAINER, STUDIO, "studio", WAIT)
    for cell in (0, 1, 2):
        book.run(cell)
        book.has_run(cell)
    book.show(2)  # two views of one widget
    book.run(3)
    book.press_play()
    book.are_playing(True)
    book.go_on()
    book.press_play()
    book.are_playing(False)
    assert book.is_running(3)
    (folder / "go").touch()
    book.has_run(3)
    steps = book.steps_at_rest()
    assert steps[0] == steps[1] > 0
    book.command("docmanager:save")
    book.page.reload()
    book.is_ready()
    book.show(2)
    assert book.steps() == steps
    assert book.page.heard()["errors"] == []


@pytest.mark.slow
def test_in_jupyterlab_frames_are_made_for_whoever_looks(open_notebook):
    book, folder = open_notebook(TRAINER, WATCHED)
    for cell in (0, 1):
        book.run(cell)
        book.has_run(cell)
    book.show(1)
    book.press_play()
    book.go_on()
    wait_for(folder / "is_listening", "True")
    book.command("docmanager:save")
    book.command("application:close")
    book.are_gone()
    wait_for(folder / "is_listening", "False")
    book.command("docmanager:open", path=f"{folder.name}/of.ipynb")
    book.show(1)
    book.go_on()
    wait_for(folder / "is_listening", "True")
    book.restart_kernel()
    book.say("The kernel has ended or was restarted: run this cell again.")
    book.page.reload()
    book.is_ready()
    # the model of the widget is gone, the picture is there
    book.page.wait("[...document.images].some((one) => one.naturalWidth > 100)")
    book.are_gone()


@pytest.mark.slow
def test_in_marimo_two_views_of_it_train_and_pause(browser, tmp_path):
    pytest.importorskip("marimo")
    (tmp_path / "app.py").write_text(APP)
    with marimo(tmp_path, "app.py") as url:
        page = browser.open(url, "marimo")
        views = Views(page)
        views.show(2)
        views.press_play()
        views.are_playing(True)
        views.go_on()
        views.press_play()
        views.are_playing(False)
        views.say("")
        assert views.steps()[0] == views.steps()[1] > 0
        assert page.heard()["errors"] == []
        page.close()


def test_a_run_notebook_as_html_has_the_picture_of_the_network(tmp_path):
    exporters = pytest.importorskip("nbconvert").exporters
    run = nbformat.reads(notebook(TRAINER, STUDIO), as_version=4)
    client = nbclient.NotebookClient(run, kernel_name="python3", timeout=SECONDS)
    client.execute(env=environment(tmp_path), cwd=str(tmp_path))
    assert run.metadata.widgets  # without a kernel and without a net, its view is empty
    html, _ = exporters.HTMLExporter().from_notebook_node(run)
    (picture,) = re.findall(r'<img [^>]*src="data:image/svg\+xml;base64,([^"]+)"', html)
    ct.seed(0)
    net = ct.models.mlp((2, 3, 1), activation=ct.Tanh)
    assert base64.b64decode(picture).decode() == draw(net).svg
