import gc
import threading

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import cutaway as ct
from cutaway import ops
from cutaway.engine import Tensor, check_gradient, float64, gradients, no_grad
from cutaway.engine.operation import operation
from cutaway.errors import GradientError, OptionError, ShapeError


def leaf(value):
    return Tensor(value, requires_grad=True)


def test_a_tensor_used_twice_in_one_operation_has_two_edges():
    x = leaf(3.0)
    y = x * x
    assert y.record.inputs == (x, x)
    y.backward()
    assert x.grad == 6.0


def test_gradients_of_several_uses_add_up():
    x = leaf(2.0)
    (x * 3 + x * x + ops.exp(x)).backward()
    assert float(x.grad) == pytest.approx(3 + 4 + np.exp(2.0), rel=1e-6)


def test_the_diamond_is_walked_once_per_record():
    # y = (x + x)², each record's rule may run only when all of its gradient has arrived
    calls = []

    @operation
    def double(z):
        return 2 * z

    @double.backward
    def double_backward(grad, out, z):
        calls.append(float(grad))
        return 2 * grad

    x = leaf(1.0)
    y = double(x)
    (y * y + y).backward()
    assert calls == [2 * 2 + 1]
    assert float(x.grad) == 10.0


def test_ten_thousand_chained_operations_work_and_are_freed():
    x = leaf(1.0)
    y = x
    for _ in range(10_000):
        y = ops.linear(y)
    y.backward()
    assert x.grad == 1.0
    del y
    gc.collect()


def test_two_backward_passes_add_up():
    x = leaf(1.0)
    (2 * x).backward()
    (3 * x).backward()
    assert x.grad == 5.0


def test_gradients_leaves_grad_alone():
    x = leaf(1.0)
    [(found, g)] = gradients(2 * x)
    assert found is x and g == 2.0 and x.grad is None


def test_nothing_is_recorded_outside_gradients():
    x = leaf(1.0)
    with no_grad():
        assert (x * 2).record is None
        with no_grad():
            pass
        assert (x * 2).record is None
    assert (Tensor(1.0) * 2).record is None
    assert (x > 0).record is None
    assert (x * 2).record is not None


def test_no_grad_decorates_functions_that_call_themselves():
    x = leaf(1.0)

    @no_grad()
    def down(n):
        return x * 2 if n == 0 else down(n - 1)

    assert down(3).record is None
    assert (x * 2).record is not None


def test_another_thread_records_while_one_does_not():
    x = leaf(1.0)
    found = []
    with no_grad():
        thread = threading.Thread(target=lambda: found.append((x * 2).record))
        thread.start()
        thread.join()
    assert found[0] is not None


def test_records_know_operation_arrays_options_and_order():
    x = leaf([[1.0, 2.0]])
    first = ops.softmax(x, axis=-1)
    second = ops.sum(first, axis=0)
    assert first.record.operation is ops.softmax
    assert second.record.options == {"axis": 0}
    assert second.record.inputs == (first,)
    assert second.record.serial > first.record.serial


def test_an_integer_input_gets_no_gradient():
    x, indices = leaf([1.0, 2.0, 3.0]), Tensor([0, 0, 2])
    ops.take(x, indices).sum().backward()
    assert x.grad.tolist() == [2.0, 0.0, 1.0] and indices.grad is None


def test_backward_of_many_numbers_needs_a_gradient_of_their_shape():
    x = leaf([1.0, 2.0])
    with pytest.raises(GradientError, match=r"shape \(2,\), so it is not one number"):
        (x * 2).backward()
    with pytest.raises(ShapeError, match=r"grad has shape \(3,\)"):
        (x * 2).backward(np.ones(3))
    (x * 2).backward(np.array([1.0, 10.0]))
    assert x.grad.tolist() == [2.0, 20.0]


def test_backward_of_a_constant_says_what_is_missing():
    with pytest.raises(GradientError, match="not computed from anything that needs a gradient"):
        Tensor(1.0).backward()


def test_an_operation_without_a_rule_says_how_to_write_one():
    @operation
    def cube(x):
        return x**3

    with pytest.raises(GradientError) as caught:
        cube(leaf(2.0)).backward()
    assert "@cube.backward" in str(caught.value)
    assert "def cube_backward(grad, out, x)" in str(caught.value)
    assert cube(Tensor(2.0)).item() == 8.0


