"""explain_update: the next step of an optimizer, for one weight, with its own arithmetic."""

import operator
import textwrap
import unicodedata

import numpy as np

from cutaway.errors import GradientError, OptionError, ShapeError, did_you_mean
from cutaway.explain.story import WIDTH, Story, number, subscript

MEANING = 38  # column where the meaning of a line begins, if its formula ends before
HELD = "\u00a0"  # a space where a line is not broken


class UpdateStory(Story):
    """How one weight gets its next value.

    Attributes:
        move: what the optimizer says about the step (see optim.foresee): `.before`, `.after`,
            `.gradient`, `.clipped`, `.lr`, `.slots`, `.new_slots`, `.terms`.
        name, latex_name: of the weight: "w_12^(1)" in a stack of linear layers, otherwise
            "0.weight[0, 1]".
    """

    def __init__(self, move, name: str, latex_name: str):
        self.move = move
        self.name = name
        self.latex_name = latex_name

    @property
    def change(self) -> float:
        """Δw = w_new - w_old."""
        return self.move.after - self.move.before

    @property
    def relative(self) -> float | None:
        """|Δw| / |w|; None for a weight of 0."""
        return abs(self.change / self.move.before) if self.move.before else None

    @property
    def clip_factor(self) -> float | None:
        """By what the clipping multiplied the gradient; None without clipping."""
        if self.move.clipped is None:
            return None
        return self.move.clipped / self.move.gradient if self.move.gradient else 1.0

    @property
    def effective_rate(self) -> float | None:
        """η / (√v + ε), where the optimizer gives each weight a rate of its own; else None."""
        return next((t.value for t in self.move.terms or () if t.symbol == "η_eff"), None)

    def text(self, width: int = WIDTH) -> str:
        move = self.move
        place = f"element [{_listed(move.index)}] of {move.path}" if move.index else move.path
        lines = textwrap.wrap(
            f"{move.optimizer}, step {move.step}: the update of {self.name}"
            + (f", {place}" if move.path not in self.name else ""),
            width,
        )
        lines += ["", *self._givens(), ""]
        for term in move.terms or ():
            lines += self._term(term, width)
        if not move.terms:
            lines += self._results()
        lines.append("")
        for sentence in self._sentences():
            lines += textwrap.wrap(sentence, width, break_on_hyphens=False)
        return "\n".join(lines)

    def _givens(self):
        move = self.move
        given = [("w", number(move.before, move.digits), "the weight now")]
        given.append(("g", number(move.gradient), "its gradient ∂L/∂w"))
        if not any(term.symbol == "η" for term in move.terms or ()):
            given.append(("η", number(move.lr), "learning rate"))
        kept = "kept from the steps before" if move.step > 1 else "0 before the first step"
        given += [(symbol, number(value), kept) for symbol, value in move.slots.items()]
        value_width = max(len(value) for _, value, _ in given)
        for symbol, value, what in given:
            yield f"  {_pad(symbol, self._symbol_width())} = {value:<{value_width}}  {what}"

    def _symbol_width(self):
        symbols = [*self.move.slots, *(term.symbol for term in self.move.terms or ())]
        return max((_width(symbol) for symbol in symbols), default=1)

    def _value(self, symbol, value):
        return number(value, self.move.digits if symbol == "w" else 4)

    def _term(self, term, width):
        indent = 2 + self._symbol_width() + 3
        arrow = "←" if term.replaces else "="
        line = f"  {_pad(term.symbol, indent - 5)} {arrow} {term.formula}"
        value = self._value(term.symbol, term.value)
        result = [f"= {value}"]
        if term.numbers != value:
            result = textwrap.wrap(
                _in_one_line(f"= {term.numbers} = {value}"),
                width - indent + 2,
                subsequent_indent="  ",
                break_long_words=False,
            )
        described = f"{_pad(line, MEANING)}  {term.meaning}"
        if _width(described) <= width:
            line = described
        else:
            yield f"{' ' * indent}{term.meaning}:"
        yield line
        yield from (" " * (indent - 2) + part.replace(HELD, " ") for part in result)

    def _results(self):
        move, symbols = self.move, self._symbol_width()
        for symbol, value in move.new_slots.items():
            change = f"{number(move.slots[symbol])} → {number(value)}"
            yield f"  {_pad(symbol, symbols)} : {change}"
        before, after = (self._value("w", x) for x in self._ends())
        yield f"  {_pad('w', symbols)} : {before} → {after}"

    def _ends(self):
        return self.move.before, self.move.after

    def _sentences(self):
        move = self.move
        if move.terms is None:
            yield (
                f"{move.optimizer} has no `terms` that spell its arithmetic out: these are the "
                "results of its `update`."
            )
        elif not move.terms:
            yield (
                f"The `terms` of {move.optimizer} do not lead to what its `update` gives, so only "
                "the results of its `update` are shown."
            )
        yield self._size()
        factor = self.clip_factor
        if factor is not None and np.isfinite(factor):
            if factor == 1:
                yield "Clipping left the gradient as it was."
            else:
                yield f"Clipping multiplied the gradient by {number(factor)}."
        rate = self.effective_rate
        if rate is not None and np.isfinite(rate):
            yield f"This weight's own rate, η_eff, is {number(rate / move.lr, 3)} times η."
        if move.slots and np.isfinite(move.gradient):
            plain = 0.0 - move.lr * move.gradient  # no -0
            yield f"Plain gradient descent would have moved it by -η g = {number(plain)}."

    def _size(self):
        move, change = self.move, self.change
        if not np.isfinite(change):
            source = "the gradient" if not np.isfinite(move.gradient) else "a term above"
            return f"The weight becomes {number(move.after)}, because {source} is not finite."
        if change == 0:
            return "The weight stays where it is."
        step = f"The step is Δw = {number(change)}"
        if self.relative is None:
            return f"{step}, from 0."
        step += f", {number(100 * self.relative, 3)}% of the weight"
        if _rounded(move.after, move.dtype) == _rounded(move.before, move.dtype):
            return f"{step}: too little to change a number of {move.dtype}, so the weight stays."
        return f"{step}."

    def latex(self) -> str:
        lines = [f"w &= {self.latex_name}"]
        for term in self.move.terms or ():
            parts = [term.latex, term.latex_numbers, self._value(term.symbol, term.value)]
            parts[2] = _latex_number(parts[2])
            arrow = r"\leftarrow" if term.replaces else "="
            lines.append(f"{term.latex_symbol} &{arrow} {' = '.join(dict.fromkeys(parts))}")
        if not self.move.terms:
            before, after = (_latex_number(self._value("w", x)) for x in self._ends())
            lines.append(rf"{before} &\rightarrow {after}")
        return r"\begin{aligned} " + r" \\ ".join(lines) + r" \end{aligned}"

    def to_dict(self) -> dict:
        move = self.move
        return {
            "optimizer": move.optimizer,
            "step": move.step,
            "path": move.path,
            "index": list(move.index),
            "name": self.name,
            "lr": move.lr,
            "before": move.before,
            "after": move.after,
            "change": self.change,
            "relative": self.relative,
            "gradient": move.gradient,
            "clipped": move.clipped,
            "clip_factor": self.clip_factor,
            "effective_rate": self.effective_rate,
            "slots": dict(move.slots),
            "new_slots": dict(move.new_slots),
            "terms": [
                {
                    "symbol": term.symbol,
                    "formula": term.formula,
                    "numbers": term.numbers,
                    "latex": f"{term.latex_symbol} = {term.latex}",
                    "value": term.value,
                    "meaning": term.meaning,
                }
                for term in move.terms or ()
            ],
        }

    def plot(self, axes=None, *, history=None):
        """The step beside that of plain gradient descent; or the path of the weight.

        Args:
            axes: where to draw; None: a new figure.
            history: the values of this weight so far, one a step, the newest last; they are
                drawn as a line that ends at the new value.
        """
        if axes is None:
            from matplotlib.figure import Figure

            axes = Figure(
                figsize=(6.4, 2.4 if history is None else 3.6), layout="constrained"
            ).subplots()
        if history is None:
            self._plot_steps(axes)
        else:
            self._plot_path(axes, [float(value) for value in history])
        axes.set_title(f"{self.move.optimizer}, step {self.move.step}: ${self.latex_name}$")
        return axes

    def _plot_steps(self, axes):
        move = self.move
        steps = {"gradient descent\n-η g": 0.0 - move.lr * move.gradient}
        if move.clipped is not None:
            steps["clipped\n-η g"] = 0.0 - move.lr * move.clipped
        steps[f"{move.optimizer}\nΔw"] = self.change
        colours = ["#9ecae1"] * (len(steps) - 1) + ["#d95f0e"]
        places = list(range(len(steps)))
        bars = axes.barh(places, list(steps.values()), color=colours, edgecolor="grey")
        axes.bar_label(bars, [number(value) for value in steps.values()], padding=4)
        axes.set_yticks(places, list(steps))
        axes.invert_yaxis()
        axes.margins(x=0.25)
        axes.axvline(0, color="grey", linewidth=0.8)
        axes.set_xlabel(f"step of ${self.latex_name}$")

    def _plot_path(self, axes, values):
        move, now = self.move, len(values) - 1
        if not values or not np.isclose(values[-1], move.before, rtol=1e-5, equal_nan=True):
            raise OptionError(
                f"the history ends at {number(values[-1], 6) if values else 'nothing'}",
                expected=f"the weight now, {number(move.before, 6)}, as its newest value",
                mend="take down the weight after every step, and before the first",
            )
        axes.plot(range(len(values)), values, color="#2b7bba", marker=".", label="so far")
        axes.plot(
            [now, now + 1],
            [move.before, move.after],
            color="#d95f0e",
            linestyle="--",
            marker="o",
            markevery=[1],
            label=f"this step: Δw = {number(self.change)}",
        )
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.set_xlabel("step")
        axes.set_ylabel(f"${self.latex_name}$")
        axes.legend()


