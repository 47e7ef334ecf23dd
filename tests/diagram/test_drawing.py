import itertools
import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest

import cutaway as ct
from cutaway import nn
from cutaway.diagram import draw
from cutaway.errors import OptionError, RunError, ShapeError
from cutaway.story.svg import text_width

SVG = "{http://www.w3.org/2000/svg}"


def root(picture):
    return ET.fromstring(picture.svg)


def count(picture, tag):
    return len(root(picture).findall(f".//{SVG}{tag}"))


def texts(picture):
    return ["".join(t.itertext()) for t in root(picture).iter(f"{SVG}text")]


def names(picture):
    """The texts of pieces that a line of text is made of."""
    return [t.text for t in root(picture).iter() if t.tag in (f"{SVG}tspan", f"{SVG}text")]


# networks


def block(n_in, n_out, stride=1):
    body = ct.Sequential(
        ct.Conv2d(n_in, n_out, 3, stride=stride, padding=1, bias=False),
        ct.BatchNorm(n_out),
        ct.ReLU(),
        ct.Conv2d(n_out, n_out, 3, padding=1, bias=False),
        ct.BatchNorm(n_out),
    )
    if stride == 1:
        return ct.Sequential(ct.Residual(body), ct.ReLU())
    way = ct.Sequential(ct.Conv2d(n_in, n_out, 1, stride=stride), ct.BatchNorm(n_out))
    return ct.Sequential(ct.Add(body, way), ct.ReLU())


def resnet():
    layers = [ct.Conv2d(3, 8, 3, padding=1, bias=False), ct.BatchNorm(8), ct.ReLU()]
    layers += [block(8, 8), block(8, 8), block(8, 16, 2), block(16, 16), block(16, 32, 2)]
    layers += [block(32, 32), block(32, 64, 2), block(64, 64)]
    return ct.Sequential(*layers, ct.GlobalAvgPool(), ct.Linear(64, 10))


class UNet(ct.Module):
    def __init__(self):
        def double(a, b):
            return ct.Sequential(ct.Conv2d(a, b, 3, padding=1), ct.ReLU())

        self.down = [double(3, 4), double(4, 8)]
        self.pool = ct.MaxPool(2)
        self.bottom = double(8, 16)
        self.up = [ct.ConvTranspose2d(16, 8, 2, stride=2), ct.ConvTranspose2d(8, 4, 2, stride=2)]
        self.merge = [double(16, 8), double(8, 4)]
        self.head = ct.Conv2d(4, 2, 1)

    def forward(self, x):
        skips = []
        for stage in self.down:
            skips.append(stage(x))
            x = self.pool(skips[-1])
        x = self.bottom(x)
        for up, merge, skip in zip(self.up, self.merge, reversed(skips), strict=True):
            x = merge(ct.ops.concatenate([skip, up(x)], axis=-1))
        return self.head(x)


class Gated(ct.Module):
    def __init__(self, dilation):
        self.gated = ct.Conv1d(4, 8, 2, dilation=dilation, padding="causal")
        self.out = ct.Conv1d(4, 8, 1)

    def forward(self, x):
        z = self.gated(x)
        y = self.out(ct.ops.tanh(z[..., :4]) * ct.ops.sigmoid(z[..., 4:]))
        return x + y[..., :4], y[..., 4:]


class WaveNet(ct.Module):
    def __init__(self):
        self.first = ct.Conv1d(1, 4, 1)
        self.blocks = [Gated(2**k) for k in range(4)]
        self.head = ct.Conv1d(4, 5, 1)

    def forward(self, x):
        x = self.first(x)
        total = 0
        for one in self.blocks:
            x, skip = one(x)
            total = skip + total
        return self.head(total)


class Siamese(ct.Module):
    def __init__(self):
        self.tower = ct.Sequential(ct.Linear(8, 4), ct.Tanh())
        self.head = ct.Linear(4, 1)

    def forward(self, a, b):
        return self.head(ct.ops.absolute(self.tower(a) - self.tower(b)))


