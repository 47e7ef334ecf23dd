"""A race as self-contained HTML: the paths, a slider through the steps, the table."""

import json
from html import escape
from uuid import uuid4

import numpy as np

from cutaway.errors import visible
from cutaway.landscape.race_ends import HEADINGS as ENDS
from cutaway.landscape.race_ends import ends, gradient_lines
from cutaway.landscape.race_plots import contours, frame, style
from cutaway.story.design import INK, themed
from cutaway.story.html import STYLE as PAGE

WIDTH, HEIGHT, LEFT, BOTTOM, TOP = 640, 460, 58, 44, 10  # in SVG units
MAX_POINTS = 1500  # of a path; longer ones are thinned out
# only this file's own styles and script
POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'"
DASHES = {"-": "", "--": "7 4", "-.": "8 3 2 3", ":": "2 3"}

STYLE = """
.cutaway-race { --ink: currentColor; --line: rgba(128,128,128,.35);
  --soft: color-mix(in srgb, currentColor 70%, transparent); color: inherit;
  font: 15px/1.5 system-ui, sans-serif; }
.cutaway-race .level { fill: currentColor; fill-opacity: .032; fill-rule: evenodd;
  stroke: currentColor; stroke-opacity: .22; stroke-width: .5; }
.cutaway-race .star { fill: var(--paper, Canvas); stroke: var(--ink); stroke-width: .7; }
.cutaway-race .start { fill: var(--paper, Canvas); stroke: var(--ink); stroke-width: 2; }
.cutaway-race .end { stroke: var(--paper, Canvas); }
.cutaway-race .lead { font-size: 1.2em; margin: .4rem 0 .8rem; max-width: 46rem; }
.cutaway-race g[data-racer]:hover .trajectory:not(.halo) { stroke-width: 4; }
.cutaway-race button { font: inherit; padding: .15rem .8rem; cursor: pointer; color: inherit;
  background: none; border: 1px solid var(--line); border-radius: 6px; }
.cutaway-race :focus-visible { outline: 2px solid currentColor; outline-offset: 2px; }
.cutaway-race .heading { font-size: 1.35em; font-weight: 600; margin: 0 0 .4rem; }
.cutaway-race svg.trajectories { max-width: 100%; height: auto; }
.cutaway-race svg text { font: 12px system-ui, sans-serif; fill: var(--ink); }
.cutaway-race .trajectory { fill: none; stroke-linejoin: round; }
.cutaway-race .halo { stroke: var(--paper, Canvas); stroke-opacity: .75; stroke-width: 4; }
.cutaway-race table { border-collapse: collapse; font-size: .9rem;
  font-variant-numeric: tabular-nums; }
.cutaway-race th, .cutaway-race td { text-align: left; padding: .25rem .9rem .25rem 0;
  border-bottom: 1px solid var(--line); white-space: nowrap; }
.cutaway-race th { color: var(--soft); font-weight: 600; }
.cutaway-race .n { text-align: right; }
.cutaway-race .ends td:last-child { white-space: normal; min-width: 12rem; }
.cutaway-race h2 { font-size: 1.05rem; margin: 1.8rem 0 .5rem; }
.cutaway-race .soft { color: var(--soft); max-width: 46rem; }
.cutaway-race .scroll { overflow-x: auto; }
.cutaway-race input[type=range] { width: min(420px, 60vw); vertical-align: middle; }
.cutaway-race .key { vertical-align: middle; }
.cutaway-race .key line { stroke: var(--color); }
@media (max-width: 600px) {
  .cutaway-race svg.trajectories text { font-size: 19px; }
  .cutaway-race th, .cutaway-race td { padding-right: .6rem; font-size: .8rem; } }
@media print {
  .cutaway-race button, .cutaway-race input { display: none; }
  .cutaway-race table { font-size: 9pt; }
  .cutaway-race svg.trajectories text { font-size: 12px; }
  .cutaway-race .key line { stroke: var(--color); } }
"""

