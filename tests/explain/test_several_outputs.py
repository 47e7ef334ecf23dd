"""Operations that return several arrays, in all that reads the tape or the operations."""

import numpy as np
import pytest

import cutaway as ct
from cutaway import losses
from cutaway.engine.operation import operation
from cutaway.errors import TrainingError
from tests.oracles import oracle

RNG = np.random.default_rng(0)
X = RNG.normal(size=(3, 4)).astype(np.float32)
Y = RNG.normal(size=(3, 2)).astype(np.float32)


def polar(edges):
    @operation(name=f"polar_{edges}", edges=edges)
    def polar(a, b):
        """√(a² + b²) and a b: two functions of the same two numbers."""
        return (a * a + b * b) ** 0.5, a * b

    @polar.backward
    def polar_backward(grad, out, a, b):
        r, _ = out
        return grad[0] * a / r + grad[1] * b, grad[0] * b / r + grad[1] * a

    @polar.onnx
    def polar_onnx(g, a, b):
        squares = [g.node("Mul", x, x) for x in (a, b)]
        return g.results(g.node("Sqrt", g.node("Add", *squares)), g.node("Mul", a, b))

    return polar


class Both(ct.Module):
    def __init__(self, edges="elementwise"):
        self.a, self.b, self.out = ct.Linear(4, 3), ct.Linear(4, 3), ct.Linear(3, 2)
        self.polar = polar(edges)

    def forward(self, x):
        radius, product = self.polar(self.a(x), self.b(x))
        return self.out(radius * product + radius)


@pytest.mark.parametrize("edges", ["elementwise", "any", "product"])
def test_the_paths_through_either_output_add_up_to_the_gradient(edges):
    net = Both(edges)
    why = ct.explain(net, X[0], Y[0], loss=losses.mean_squared_error)
    story = why.gradient("a.weight", (1, 2))
    losses.mean_squared_error(net(X[:1]), Y[:1]).backward()
    assert story.value == pytest.approx(float(net.a.weight.grad[1, 2]), rel=1e-5)
    assert story.count == 2 * 3  # two outputs; three ways by which they are read: r p, r, p r


def test_such_a_network_is_drawn_exported_and_trained_as_others(tmp_path):
    net = Both()
    assert "polar" in ct.draw(net, x=X).svg
    trainer = ct.Trainer(net, loss=losses.mean_squared_error, optimizer=ct.Adam(net, lr=0.01))
    history = trainer.fit(X, Y, epochs=30, batch_size=3, progress=False)
    assert history["loss"][-1] < history["loss"][0]
    onnxruntime = oracle("onnxruntime")
    ct.export.export_onnx(net, tmp_path / "net.onnx", {"x": ((4,), "float32")})
    session = onnxruntime.InferenceSession(str(tmp_path / "net.onnx"))
    (found,) = session.run(None, {"x": X})
    np.testing.assert_allclose(found, net.eval()(X).numpy(), rtol=1e-5, atol=1e-6)


def test_a_nan_in_one_of_the_outputs_is_traced_to_its_operation():
    net = Both()
    net.a.weight.data = net.a.weight.data * 0
    net.b.weight.data = net.b.weight.data * 0  # r = 0, where its slope is 0/0
    trainer = ct.Trainer(net, loss=losses.mean_squared_error, optimizer=ct.SGD(net, lr=0.1))
    with pytest.raises(TrainingError, match="polar_elementwise"):
        trainer.fit(X, Y, epochs=3, batch_size=3, progress=False)
