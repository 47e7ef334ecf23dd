"""Part 1: is it right on this device? Numbers beside numbers, each with a tolerance of its own.

    python -m benchmarks.device.right FOLDER UNTIL [I/N] [--tiny]

I/N: every Nth check alone, from the Ith.
Writes one JSON object a check to FOLDER/right.jsonl: {"check", "error", "tolerance", "passed"}.
The project's own tests run beside it; see run.py. What is compared with PyTorch runs on the card on
both sides.
"""

import functools
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

import cutaway as ct
from cutaway import ops
from cutaway.engine import Tensor, gradients

RNG = np.random.default_rng(0)

# largest relative error of products, forward and backward, beside float64
TOLERANCES = {"float32": 1e-5, "tensorfloat32": 3e-3, "bfloat16": 3e-2}


def apart(a, b) -> float:
    """‖a - b‖ / ‖b‖ of trees of arrays, the largest over the leaves."""
    pairs = zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True)
    return max(_apart(np.asarray(x, np.float64), np.asarray(y, np.float64)) for x, y in pairs)


def _apart(a, b) -> float:
    if not np.isfinite(a).all():
        return float("inf")
    return float(np.linalg.norm(a - b) / max(np.linalg.norm(b), 1e-30))


def normal(*shape):
    return RNG.normal(size=shape).astype(np.float32)


def values_and_gradients(f, *arrays, grad):
    """f(*tensors) and the gradients of every input, for an incoming gradient."""
    inputs = [Tensor(jnp.asarray(a), requires_grad=True) for a in arrays]
    out = f(*inputs)
    found = {id(t): g for t, g in gradients(out, jnp.asarray(grad))}
    return [out.data, *(found[id(t)] for t in inputs)]


# products


def products(name):
    """Matrix products and convolutions, forward and both gradients, beside float64 on the CPU."""
    errors = []
    x, w = normal(256, 512), normal(512, 128)
    g = normal(256, 128)
    with ct.matmul_precision(name):
        found = values_and_gradients(lambda x, w: x @ w, x, w, grad=g)
    x64, w64, g64 = (a.astype(np.float64) for a in (x, w, g))
    errors.append(apart(found, [x64 @ w64, g64 @ w64.T, x64.T @ g64]))
    for stride, window, channels in ((1, 3, 64), (2, 3, 64), (2, 7, 3), (1, 1, 64)):
        x, w = normal(4, 16, 16, channels), normal(window, window, channels, 32)
        pad = window // 2
        options = {"stride": stride, "padding": ((pad, pad),) * 2}
        convolve = functools.partial(ops.convolution, **options)
        grad = normal(*convolve(x, w).shape)
        with ct.matmul_precision(name):
            found = values_and_gradients(convolve, x, w, grad=grad)
        errors.append(apart(found, _convolution64(x, w, grad, options)))
    return max(errors)


def _convolution64(x, w, grad, options):
    """By JAX, in float64, on the CPU."""
    with jax.enable_x64(True), jax.default_device(jax.devices("cpu")[0]):
        x, w, grad = (jnp.asarray(a, jnp.float64) for a in (x, w, grad))
        out, pull_back = jax.vjp(
            lambda x, w: jax.lax.conv_general_dilated(
                x, w, (options["stride"],) * 2, options["padding"],
                dimension_numbers=("NHWC", "HWIO", "NHWC"),
            ),
            x, w,
        )  # fmt: skip
        return [np.asarray(a) for a in (out, *pull_back(grad))]


def is_narrow(name):
    """1 / how far off: a precision that is asked for and not used is a fault too."""
    x, w = normal(256, 1024), normal(1024, 256)
    with ct.matmul_precision(name):
        found = (Tensor(x) @ Tensor(w)).data
    return 1e-7 / max(apart(found, x.astype(np.float64) @ w.astype(np.float64)), 1e-12)


def recurrent(name):
    """An LSTM over 20 steps, forward and backward, beside the same in float64."""
    ct.seed(0)
    net = ct.LSTM(16, 32)
    x = normal(8, 20, 16)

    def run(x, net):
        x = Tensor(x, requires_grad=True)
        out = net(x)[0]
        found = gradients((out * out).sum())
        return [out.data, *(g for _, g in found)]

    with ct.matmul_precision(name):
        found = run(jnp.asarray(x), net)
    from cutaway.engine import float64

    with float64():
        return apart(found, run(jnp.asarray(x, jnp.float64), net.astype(jnp.float64)))


# attention


