"""A network in a notebook: drawn at once, in outline or not at all, with its layers."""

import re

import cutaway as ct
from cutaway.models import resnet18
from cutaway.nn import Module


def test_a_network_shows_its_drawing_and_its_layers():
    net = ct.Sequential(ct.Linear(3, 2), ct.Sigmoid(), ct.Linear(2, 1))
    html = net._repr_html_()
    assert html.count("<svg") == 1 and html.count("<circle") == 6
    assert "11 parameters" in html  # 3 · 2 + 2 + 2 · 1 + 1
    rows = re.findall(r"<tr>(.*?)</tr>", html)
    assert [re.sub("<[^>]+>", " ", row).split() for row in rows][1:3] == [
        ["0", "Linear(3,", "2)", "(batch,", "2)", "8"],
        ["1", "Sigmoid", "(batch,", "2)", "0"],
    ]
    net.freeze()
    assert "11 of them frozen" in net._repr_html_()


def test_a_tall_network_is_shown_in_outline_and_whole_on_demand():
    html = resnet18(10)._repr_html_()
    outline, folded = html.split("<summary>every block</summary>")
    assert outline.count("<svg") == 1 and folded.count("<svg") == 1
    assert 3 * outline.count('class="block') < folded.count('class="block')


def test_a_network_that_cannot_run_still_shows_its_layers():
    class Unfinished(Module):
        def __init__(self):
            self.hidden = ct.Linear(3, 2)

        def forward(self, x):
            raise NotImplementedError

    html = Unfinished()._repr_html_()
    assert "(hidden): Linear(3, 2)" in html and html.count("<svg") == 1


def test_a_summary_is_the_same_table():
    net = ct.Sequential(ct.Linear(3, 2), ct.Linear(2, 1))
    assert net.summary().html() in net._repr_html_()
