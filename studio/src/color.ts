// Colors that carry signs, classes and magnitudes; they follow the page's light or dark mode.

import { DARK, DARK_HUES, LIGHT, LIGHT_HUES, type Rgb } from "./tokens";

export type { Rgb };

const media = matchMedia("(prefers-color-scheme: dark)");

/** Whether it is dark: as the notebook around it says, otherwise as the system does. */
export const dark = {
  get matches(): boolean {
    const { jpThemeLight, vscodeThemeKind, theme } = document.body.dataset; // theme: marimo
    if (jpThemeLight !== undefined) return jpThemeLight === "false";
    if (vscodeThemeKind !== undefined) return !vscodeThemeKind.includes("light");
    if (theme !== undefined) return theme === "dark";
    return media.matches;
  },
  /** Call `changed` whenever it becomes the other; returns what ends that. */
  watch(changed: () => void): () => void {
    const watched = new MutationObserver(changed);
    watched.observe(document.body, {
      attributeFilter: ["data-jp-theme-light", "data-vscode-theme-kind", "data-theme"],
    });
    // a query of its own: Chromium drops the event where `matches` was read before it
    const heard = matchMedia(media.media);
    heard.addEventListener("change", changed);
    return () => {
      watched.disconnect();
      heard.removeEventListener("change", changed);
    };
  },
};
export const still = matchMedia("(prefers-reduced-motion: reduce)");

export function css([red, green, blue]: Rgb, alpha = 1): string {
  return `rgba(${red | 0},${green | 0},${blue | 0},${alpha})`;
}

/** Of two classes the second is the positive one, as the network's output has it. */
export function classColor(index: number, classes = 3): Rgb {
  const hues = dark.matches ? DARK_HUES : LIGHT_HUES;
  return hues[(classes === 2 ? 1 - index : index) % hues.length]!;
}

/** The colors of the page's mode. */
export function mode(): typeof LIGHT {
  return dark.matches ? DARK : LIGHT;
}

export function signColor(value: number): Rgb {
  return value < 0 ? mode().negative : mode().positive;
}

/** Paper, the middle of every scale. */
export function paper(): Rgb {
  return mode().paper;
}

export function mix(from: Rgb, to: Rgb, share: number): Rgb {
  return [0, 1, 2].map((k) => from[k]! + (to[k]! - from[k]!) * share) as Rgb;
}

/** -1 .. 1 as orange .. paper .. blue; the root makes small values visible. */
export function diverging(value: number): Rgb {
  const size = Math.min(1, Math.abs(value)) || 0;
  return mix(paper(), signColor(value), Math.pow(size, 0.7));
}

/** 0 .. 1 as paper .. ink: one hue, so that it reads in grey. */
export function sequential(value: number): Rgb {
  return mix(paper(), dark.matches ? [150, 205, 250] : [14, 60, 110], Math.min(1, Math.max(0, value)));
}

/** Ink for text on that color. */
export function inkOn([red, green, blue]: Rgb): string {
  return 0.299 * red + 0.587 * green + 0.114 * blue > 140 ? css(LIGHT.ink) : css(LIGHT.paper);
}

/** The 256 colors of a scale, as bytes for ImageData. */
export function table(color: (value: number) => Rgb, low: number, high: number): Uint32Array {
  const found = new Uint32Array(256);
  for (let k = 0; k < 256; k++) {
    const [red, green, blue] = color(low + (k / 255) * (high - low));
    found[k] = (255 << 24) | ((blue | 0) << 16) | ((green | 0) << 8) | (red | 0);
  }
  return found;
}

/** Put bytes through a table onto a canvas of that size. */
export function paintBytes(
  canvas: HTMLCanvasElement,
  bytes: ArrayLike<number>,
  width: number,
  height: number,
  colors: Uint32Array,
  from = 0,
): void {
  if (canvas.width !== width || canvas.height !== height) {
    canvas.width = width;
    canvas.height = height;
  }
  const pen = canvas.getContext("2d")!;
  const image = pen.createImageData(width, height);
  const words = new Uint32Array(image.data.buffer);
  for (let k = 0; k < words.length; k++) words[k] = colors[bytes[from + k]!]!;
  pen.putImageData(image, 0, 0);
}

/** A canvas as large as its box in device pixels, with a pen in CSS pixels. */
export function pen(canvas: HTMLCanvasElement, width: number, height: number) {
  const scale = Math.min(3, devicePixelRatio || 1);
  const wide = Math.round(width * scale);
  const high = Math.round(height * scale);
  if (canvas.width !== wide || canvas.height !== high) {
    canvas.width = wide;
    canvas.height = high;
    canvas.style.width = `${width}px`;
    canvas.style.height = `${height}px`;
  }
  const found = canvas.getContext("2d")!;
  found.setTransform(scale, 0, 0, scale, 0, 0);
  found.clearRect(0, 0, width, height);
  return found;
}
