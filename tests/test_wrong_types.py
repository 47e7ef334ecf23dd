"""Arguments of a wrong type, for what `ct.` offers: errors of its own, which name them."""

import numpy as np
import pytest

import cutaway as ct
from cutaway.errors import CutawayError

NET = ct.Linear(2, 1)
NOTHING = object()
WRONG = {
    "seed, a text": (lambda: ct.seed("a"), r"seed is 'a'\n  expected: an integer >= 0"),
    "seed, a fraction": (lambda: ct.seed(2.5), r"seed is 2.5\n  expected: an integer >= 0"),
    "seed, negative": (lambda: ct.seed(-1), "seed is -1"),
    "a size that is no integer": (
        lambda: ct.Linear(2.5, 1),
        r"Linear: in_features is 2.5\n  expected: an integer >= 1\n  fix: choose in_features >= 1",
    ),
    "features of PReLU": (lambda: ct.PReLU(None), "PReLU: features is None"),
    "channels of GroupNorm": (lambda: ct.GroupNorm(2, "a"), "GroupNorm: channels is 'a'"),
    "a kernel of no size": (lambda: ct.Conv2d(1, 2, None), "Conv2d: kernel_size is None"),
    "half a stride": (lambda: ct.Conv1d(1, 2, 3, stride=0.5), "Conv1d: stride is 0.5"),
    "features of attention": (
        lambda: ct.TransformerEncoderLayer(None, 2), "MultiHeadAttention: features is None"),
    "a mean of no number": (lambda: ct.Standardize("a", 1.0), "Standardize: mean a"),
    "nothing as a Tensor": (lambda: ct.Tensor(None), "None is not an array"),
    "an object as a Tensor": (lambda: ct.Parameter(NOTHING), "object is not an array"),
    "an object to detach": (lambda: ct.detach(NOTHING), "object is not an array"),
    "nothing to differentiate": (lambda: ct.gradients(None), "gradients: tensor is None"),
    "no function to check": (lambda: ct.check_gradient(3, np.ones(2)), "f is 3"),
    "an operation of no function": (lambda: ct.operation("tanh"), "made of is 'tanh'"),
    "a device in an array": (lambda: ct.use_device(np.ones(2)), "unknown device"),
    "a surface in a list": (lambda: ct.race([1.0]), "unknown surface"),
    "a folder of programs": (lambda: ct.cache_programs(3), "folder is 3\n  expected: a path"),
    "a folder of checkpoints": (lambda: ct.Checkpoints(None), "Checkpoints: folder is None"),
    "a path to read": (lambda: ct.read_weights(3), "read_weights: path is 3"),
    "a path to load": (lambda: ct.load_weights(NET, None), "load_weights: path is None"),
    "a network to load into": (lambda: ct.load_weights("net", "x"), "load_weights: net is 'net'"),
    "a network to save": (lambda: ct.save_weights({}, "x"), "save_weights: net is {}"),
    "weights of nothing": (lambda: ct.load_into(NET, None), "load_into: source is None"),
    "features of nothing": (lambda: ct.features_of(NET, [[1.0, 2.0]]), "a Backbone or a Transfer"),
    "a diagnosis": (lambda: ct.treat("net"), "what ct.diagnose returned"),
    "a history of a number": (lambda: ct.History(3), "History: rows is 3"),
    "a probe of one number": (lambda: ct.Probes(3.0, 1.0), "Probes: x of shape .* has no rows"),
    "a page without a path": (lambda: ct.write_page(None, "A page"), "write_page: path is None"),
    "a page without a title": (lambda: ct.write_page("a.html", None), "write_page: title is None"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_an_argument_of_a_wrong_type_is_named_with_what_was_expected(case):
    call, message = WRONG[case]
    with pytest.raises(CutawayError, match=message) as caught:
        call()
    assert caught.value.expected
