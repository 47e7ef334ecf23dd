// Painting of the decision boundary: colors, the neutral line, axes and the rows of the data.

import { ticks } from "./chart";
import { classColor, css, diverging, mix, paintBytes, paper, pen, table, type Rgb } from "./color";
import { number } from "./format";
import type { Store } from "./store";
import type { Block } from "./wire";

export const LEFT = 38;
const BOTTOM = 22;
export const TOP = 6;
const SIDES = [0, 1, 2, 3] as const;
const NEAR = 12;

type Plane = {
  kind: "class" | "classes" | "value";
  columns: [number, number];
  low: [number, number];
  high: [number, number];
  scale: [number, number];
  labels: string[];
};

function planeOf(store: Store): { lane: number; grid: Block; plane: Plane } | null {
  const lane = store.lane.value;
  const grid = store.block(lane, "boundary/grid");
  const plane: Plane | null = store.about(lane, "boundary");
  return grid && plane?.low ? { lane, grid, plane } : null;
}

export function draw(store: Store, canvas: HTMLCanvasElement, hidden: HTMLCanvasElement, side: number): void {
  const found = planeOf(store);
  const brush = pen(canvas, side + LEFT + 4, side + TOP + BOTTOM);
  if (!found) return;
  const { grid, plane, lane } = found;
  const classes = plane.kind === "value" ? 0 : countClasses(store, lane);
  const level = levelOf(plane);
  const [high, wide] = grid.shape.slice(-2) as [number, number];
  if (plane.kind === "classes") paintClasses(hidden, grid, store.block(lane, "boundary/class"));
  else paintBytes(hidden, grid.data, wide, high, valueColors(level / 255));
  brush.imageSmoothingEnabled = true;
  brush.drawImage(hidden, LEFT, TOP, side, side);
  if (plane.kind !== "classes") contour(brush, grid.data, wide, high, level, side);
  frame(brush, plane, side);
  const points = store.block(lane, "points/xy");
  if (points) drawPoints(store, brush, points, plane, side, classes);
}

function countClasses(store: Store, lane: number): number {
  return store.about(lane, "points")?.labels?.length ?? store.subject.value?.classes?.length ?? 2;
}

/** Probabilities are neutral at one half, other values at zero or the middle of their range. */
function levelOf({ kind, scale: [low, high] }: Plane): number {
  const neutral = kind === "class" ? 0.5 : low < 0 && high > 0 ? 0 : (low + high) / 2;
  return ((neutral - low) / (high - low || 1)) * 255;
}

function valueColors(middle: number): Uint32Array {
  const reach = Math.max(middle, 1 - middle) || 1;
  // paler than on the drawing, so that the points stand out
  const pale = (value: number): Rgb => mix(paper(), diverging(value), 0.5);
  return table(pale, -middle / reach, (1 - middle) / reach);
}

/** Each point in the color of its most probable class; of very many classes `winner` says which. */
function paintClasses(canvas: HTMLCanvasElement, grid: Block, winner: Block | null): void {
  const [high, wide] = grid.shape.slice(-2) as [number, number];
  const cells = high * wide;
  const classes = winner ? 1 + [...winner.data].reduce((a, b) => Math.max(a, b), 0) : grid.shape[0]!;
  const scales = Array.from({ length: classes }, (_, k) =>
    table((share) => mix(paper(), classColor(k, classes), share * 0.5), -0.1, 1),
  );
  canvas.width = wide;
  canvas.height = high;
  const brush = canvas.getContext("2d")!;
  const image = brush.createImageData(wide, high);
  const words = new Uint32Array(image.data.buffer);
  for (let cell = 0; cell < cells; cell++) {
    let best = 0;
    if (!winner)
      for (let k = 1; k < classes; k++)
        if (grid.data[k * cells + cell]! > grid.data[best * cells + cell]!) best = k;
    const sure = grid.data[winner ? cell : best * cells + cell]!;
    words[cell] = scales[winner ? winner.data[cell]! : best]![sure]!;
  }
  brush.putImageData(image, 0, 0);
}

/** The line where the output is neutral, so that the boundary is seen in grey as well. */
function contour(
  brush: CanvasRenderingContext2D,
  data: ArrayLike<number>,
  wide: number,
  high: number,
  level: number,
  side: number,
): void {
  brush.beginPath();
  const at = (x: number, y: number) => data[y * wide + x]! - level;
  for (let y = 0; y + 1 < high; y++)
    for (let x = 0; x + 1 < wide; x++) {
      const [a, b, c, d] = [at(x, y), at(x + 1, y), at(x + 1, y + 1), at(x, y + 1)];
      const crossings: [number, number][] = [];
      if (a < 0 !== b < 0) crossings.push([x + a / (a - b), y]);
      if (b < 0 !== c < 0) crossings.push([x + 1, y + b / (b - c)]);
      if (d < 0 !== c < 0) crossings.push([x + d / (d - c), y + 1]);
      if (a < 0 !== d < 0) crossings.push([x, y + a / (a - d)]);
      for (let k = 0; k + 1 < crossings.length; k += 2) {
        const [from, to] = [crossings[k]!, crossings[k + 1]!];
        brush.moveTo(LEFT + ((from[0] + 0.5) / wide) * side, TOP + ((from[1] + 0.5) / high) * side);
        brush.lineTo(LEFT + ((to[0] + 0.5) / wide) * side, TOP + ((to[1] + 0.5) / high) * side);
      }
    }
  brush.strokeStyle = getComputedStyle(brush.canvas).color;
  brush.globalAlpha = 0.75;
  brush.lineWidth = 1.4;
  brush.stroke();
  brush.globalAlpha = 1;
}