def test_a_rule_with_too_few_gradients_is_named():
    @operation
    def product(a, b):
        return a * b

    @product.backward
    def product_backward(grad, out, a, b):
        return (grad * b,)

    with pytest.raises(GradientError, match="'product' returned 1 gradients"):
        product(leaf(2.0), leaf(3.0)).backward()


def test_an_operation_that_saves_gives_its_rule_what_it_saved():
    @operation(saves=True)
    def normalized(x):
        length = jnp.sqrt(jnp.sum(x * x))
        return x / length, length

    @normalized.backward
    def normalized_backward(grad, out, length, x):
        return (grad - out * jnp.sum(grad * out)) / length

    check_gradient(normalized, np.array([1.0, -2.0, 0.5]))


def test_one_node_s_kind_says_how_an_operation_without_options_is_written():
    class Graph:
        def elementwise(self, kind, *inputs, **attributes):
            return "in any order of axes", kind, inputs, attributes

        def out(self, kind, *inputs, **attributes):
            return "channels last", kind, inputs, attributes

    plus = operation(lambda a, b: a + b, name="plus", edges="elementwise")
    plus.onnx("Add")
    assert plus.written(Graph(), 1, 2) == ("in any order of axes", "Add", (1, 2), {})
    turn = operation(lambda x: x.T, name="turn")
    turn.onnx("Transpose", perm=[1, 0])
    assert turn.written(Graph(), 1) == ("channels last", "Transpose", (1,), {"perm": [1, 0]})


def test_one_node_s_kind_alone_would_lose_an_operation_s_options():
    @operation
    def scaled(x, *, by=2.0):
        return by * x

    with pytest.raises(OptionError, match=r"options by[\s\S]*@scaled\.onnx"):
        scaled.onnx("Mul")
    assert scaled.written is None


def test_from_jax_derives_a_rule_and_keeps_options():
    def scaled_sinc(x, *, scale):
        return scale * jnp.sinc(x)

    derived = operation.from_jax(scaled_sinc)
    x = leaf(0.3)
    derived(x, scale=2.0).backward()
    assert float(x.grad) == pytest.approx(float(jax.grad(scaled_sinc)(0.3, scale=2.0)), rel=1e-6)
    assert check_gradient(lambda x: derived(x, scale=2.0), np.array([0.3, 1.7])) < 1e-7


def test_inputs_may_be_named():
    assert ops.subtract(b=1.0, a=Tensor(3.0)).item() == 2.0
    assert ops.power(Tensor(3.0), b=2).item() == 9.0


def test_arguments_are_bound_as_python_binds_them():
    @operation
    def line(x, slope=2.0, offset=1.0, *, negate=False):
        return (slope * x + offset) * (-1 if negate else 1)

    @line.backward
    def line_backward(grad, out, x, slope, offset, *, negate=False):
        return grad * slope * (-1 if negate else 1), None, None

    x = leaf(3.0)
    assert line(x, offset=5.0, negate=True).item() == -11.0  # slope keeps its default
    line(offset=5.0, x=x).backward()
    assert x.grad.item() == 2.0
    with pytest.raises(TypeError, match="missing a required argument: 'x'"):
        line(offset=5.0)
    with pytest.raises(TypeError, match="'height'"):
        line(x, height=5.0)
    with pytest.raises(TypeError, match="multiple values for argument 'x'"):
        line(x, x=x)


@operation
def halves(x):
    """Twice the first half, three times the second, and where the largest stands."""
    n = x.size // 2
    return 2 * x[:n], 3 * x[n:], x.argmax()


@halves.backward
def halves_backward(grad, out, x):
    first, second, _ = grad
    assert [g.shape for g in grad] == [o.shape for o in out]
    return jnp.concatenate([2 * first, 3 * second])


def test_each_array_that_an_operation_returns_becomes_a_tensor():
    x = leaf([1.0, 2.0, 3.0, 4.0])
    first, second, place = halves(x)
    assert (first.output, second.output) == (0, 1) and first.record is second.record
    assert first.tolist() == [2, 4] and second.tolist() == [9, 12]
    assert place.item() == 3 and not place.requires_grad and place.record is None


