// A line chart on a canvas: steps along, values up, linear or logarithmic.

import { css, mode, pen } from "./color";
import { clamp, count, number } from "./format";

export type Line = {
  steps: number[];
  values: number[];
  color: string;
  dashed?: boolean;
  /** What stands at its end. */
  name?: string;
  /** Also its running mean, where single values scatter. */
  smooth?: boolean;
};

export type Chart = {
  low: number;
  high: number;
  first: number;
  last: number;
  stepAt(x: number): number;
  xOf(step: number): number;
  yOf(value: number): number;
};

const LEFT = 46;
const BOTTOM = 20;
const TOP = 8;
const RIGHT = 8;
const SMALLEST = 1e-12;

/** Round numbers between two limits. */
export function ticks(low: number, high: number, most: number): number[] {
  const span = high - low;
  if (!(span > 0)) return [low];
  const raw = span / Math.max(1, most);
  const power = 10 ** Math.floor(Math.log10(raw));
  const unit = [1, 2, 5, 10].find((one) => one * power >= raw)! * power;
  const found: number[] = [];
  for (let k = Math.ceil(low / unit - 1e-9) + 0; k * unit <= high + unit * 1e-9; k++) found.push(k * unit);
  return found;
}

/** Powers of ten between two logarithms, or round numbers if they span less than two. */
function logTicks(low: number, high: number, most: number): number[] {
  const found: number[] = [];
  const every = Math.max(1, Math.ceil((high - low) / most));
  for (let k = Math.ceil(low); k <= high; k++) if (k % every === 0) found.push(10 ** k);
  if (found.length >= 2) return found;
  return ticks(10 ** low, 10 ** high, most).filter((one) => one > 0);
}

function limits(lines: Line[], log: boolean): [number, number] {
  let low = Infinity;
  let high = -Infinity;
  for (const { values } of lines)
    for (const value of values) {
      if (!Number.isFinite(value) || (log && value <= 0)) continue;
      if (value < low) low = value;
      if (value > high) high = value;
    }
  if (low > high) return log ? [-3, 0] : [0, 1];
  if (log) {
    low = Math.log10(Math.max(low, SMALLEST));
    high = Math.log10(Math.max(high, SMALLEST));
  } else if (low > 0 && low < high * 0.6) low = 0;
  const margin = (high - low) * 0.04 || Math.abs(high) * 0.05 || 0.1;
  return [low === 0 && !log ? 0 : low - margin, high + margin];
}

/** Draw the chart; returns where things are, for the pointer. */
export function drawChart(
  canvas: HTMLCanvasElement,
  size: { width: number; height: number },
  lines: Line[],
  log: boolean,
): Chart {
  const brush = pen(canvas, size.width, size.height);
  const [low, high] = limits(lines, log);
  const first = Math.min(...lines.map(({ steps }) => steps[0] ?? Infinity), Infinity);
  if (!Number.isFinite(first)) return { low, high, first: 0, last: 0, stepAt: () => 0, xOf: () => 0, yOf: () => 0 };
  const last = Math.max(...lines.map(({ steps }) => steps.at(-1) ?? 0), 1);
  const start = first < last ? first : 0;
  const wide = size.width - LEFT - RIGHT;
  const tall = size.height - TOP - BOTTOM;
  const xOf = (step: number) => LEFT + ((step - start) / (last - start || 1)) * wide;
  const yOf = (value: number) => {
    const place = log ? Math.log10(Math.max(value, SMALLEST)) : value;
    return TOP + (1 - (place - low) / (high - low)) * tall;
  };
  brush.font = "11px system-ui, sans-serif";
  brush.fillStyle = css(mode().soft);
  brush.strokeStyle = css(mode().line);
  brush.lineWidth = 1;
  brush.textBaseline = "middle";
  brush.textAlign = "right";
  const marks = log ? logTicks(low, high, tall / 26) : ticks(low, high, tall / 34);
  for (const mark of marks) {
    const y = Math.round(yOf(mark)) + 0.5;
    if (y < TOP - 1 || y > TOP + tall + 1) continue;
    brush.beginPath();
    brush.moveTo(LEFT, y);
    brush.lineTo(LEFT + wide, y);
    brush.stroke();
    brush.fillText(trimmed(mark), LEFT - 6, y);
  }
  brush.textBaseline = "alphabetic";
  for (const mark of ticks(start, last, clamp(wide / 70, 2, 8))) {
    if (!Number.isInteger(mark)) continue;
    const text = count(mark);
    const half = brush.measureText(text).width / 2;
    brush.textAlign = "center";
    brush.fillText(text, clamp(xOf(mark), LEFT + half, size.width - half), size.height - 4);
  }
  brush.save();
  brush.beginPath();
  brush.rect(LEFT, TOP - 4, wide + 4, tall + 8);
  brush.clip();
  for (const line of lines) drawLine(brush, line, xOf, yOf);
  brush.restore();
  brush.textAlign = "right";
  brush.fillStyle = css(mode().ink);
  for (const { name, values } of lines)
    if (name && values.length) brush.fillText(name, LEFT + wide, yOf(values.at(-1)!) - 5);
  const stepAt = (x: number) => start + clamp((x - LEFT) / wide, 0, 1) * (last - start);
  return { low, high, first: start, last, stepAt, xOf, yOf };
}