function frame(brush: CanvasRenderingContext2D, plane: Plane, side: number): void {
  const style = getComputedStyle(brush.canvas);
  brush.strokeStyle = style.getPropertyValue("--line");
  brush.lineWidth = 1;
  brush.strokeRect(LEFT - 0.5, TOP - 0.5, side + 1, side + 1);
  brush.fillStyle = style.getPropertyValue("--soft");
  brush.font = "11px system-ui, sans-serif";
  const text = (value: number) => number(value, 3).replace(/(\.\d*?)0+$/, "$1").replace(/\.$/, "");
  for (const mark of ticks(plane.low[0], plane.high[0], 5)) {
    const x = LEFT + ((mark - plane.low[0]) / (plane.high[0] - plane.low[0])) * side;
    brush.textAlign = "center";
    brush.fillText(text(mark), Math.min(x, LEFT + side - 8), TOP + side + 15);
  }
  for (const mark of ticks(plane.low[1], plane.high[1], 6)) {
    const y = TOP + (1 - (mark - plane.low[1]) / (plane.high[1] - plane.low[1])) * side;
    brush.textAlign = "right";
    brush.fillText(text(mark), LEFT - 6, Math.max(y + 4, TOP + 9));
  }
}

function drawPoints(
  store: Store,
  brush: CanvasRenderingContext2D,
  points: Block,
  plane: Plane,
  side: number,
  classes: number,
): void {
  const lane = store.lane.value;
  const target = store.block(lane, "points/y");
  const sets = store.block(lane, "points/set")?.data;
  const many = points.shape[0]!;
  const reach = many > 400 ? 2.2 : 3.2;
  const [low, high] = classes ? [0, 1] : (store.about(lane, "points")?.scale ?? [0, 1]);
  brush.save();
  brush.beginPath();
  brush.rect(LEFT, TOP, side, side);
  brush.clip();
  for (let k = 0; k < many; k++) {
    const [x, y] = placed(points, plane, side, k);
    const y0 = target?.data[k] ?? 0;
    const color = css(
      classes ? classColor(y0, classes) : diverging(((y0 - low) / (high - low || 1)) * 2 - 1),
    );
    // validation rows are hollow
    brush.fillStyle = sets?.[k] === 1 ? css(paper()) : color;
    brush.strokeStyle = sets?.[k] === 1 ? color : css(paper(), 0.9);
    sign(brush, LEFT + x, TOP + y, reach, classes ? SIDES[y0 % 4]! : 0);
  }
  const selected = pointOf(store, lane);
  if (selected !== null) {
    const [x, y] = placed(points, plane, side, selected);
    brush.beginPath();
    brush.arc(LEFT + x, TOP + y, reach + 5, 0, 7);
    brush.strokeStyle = getComputedStyle(brush.canvas).color;
    brush.lineWidth = 2;
    brush.stroke();
  }
  brush.restore();
}

export type Row = { set: "training" | "validation"; row: number };

/** Which row a point is, as the row picker counts. */
export function rowOf(store: Store, lane: number, point: number): Row | null {
  const place = store.block(lane, "points/place")?.data[point];
  const set = store.block(lane, "points/set")?.data[point];
  return place === undefined ? null : { row: place, set: set === 1 ? "validation" : "training" };
}

function pointOf(store: Store, lane: number): number | null {
  const { row, set } = store.look.value;
  const places = store.block(lane, "points/place")?.data ?? [];
  const sets = store.block(lane, "points/set")?.data;
  const wanted = set === "validation" ? 1 : 0;
  for (let k = 0; k < places.length; k++)
    if (places[k] === row && (sets?.[k] ?? 0) === wanted) return k;
  return null;
}

function placed(points: Block, plane: Plane, side: number, row: number): [number, number] {
  const x = (points.data[row * 2]! - plane.low[0]) / (plane.high[0] - plane.low[0]);
  const y = (points.data[row * 2 + 1]! - plane.low[1]) / (plane.high[1] - plane.low[1]);
  return [x * side, (1 - y) * side];
}

/** A class has a color and a shape. */
function sign(brush: CanvasRenderingContext2D, x: number, y: number, reach: number, kind: 0 | 1 | 2 | 3): void {
  brush.beginPath();
  if (kind === 0) brush.arc(x, y, reach, 0, 7);
  else if (kind === 1) brush.rect(x - reach * 0.9, y - reach * 0.9, reach * 1.8, reach * 1.8);
  else {
    brush.moveTo(x, y - reach * 1.3);
    brush.lineTo(x + reach * 1.2, kind === 2 ? y + reach : y);
    if (kind === 3) brush.lineTo(x, y + reach * 1.3);
    brush.lineTo(x - reach * 1.2, kind === 2 ? y + reach : y);
    brush.closePath();
  }
  brush.lineWidth = 1.6;
  brush.stroke();
  brush.fill();
}

export function nearest(store: Store, x: number, y: number, side: number): number | null {
  const found = planeOf(store);
  const points = store.block(store.lane.value, "points/xy");
  if (!found || !points) return null;
  let best: number | null = null;
  let least = NEAR;
  for (let k = 0; k < points.shape[0]!; k++) {
    const [px, py] = placed(points, found.plane, side, k);
    const distance = Math.hypot(px - x, py - y);
    if (distance < least) [least, best] = [distance, k];
  }
  return best;
}