class Unrolled(ct.Module):
    def __init__(self):
        self.cell = ct.Linear(5, 4)
        self.start = ct.Parameter(np.zeros((2, 4), np.float32))
        self.head = ct.Linear(4, 2)

    def forward(self, x):
        h = self.start
        for t in range(12):
            h = ct.ops.tanh(self.cell(ct.ops.concatenate([x[:, t], h], axis=-1)))
        return self.head(h)


class Inception(ct.Module):
    def __init__(self):
        self.narrow = ct.Conv2d(3, 4, 1)
        self.wide = ct.Sequential(ct.Conv2d(3, 4, 1), ct.ReLU(), ct.Conv2d(4, 4, 3, padding=1))
        self.pool = ct.MaxPool(3, stride=1, padding=1)
        self.last = ct.Conv2d(3, 4, 1)

    def forward(self, x):
        parts = [self.narrow(x), self.wide(x), self.last(self.pool(x))]
        return ct.ops.concatenate(parts, axis=-1)


NETWORKS = {
    "resnet": (resnet, {"input_shape": (16, 16, 3)}),
    "unet": (UNet, {"input_shape": (16, 16, 3)}),
    "unet, size unknown": (UNet, {}),
    "wavenet": (WaveNet, {"input_shape": (32, 1)}),
    "siamese": (Siamese, {"input_shape": [(8,), (8,)]}),
    "unrolled": (Unrolled, {"input_shape": (12, 1)}),
    "inception": (Inception, {"input_shape": (8, 8, 3)}),
    "table": (lambda: ct.models.TableNetwork(2, [(31, 16), (7, 4)], (8,), 1), {}),
    "text": (
        lambda: ct.models.TransformerClassifier(50, 2),
        {"x": np.ones((2, 9), np.int32)},
    ),
    "forecaster": (lambda: ct.models.Forecaster(1, 12), {"input_shape": (24, 1)}),
}


@pytest.fixture(scope="module")
def pictures():
    """Each network and its drawing."""
    made = {}
    for name, (build, options) in NETWORKS.items():
        net = build()
        made[name] = net, draw(net, **options)
    return made


# nodes and edges


def test_a_small_network_has_a_node_per_neuron_and_an_edge_per_weight():
    picture = draw(ct.models.mlp((4, 3, 2, 1)))
    assert count(picture, "circle") == 4 + 3 + 2 + 1
    assert count(picture, "line") == 4 * 3 + 3 * 2 + 2 * 1


def test_signs_of_weights_differ_in_color_and_dashes():
    net = ct.Sequential(ct.Linear(2, 1))
    net[0].weight.data = net[0].weight.data * 0 + np.array([[1.0], [-2.0]], np.float32)
    picture = draw(net)
    lines = root(picture).findall(f".//{SVG}line")
    assert [line.get("class") for line in lines] == ["positive", "negative"]
    assert float(lines[1].get("stroke-width")) > float(lines[0].get("stroke-width"))
    assert re.search(r"\.negative \{[^}]*stroke-dasharray", picture.svg)
    assert lines[1].find(f"{SVG}title").text == "w(1)[1, 0] = -2.0"


def test_large_layers_show_some_nodes_and_their_size():
    picture = draw(ct.models.mlp((784, 256, 10), dropout=0.2))
    assert count(picture, "circle") == 8 + 8 + 10
    shown = texts(picture)
    assert {"784", "256", "10", "⋮"} <= set(shown)
    assert any("dropout 0.2" in text for text in shown)


def test_names_are_text():
    picture = draw(ct.models.mlp((2, 1)), input_names=["<a>", "b & c"], output_names=["y"])
    assert {"<a>", "b & c", "y"} <= set(texts(picture))


def test_one_neuron_is_drawn_with_its_inputs():
    assert count(draw(nn.Perceptron(3)), "circle") == 4
    assert count(draw(ct.Linear(2, 2)), "line") == 4


