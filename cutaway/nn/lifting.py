"""jit: one XLA program of a step that was written eagerly.

The step reads and assigns Variables (parameters, optimizer slots, random keys). To compile it,
their values are lifted: they enter the program as arguments and leave it as results, and are
written back afterwards. Nothing but values crosses. While a step is traced, the Variables
themselves keep their arrays: other threads go on with them.
"""

import dataclasses
import threading
import warnings
from collections import Counter
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from cutaway.engine import Tensor
from cutaway.errors import TrainingError
from cutaway.nn.plan import CompilePlan, plan_for
from cutaway.nn.sharded_state import given_out, reading_parts
from cutaway.nn.sharing import lock
from cutaway.nn.state import Held, assign, unwrap, values_of, wrap
from cutaway.nn.survey import Surveyor, signature
from cutaway.nn.unowned import unowned
from cutaway.ops.precision import current_precision
from cutaway.runtime import cache_programs_by_default, distributed
from cutaway.runtime.exhaustion import general_error, is_exhaustion

MOST_PROGRAMS = 64  # of one step that are kept: those that were used last
RECOMPILED = 5  # programs made because one attribute had yet another value, before it is said


@dataclasses.dataclass(eq=False)
class _Program:
    """What runs for one signature of the owners and one set of shapes."""

    run: Any  # of jax.jit: (state, args) -> (out, state)
    plan: CompilePlan
    has_finished: bool = False  # it has run to its end once


