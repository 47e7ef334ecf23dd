"""The answers of a run as Markdown."""


def markdown(found: dict) -> str:
    """device.md: the machine, then a table for each part that has run."""
    machine, parts = found["machine"], found["parts"]
    lines = [f"# {machine.get('device', 'device')}", ""]
    shown = ("card", "python", "cores", "jax", "torch", "product_tflops", "peak_tflops", "error")
    lines += [f"- {key}: {_short(machine[key])}" for key in shown if machine.get(key)]
    if machine.get("missing"):
        lines.append(f"- missing: {', '.join(machine['missing'])}")
    for name, write in (("right", _right), ("fast", _fast), ("why", _why), ("whole", _whole)):
        if name in parts:
            lines += ["", f"## {name.capitalize()}", ""]
            part = parts[name]
            lines += [f"failed: {part['failed']}"] if "failed" in part else write(part, parts)
    return "\n".join(lines) + "\n"


def _short(value):
    if isinstance(value, dict):
        return ", ".join(f"{k} {_number(v)}" for k, v in value.items())
    return value


def _number(value, digits=3):
    return f"{value:.{digits}g}" if isinstance(value, float) else str(value)


def table(headings, rows) -> list[str]:
    """A Markdown table, as lines."""
    rows = [[str(cell).replace("|", "\\|") for cell in row] for row in rows]
    return [
        f"| {' | '.join(headings)} |",
        f"| {' | '.join('---' for _ in headings)} |",
        *(f"| {' | '.join(row)} |" for row in rows),
    ]


def _right(part, parts):
    tests = part["tests"]
    end = "" if tests["complete"] else "; the time was over before their end"
    lines = [
        f"The project's tests: {tests['PASSED']} passed, {tests['FAILED']} failed, "
        f"{tests['ERROR']} errors in {tests['seconds']:.0f} s{end}.",
        *(f"- failed: {name}" for name in tests["failures"]),
        "",
    ]
    rows = []
    for check in part["checks"]:
        state = {True: "ok", False: "**wrong**"}.get(check.get("passed"), "skipped")
        error = _number(check["error"], 2) if "error" in check else check.get("raised", "")
        rows.append([check["check"], error, check["tolerance"], state])
    return lines + table(["check", "error", "tolerance", ""], rows)


def _fast(part, parts):
    compiled = {n["network"]: n for n in parts.get("why", {}).get("networks", [])}
    rows = []
    for n in part["networks"]:
        if "cutaway_ms" not in n and "torch_ms" not in n:
            why = n.get("skipped") or n.get("error") or n.get("cutaway_error")
            rows.append([n["network"], f"not run: {why}"] + [""] * 9)
            continue
        faster = (compiled.get(n["network"]) or {}).get("torch_compile")
        spread = "" if "spread" not in n else "({:.2f}-{:.2f})".format(*n["spread"])
        rows.append([
            n["network"], n["precision"], _ms(n.get("cutaway_ms")), _ms(n.get("torch_ms")),
            f"{n['times_torch']:.2f} {spread}" if "times_torch" in n else "",
            _ms(faster["compiled_ms"]) if faster else "",
            f"{n['tflops']:.3g}" if "tflops" in n else "",
            f"{n['share_of_peak']:.0%}" if "share_of_peak" in n else "",
            _gib(n.get("cutaway_bytes")), _gib(n.get("torch_bytes")),
            f"{n['cutaway_first_seconds']:.0f}" if "cutaway_first_seconds" in n else "",
        ])  # fmt: skip
    headings = ["network", "precision", "ms", "PyTorch ms", "x PyTorch (spread)",
                "torch.compile ms", "TFLOP/s", "of peak", "GiB", "PyTorch GiB",
                "first step s"]  # fmt: skip
    return table(headings, rows)


def _ms(value):
    return "" if value is None else f"{value:.3g}" if value < 100 else f"{value:.0f}"


def _gib(value):
    return "" if value is None else f"{value / 2**30:.2g}"


def _why(part, parts):
    networks = {n["network"]: n for n in parts.get("fast", {}).get("networks", [])}
    theirs = {n["network"]: n["torch_kernels"] for n in part["networks"] if "torch_kernels" in n}
    lines = []
    for name in part["worst"]:
        n = networks[name]
        lines += [f"### {name}: {n['times_torch']:.2f} x PyTorch", ""]
        for side, kernels in (
            ("Cutaway", n.get("cutaway_kernels")),
            ("PyTorch", theirs.get(name)),
        ):
            rows = [
                [f"`{k['name'][:90]}`", _number(k["ms"]), f"{k['share']:.0%}", f"{k['count']:.0f}"]
                for k in kernels or []
            ]
            lines += [*table([f"{side}'s kernels", "ms a step", "share", "calls"], rows), ""]
        if "hlo" in n:
            lines += [f"Optimized HLO: {n['hlo']}", ""]
    return lines


def _whole(part, parts):
    rows = [
        [name, f"{r['seconds']:.1f}", r["code"], *(" ".join(r[k]) for k in ("device", "result"))]
        for name, r in part.items()
    ]
    return table(["cutaway train", "seconds", "exit code", "device", "result"], rows)
