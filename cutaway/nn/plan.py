"""How a program is compiled: XLA options, chosen by rule from the device and the program.

Convolutions on CPU: XLA has two implementations, and the option below sends all convolutions, with
the reductions around them, to the faster one (the library YNNPACK): a ResNet-18 step takes 0.75 of
the time, a U-Net step 0.9 (benchmarks/RESULTS.md). Matrix products alone are as fast or faster
without it.

Matrix products on a GPU: by default XLA generates its own kernels for each shape, compiles dozens
of them and times them all: on an H100 the first epoch of an MLP took 26 s, the first step of a
ResNet-50 was not finished after 100 s. They use the vendor's library instead, which has precompiled
kernels.

Options that this version of XLA does not know are silently omitted.
"""

import dataclasses

import numpy as np

from cutaway.runtime import are_known, device, on_cpu, on_gpu

CONVOLUTION = {"xla_cpu_experimental_ynn_fusion_type": "LIBRARY_FUSION_TYPE_REDUCE"}
LIBRARY_PRODUCTS = {"xla_gpu_enable_triton_gemm": False}


@dataclasses.dataclass(frozen=True)
class CompilePlan:
    """How a program is compiled, and why.

    Attributes:
        options: for XLA; None for its defaults.
        why: in words.
    """

    options: dict | None
    why: str


def plan_for(jaxpr) -> CompilePlan:
    """The plan for a traced program.

    Args:
        jaxpr: a closed jaxpr, as `jax.jit(f).trace(...)` has it.
    """
    if on_gpu() and are_known(LIBRARY_PRODUCTS):
        return CompilePlan(LIBRARY_PRODUCTS, "on a GPU: matrix products use the vendor's library")
    if not on_cpu():
        return CompilePlan(None, f"on a {device().kind.upper()}: XLA's defaults")
    count = _count(jaxpr.jaxpr, "conv_general_dilated")
    if not count:
        return CompilePlan(None, "no convolutions: XLA's defaults are fastest")
    if not are_known(CONVOLUTION):
        return CompilePlan(
            None, f"{count} convolutions, but this version of XLA does not know {list(CONVOLUTION)}"
        )
    return CompilePlan(CONVOLUTION, f"{count} convolutions: fused with the reductions around them")


def _count(jaxpr, primitive: str) -> int:
    """Number of uses of a primitive in a jaxpr, including loops and calls, except in float64."""
    found = 0
    for equation in jaxpr.eqns:
        # in float64 the library is 20 times slower than XLA
        wide = any(getattr(v.aval, "dtype", None) == np.float64 for v in equation.outvars)
        found += equation.primitive.name == primitive and not wide
        for value in equation.params.values():
            for inner in value if isinstance(value, tuple | list) else (value,):
                inner = getattr(inner, "jaxpr", inner)
                if hasattr(inner, "eqns"):
                    found += _count(inner, primitive)
    return found
