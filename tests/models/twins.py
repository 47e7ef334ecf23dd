"""Two networks with the same weights, one of them another framework's: do they agree?"""

import numpy as np

import cutaway as ct
from cutaway.weights import load_into

# to compile for seconds what runs for milliseconds
QUICKLY = {"xla_backend_optimization_level": 0, "xla_llvm_disable_expensive_passes": True}


def disturb(theirs, seed=0):
    """Norms and running statistics away from 1 and 0, where a mistake could hide; eval mode."""
    import torch

    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for module in theirs.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                for tensor, low in ((module.weight, 0.7), (module.running_var, 0.7)):
                    tensor.copy_(low + 0.6 * torch.rand(tensor.shape, generator=generator))
                for tensor in (module.bias, module.running_mean):
                    tensor.copy_(0.2 * torch.randn(tensor.shape, generator=generator))
    return theirs.eval()


def expect_twins(net, theirs, names, x, *, logits=lambda out: out, but=(), rtol=1e-4):
    """Outputs, ∂L/∂x and ∂L/∂w of all weights, in evaluation, for L = Σ y · r with random r."""
    import torch

    load_into(net, {k: v.numpy() for k, v in theirs.state_dict().items()}, names, but=but)
    net.eval()
    ours_x = ct.Tensor(x, requires_grad=True)
    their_x = torch.tensor(x.transpose(0, 3, 1, 2).copy(), requires_grad=True)
    step = ct.jit(lambda x, r: _run(net, x, r), net, compiler_options=QUICKLY)
    expected = logits(theirs(their_x))
    r = np.random.default_rng(1).normal(size=tuple(expected.shape)).astype(np.float32)
    (expected * torch.tensor(r)).sum().backward()
    out, to_x, to_weights = step(ours_x, ct.Tensor(r))
    near(out.numpy(), expected.detach().numpy(), rtol, "outputs")
    near(to_x.numpy(), their_x.grad.numpy().transpose(0, 2, 3, 1), rtol, "gradient of x")
    gradients = {
        name: (np.zeros(tuple(p.shape), "f4") if p.grad is None else p.grad.numpy())
        for name, p in theirs.named_parameters()
    }
    for path, expected in renamed(gradients, names, net, but).items():
        near(to_weights[path].numpy(), expected, rtol, path)


def renamed(gradients, names, net, but):
    """Their gradients by our paths; running statistics have none."""
    buffers = {n for n in net.state_dict() if n.rpartition(".")[2].startswith("running_")}
    return names.translate(gradients, net, but=(*but, *sorted(buffers)))


def near(ours, theirs, rtol, what):
    """Relative to the largest value: single values near 0 are sums of canceling terms."""
    error = np.abs(ours - theirs).max() / (np.abs(theirs).max() + 1e-12)
    assert error < rtol, f"{what}: off by {error:.2e} of the largest"


def _run(net, x, r):
    x = ct.Tensor(x.data, requires_grad=True)
    out = net(x)
    (out * r).sum().backward()
    found = {path: p.grad for path, p in net.named_parameters().items()}
    for p in net.parameters():
        p.grad = None
    return out, x.grad, found