def lit_lines(picture):
    return [
        line.find(f"{SVG}title").text.split(" = ")[0]
        for line in root(picture).iter(f"{SVG}line")
        if "lit" in line.get("class").split()
    ]


def test_a_path_of_nodes_lights_the_weights_between_them():
    net = ct.models.mlp((3, 2, 1), activation=ct.Sigmoid, output=ct.Sigmoid)
    picture = draw(net, path=[(0, 2), (1, 0), (2, 0)])
    assert lit_lines(picture) == ["w(1)[2, 0]", "w(2)[0, 0]"]
    nodes = [c for c in root(picture).iter(f"{SVG}circle") if "lit" in c.get("class")]
    assert len(nodes) == 3
    assert "highlighted path" in texts(picture)
    by_path = draw(net, path=[("2", 0, 0), ("0", 2, 0)])
    assert sorted(lit_lines(by_path)) == sorted(lit_lines(picture))


def test_lit_nodes_of_a_large_layer_are_drawn():
    picture = draw(ct.models.mlp((784, 256, 10)), path=[(0, 500), (1, 77), (2, 3)])
    assert lit_lines(picture) == ["w(1)[500, 77]", "w(2)[77, 3]"]


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ([(0, 3)], "no node 3"),
        ([(5, 0)], "of layer 5"),
        ([(0, 0), (2, 0)], "from layer 0 to layer 2"),
        ([("7", 0)], "names a layer '7'"),
        ([(0, 0, 0)], "of layer 0"),
        ([(0, 0), (1, 0, 0)], "nodes and weights"),
        (["0"], "has the step '0'"),
    ],
)
def test_a_path_that_is_not_in_the_network_is_an_error(path, said):
    with pytest.raises(OptionError, match=re.escape(said)):
        draw(ct.models.mlp((3, 2, 1)), path=path)


def test_the_number_of_names_must_be_the_number_of_nodes():
    with pytest.raises(OptionError, match="input_names has 2 names"):
        draw(ct.models.mlp((3, 2, 1)), input_names=["a", "b"])


# blocks


def test_every_layer_is_named_once():
    net = ct.models.cnn(1, 10, widths=(4, 8))
    picture = draw(net, input_shape=(28, 28, 1))
    pieces = root(picture).iter(f"{SVG}tspan")
    assert [t.text for t in pieces if t.get("class") == "faint"] == [k for k in net.modules() if k]
    shown = names(picture)
    kinds = [type(layer).__name__ for layer in net]
    for kind in set(kinds):
        assert shown.count(kind) == kinds.count(kind)


def test_shapes_are_shown_where_they_change_and_parameters_where_there_are_any():
    shown = texts(draw(ct.models.cnn(1, 10, widths=(4, 8)), input_shape=(28, 28, 1)))
    assert "28×28×4" in shown and "14×14×4" in shown
    assert any("36 parameters" in text for text in shown)  # the first convolution
    assert shown.count("28×28×4") == 1  # batch norm and ReLU after it do not change it


def test_without_an_input_shape_connections_are_drawn_without_shapes():
    shown = " ".join(texts(draw(UNet())))
    assert "join, axis -1" in shown and "16×16" not in shown


def test_skips_are_lines_past_the_layers_between(pictures):
    _, picture = pictures["unet"]
    joins = [k for k, text in enumerate(names(picture)) if text == "join, axis -1"]
    assert len(joins) == 2
    wires = wires_of(picture)
    long = [w for w in wires if len(w) >= 4 and abs(w[0][1] - w[-1][1]) > 300]
    assert len(long) == 2


def test_repeats_are_drawn_once_with_their_number():
    encoder = ct.TransformerEncoder(8, 2, num_layers=5)
    shown = names(draw(encoder, input_shape=(6, 8)))
    assert "TransformerEncoderLayer × 5" in shown
    assert shown.count("MultiHeadAttention") == 1
    assert "layers.0 … layers.4" in shown


def test_repeats_that_pass_on_two_tensors_are_folded(pictures):
    _, picture = pictures["wavenet"]
    shown = " ".join(texts(picture))
    assert "repeated × 3" in shown  # the first block adds its skip to nothing
    assert "dilation=2 … 8" in shown