def fused_attention():
    """cuDNN's kernel beside our own arithmetic in float32: plain, causal, masked."""
    q, k, v = (normal(2, 128, 256) for _ in range(3))
    grad = normal(2, 128, 256)
    mask = np.ones((2, 1, 1, 128), bool)
    mask[1, ..., 100:] = False
    worst = 0.0
    for options in ({}, {"causal": True}, {"mask": mask}, {"mask": mask, "causal": True}):
        run = functools.partial(ops.attention, num_heads=4, **options)
        expected = values_and_gradients(run, q, k, v, grad=grad)
        with ct.matmul_precision("bfloat16"):
            worst = max(worst, apart(values_and_gradients(run, q, k, v, grad=grad), expected))
    return worst


def fused_attention_is_used():
    """0 if the kernel serves a call that it should serve on this device."""
    from cutaway.ops import fused_attention
    from cutaway.runtime import on_gpu

    q = jnp.asarray(normal(2, 128, 256))
    with ct.matmul_precision("bfloat16"):
        return float(fused_attention.serves(q, q, q, 4, 0.0) != on_gpu())


def a_query_that_may_see_nothing():
    """Its output is zero, and so are its gradients."""
    q, k, v = (normal(2, 16, 64) for _ in range(3))
    mask = np.ones((2, 1, 16, 16), bool)
    mask[0, :, 3] = False
    with ct.matmul_precision("bfloat16"):
        out, *grads = values_and_gradients(
            lambda q, k, v: ops.attention(q, k, v, num_heads=2, mask=mask),
            q, k, v, grad=normal(2, 16, 64),
        )  # fmt: skip
    return max(float(jnp.abs(a[0, 3]).max()) for a in (out, grads[0]))


# beside PyTorch


def a_convolutional_network_as_in_torch():
    """Loss and all gradients of a small network: convolutions, batch norm, pooling, dense."""
    import torch

    on = "cuda" if torch.cuda.is_available() else "cpu"
    torch.backends.cudnn.allow_tf32 = False
    theirs = torch.nn.Sequential(
        torch.nn.Conv2d(3, 16, 3, padding=1), torch.nn.BatchNorm2d(16), torch.nn.ReLU(),
        torch.nn.MaxPool2d(2), torch.nn.Conv2d(16, 32, 3, stride=2), torch.nn.GELU(),
        torch.nn.Flatten(), torch.nn.Linear(32 * 49, 10),
    ).to(on)  # fmt: skip
    ours = ct.Sequential(
        ct.Conv2d(3, 16, 3, padding=1), ct.BatchNorm(16), ct.ReLU(), ct.MaxPool(2),
        ct.Conv2d(16, 32, 3, stride=2), ct.GELU(), ct.Flatten(), ct.Linear(32 * 49, 10),
    )  # fmt: skip
    with torch.no_grad():
        theirs[0].weight.copy_(_to_torch(ours[0].weight, (3, 2, 0, 1), on))
        theirs[4].weight.copy_(_to_torch(ours[4].weight, (3, 2, 0, 1), on))
        # flattened, the features come last here and first there
        dense = np.asarray(ours[7].weight.data).reshape(7, 7, 32, 10)
        dense = dense.transpose(3, 2, 0, 1).reshape(10, -1)
        theirs[7].weight.copy_(torch.from_numpy(dense.copy()).to(on))
        for i in (0, 4, 7):
            theirs[i].bias.copy_(_to_torch(ours[i].bias, (0,), on))
    x, y = normal(8, 32, 32, 3), RNG.integers(0, 10, 8)
    x = x[:, :32, :32]
    loss = torch.nn.functional.cross_entropy(
        theirs(torch.from_numpy(np.moveaxis(x, -1, 1).copy()).to(on)), torch.from_numpy(y).to(on)
    )
    loss.backward()
    own = ct.losses.sparse_categorical_cross_entropy_with_logits(ours(Tensor(x)), y)
    own.backward()
    pairs = [(own.data, loss.item())]
    for i in (0, 4):
        pairs.append((ours[i].weight.grad, _grad(theirs[i].weight).transpose(2, 3, 1, 0)))
    pairs.append((ours[7].bias.grad, _grad(theirs[7].bias)))
    pairs.append((ours[1].weight.grad, _grad(theirs[1].weight)))
    return max(apart(a, b) for a, b in pairs)


def _grad(parameter):
    return parameter.grad.cpu().numpy()


def _to_torch(parameter, axes, on):
    import torch

    return torch.from_numpy(np.asarray(parameter.data).transpose(axes).copy()).to(on)


