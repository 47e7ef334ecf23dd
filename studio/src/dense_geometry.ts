// Where the neurons and weights of a dense network are drawn.

import type { LaneInfo, Layer } from "./wire";
import { clamp } from "./format";

export type Column = {
  key: string; // "input", or the layer's path
  layer: Layer | null;
  activation: Layer | null; // that follows it
  units: number;
  valuePath: string; // whose output the nodes show
  pictures: string[]; // under which names the pictures of its neurons may come
  weight: string | null;
  bias: string | null;
  x: number;
  first: number; // of the units that are drawn
  ys: number[];
};

export type Geometry = {
  width: number;
  height: number;
  size: number; // side of a node
  names: { left: number; right: number }; // room for the names of inputs and outputs
  columns: Column[];
  weights: number; // all of the network, to decide whether numbers fit on the edges
  numbered: boolean;
  roomy: boolean; // whether values fit under the nodes
};

/** How high a drawing has to be, so that its neurons can be told apart. */
export function leastHeight(columns: Column[], beside = false): number {
  const tallest = Math.min(MOST_UNITS, Math.max(1, ...columns.map((column) => column.units)));
  // beside a story the drawing may be smaller, without values under the nodes
  return HEAD + FOOT + (beside ? tallest * 24 : Math.max(Math.min(tallest, 8) * 44, tallest * 28));
}

export const HEAD = 78;
const FOOT = 34;
export const MOST_UNITS = 16;
export const MOST_NUMBERS = 30;

/** The columns of a dense network, from the input to the output, not yet placed. */
export function columnsOf(info: LaneInfo): Column[] {
  const places = info.layers.flatMap((layer, k) => (layer.units === null ? [] : [k]));
  const layers = places.map((k) => info.layers[k]!);
  if (!layers.length) return [];
  const blank = { x: 0, first: 0, ys: [] as number[], activation: null };
  const input: Column = {
    ...blank,
    key: "input",
    layer: null,
    units: layers[0]!.inputs ?? layers[0]!.parameters[0]!.shape[0]!,
    valuePath: "input",
    pictures: ["input"],
    weight: null,
    bias: null,
  };
  return [
    input,
    ...layers.map((layer, k) => {
      const after = info.layers.slice(places[k]! + 1, places[k + 1]);
      const activation = after.findLast((one) => one.activation !== null) ?? null;
      const weight = layer.parameters.find((one) => one.shape.length === 2);
      const bias = layer.parameters.find((one) => one.shape.length === 1);
      return {
        ...blank,
        key: layer.path,
        layer,
        activation,
        units: layer.units!,
        valuePath: activation?.path ?? layer.path,
        pictures: [activation?.path ?? layer.path, layer.path],
        weight: weight?.path ?? null,
        bias: bias?.path ?? null,
      };
    }),
  ];
}

/** Place the columns in a box; layers with more units than fit show a window of them. */
export function place(
  columns: Column[],
  box: { width: number; height: number },
  firsts: Record<string, number>,
  longest: { input: number; output: number }, // characters of the names beside
  most = MOST_UNITS,
): Geometry {
  const narrow = box.width < 560;
  const margin = (letters: number) => clamp(letters * 7 + 44, 56, narrow ? 92 : 156);
  const left = margin(longest.input);
  const right = margin(longest.output);
  const gap = narrow ? 80 : 104; // four columns fit a phone
  const width = Math.max(box.width, left + right + (columns.length - 1) * gap);
  const room = Math.max(120, box.height - HEAD - FOOT);
  const fits = clamp(Math.floor(room / 24), 3, most);
  const tallest = Math.max(...columns.map((column) => Math.min(column.units, fits)), 1);
  const pitch = clamp(room / tallest, 22, 116);
  const roomy = pitch >= 38;
  const size = clamp(Math.floor(pitch - (roomy ? 18 : 4)), 18, tallest < 6 ? 54 : 44);
  const placed = columns.map((column, k) => {
    const shown = Math.min(column.units, fits);
    const first = clamp(firsts[column.key] ?? 0, 0, column.units - shown);
    const middle = HEAD + room / 2 - (roomy ? 6 : 0);
    const ys = Array.from({ length: shown }, (_, unit) => middle + (unit - (shown - 1) / 2) * pitch);
    const x = left + (columns.length > 1 ? (k * (width - left - right)) / (columns.length - 1) : 0);
    return { ...column, x, first, ys };
  });
  let weights = 0;
  for (let k = 1; k < columns.length; k++) weights += columns[k - 1]!.units * columns[k]!.units;
  const numbered = weights <= MOST_NUMBERS && width / columns.length > 90;
  const names = { left: left - size / 2 - 12, right: right - size / 2 - 14 };
  return { names, width, height: box.height, size, columns: placed, weights, numbered, roomy };
}