def test_a_module_called_repeatedly_counts_its_weights_once(pictures):
    _, picture = pictures["unrolled"]
    shown = " ".join(texts(picture))
    assert "repeated × 12" in shown and "24 parameters, shared" in shown
    assert "start" in names(picture)  # a parameter of the network itself
    _, picture = pictures["siamese"]
    assert any("shared weights" in text for text in texts(picture))
    assert {"input 1", "input 2"} <= set(names(picture))


def test_only_the_first_of_the_blocks_that_differ_only_in_size_is_open(pictures):
    _, picture = pictures["resnet"]
    shown = texts(picture)
    assert any(text.startswith("3 … 4 Sequential × 2") for text in shown)
    assert "as 5, other sizes" in " ".join(shown)
    assert "draw the module for details" in " ".join(shown)


def test_a_depth_closes_what_is_further_inside_and_counts_its_modules():
    block = lambda: ct.Residual(ct.Sequential(ct.Linear(4, 4), ct.ReLU()))  # noqa: E731
    net = ct.Sequential(ct.Linear(4, 4), ct.Sequential(block(), block(), block(), ct.Linear(4, 4)))
    whole, short = (draw(net, input_shape=(4,), depth=depth) for depth in (None, 1))
    assert "Sequential 7 modules · 80 parameters" in " ".join(texts(short))
    assert "ReLU" in " ".join(texts(whole)) and "ReLU" not in " ".join(texts(short))
    assert short.height < whole.height
    assert draw(net, input_shape=(4,), depth=9).svg == whole.svg
    with pytest.raises(OptionError, match="depth"):
        draw(net, depth=0)


def test_a_layer_that_forward_never_calls_is_reported():
    net = Inception()
    net.forgotten = ct.Linear(3, 3)
    shown = " ".join(texts(draw(net, input_shape=(8, 8, 3))))
    assert "Not used by forward: forgotten." in shown


def test_unknown_connections_are_dotted():
    class Two(ct.Module):
        def __init__(self):
            self.a = ct.Linear(4, 4)
            self.b = ct.Linear(7, 4)

        def forward(self, x, y):
            return self.a(x) + self.b(y)

    guessed = draw(Two())
    assert 'class="wire guess"' in guessed.svg
    assert "Pass input_shape= to see them." in " ".join(texts(guessed))
    known = draw(Two(), input_shape=[(4,), (7,)])
    assert 'class="wire guess"' not in known.svg and "+" in names(known)


def test_a_forward_that_looks_at_values_is_drawn():
    class Choosing(ct.Module):
        def __init__(self):
            self.a = ct.Linear(4, 4)

        def forward(self, x):
            return self.a(x) if float(x.sum()) < 1 else x

    assert "Linear" in names(draw(Choosing(), input_shape=(4,)))


def test_recomputed_blocks_and_steps_are_followed():
    net = ct.Sequential(
        nn.recompute(ct.Sequential(ct.Linear(4, 4), ct.Tanh())),
        ct.Residual(ct.Sequential(ct.LayerNorm(4), nn.Threshold())),
    )
    picture = draw(net, input_shape=(4,))
    assert "guess" not in re.sub(r"(?s)<style>.*?</style>", "", picture.svg)
    assert {"inner.0", "inner.1", "+"} <= set(names(picture))


def test_drawing_changes_nothing_in_the_network():
    net = ct.Sequential(ct.Conv2d(1, 2, 3), ct.BatchNorm(2), ct.Dropout(0.5), ct.GlobalAvgPool())
    net[1].training = False
    before = {path: v.data for path, v in nn.named_variables(net).items()}
    with pytest.raises(ShapeError):
        draw(net, input_shape=(8, 8, 3))
    draw(net, input_shape=(8, 8, 1))
    assert all(v.data is before[path] for path, v in nn.named_variables(net).items())
    assert [layer.training for layer in net] == [True, False, True, True]