SCRIPT = """
(() => {
  const root = document.getElementById(ID), race = DATA;
  const slider = root.querySelector("input[type=range]"), shown = root.querySelector("output");
  const show = () => {
    const step = +slider.value;
    shown.textContent = step.toLocaleString("en");
    race.forEach((racer, k) => {
      let last = 0;
      while (last + 1 < racer.steps.length && racer.steps[last + 1] <= step) last += 1;
      const points = racer.points.slice(0, last + 1);
      const text = points.map(p => p.join(",")).join(" ");
      const group = root.querySelector(`g[data-racer="${k}"]`);
      group.querySelectorAll("polyline").forEach(line => line.setAttribute("points", text));
      const end = group.querySelector("circle"), at = points[points.length - 1];
      end.setAttribute("cx", at[0]); end.setAttribute("cy", at[1]);
      root.querySelector(`td[data-value="${k}"]`).textContent = racer.values[last];
    });
  };
  slider.addEventListener("input", show);
  const boxes = root.querySelectorAll("input[type=checkbox]");
  boxes.forEach(box => box.addEventListener("change", () => {
    const group = root.querySelector(`g[data-racer="${box.value}"]`);
    group.style.display = box.checked ? "" : "none";
  }));
  let timer = null;
  const play = root.querySelector("button");
  play.addEventListener("click", () => {
    if (timer) { clearInterval(timer); timer = null; play.textContent = "play"; return; }
    if (+slider.value >= +slider.max) slider.value = 0;
    play.textContent = "stop";
    const stride = Math.max(1, Math.round(slider.max / 200));
    timer = setInterval(() => {
      slider.value = +slider.value + stride; show();
      if (+slider.value >= +slider.max) play.click();
    }, 40);
  });
})();
"""


def page(race) -> str:
    """The whole document."""
    title = escape(f"race: {race.surface.name or race.surface.formula}")
    return visible(
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        f"<title>{title}</title><style>{PAGE}</style></head>\n"
        f"<body>{fragment(race, heading='h1')}</body></html>\n"
    )


def fragment(race, *, heading: str = "p") -> str:
    """An HTML fragment for a page or a notebook.

    Args:
        heading: its element; JupyterLab would list an "h1" in the notebook's table of contents.
    """
    name = f"race-{uuid4().hex[:12]}"
    surface = race.surface
    about = f"{surface.about[:1].upper()}{surface.about[1:]}. " if surface.about else ""
    trajectories = [_thinned(racer, race) for racer in race.racers]
    data = json.dumps(trajectories, separators=(",", ":"))
    script = SCRIPT.replace("ID", json.dumps(name), 1).replace("DATA", data, 1)
    notes = "".join(f'<p class="soft">{escape(note)}</p>' for note in race.notes())
    return (
        f'<div class="cutaway-race" id="{name}"><style>{STYLE}</style>'
        f'<{heading} class="heading">{escape(surface.title)}</{heading}>'
        f'<p class="lead">{escape(race.answer())}</p>'
        f'<p class="soft">{escape(about)}The stronger the shade, the higher; a star marks a known '
        f"minimum, the circle the start.</p>{_picture(race, trajectories)}"
        f'<p><button type="button">play</button> step <output>{race.steps:,}</output> '
        f'<input type="range" min="0" max="{race.steps}" value="{race.steps}" '
        f'aria-label="step"></p>{_table(race)}'
        f"{_ends(race, heading)}{notes}<script>{script}</script></div>"
    )