def explain_update(optimizer, path, index=(), *, gradients=None) -> UpdateStory:
    """What the next `optimizer.step()` will do to one weight, and why. Nothing moves.

    Call it after `loss.backward()` and before the step. The arithmetic is done in float64, so a
    step in float32 differs from it in the last digits that float32 has.

    Args:
        optimizer: an Optimizer.
        path: of the parameter, like "0.weight"; or the Parameter itself.
        index: of the element: an int for each axis; () for a parameter of one number.
        gradients: {path: array} to be used in place of each parameter's `.grad`.

    Raises:
        OptionError: no such parameter or element, or no optimizer.
        GradientError: the parameter has no gradient; says why as far as it can be seen.

    Example:
        >>> from cutaway import SGD, Parameter
        >>> w = Parameter(2.5)
        >>> (0.002 * w * w).backward()
        >>> print(explain_update(SGD([w], lr=1.0), w))
        SGD, step 1: the update of parameter 0
        <BLANKLINE>
          w = 2.5   the weight now
          g = 0.01  its gradient ∂L/∂w
          η = 1     learning rate
        <BLANKLINE>
          w ← w - η g                           downhill, against the gradient
            = 2.5 - 1 · 0.01 = 2.49
        <BLANKLINE>
        The step is Δw = -0.01, 0.4% of the weight.
    """
    if not hasattr(optimizer, "spell_out"):
        inner = hasattr(getattr(optimizer, "optimizer", None), "spell_out")
        raise OptionError(
            f"explain_update was given a {type(optimizer).__name__}",
            expected="an optimizer, such as SGD or Adam",
            mend="pass its .optimizer" if inner else "pass the optimizer that trains the network",
        )
    place = _find(optimizer, path)
    parameter, path = optimizer.parameters[place], optimizer.paths[place]
    index = _expect_index(index, parameter.shape, path)
    grads = _gradients(optimizer, gradients)
    if grads[place] is None:
        _raise_no_gradient(parameter, path, grads)
    move = optimizer.spell_out(place, index, grads)
    return UpdateStory(move, *_names(optimizer, path, index))