def test_modules_on_the_path_are_lit():
    net = ct.models.cnn(1, 10, widths=(4, 8))
    picture = draw(net, path=["0", "1"])
    lit = [r for r in root(picture).iter(f"{SVG}rect") if "lit" in r.get("class").split()]
    assert len(lit) == 2
    with pytest.raises(OptionError, match=r"did you mean|choose one of"):
        draw(net, path=["nine"])


def test_a_single_layer_is_one_block():
    assert names(draw(ct.LSTM(3, 4), input_shape=(10, 3))).count("LSTM") == 2  # heading and block


@pytest.mark.parametrize("shape", [5, (0, 3), "8", (2.5,)])
def test_an_invalid_shape_is_an_error(shape):
    with pytest.raises(OptionError, match="input_shape"):
        draw(UNet(), input_shape=shape)


def test_anything_but_a_network_is_an_error():
    with pytest.raises(OptionError, match="got a type"):
        draw(UNet)
    with pytest.raises(OptionError, match="one of them"):
        draw(UNet(), input_shape=(3,), x=np.ones((1, 3)))


# geometry


def absolute(element, x=0.0, y=0.0):
    """(element, x, y of its origin) of all elements below."""
    found = re.fullmatch(r"translate\((\S+) (\S+)\)", element.get("transform") or "")
    if found:
        x, y = x + float(found[1]), y + float(found[2])
    yield element, x, y
    for child in element:
        yield from absolute(child, x, y)


def boxes_of(picture):
    """(group, left, top, right, bottom) of each part; those of groups hold others."""
    for element, x, y in absolute(root(picture)):
        if element.get("class") == "part":
            box = element.find(f"{SVG}rect")
            yield element, x, y, x + float(box.get("width")), y + float(box.get("height"))


def wires_of(picture):
    """Corners of each line; round corners are taken as their two ends."""
    for element, x, y in absolute(root(picture)):
        if element.get("class", "").startswith("wire") and element.get("d")[1:2] != "":
            if "h3" in element.get("d"):
                continue  # the edge of a card below
            numbers = re.findall(r"([MLQ])(\S+?) (\S+?)(?=[LQ ]|$)(?: (\S+?) ([^LQ]+))?",
                                 element.get("d"))  # fmt: skip
            points = []
            for _, px, py, qx, qy in numbers:
                points.append((x + float(qx or px), y + float(qy or py)))
            yield points


@pytest.mark.parametrize("name", NETWORKS)
def test_boxes_do_not_overlap_and_texts_are_inside(pictures, name):
    _, picture = pictures[name]
    width, height = map(float, root(picture).get("viewBox").split()[2:])
    boxes = list(boxes_of(picture))
    assert boxes
    for k, (one, left, top, right, bottom) in enumerate(boxes):
        assert left >= 0 and top >= 0 and right <= width and bottom <= height
        inside = set(one.iter())
        for line in one.findall(f"{SVG}text"):
            needed = text_width("".join(line.itertext()), 11)
            assert needed <= right - left
        for other, left2, top2, right2, bottom2 in boxes[k + 1 :]:
            if other in inside:
                assert left <= left2 and right2 <= right and top <= top2 and bottom2 <= bottom
                continue
            apart = right <= left2 or right2 <= left or bottom <= top2 or bottom2 <= top
            assert apart, (texts_of(one), texts_of(other))


def texts_of(element):
    return ["".join(t.itertext()) for t in element.findall(f"{SVG}text")]


@pytest.mark.parametrize("name", NETWORKS)
def test_no_line_runs_through_a_box(pictures, name):
    _, picture = pictures[name]
    leaves = [b for b in boxes_of(picture) if b[0].find(f"{SVG}g") is None]
    for points in wires_of(picture):
        for (x1, y1), (x2, y2) in itertools.pairwise(points):
            for element, left, top, right, bottom in leaves:
                beside = max(x1, x2) <= left + 1 or min(x1, x2) >= right - 1
                above = max(y1, y2) <= top + 1 or min(y1, y2) >= bottom - 1
                assert beside or above, texts_of(element)


