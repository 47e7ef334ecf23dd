// Bytes of pictures, heat maps and feature maps onto canvases.

import { diverging, sequential, table, type Rgb } from "./color";
import type { Block } from "./wire";

/** A picture (height, width) or (height, width, 3) of bytes, as it is. */
export function paintPicture(canvas: HTMLCanvasElement, { data, shape }: Block): void {
  const [high, wide, channels = 1] = shape as [number, number, number?];
  canvas.width = wide;
  canvas.height = high;
  const brush = canvas.getContext("2d")!;
  const image = brush.createImageData(wide, high);
  for (let k = 0; k < wide * high; k++) {
    for (let c = 0; c < 3; c++) image.data[k * 4 + c] = data[k * channels + (channels >= 3 ? c : 0)]!;
    image.data[k * 4 + 3] = 255;
  }
  brush.putImageData(image, 0, 0);
}

/** A matrix of floats as colors; values below zero make the scale a diverging one. */
export function paintMatrix(
  canvas: HTMLCanvasElement,
  values: ArrayLike<number>,
  high: number,
  wide: number,
  from = 0,
  limits?: [number, number],
): void {
  let [low, top] = limits ?? [Infinity, -Infinity];
  if (!limits)
    for (let k = 0; k < high * wide; k++) {
      low = Math.min(low, values[from + k]!);
      top = Math.max(top, values[from + k]!);
    }
  const color: (share: number) => Rgb = low < 0 ? diverging : sequential;
  const most = Math.max(Math.abs(low), Math.abs(top)) || 1;
  const colors = low < 0 ? table(color, -1, 1) : table(color, 0, 1);
  canvas.width = wide;
  canvas.height = high;
  const brush = canvas.getContext("2d")!;
  const image = brush.createImageData(wide, high);
  const words = new Uint32Array(image.data.buffer);
  for (let k = 0; k < high * wide; k++) {
    const share = values[from + k]! / most;
    const place = low < 0 ? (share + 1) / 2 : share;
    words[k] = colors[Math.round(Math.min(1, Math.max(0, place || 0)) * 255)]!;
  }
  brush.putImageData(image, 0, 0);
}