def _find(optimizer, path) -> int:
    """Number of the parameter in the optimizer."""
    if not isinstance(path, str):
        for place, parameter in enumerate(optimizer.parameters):
            if parameter is path:
                return place
        raise OptionError(
            f"this {type(path).__name__} is not among the parameters of the optimizer",
            expected="one of the Parameters that the optimizer moves",
            mend="pass one of the network it was made for, or " + did_you_mean("", optimizer.paths),
        )
    if path not in optimizer.paths:
        raise OptionError(
            f"the optimizer holds no parameter {path!r}",
            expected="the path of a parameter that it moves",
            mend=did_you_mean(path, optimizer.paths),
        )
    return optimizer.paths.index(path)


def _expect_index(index, shape, path) -> tuple:
    try:
        index = tuple(operator.index(i) for i in (index if np.iterable(index) else (index,)))
    except TypeError:
        index_fits = False
    else:
        index_fits = len(index) == len(shape)
    if not index_fits:
        raise OptionError(
            f"the index {index!r} does not name one element of {path}, of shape {shape}",
            expected="an int for each axis" if shape else "(): it is one number",
            mend=f"for example {(0,) * len(shape)}",
        )
    if not all(-size <= i < size for i, size in zip(index, shape, strict=True)):
        raise OptionError(
            f"the index {index} is outside {path}, of shape {shape}",
            expected=f"from {(0,) * len(shape)} to {tuple(size - 1 for size in shape)}",
            mend="count from 0; (i, j) of a Linear's weight joins input i to neuron j",
        )
    return tuple(i % size for i, size in zip(index, shape, strict=True))