export type Edge = { layer: number; from: number; to: number };

/** The curve of an edge, as four points: it leaves and arrives level. */
export function curve(geometry: Geometry, { layer, from, to }: Edge) {
  const before = geometry.columns[layer - 1]!;
  const after = geometry.columns[layer]!;
  const x0 = before.x + geometry.size / 2;
  const x1 = after.x - geometry.size / 2;
  const bend = (x1 - x0) * 0.42;
  const y0 = before.ys[from - before.first]!;
  const y1 = after.ys[to - after.first]!;
  return { x0, y0, x1, y1, bend };
}

export function pointAt(geometry: Geometry, edge: Edge, t: number): [number, number] {
  const { x0, y0, x1, y1, bend } = curve(geometry, edge);
  const u = 1 - t;
  const [a, b, c, d] = [u * u * u, 3 * u * u * t, 3 * u * t * t, t * t * t];
  return [a * x0 + b * (x0 + bend) + c * (x1 - bend) + d * x1, (a + b) * y0 + (c + d) * y1];
}

/** All edges that are drawn. */
export function* edges(geometry: Geometry): Generator<Edge> {
  for (let layer = 1; layer < geometry.columns.length; layer++) {
    const before = geometry.columns[layer - 1]!;
    const after = geometry.columns[layer]!;
    for (let i = 0; i < before.ys.length; i++)
      for (let j = 0; j < after.ys.length; j++)
        yield { layer, from: before.first + i, to: after.first + j };
  }
}

/** The edge under the pointer, if one passes within a few pixels. */
export function edgeAt(geometry: Geometry, x: number, y: number): Edge | null {
  let best: Edge | null = null;
  let nearest = 7;
  for (const edge of edges(geometry)) {
    const { x0, x1, y0, y1 } = curve(geometry, edge);
    if (x < x0 || x > x1 || y < Math.min(y0, y1) - 8 || y > Math.max(y0, y1) + 8) continue;
    for (let t = 0.04; t < 1; t += 0.04) {
      const [px, py] = pointAt(geometry, edge, t);
      const distance = Math.hypot(px - x, py - y);
      if (distance < nearest) [nearest, best] = [distance, edge];
    }
  }
  return best;
}

const PLACES = [0.3, 0.42, 0.54, 0.66, 0.2, 0.78];
const LABEL = { width: 40, height: 17 };

/** Where the numbers of all edges stand: along each edge, as far from the other numbers as can be. */
export function labelPlaces(geometry: Geometry): { edge: Edge; x: number; y: number }[] {
  const placed: { edge: Edge; x: number; y: number }[] = [];
  for (const edge of edges(geometry)) {
    let best = { edge, x: 0, y: 0 };
    let widest = -1;
    for (const t of PLACES) {
      const [x, y] = pointAt(geometry, edge, t);
      // in units of a label's size; beyond one and a half there is nothing to gain
      let room = 1.5;
      for (const other of placed) {
        const [dx, dy] = [Math.abs(other.x - x) / LABEL.width, Math.abs(other.y - y) / LABEL.height];
        room = Math.min(room, Math.max(dx, dy));
      }
      if (room > widest + 0.05) [widest, best] = [room, { edge, x, y }];
    }
    placed.push(best);
  }
  return placed;
}

export function keyOf(path: string, index: number[]): string {
  return `${path}[${index.join()}]`;
}