class Compiled:
    """A step and its compiled programs. Made by `jit`.

    Attributes:
        step, owners, donate, compiler_options: as given to `jit`.
        plans: how its programs are compiled, in the order of compiling.
    """

    def __init__(self, step: Callable, owners, *, donate: bool, compiler_options: dict | None):
        self.step = step
        self.owners = owners
        self.donate = donate
        self.compiler_options = compiler_options
        self.plans: list[CompilePlan] = []
        self._programs: dict[tuple, _Program] = {}  # by signature and shapes, last used last
        self._latest: tuple | None = None  # its key
        self._surveyor = Surveyor(owners)
        self._finding = threading.RLock()  # held while the program of a call is found or made
        self._recompiled = Counter()  # path of an attribute -> programs made for its sake

    def __getstate__(self):
        """A copy compiles for itself."""
        options = {"donate": self.donate, "compiler_options": self.compiler_options}
        return {"step": self.step, "owners": self.owners, "options": options}

    def __setstate__(self, state):
        self.__init__(state["step"], state["owners"], **state["options"])

    def __call__(self, *args):
        """Run the step once; args are Tensors, arrays or numbers, in tuples, lists or dicts."""
        return self._run("once", args)

    def scan(self, items, *args):
        """Run `step(item, *args)` for each item of `items`, in one program.

        Args:
            items: array, or tuple, list or dict of arrays, whose first axis counts the steps.
            args: the same for every step.

        Returns:
            What the steps returned, stacked along a new first axis.
        """
        return self._run("scan", (items, *args))

    def loop(self, start: int, stop: int, *args, capacity: int):
        """Run `step(i, *args)` for i = start, ..., stop - 1, in one program for any start, stop.

        Args:
            start, stop: the range of i; at most `capacity` steps.
            args: the same for every step.
            capacity: rows of the result; another capacity compiles anew.

        Returns:
            What the steps returned, stacked along a new first axis of size `capacity`; row k
            belongs to i = start + k, rows past the last step are zeros.
        """
        return self._run("loop", (start, stop, *args), capacity)

    def lower(self, *args):
        """What one call with these arguments would run, as JAX's Lowered: it is not run.

        `lower(...).compile().memory_analysis().temp_size_in_bytes` is the working memory.
        """
        values = unwrap(args)
        program, variables = self._program("once", values)
        return program.run.lower(values_of(variables), values)

    def prepare(self, *args) -> None:
        """Compile for such arguments now, without running the step."""
        self._prepare("once", args)

    def prepare_loop(self, start: int, stop: int, *args, capacity: int) -> None:
        """Compile what `loop` with such arguments runs, without running the step."""
        self._prepare("loop", (start, stop, *args), capacity)

    def _prepare(self, form, args, *static) -> None:
        values = _arrays_of(args)
        program, variables = self._program(form, values, *static)
        if not program.has_finished:
            _compile(program, values_of(variables), values)

    def _run(self, form, args, *static) -> Any:
        values = _arrays_of(args)
        program, variables = self._program(form, values, *static)
        try:
            if not program.has_finished:
                _compile(program, values_of(variables), values)
            with lock:
                state = values_of(variables)
                if self.donate:
                    state = _without_repeats(state)
                out, changed = self._run_program(program, state, values)
                if isinstance(changed, dict):
                    assign([variables[i] for i in changed], changed.values())
                else:
                    assign(variables, changed)
        except jax.errors.JaxRuntimeError as error:
            if not is_exhaustion(error):
                raise
            raise self._exhausted(error, variables) from error
        return Tensor(out) if isinstance(out, jax.Array) else wrap(out)

    def _run_program(self, program: _Program, state, values):
        """What the program returns; the first time, only once it is there.

        JAX returns before a program ends, and its errors come later. Whether there is memory
        enough is decided by the shapes: so it is known before the old values are replaced.
        """
        found = program.run(state, values)
        if not program.has_finished:
            if not _is_traced(found):
                jax.block_until_ready(found)
            program.has_finished = True
        return found

    def _exhausted(self, error, variables):
        name = getattr(self.step, "__name__", "step")
        advice = ["smaller arguments, such as fewer rows per call"]
        if any(v.data.is_deleted() for v in variables if isinstance(v.data, jax.Array)):
            advice.append(
                "donate=False, which keeps the old values of the variables until the new ones are "
                "there; those of this call are lost: build the network again or load its weights"
            )
        return general_error(error, f"the compiled function {name!r}", *advice)

    def _program(self, form, values, *static) -> tuple[_Program, list]:
        """(the program for the owners as they are and these shapes, the owners' Variables)."""
        with self._finding:
            survey = self._surveyor.survey()
            context = (current_precision(), distributed.arrangement())
            key = (form, static, context, _shapes(values), survey.signature)
            program = self._known_program(key, form, values, static, survey.variables)
            return program, survey.variables

    def _known_program(self, key, form, values, static, variables) -> _Program:
        """The program of this key, made now if there is none yet."""
        program = self._programs.get(key)
        if program is None:
            self._notice_change(key)
            program = self._make(form, values, static, variables)
            self.plans.append(program.plan)
            self._programs[key] = program
            if len(self._programs) > MOST_PROGRAMS:
                del self._programs[next(iter(self._programs))]
        elif key != self._latest:
            self._programs[key] = self._programs.pop(key)
        self._latest = key
        return program

    def _make(self, form, values, static, variables) -> _Program:
        cache_programs_by_default()
        once = _once if self.donate else _once_changed
        body = {"once": once, "scan": _scan, "loop": _loop}[form]
        pure = _lift(self.step, variables)

        def run(state, args):
            out, changed = body(pure, state, args, *static)
            return distributed.everywhere(out), given_out(changed)

        donated = 0 if self.donate else ()
        plan = CompilePlan(self.compiler_options, "as the caller said")
        if self.compiler_options is None:
            state = values_of(variables)
            # JAX remembers this trace: the program below does not trace again
            plan = plan_for(jax.jit(run, donate_argnums=donated).trace(state, values).jaxpr)
        run = jax.jit(run, donate_argnums=donated, compiler_options=plan.options)
        return _Program(run, plan)

    def _notice_change(self, key) -> None:
        """Warn of an attribute that has had yet another value, each of which is compiled for."""
        if self._latest is None or key[:-1] != self._latest[:-1]:
            return
        before, now = self._latest[-1].entries, key[-1].entries
        changed = [(a, b) for a, b in zip(before, now, strict=False) if a != b]
        if len(before) != len(now) or any(len(b) != 2 or a[0] != b[0] for a, b in changed):
            return
        for _, (path, value) in changed:
            self._recompiled[path] += 1
            if self._recompiled[path] == RECOMPILED:
                number, _, attribute = path.partition(".")
                where = f"{type(self.owners[int(number)]).__name__}'s {attribute}"
                warnings.warn(
                    f"jit: the step was compiled anew {RECOMPILED} times because {where} had "
                    f"another value each time (now {value!r})\n"
                    f"  fix: make it a Buffer (self.{attribute.rpartition('.')[2]} = "
                    "ct.Buffer(...)), whose value may change without compiling, or an argument "
                    "of the step",
                    stacklevel=6,
                )