@pytest.mark.parametrize("name", ["resnet", "text"])
def test_a_picture_has_a_title_a_role_and_a_legend_of_its_colors(pictures, name):
    net, picture = pictures[name]
    assert root(picture).get("role") == "img"
    title = root(picture).find(f"{SVG}title").text
    assert type(net).__name__ in title and "parameters" in title
    shown = set(texts(picture))
    used = {r.get("class").split()[-1] for r in root(picture).iter(f"{SVG}rect")}
    assert {"convolution", "normalization"} <= used or {"attention", "dense"} <= used
    assert used & {"convolution", "attention"} <= shown


def test_a_drawing_is_written_atomically(tmp_path):
    picture = draw(ct.models.TableNetwork(2, [(31, 16)], (8,), 1))
    picture.save(tmp_path / "net.svg")
    assert ET.parse(tmp_path / "net.svg").getroot().tag == f"{SVG}svg"
    assert picture._repr_svg_() == picture.svg
    with pytest.raises(RunError, match="no folder"):
        picture.save(tmp_path / "none" / "net.svg")
    with pytest.raises(RunError, match="is a folder"):
        picture.save(tmp_path)


class TwoHeads(ct.Module):
    def __init__(self):
        self.table, self.words = ct.Linear(3, 4), ct.Embedding(9, 4)
        self.classes, self.number = ct.Linear(4, 2), ct.Linear(4, 1)

    def forward(self, table, text):
        hidden = self.table(table) + self.words(text).mean(axis=1)
        return {"value": self.number(hidden), "class": self.classes(hidden)}


def test_inputs_and_outputs_of_dicts_are_drawn_with_their_names_and_shapes():
    x = {"text": np.zeros((2, 5), int), "table": np.zeros((2, 3))}
    found = texts(draw(TwoHeads(), x=x))
    ends = [text for text in found if text.startswith(("input", "output"))]
    assert ends == ["input table 3", "input text 5", "output class 2", "output value 1"]
    numbered = texts(draw(TwoHeads(), x=(x["table"], x["text"])))
    assert "input 1 3" in numbered and "input 2 5" in numbered

    class Sum(ct.Module):
        def forward(self, left, right):
            return left + right

    shaped = texts(draw(Sum(), input_shape={"left": (3,), "right": (3,)}))
    assert "input left 3" in shaped and "output 3" in shaped


def test_numbers_of_a_small_network_are_drawn_apart():
    ct.seed(0)
    net = ct.Sequential(
        ct.Linear(4, 3), ct.Sigmoid(), ct.Linear(3, 2), ct.Sigmoid(), ct.Linear(2, 1), ct.Sigmoid()
    )
    x = np.array([0.5, 0.1, 0.8, 0.3], np.float32)
    svg = ct.draw(net, numbers=True, x=x, input_names=list("abcd")).svg
    for i, j in np.ndindex(4, 3):
        assert f">w_{i + 1}{j + 1} = {net[0].weight.numpy()[i, j]:.3g}<" in svg
    assert f">{net(x[None]).item():.3g}<" in svg and ">b_1 = 0<" in svg and ">ŷ<" in svg
    # all labels of weights: none lies on another
    placed = re.findall(r'<text x="([\d.]+)" y="([\d.]+)" class="number">w_', svg)
    assert len(placed) == 12 + 6 + 2
    by_column = {}
    for x_text, y_text in placed:
        by_column.setdefault(round(float(x_text)), []).append(float(y_text))
    assert len(by_column) == 3
    for heights in by_column.values():
        assert min(np.diff(sorted(heights))) > 12
    with pytest.raises(OptionError, match="at most 10 inputs and 6 neurons"):
        ct.draw(ct.Sequential(ct.Linear(4, 7)), numbers=True)
    with pytest.raises(ShapeError, match="one row of 4 inputs"):
        ct.draw(net, numbers=True, x=np.ones(3))
