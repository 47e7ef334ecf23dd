import xml.etree.ElementTree as ET

import numpy as np

import cutaway as ct
from cutaway.explain import draw

SVG = "{http://www.w3.org/2000/svg}"


def count(picture, tag):
    return len(ET.fromstring(picture.svg).findall(f".//{SVG}{tag}"))


def test_a_small_network_has_a_node_per_neuron_and_an_edge_per_weight():
    picture = draw(ct.models.mlp((4, 3, 2, 1)))
    assert count(picture, "circle") == 4 + 3 + 2 + 1
    assert count(picture, "line") == 4 * 3 + 3 * 2 + 2 * 1


def test_signs_of_weights_are_told_apart():
    net = ct.Sequential(ct.Linear(2, 1))
    net[0].weight.data = net[0].weight.data * 0 + np.array([[1.0], [-2.0]], np.float32)
    root = ET.fromstring(draw(net).svg)
    lines = root.findall(f".//{SVG}line")
    assert [line.get("class") for line in lines] == ["positive", "negative"]
    assert float(lines[1].get("stroke-width")) > float(lines[0].get("stroke-width"))


def test_large_layers_show_some_nodes_and_their_size():
    picture = draw(ct.models.mlp((784, 256, 10), dropout=0.2))
    assert count(picture, "circle") == 8 + 8 + 10
    texts = [t.text for t in ET.fromstring(picture.svg).findall(f".//{SVG}text")]
    assert {"784", "256", "10", "⋮"} <= set(texts)
    assert any("dropout 0.2" in (t or "") for t in texts)


def test_names_are_text():
    picture = draw(ct.models.mlp((2, 1)), input_names=["<a>", "b & c"], output_names=["y"])
    texts = [t.text for t in ET.fromstring(picture.svg).findall(f".//{SVG}text")]
    assert {"<a>", "b & c", "y"} <= set(texts)


def test_other_networks_are_drawn_as_blocks(tmp_path):
    net = ct.models.TableNetwork(2, [(31, 16)], (8,), 1)
    picture = draw(net)
    assert count(picture, "rect") == 4  # embedding, two linear layers, activation
    picture.save(tmp_path / "net.svg")
    assert ET.parse(tmp_path / "net.svg").getroot().tag == f"{SVG}svg"