def _compile(program: _Program, state, values) -> None:
    """Compile now what the first call would: other threads need not wait for it."""
    if not _is_traced((state, values)):
        program.run.lower(state, values).compile()  # JAX keeps it for the call


def _is_traced(tree) -> bool:
    return any(isinstance(leaf, Tracer) for leaf in jax.tree.leaves(tree))


def _arrays_of(args: tuple) -> tuple:
    """unwrap, without a walk if all are Tensors or arrays: it is at every call."""
    if all(isinstance(a, _LEAVES) for a in args):
        return tuple([a.data if isinstance(a, Tensor) else a for a in args])
    return unwrap(args)


_LEAVES = (Tensor, jax.Array, np.ndarray)


def _shapes(values) -> tuple:
    """The shapes of all arrays in `values`; of plain arrays without a walk: it is at every call."""
    try:
        return tuple([value.shape for value in values])
    except AttributeError:
        return tuple(map(np.shape, jax.tree.leaves(values)))


def jit(step, *owners, donate: bool = True, compiler_options: dict | None = None) -> Compiled:
    """Compile `step`, which reads and changes the Variables of `owners`.

    Args:
        step: a function written as for eager use, with `loss.backward()` and
            `optimizer.step()` inside; its arguments and results are Tensors.
        owners: modules and optimizers whose Variables it uses.
        donate: let the program reuse the memory of the old values. An array that was read off
            a Variable before the call is then gone after it; `state_dict()` copies.
        compiler_options: passed on to XLA; None: chosen by rule, see nn.plan.

    A change of shapes, of train/eval mode, of `cutaway.matmul_precision` or of a plain attribute
    (like dropout's p) compiles anew; a change of values, the learning rate's too, does not. An
    attribute that has another value at call after call is warned of. Of a step's programs the 64
    that were used last are kept. After an exception the old values are back, unless memory ran
    out in a step that donates them.

    Raises:
        OptionError: by a call whose step reads or writes a Variable that no owner holds: its value
            would be frozen into the program, or lost. Says which, and what to write.
        OutOfMemoryError: by a call, if the program does not fit into the memory of the device.

    Example:
        >>> import numpy as np
        >>> import cutaway as ct
        >>> net = ct.Linear(2, 1)
        >>> predict = ct.jit(lambda x: net(x), net)
        >>> predict(np.ones((3, 2))).shape
        (3, 1)
    """
    return Compiled(step, owners, donate=donate, compiler_options=compiler_options)


def accumulate_over(step, items, *owners):
    """Run `step(item)` for each item inside a compiled step, with the memory of one.

    Gradients that the steps leave behind add up, as in a loop.

    Args:
        step: a function of one item, which reads and changes Variables of `owners`.
        items: array, or tuple, list or dict of arrays, whose first axis counts the items.

    Returns:
        What the steps returned, stacked along a new first axis.
    """
    variables, _ = signature(owners)
    pure = _lift(step, variables)
    items = unwrap(items)
    state = [(v.data, v.grad) for v in variables]  # read so that an outer step may refuse
    _, after = jax.eval_shape(pure, state, (jax.tree.map(lambda x: x[0], items),))
    zeros = [g and jnp.zeros(g.shape, g.dtype) for _, g in after]
    state = [
        (data, z if grad is None else grad) for (data, grad), z in zip(state, zeros, strict=True)
    ]
    outs, state = _scan(pure, state, (items,))
    for variable, (data, grad) in zip(variables, state, strict=True):
        variable.data = data
        variable.grad = grad
    return wrap(outs)


def scan_over(step, items, *owners):
    """Run `step(item)` for each item inside a compiled step, one after the other, as a scan.

    As accumulate_over, but each step must use up its gradients, as `optimizer.step()` does.
    """
    variables, _ = signature(owners)
    state = [(v.data, v.grad) for v in variables]  # read so that an outer step may refuse
    outs, state = _scan(_lift(step, variables), state, (unwrap(items),))
    assign(variables, state)
    return wrap(outs)