def _gradients(optimizer, given) -> list:
    """The gradient of each parameter, or None."""
    if given is None:
        return [p.grad for p in optimizer.parameters]
    unknown = [path for path in given if path not in optimizer.paths]
    if unknown:
        raise OptionError(
            f"gradients has {unknown[0]!r}, which the optimizer does not hold",
            expected="paths of parameters that it moves",
            mend=did_you_mean(unknown[0], optimizer.paths),
        )
    for path, p in zip(optimizer.paths, optimizer.parameters, strict=True):
        if given.get(path) is not None and np.shape(given[path]) != p.shape:
            raise ShapeError(
                f"the gradient of {path} has shape {np.shape(given[path])}",
                expected=f"the shape of the parameter, {p.shape}",
            )
    return [given.get(path) for path in optimizer.paths]


def _raise_no_gradient(parameter, path, grads):
    if not parameter.requires_grad:
        raise GradientError(
            f"{path} has no gradient: it is frozen, so no step moves it",
            expected="a parameter with requires_grad",
            mend="unfreeze it: module.unfreeze() or parameter.requires_grad = True",
        )
    if all(g is None for g in grads):
        raise GradientError(
            f"{path} has no gradient, and no other parameter has one",
            expected="loss.backward() before, and no optimizer.step() since",
            mend="call backward on a loss; a step, compiled or not, uses the gradients up",
        )
    raise GradientError(
        f"{path} has no gradient, though other parameters have one",
        expected="a parameter that the loss was computed with",
        mend="it was not used for this loss, or what it gave was detached; no step moves it",
    )


def _names(optimizer, path, index) -> tuple:
    """(name, LaTeX name): w_ij^(l) where the network is a stack of linear layers."""
    owner, _, own = path.rpartition(".")
    layers = {}
    for other, p in zip(optimizer.paths, optimizer.parameters, strict=True):
        parent, _, name = other.rpartition(".")
        if name == "weight" and p.ndim > 1:
            layers[parent] = p.ndim
        elif name not in ("weight", "bias"):
            layers[parent] = None  # a layer of another kind: its weights have no such names
    stack = all(ndim == 2 for ndim in layers.values())
    if stack and owner in layers and len(index) == {"weight": 2, "bias": 1}.get(own):
        letter, ij = own[0], subscript(*index)
        layer = list(layers).index(owner) + 1
        return f"{letter}_{ij}^({layer})", f"{letter}_{{{ij}}}^{{({layer})}}"
    name = f"parameter {path}" if path.isdecimal() else path  # of a plain list
    name += f"[{_listed(index)}]" if index else ""
    escaped = name.replace("_", r"\_")
    return name, rf"\mathtt{{{escaped}}}"


def _listed(index) -> str:
    return ", ".join(map(str, index))


def _rounded(value, dtype):
    return np.asarray(value).astype(dtype)


def _in_one_line(text) -> str:
    """Products and brackets stay together: lines are broken at sums."""
    for sign in (" · ", " / ", "= "):
        text = text.replace(sign, sign.replace(" ", HELD))
    depths = np.cumsum([(c == "(") - (c == ")") for c in text])
    return "".join(HELD if c == " " and depth else c for c, depth in zip(text, depths, strict=True))


def _latex_number(text) -> str:
    mantissa, e, exponent = text.partition("e")
    if not e:
        return text
    power = f"10^{{{int(exponent)}}}"
    return power if mantissa == "1" else rf"{mantissa} \cdot {power}"


def _width(text) -> int:
    """Columns that a text takes: a hat over a letter takes none."""
    return sum(not unicodedata.combining(c) for c in text)


def _pad(text, width) -> str:
    return text + " " * (width - _width(text))