function trimmed(value: number): string {
  const text = number(value, 3);
  return text.includes(".") && !text.includes("e") ? text.replace(/\.?0+$/, "") : text;
}

function drawLine(
  brush: CanvasRenderingContext2D,
  line: Line,
  xOf: (step: number) => number,
  yOf: (value: number) => number,
): void {
  const { steps, values } = line;
  const smooth = line.smooth && steps.length > 60;
  brush.strokeStyle = line.color;
  brush.lineJoin = "round";
  brush.setLineDash(line.dashed ? [2, 4] : []);
  brush.lineCap = line.dashed ? "round" : "butt";
  brush.lineWidth = line.dashed ? 2 : smooth ? 1 : 1.6;
  brush.globalAlpha = smooth ? 0.32 : 1;
  trace(brush, steps, values, xOf, yOf);
  if (smooth) {
    brush.globalAlpha = 1;
    brush.lineWidth = 1.8;
    // at its ends the mean of few values says nothing
    const edge = Math.round(values.length / 120);
    trace(brush, steps.slice(edge, -edge), runningMean(values).slice(edge, -edge), xOf, yOf);
  }
  brush.globalAlpha = 1;
  brush.setLineDash([]);
}

function trace(
  brush: CanvasRenderingContext2D,
  steps: number[],
  values: number[],
  xOf: (step: number) => number,
  yOf: (value: number) => number,
): void {
  brush.beginPath();
  let drawing = false;
  for (let k = 0; k < steps.length; k++) {
    const y = yOf(values[k]!);
    if (!Number.isFinite(y)) {
      drawing = false;
      continue;
    }
    if (drawing) brush.lineTo(xOf(steps[k]!), y);
    else brush.moveTo(xOf(steps[k]!), y);
    drawing = true;
  }
  if (steps.length === 1) brush.arc(xOf(steps[0]!), yOf(values[0]!), 1.5, 0, 7);
  brush.stroke();
}

/** Means over a window centered at each value, shorter at both ends so that none is shifted. */
export function runningMean(values: number[]): number[] {
  const reach = Math.max(2, Math.round(values.length / 60));
  const sums = [0];
  for (const value of values) sums.push(sums.at(-1)! + (Number.isFinite(value) ? value : 0));
  return values.map((_, k) => {
    const half = Math.min(reach, k, values.length - 1 - k);
    return (sums[k + half + 1]! - sums[k - half]!) / (2 * half + 1);
  });
}

/** Index of the last step that is not after `step`. */
export function indexAt(steps: number[], step: number): number {
  let low = 0;
  let high = steps.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (steps[middle]! <= step) low = middle;
    else high = middle - 1;
  }
  return high < 0 ? -1 : low;
}
