// The weights of a dense network on a canvas: color is the sign, width and opacity the size.

import { css, pen, signColor } from "./color";
import { curve, edges, keyOf, type Edge, type Geometry } from "./dense_geometry";
import type { Block } from "./wire";

export type Painting = {
  geometry: Geometry;
  weights: (path: string) => Block | null;
  lit: Map<string, number>; // key of a weight -> how strongly it is lit
  hovered: string | null;
  chosen: string | null;
  frozen: Set<string>;
  /** Between which columns a pass is, as a number from 0 (input) to the last column. */
  front: number | null;
  backward: boolean;
  dash: number;
};

const MOST_DASHED = 160;

export function weightOf(block: Block | null, from: number, to: number): number | null {
  return block ? (block.data[from * (block.shape[1] ?? 1) + to] ?? null) : null;
}

function largest(block: Block): number {
  let found = 0;
  for (const value of block.data) {
    const size = Math.abs(value);
    if (size > found && Number.isFinite(size)) found = size;
  }
  return found || 1;
}

/** Draw all edges, those that are lit or hovered last. */
export function paintEdges(canvas: HTMLCanvasElement, painting: Painting): void {
  const { geometry, lit } = painting;
  const brush = pen(canvas, geometry.width, geometry.height);
  const scales = geometry.columns.map((column) => {
    const block = column.weight ? painting.weights(column.weight) : null;
    return block ? { block, most: largest(block) } : null;
  });
  const drawn = [...edges(geometry)];
  const dashed = drawn.length <= MOST_DASHED;
  const later: [Edge, string][] = [];
  brush.lineCap = "round";
  for (const edge of drawn) {
    const column = geometry.columns[edge.layer]!;
    const key = keyOf(column.weight ?? "", [edge.from, edge.to]);
    if (lit.has(key) || key === painting.hovered || key === painting.chosen) later.push([edge, key]);
    else stroke(brush, painting, edge, scales[edge.layer] ?? null, key, lit.size > 0, dashed);
  }
  for (const [edge, key] of later)
    stroke(brush, painting, edge, scales[edge.layer] ?? null, key, false, true);
}

function stroke(
  brush: CanvasRenderingContext2D,
  painting: Painting,
  edge: Edge,
  scale: { block: Block; most: number } | null,
  key: string,
  dim: boolean,
  dashed: boolean,
): void {
  const { x0, y0, x1, y1, bend } = curve(painting.geometry, edge);
  const value = weightOf(scale?.block ?? null, edge.from, edge.to);
  const share = value === null || !scale ? 0 : Math.min(1, Math.abs(value) / scale.most);
  const bold = key === painting.hovered || key === painting.chosen;
  const lit = painting.lit.get(key);
  // many lines on top of each other are drawn finer
  let alpha = dashed ? 0.14 + 0.76 * share : 0.05 + 0.6 * share;
  let width = dashed ? 0.7 + 4.3 * share : 0.5 + 2.5 * share;
  if (dim) alpha *= 0.22;
  if (lit !== undefined) {
    alpha = 1;
    width = 2 + 4 * Math.min(1, lit);
  }
  if (bold) {
    alpha = 1;
    width = Math.max(width, 3);
  }
  const moving = painting.front;
  let inPass = false;
  if (moving !== null) {
    const position = edge.layer - 1;
    const reached = painting.backward ? moving <= position + 1 : moving >= position;
    inPass = moving > position && moving < position + 1;
    if (!reached) alpha *= 0.3;
  }
  brush.beginPath();
  brush.moveTo(x0, y0);
  brush.bezierCurveTo(x0 + bend, y0, x1 - bend, y1, x1, y1);
  brush.lineWidth = width;
  brush.strokeStyle = css(signColor(value ?? 0), Math.min(1, alpha));
  // negative weights are dashed as well, for those who read in grey
  brush.setLineDash(dashed && value !== null && value < 0 ? [width * 2 + 3, width + 3.5] : []);
  brush.lineDashOffset = 0;
  if (painting.frozen.has(key)) brush.setLineDash([1.5, 5]);
  if (inPass) {
    brush.setLineDash([7, 7]);
    brush.lineDashOffset = painting.backward ? painting.dash : -painting.dash;
    brush.strokeStyle = css(signColor(value ?? 0), Math.min(1, alpha + 0.35));
  }
  brush.stroke();
}