def optimizers_as_in_torch():
    """100 steps down a ravine: SGD, momentum, Adam, AdamW, RMSprop, Adagrad."""
    import torch

    on = "cuda" if torch.cuda.is_available() else "cpu"
    start, curvature = normal(64), np.geomspace(0.1, 10, 64).astype(np.float32)
    worst = 0.0
    for ours, theirs in (
        (lambda p: ct.SGD(p, 0.01), lambda p: torch.optim.SGD(p, 0.01)),
        (lambda p: ct.Momentum(p, 0.01), lambda p: torch.optim.SGD(p, 0.01, momentum=0.9)),
        (lambda p: ct.Adam(p, 0.01), lambda p: torch.optim.Adam(p, 0.01)),
        (lambda p: ct.Adagrad(p, 0.01), lambda p: torch.optim.Adagrad(p, 0.01)),
    ):
        net = ct.Linear(64, 1, bias=False)
        net.weight.data = jnp.asarray(start[:, None])
        optimizer = ours(net)
        t = torch.tensor(start, requires_grad=True, device=on)
        other = theirs([t])
        scale = torch.from_numpy(curvature).to(on)
        for _ in range(100):
            (0.5 * (Tensor(curvature[:, None]) * net.weight * net.weight).sum()).backward()
            optimizer.step()
            other.zero_grad()
            (0.5 * (scale * t * t).sum()).backward()
            other.step()
        worst = max(worst, apart(net.weight.data[:, 0], t.detach().cpu().numpy()))
    return worst


# the ways of running


def network():
    ct.seed(0)
    return ct.Sequential(
        # no bias before batch norm: its gradient is rounding alone, of which Adam makes steps
        ct.Conv2d(1, 8, 3, padding=1, bias=False), ct.BatchNorm(8), ct.ReLU(), ct.MaxPool(2),
        ct.Flatten(),
        ct.Dropout(0.1), ct.Linear(128, 10),
    )  # fmt: skip


def steps(how, count=6):
    """The weights after a few steps, taken eagerly, compiled, or scanned."""
    rng = np.random.default_rng(1)
    x = rng.normal(size=(count, 16, 8, 8, 1)).astype(np.float32)
    y = rng.integers(0, 10, (count, 16))
    net = network()
    optimizer = ct.Adam(net, lr=0.01)

    def step(batch):
        x, y = batch
        loss = ct.losses.sparse_categorical_cross_entropy_with_logits(net(x), y)
        loss.backward()
        optimizer.step()
        return loss

    if how == "eager":
        for i in range(count):
            step((Tensor(jnp.asarray(x[i])), Tensor(jnp.asarray(y[i]))))
    elif how == "compiled":
        compiled = ct.jit(step, net, optimizer)
        for i in range(count):
            compiled((x[i], y[i]))
    else:
        ct.jit(step, net, optimizer).scan((x, y))
    return net.state_dict()


def eager_is_compiled():
    return apart(_floats(steps("eager")), _floats(steps("compiled")))


def scanned_is_stepped():
    return apart(_floats(steps("scanned")), _floats(steps("compiled")))


def _floats(state):
    return {k: v for k, v in state.items() if np.asarray(v).dtype.kind == "f"}


def fit(folder=None, epochs=4, resume=False, words=False):
    """The weights after a training; of a network of words, whose gradients meet in one row."""
    rng = np.random.default_rng(2)
    y = rng.integers(0, 10, 256)
    if words:
        ct.seed(0)
        x = rng.integers(0, 20, (256, 12))
        net = ct.Sequential(ct.Embedding(20, 16), ct.LSTM(16, 16), ct.LastStep(), ct.Linear(16, 10))
    else:
        x, net = rng.normal(size=(256, 8, 8, 1)).astype(np.float32), network()
    trainer = ct.Trainer(
        net,
        loss=ct.losses.sparse_categorical_cross_entropy_with_logits,
        optimizer=ct.Adam(net, lr=0.01),
    )
    callbacks = [] if folder is None else [ct.Checkpoints(folder, resume=resume)]
    trainer.fit(x, y, epochs=epochs, batch_size=32, seed=0, callbacks=callbacks, progress=False)
    return net.state_dict()


def bits(state) -> str:
    return hashlib.sha256(b"".join(np.asarray(v).tobytes() for v in state.values())).hexdigest()


def resume_to_the_same_bits():
    """0 if two epochs and two more after a resume give the bits of four."""
    with tempfile.TemporaryDirectory() as folder:
        fit(Path(folder) / "checkpoints", epochs=2)
        resumed = fit(Path(folder) / "checkpoints", epochs=4, resume=True)
    return apart(resumed, fit()) + float(bits(resumed) != bits(fit()))


def twice_to_the_same_bits():
    """0 if the same training gives the same bits, images and words."""
    return sum(float(bits(fit(words=w)) != bits(fit(words=w))) for w in (False, True))


def a_second_process_to_the_same_bits():
    found = _elsewhere("print(right.bits(right.fit()), right.bits(right.fit(words=True)))")
    here = [bits(fit(words=words)) for words in (False, True)]
    return sum(float(a != b) for a, b in zip(found.split(), here, strict=True))


