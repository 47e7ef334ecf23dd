"""examples/notebook.ipynb, run in a kernel: every object shows itself, and none twice."""

import os
import re
from pathlib import Path

import nbclient
import nbformat
import pytest

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "notebook.ipynb"
AFTER_PYPLOT = "import matplotlib.pyplot as plt\n\nhistory.plot()"


@pytest.fixture(scope="module")
def cells(tmp_path_factory):
    """{source: outputs} of each code cell, run."""
    notebook = nbformat.read(EXAMPLE, as_version=4)
    notebook.cells.append(nbformat.v4.new_code_cell(AFTER_PYPLOT))
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    client = nbclient.NotebookClient(
        notebook,
        timeout=600,
        kernel_name="python3",
        resources={"metadata": {"path": str(tmp_path_factory.mktemp("notebook"))}},
    )
    client.execute(env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)})
    return {cell.source: cell.outputs for cell in notebook.cells if cell.cell_type == "code"}


def last_line(source):
    return source.splitlines()[-1]


def pages(cells):
    """{last line of a cell: the HTML of its last output}."""
    return {last_line(s): outs[-1].data["text/html"] for s, outs in cells.items() if outs}


def test_the_notebook_is_stored_without_outputs():
    notebook = nbformat.read(EXAMPLE, as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(cell.outputs == [] and cell.execution_count is None for cell in code)


@pytest.mark.slow
def test_each_cell_shows_one_object_as_html_and_text_and_a_fit_one_bar_before_it(cells):
    for source, outputs in cells.items():
        fits = ".fit(" in source or "train_table(" in source
        ends_with_object = " = " not in last_line(source)
        assert len(outputs) == fits + ends_with_object, source
        for output in outputs:  # neither an error nor a warning on standard error
            assert output.output_type in ("display_data", "execute_result"), source
            assert 'class="cutaway-shown"' in output.data["text/html"]
            assert output.data["text/plain"].strip()
        if fits:
            assert 'class="bar"' in outputs[0].data["text/html"]
            assert re.match(r"100%  \d+ epochs  loss ", outputs[0].data["text/plain"])


SHOWS = {
    "net": "<svg",
    "optimizer": "<math",
    "trainer": "<svg",
    "history": "<polyline",
    "history.plot()": "<svg",
    "why": "why.gradient(&quot;",
    'why.forward("0", 1)': "<math",
    'why.gradient("0.weight", (1, 0))': "<math",
    'why.update(optimizer, "0.weight", (1, 0))': "<math",
    "why.flow()": "<svg",
    "why.attribution()": "<svg",
    "why.attribution().plot()": "<svg",
    "diagnosis": "<b>Fix:</b>",
    "ct.treat(diagnosis, seeds=2)": "<svg",
    "race": 'class="trajectories"',
    "race.plot()": "<svg",
    "run": "<polyline",
}


@pytest.mark.slow
def test_every_kind_of_object_has_its_drawing_curves_or_formulas(cells):
    found = pages(cells)
    for line, mark in SHOWS.items():
        assert mark in found[line], line
    compared = [html for line, html in found.items() if line.startswith(("ct.compare", "ct.tune"))]
    assert len(compared) == 2 and all("<svg" in html for html in compared)


@pytest.mark.slow
def test_outputs_on_one_page_share_no_ids_and_load_nothing(cells):
    found = [out.data["text/html"] for outputs in cells.values() for out in outputs]
    ids = [name for html in found for name in re.findall(r'\sid="([^"]+)"', html)]
    assert ids and len(ids) == len(set(ids))
    for html in found:
        loaded = re.findall(r'(?:src|href)="([^"]{0,20})', html)
        assert all(address.startswith(("data:", "#")) for address in loaded)
        assert not re.search(r"@import|url\((?!#)|fetch\(|<h[1-6]", html)