def test_gradients_of_several_outputs_add_up_and_an_unread_one_has_none():
    x = leaf([1.0, 2.0, 3.0, 4.0])
    first, second, _ = halves(x)
    (first * second + first).sum().backward()  # Σ 6 x_i x_{i+2} + 2 x_i
    assert x.grad.tolist() == [20, 26, 6, 12]
    x.grad = None
    second.sum().backward()
    assert x.grad.tolist() == [0, 0, 3, 3]
    x.grad = None
    first.backward(jnp.array([5.0, 7.0]))  # from an output itself
    assert x.grad.tolist() == [10, 14, 0, 0]


def test_several_outputs_pass_through_check_gradient_and_compiled_steps():
    assert check_gradient(halves, np.array([1.0, -2.0, 0.5, 3.0])) < 1e-8

    def slope(x):
        x = Tensor(x.data, requires_grad=True)
        first, second, _ = halves(x)
        (first * second).sum().backward()
        return x.grad

    values = np.array([1.0, 2.0, 3.0, 4.0], np.float32)
    np.testing.assert_array_equal(ct.jit(slope)(values).numpy(), slope(Tensor(values)))


def test_check_gradient_finds_a_rule_that_forgets_an_output():
    @operation
    def both(x):
        return x * x, x * x * x

    @both.backward
    def both_backward(grad, out, x):
        return grad[0] * 2 * x

    with pytest.raises(GradientError, match="input 0, element"):
        check_gradient(both, np.array([1.0, 2.0]))


def test_a_gradient_flows_through_astype_in_the_type_that_it_left():
    x = leaf([1.0, 2.0])
    y = x.astype(jnp.bfloat16)
    assert y.dtype == jnp.bfloat16
    (y * 3).sum().backward()
    assert x.grad.dtype == jnp.float32 and x.grad.tolist() == [3, 3]
    counted = x.astype(int)
    assert counted.tolist() == [1, 2] and not counted.requires_grad


def test_check_gradient_finds_a_wrong_rule_and_names_the_element():
    @operation
    def half_wrong(x):
        return x * x

    @half_wrong.backward
    def half_wrong_backward(grad, out, x):
        return jnp.where(jnp.arange(x.size) == 1, 0.0, 2 * x) * grad

    with pytest.raises(GradientError, match=r"input 0, element \(1,\)") as caught:
        check_gradient(half_wrong, np.array([1.0, 2.0, 3.0]))
    assert "by central differences" in str(caught.value)


def test_check_gradient_finds_a_gradient_that_was_not_summed_over_broadcast_axes():
    @operation
    def shifted(x, b):
        return x + b

    @shifted.backward
    def shifted_backward(grad, out, x, b):
        return grad, grad

    with pytest.raises(GradientError, match="gradient of input 1 has shape"):
        check_gradient(shifted, np.ones((2, 3)), np.ones(3))


def test_eager_and_compiled_give_the_same_values_and_gradients():
    x = np.linspace(-2, 2, 6, dtype=np.float32).reshape(2, 3)

    def value_and_gradient(array):
        w = Tensor(array, requires_grad=True)
        loss = (ops.sigmoid(w @ np.ones((3, 2), np.float32)) * w.sum()).mean()
        loss.backward()
        return loss.data, w.grad

    for eager, compiled in zip(value_and_gradient(x), jax.jit(value_and_gradient)(x), strict=True):
        np.testing.assert_allclose(eager, compiled, rtol=1e-6)


def test_float64_is_a_context():
    with float64():
        assert Tensor(np.float64(1) / 3).dtype == jnp.float64
    assert Tensor(np.float64(1) / 3).dtype == jnp.float32


def test_text_is_no_tensor():
    with pytest.raises(ShapeError, match="not made of numbers"):
        Tensor(np.array(["a", "b"]))


def test_integers_cannot_have_gradients():
    with pytest.raises(GradientError, match="int32 cannot have a gradient"):
        Tensor([1, 2], requires_grad=True)


def test_numpy_arrays_leave_arithmetic_to_tensors():
    x = leaf([1.0, 2.0])
    total = (np.array([3.0, 4.0]) * x).sum()
    assert isinstance(total, Tensor)
    total.backward()
    assert x.grad.tolist() == [3.0, 4.0]


def test_a_tensor_as_a_key_is_itself():
    a, b = Tensor(1.0), Tensor(1.0)
    assert len({a, b}) == 2 and bool(a == b)