def across_devices():
    """A training saved here goes on on the CPU, and the other way; beside one that stayed."""
    with tempfile.TemporaryDirectory() as folder:
        for name, resumed_on_cpu in (("there", True), ("back", False)):
            checkpoints = repr(str(Path(folder) / name))
            begin = f"right.fit({checkpoints}, epochs=2)"
            go_on = f"""
state = right.fit({checkpoints}, epochs=4, resume=True)
numpy.savez({str(Path(folder) / name)!r} + ".npz", **state)"""
            if resumed_on_cpu:
                fit(Path(folder) / name, epochs=2)
                _elsewhere(go_on, JAX_PLATFORMS="cpu")
            else:
                _elsewhere(begin, JAX_PLATFORMS="cpu")
                state = fit(Path(folder) / name, epochs=4, resume=True)
                np.savez(Path(folder) / f"{name}.npz", **state)
        whole = _floats(fit())
        found = []
        for name in ("there", "back"):
            with np.load(Path(folder) / f"{name}.npz") as arrays:
                found.append(apart({k: arrays[k] for k in whole}, whole))
    return max(found)


def _elsewhere(code, **environment) -> str:
    """What a new process prints that runs the code."""
    done = subprocess.run(
        [sys.executable, "-c", f"import numpy\nfrom benchmarks.device import right\n{code}"],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )
    if done.returncode:
        raise RuntimeError(done.stderr[-600:])
    return done.stdout


def out_of_memory():
    """0 if a step that cannot fit says what to do, and the network is whole afterwards."""
    from cutaway.errors import OutOfMemoryError

    net = ct.Linear(1, 1)
    x = np.ones((2_000_000, 1), np.float32)

    # a sort over rows x rows cannot be fused away: 16 TB
    crowded = ct.operation.from_jax(lambda z: jnp.sort(z * z.T, axis=1)[:, :1])
    trainer = ct.Trainer(net, loss=lambda z, y: (crowded(z) * y).mean())
    try:
        trainer.fit(x, x, epochs=1, batch_size=len(x), progress=False)
    except OutOfMemoryError as error:
        print(f"    {error}", flush=True)
        return float(not np.isfinite(net.weight.numpy()).all())
    return 1.0


def checks():
    """[(name, function, tolerance)]: passed if the error is at most the tolerance."""
    found = [
        (f"products, {name}", lambda name=name: products(name), tolerance)
        for name, tolerance in TOLERANCES.items()
    ]
    found += [
        (f"LSTM, {name}", lambda name=name: recurrent(name), tolerance)
        for name, tolerance in TOLERANCES.items()
    ]
    found += [
        ("bfloat16 is used (1e-7 / error)", lambda: is_narrow("bfloat16"), 1e-3),
        ("attention's fused kernel is used", fused_attention_is_used, 0),
        ("attention in bfloat16 beside float32", fused_attention, 3e-2),
        ("a query that may see nothing gets zeros", a_query_that_may_see_nothing, 0),
        ("network as in PyTorch", a_convolutional_network_as_in_torch, 1e-4),
        ("optimizers as in PyTorch", optimizers_as_in_torch, 1e-5),
        ("eager = compiled", eager_is_compiled, 1e-4),
        ("scanned = stepped", scanned_is_stepped, 1e-5),
        ("resume to the same bits", resume_to_the_same_bits, 0),
        ("twice to the same bits", twice_to_the_same_bits, 0),
        ("a second process to the same bits", a_second_process_to_the_same_bits, 0),
        ("saved here, read on the CPU, and back", across_devices, 1e-3),
        ("out of memory says what to do", out_of_memory, 0),
    ]
    from cutaway.runtime import on_gpu

    if on_gpu():
        narrow = ("tensorfloat32 is used (1e-7 / error)", lambda: is_narrow("tensorfloat32"), 1e-2)
        found.insert(7, narrow)
    return found


def main():
    folder, until = Path(sys.argv[1]), float(sys.argv[2])
    parts = next((a for a in sys.argv[3:] if "/" in a), "0/1")
    first, count = map(int, parts.split("/"))
    with (folder / "right.jsonl").open("a") as file:
        for name, check, tolerance in checks()[first::count]:
            began = time.time()
            result = {"check": name, "tolerance": tolerance}
            if began > until:
                result["skipped"] = "no time was left"
            else:
                try:
                    result["error"] = check()
                    result["passed"] = result["error"] <= tolerance
                except Exception as error:
                    traceback.print_exc()
                    result |= {"passed": False, "raised": f"{type(error).__name__}: {error}"[:500]}
            result["seconds"] = time.time() - began
            told = result.get("error", result.get("raised", result.get("skipped")))
            sign = {True: "ok", False: "WRONG"}.get(result.get("passed"), "skipped")
            print(f"  {sign:7} {name}: {told} ({result['seconds']:.1f} s)", flush=True)
            file.write(json.dumps(result) + "\n")
            file.flush()


if __name__ == "__main__":
    main()
