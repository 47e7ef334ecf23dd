// The live part of a dense drawing: sixty times a second is too often to build a page anew, so
// edges are painted and numbers are written straight into the nodes.

import { useEffect, useRef } from "preact/hooks";
import { css, dark, diverging, inkOn, paintBytes, still, table } from "./color";
import { keyOf, type Edge, type Geometry } from "./dense_geometry";
import { paintEdges } from "./dense_paint";
import { number, short } from "./format";
import type { Store } from "./store";

const COLUMN_MS = 420; // that a pass takes from one column to the next
const UPDATE_MS = 4000; // for which old and new weights stand beside each other

type Ref<T> = { current: T };

/** Returns what paints the drawing; during a pass it goes on by itself. */
export function usePainter(
  store: Store,
  lane: number,
  box: Ref<HTMLDivElement | null>,
  canvas: Ref<HTMLCanvasElement | null>,
  current: Ref<Geometry>,
  hovered: { value: Edge | null; peek(): Edge | null },
  frozen: Set<string>,
): () => void {
  const timer = useRef(0);
  const latest = useRef(frozen);
  latest.current = frozen;
  useEffect(() => () => cancelAnimationFrame(timer.current), []);
  const paint = () => {
    cancelAnimationFrame(timer.current);
    const geometry = current.current;
    if (!canvas.current || !box.current || geometry.width < 1) return;
    const wave = store.wave.peek();
    const now = performance.now();
    const last = geometry.columns.length - 1;
    let front: number | null = null;
    if (wave && wave.lane === lane && wave.began > 0 && wave.kind !== "update") {
      front = still.matches ? last + 1 : (now - wave.began) / COLUMN_MS;
      if (front > last + 0.5) {
        front = null;
        store.wave.value = null;
      } else if (wave.kind === "backward") front = last - front;
    } else if (wave?.kind === "update" && wave.began > 0 && now - wave.began > UPDATE_MS) {
      store.wave.value = null;
      store.before.value = null;
    }
    const story = store.told.peek()?.story;
    const lit = new Map<string, number>();
    if (story && story.lane === lane && store.chosen.peek())
      for (const one of story.lit ?? []) lit.set(keyOf(one.path, one.index), Math.abs(one.share));
    const chosen = store.chosen.peek();
    const edge = hovered.peek();
    paintEdges(canvas.current, {
      geometry,
      weights: (path) => slopeOf(store, lane, path) ?? store.block(lane, `weights/${path}`),
      lit,
      hovered: edge ? keyOf(geometry.columns[edge.layer]?.weight ?? "", [edge.from, edge.to]) : null,
      chosen: chosen?.what === "weight" ? keyOf(chosen.path, chosen.index) : null,
      frozen: latest.current,
      front,
      backward: wave?.kind === "backward",
      dash: now / 22,
    });
    writeNodes(store, lane, box.current, geometry, front, wave?.kind === "backward");
    writeNumbers(store, lane, box.current, latest.current);
    if (store.wave.peek()) timer.current = requestAnimationFrame(paint);
  };
  return paint;
}

/** After the backward pass the drawing shows ∂L/∂w in place of w, if the network is small enough. */
export function slopeOf(store: Store, lane: number, path: string) {
  return store.state.peek().phase === "backward" ? store.block(lane, `slopes/${path}`) : null;
}

function writeNodes(
  store: Store,
  lane: number,
  box: HTMLElement,
  geometry: Geometry,
  front: number | null,
  backward: boolean,
): void {
  const ranges = store.about(lane, "neurons");
  for (const element of box.querySelectorAll<HTMLElement>(".neuron")) {
    const at = Number(element.dataset["column"]);
    const column = geometry.columns[at];
    const node = element.firstElementChild as HTMLElement;
    const unit = Number(node.dataset["node"]!.split("/").at(-1));
    if (!column) continue;
    const later = front !== null && (backward ? at < front - 0.2 : at > front + 0.2);
    element.classList.toggle("later", later);
    const value = store.block(lane, `values/${column.valuePath}`)?.data[unit];
    const text = element.children[1] as HTMLElement;
    const written = value === undefined || later ? "" : short(value);
    if (text.textContent !== written) text.textContent = written;
    text.dataset["value"] = value === undefined ? "" : String(value);
    const hidden = store.hidden.peek()["neurons"];
    const name = hidden ? undefined : column.pictures.find((one) => store.block(lane, `neurons/${one}`));
    const canvas = node.firstElementChild as HTMLCanvasElement;
    const pictures = name === undefined ? null : store.block(lane, `neurons/${name}`);
    // of a wide layer only the first neurons have pictures
    if (name !== undefined && pictures && unit < pictures.shape[0]!) {
      const { data, shape } = pictures;
      const [, high, wide] = shape as [number, number, number];
      const [low, top] = ranges?.[name] ?? [-1, 1];
      paintBytes(canvas, data, wide, high, scaleOf(low, top), unit * high * wide);
      node.style.background = "";
      node.classList.add("pictured");
    } else {
      const color = diverging(Math.tanh(value ?? 0));
      node.style.background = css(color);
      node.style.color = inkOn(color);
      node.classList.remove("pictured");
    }
  }
}

const scales = new Map<string, Uint32Array>();
/** Colors of a byte scale from low to high, white at zero. */
export function scaleOf(low: number, high: number): Uint32Array {
  const most = Math.max(Math.abs(low), Math.abs(high)) || 1;
  const key = `${(low / most).toFixed(2)} ${(high / most).toFixed(2)} ${dark.matches}`;
  let found = scales.get(key);
  if (!found) {
    if (scales.size > 200) scales.clear();
    scales.set(key, (found = table(diverging, low / most, high / most)));
  }
  return found;
}

function writeNumbers(store: Store, lane: number, box: HTMLElement, frozen: Set<string>): void {
  const before = store.wave.peek()?.kind === "update" ? store.before.peek() : null;
  for (const element of box.querySelectorAll<HTMLElement>(".edge-number, .bias")) {
    const path = element.dataset["path"]!;
    const index = element.dataset["index"]!.split(",").map(Number);
    const name = `${lane}/weights/${path}`;
    const block = store.frame.peek()?.blocks.get(name);
    const at = (one: typeof block) =>
      one ? one.data[index.length === 2 ? index[0]! * one.shape[1]! + index[1]! : index[0]!] : undefined;
    const value = at(block);
    element.dataset["value"] = value === undefined ? "" : String(value);
    if (element.classList.contains("bias")) {
      const color = diverging(Math.tanh(value ?? 0));
      element.style.background = css(color);
      element.title = value === undefined ? "" : `bias ${number(value)}`;
      continue;
    }
    const old = at(before?.get(name));
    const slope = at(slopeOf(store, lane, path) ?? undefined);
    element.dataset["slope"] = slope === undefined ? "" : String(slope);
    let text = value === undefined ? "" : short(value);
    if (slope !== undefined) text = `∂ ${number(slope, 2)}`;
    else if (old !== undefined && value !== undefined && old !== value)
      text = `${short(old)} → ${text}`;
    if (element.textContent !== text) element.textContent = text;
    element.classList.toggle("negative", (slope ?? value ?? 0) < 0);
    element.classList.toggle("frozen", frozen.has(keyOf(path, index)) || frozen.has(path));
    element.setAttribute("aria-label", `weight ${path}[${index.join(", ")}] = ${number(value)}`);
  }
}