def map_over(step, count: int, own, shared):
    """Run `step(k)` for each of `count` members at once, in one program.

    Args:
        step: a function of the member's number k, a scalar Tensor, from 0. It reads and changes
            Variables of `own` and `shared`, and uses up its gradients.
        count: number of members.
        own: Variables whose first axis counts the members; a step sees those of its member,
            without that axis.
        shared: Variables that all members have together, which each changes in the same way.

    Returns:
        What the steps returned, stacked along a new first axis.
    """
    own, shared = list(own), list(shared)

    def pure(k, owned, together):
        state = [(data, None) for data in (*owned, *together)]
        out, after = _lift(step, [*own, *shared])(state, (k,))
        data = [array for array, _ in after]
        return out, data[: len(own)], data[len(own) :]

    mapped = jax.vmap(pure, in_axes=(0, 0, None), out_axes=(0, 0, None))
    values = [v.data for v in own], [v.data for v in shared]
    out, owned, together = mapped(jnp.arange(count), *values)
    assign([*own, *shared], [(data, None) for data in (*owned, *together)])
    return wrap(out)


def _lift(step, variables):
    """step(*args) as a function of the variables' values too: (state, args) -> (out, state)."""

    def pure(state, args):
        held = Held(variables, state, refuse=lambda variable: unowned(step, variable))
        with held, reading_parts(state):
            out = unwrap(step(*wrap(args)))
            return out, [_kept(*pair) for pair in zip(state, held.values(), strict=True)]

    return pure


def _kept(old, new) -> tuple:
    """(data, grad) after a step; what has changed is given out over the devices by the rule."""
    return tuple([b if a is b else given_out(b) for a, b in zip(old, new, strict=True)])


def _once(pure, state, args):
    return pure(state, args)


def _once_changed(pure, state, args):
    """As _once, with {place: values} of those alone that changed; data None: they stayed."""
    out, new = pure(state, args)
    pairs = enumerate(zip(state, new, strict=True))
    return out, {
        i: (None if data is old else data, grad)
        for i, ((old, slope), (data, grad)) in pairs
        if data is not old or grad is not slope
    }


def _scan(pure, state, args):
    items, *args = args

    def body(state, item):
        out, new = pure(state, (item, *args))
        return _same_structure(state, new), out

    state, outs = jax.lax.scan(body, state, items)
    return outs, state


def _loop(pure, state, args, capacity):
    start, stop, *args = args
    start = jnp.asarray(start, jnp.int32)
    pure = jax.jit(pure, inline=True)  # one trace for both uses
    shapes, _ = jax.eval_shape(pure, state, (start, *args))
    outs = jax.tree.map(lambda s: jnp.zeros((capacity, *s.shape), s.dtype), shapes)

    def body(i, carried):
        state, outs = carried
        out, new = pure(state, (i, *args))
        outs = jax.tree.map(
            lambda rows, row: jax.lax.dynamic_update_index_in_dim(rows, row, i - start, 0),
            outs,
            out,
        )
        return _same_structure(state, new), outs

    state, outs = jax.lax.fori_loop(start, stop, body, (state, outs))
    return outs, state


def _same_structure(state, new):
    if jax.tree.structure(state) != jax.tree.structure(new):
        raise TrainingError(
            "a scanned step left gradients behind that were not there when it began",
            expected="each step to use up its gradients",
            fix="end the step with optimizer.step(), or set parameter.grad = None",
        )
    return jax.tree.map(lambda old, value: value.astype(old.dtype), state, new)


def _without_repeats(state):
    """One buffer cannot be donated twice: copy an array that two variables share."""
    arrays = [array for pair in state for array in pair if array is not None]
    if len(set(map(id, arrays))) == len(arrays):  # as almost always, and at every call
        return state
    seen = set()

    def own(x):
        if id(x) in seen:
            return jnp.array(x, copy=True)
        seen.add(id(x))
        return x

    return jax.tree.map(own, state)