def _thinned(racer, race) -> dict:
    """The path in SVG units: {"steps", "points", "values"}, at most MAX_POINTS of them."""
    finite = np.isfinite(racer.points).all(axis=1)
    # an optimizer that diverges stays at its last finite point
    count = len(finite) if finite.all() else max(1, int(np.argmin(finite)))
    stride = -(-count // MAX_POINTS)
    steps = sorted({*range(0, count, stride), count - 1})
    far = 20 * race.surface.width
    points = _places(race, np.clip(racer.points[steps], -far, far))
    return {
        "steps": [int(s) for s in steps],
        "points": [[round(float(x), 1), round(float(y), 1)] for x, y in points],
        "values": [f"{racer.values[s]:.3g}" for s in steps],
    }


def _places(race, points):
    """Points of the surface in SVG units."""
    (x0, x1), (y0, y1) = frame(race)
    across = LEFT + (np.asarray(points)[..., 0] - x0) / (x1 - x0) * WIDTH
    down = TOP + (y1 - np.asarray(points)[..., 1]) / (y1 - y0) * HEIGHT
    return np.stack([across, down], axis=-1)


def _picture(race, trajectories) -> str:
    clip = f"clip-{uuid4().hex[:12]}"
    parts = [
        f'<clipPath id="{clip}"><rect x="{LEFT}" y="{TOP}" width="{WIDTH}" height="{HEIGHT}"/>'
        f"</clipPath>",
        *_axes(race),
        f'<g clip-path="url(#{clip})">{_ground(race)}',
    ]
    few = len(race.surface.minima) <= 10
    for x, y in _places(race, race.surface.minima) if race.surface.minima else ():
        parts.append(
            f'<text x="{x:.1f}" y="{y + (7 if few else 3):.1f}" text-anchor="middle" '
            f'class="star" style="font-size:{22 if few else 9}px">★</text>'
        )
    x, y = _places(race, race.start)
    parts.append(
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="8" class="start"><title>start</title></circle>'
    )
    for k, (racer, trajectory) in enumerate(zip(race.racers, trajectories, strict=True)):
        color, dashes, _ = style(race, k)
        color = themed(color).replace(INK, "currentColor")
        points = " ".join(f"{x},{y}" for x, y in trajectory["points"])
        x, y = trajectory["points"][-1]
        parts.append(
            f'<g data-racer="{k}"><title>{escape(racer.name)}</title>'
            f'<polyline class="trajectory halo" points="{points}"/>'
            f'<polyline class="trajectory" points="{points}" stroke="{color}" stroke-width="2" '
            f'stroke-dasharray="{DASHES[dashes]}"/>'
            f'<circle cx="{x}" cy="{y}" r="5" fill="{color}" class="end"/></g>'
        )
    width, height = LEFT + WIDTH + 12, TOP + HEIGHT + BOTTOM
    return (
        '<svg class="trajectories" xmlns="http://www.w3.org/2000/svg" '
        f'viewBox="0 0 {width} {height}" '
        f'width="{width}" role="img" aria-label="the paths of the optimizers">'
        f"{''.join(parts)}</g></svg>"
    )


def _axes(race):
    from matplotlib.ticker import MaxNLocator

    (x0, x1), (y0, y1) = frame(race)
    for value in MaxNLocator(8).tick_values(x0, x1):
        if x0 <= value <= x1:
            x = _places(race, (value, y0))[0]
            yield (
                f'<text x="{x:.1f}" y="{TOP + HEIGHT + 17}" text-anchor="middle">{value:g}</text>'
            )
    for value in MaxNLocator(8).tick_values(y0, y1):
        if y0 <= value <= y1:
            y = _places(race, (x0, value))[1]
            yield f'<text x="{LEFT - 6}" y="{y + 5:.1f}" text-anchor="end">{value:g}</text>'
    across, up = race.surface.axes
    middle, below = LEFT + WIDTH / 2, TOP + HEIGHT + 38
    yield f'<text x="{middle}" y="{below}" text-anchor="middle">{across}</text>'
    yield f'<text x="8" y="{TOP + HEIGHT / 2}">{up}</text>'


def _ground(race) -> str:
    """The surface from above: above each level one more shade of the text's color."""
    parts = []
    for polygons in contours(race.surface, *frame(race)):
        rings = []
        for ring in polygons:
            places = _places(race, ring)
            kept = np.r_[True, np.abs(np.diff(places, axis=0)).max(axis=1) > 0.4]
            rings.append("M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in places[kept]) + "Z")
        parts.append(f'<path class="level" d="{"".join(rings)}"/>')
    return "".join(parts)


def _ends(race, heading: str) -> str:
    """Where racers ended, with the eigenvalues there, and gradients; below that heading."""
    rows = "".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in ends(race)
    )
    gradients = "".join(f"<br>{escape(line)}" for line in gradient_lines(race))
    shown = f'<p class="soft">{gradients.removeprefix("<br>")}</p>'
    if not rows:
        return shown
    heads = "".join(f"<th>{name}</th>" for name in ENDS)
    table = f'<table class="ends"><tr>{heads}</tr>{rows}</table>'
    title = "<h2>Where they ended</h2>" if heading == "h1" else "<p><b>Where they ended</b></p>"
    return f'{title}<div class="scroll">{table}</div>{shown}'


def _table(race) -> str:
    numbers = {racer.name: k for k, racer in enumerate(race.racers)}
    kinds = ['class="n"' if side == ">" else "" for side in race.sides]
    value = race.headings.index("value")
    head = "".join(
        f"<th {kind}>{escape(h)}</th>" for h, kind in zip(race.headings, kinds, strict=True)
    )
    body = ""
    for row in race.rows():
        k = numbers[row[0]]
        color, dashes, _ = style(race, k)
        hue = themed(color).replace(INK, "currentColor")
        key = (
            '<svg class="key" width="34" height="12" aria-hidden="true">'
            '<line x1="2" y1="6" x2="32" y2="6" '
            f'style="--color:{hue}" stroke-width="2.5" '
            f'stroke-dasharray="{DASHES[dashes]}"/></svg>'
        )
        cells = [
            f'<td><label><input type="checkbox" value="{k}" checked> {key} '
            f"{escape(row[0])}</label></td>",
            *(
                f"<td {kind}{f' data-value={k}' * (column == value)}>{escape(cell)}</td>"
                for column, (cell, kind) in enumerate(zip(row, kinds, strict=True))
                if column
            ),
        ]
        body += f"<tr>{''.join(cells)}</tr>"
    return f'<div class="scroll"><table><tr>{head}</tr>{body}</table></div>'
