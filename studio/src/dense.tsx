// A dense network as neurons and weights, with every number where it belongs.

import { useSignal, useSignalEffect } from "@preact/signals";
import { useEffect, useLayoutEffect, useMemo, useRef } from "preact/hooks";
import { diverging, inkOn, css, paintBytes, still, table } from "./color";
import { ColumnHead, GapHead } from "./dense_head";
import {
  columnsOf,
  edgeAt,
  keyOf,
  labelPlaces,
  leastHeight,
  place,
  type Column,
  type Edge,
  type Geometry,
} from "./dense_geometry";
import { paintEdges, weightOf } from "./dense_paint";
import { below, number, px, short } from "./format";
import { useSize } from "./size";
import { useStore, useViews, type Store } from "./store";
import type { LaneInfo, Subject } from "./wire";

const COLUMN_MS = 420;
const UPDATE_MS = 4000;

export function inputName(subject: Subject | null, unit: number, units: number): string {
  const inputs = subject?.inputs;
  return inputs && inputs.length === units ? inputs[unit]!.name : `x${below(unit + 1)}`;
}

export function outputName(subject: Subject | null, unit: number, units: number): string {
  const classes = subject?.classes;
  if (classes && classes.length === units) return classes[unit]!;
  if (units === 1) return classes?.length === 2 ? classes[1]! : (subject?.target ?? "ŷ");
  return `ŷ${below(unit + 1)}`;
}

/** On a wide page the story takes room from the drawing; elsewhere it stands further down. */
function hasStoryBelow(store: Store, box: HTMLElement | null): boolean {
  const page = box?.closest(".cutaway-studio.whole");
  return store.told.value !== null && (page?.clientWidth ?? 0) >= 1080;
}

function longestNames(subject: Subject | null, columns: Column[]) {
  const longest = (column: Column | undefined, name: typeof inputName) =>
    Math.max(
      1,
      ...Array.from(
        { length: Math.min(column?.units ?? 0, 64) },
        (_, unit) => name(subject, unit, column!.units).length,
      ),
    );
  return { input: longest(columns[0], inputName), output: longest(columns.at(-1), outputName) };
}

/** Keys of weights that training leaves alone, and paths whose whole tensor it does. */
function frozenKeys(info: LaneInfo): Set<string> {
  return new Set(
    info.frozen.map((one) =>
      typeof one === "string"
        ? one.replaceAll(" ", "")
        : one.index
          ? keyOf(one.path, one.index)
          : one.path,
    ),
  );
}

export function DenseNetwork({ lane, info }: { lane: number; info: LaneInfo }) {
  const store = useStore();
  const showPictures = !store.hidden.value["neurons"];
  useViews(...(showPictures ? ["weights", "values", "neurons"] : ["weights", "values"]));
  const box = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const size = useSize(box);
  const firsts = useSignal<Record<string, number>>({});
  const hovered = useSignal<Edge | null>(null);
  const pointer = useSignal({ x: 0, y: 0 });
  const columns = useMemo(() => columnsOf(info), [info]);
  const subject = store.subject.value;
  const longest = useMemo(() => longestNames(subject, columns), [subject, columns]);
  const geometry = useMemo(
    () => place(columns, size.value, firsts.value, longest),
    [columns, size.value, firsts.value, longest],
  );
  const current = useRef(geometry);
  current.current = geometry;
  const frozen = useMemo(() => frozenKeys(info), [info]);

  const paint = usePainter(store, lane, box, canvas, current, hovered, frozen);
  useLayoutEffect(paint, [geometry, frozen, showPictures]);
  useSignalEffect(() => {
    void store.frame.value;
    void store.chosen.value;
    void store.stories.value;
    void store.wave.value;
    void store.before.value;
    void hovered.value;
    paint();
  });

  const move = (event: PointerEvent) => {
    const area = canvas.current!.getBoundingClientRect();
    const [x, y] = [event.clientX - area.left, event.clientY - area.top];
    pointer.value = { x, y };
    const found = event.target === canvas.current ? edgeAt(current.current, x, y) : null;
    const same = found && hovered.value && found.layer === hovered.value.layer &&
      found.from === hovered.value.from && found.to === hovered.value.to;
    if (!same) hovered.value = found;
  };
  const openEdge = () => {
    const edge = hovered.value;
    if (!edge) return;
    const path = current.current.columns[edge.layer]!.weight;
    if (path) store.click("weight", path, [edge.from, edge.to]);
  };
  const turn = (column: Column, by: number) => {
    firsts.value = { ...firsts.value, [column.key]: column.first + by * column.ys.length };
  };
  const ready = geometry.columns.length > 0 && size.value.width > 0;

  return (
    <div
      class={[
        "drawing",
        hovered.value ? "over-edge" : "",
        geometry.roomy && !store.hidden.value["numbers"] ? "" : "tight",
      ].join(" ")}
      style={{ minHeight: px(leastHeight(columns, hasStoryBelow(store, box.current))) }}
      ref={box}
      onPointerMove={move}
      onPointerLeave={() => (hovered.value = null)}
      role="group"
      aria-label={`Network: ${info.title}`}
    >
      <div class="drawn" style={{ width: px(geometry.width) }}>
        <canvas ref={canvas} onClick={openEdge} aria-hidden="true" />
        {ready && <Heads geometry={geometry} lane={lane} />}
        {ready && <Nodes geometry={geometry} lane={lane} turn={turn} />}
        {ready && geometry.numbered && !store.hidden.value["numbers"] && (
          <EdgeNumbers geometry={geometry} />
        )}
        <EdgeTip geometry={geometry} lane={lane} edge={hovered.value} at={pointer.value} />
      </div>
    </div>
  );
}

function Heads({ geometry, lane }: { geometry: Geometry; lane: number }) {
  const { columns } = geometry;
  return (
    <>
      {columns.map((column, k) => (
        <ColumnHead key={column.key} column={column} lane={lane} at={k} last={columns.length - 1} />
      ))}
      {columns.slice(1).map((column, k) => (
        <GapHead
          key={column.key}
          lane={lane}
          after={columns[k]!}
          x={(columns[k]!.x + column.x) / 2}
        />
      ))}
    </>
  );
}

function Nodes(props: { geometry: Geometry; lane: number; turn: (column: Column, by: number) => void }) {
  const { geometry, lane, turn } = props;
  const store = useStore();
  const subject = store.subject.value;
  const last = geometry.columns.length - 1;
  const { size } = geometry;
  const chosen = store.chosen.value;
  const said = (label: string, column: Column, unit: number) => {
    const at = (name: string) => store.block(lane, `values/${name}`)?.data[unit];
    const z = column.activation ? at(`z/${column.activation.path}`) : undefined;
    const inside = z === undefined ? "" : `, before ${column.activation!.activation} ${number(z)}`;
    return `${label}: ${number(at(column.valuePath))}${inside}`;
  };
  return (
    <>
      {geometry.columns.map((column, k) =>
        column.ys.map((y, shown) => {
          const unit = column.first + shown;
          const name =
            k === 0
              ? inputName(subject, unit, column.units)
              : k === last
                ? outputName(subject, unit, column.units)
                : "";
          const label =
            k === 0 ? `input ${name}` : `neuron ${unit + 1} of layer ${column.key}${name ? `, ${name}` : ""}`;
          const selected =
            chosen?.what === "neuron" && chosen.path === column.key && chosen.index[0] === unit;
          return (
            <div
              key={`${column.key}/${unit}`}
              class={`neuron ${k === 0 ? "first" : k === last ? "last" : ""}`}
              style={{ left: px(column.x - size / 2), top: px(y - size / 2), width: px(size), height: px(size) }}
              data-column={k}
            >
              <button
                class={`node ${selected ? "chosen" : ""}`}
                aria-label={label}
                onPointerEnter={({ currentTarget }) => (currentTarget.title = said(label, column, unit))}
                onFocus={({ currentTarget }) => {
                  currentTarget.setAttribute("aria-label", said(label, column, unit));
                }}
                data-node={`${column.key}/${unit}`}
                onClick={() => store.click(k === 0 ? "input" : "neuron", column.key, [unit])}
              >
                <canvas width="1" height="1" aria-hidden="true" />
              </button>
              <span class="value" data-path={column.valuePath} data-unit={unit} />
              {column.bias && (
                <button
                  class="bias"
                  tabIndex={-1}
                  aria-label={`bias of ${label}`}
                  data-path={column.bias}
                  data-index={unit}
                  onClick={() => store.click("bias", column.bias!, [unit])}
                />
              )}
              {name && (
                <span
                  class="name"
                  title={name}
                  style={{ maxWidth: px(k === 0 ? geometry.names.left : geometry.names.right) }}
                >
                  {name}
                </span>
              )}
            </div>
          );
        }),
      )}
      {geometry.columns.map((column) =>
        column.units > column.ys.length ? (
          <div class="pager" key={column.key} style={{ left: px(column.x), top: px(geometry.height - 24) }}>
            <button
              aria-label={`earlier units of ${column.key}`}
              disabled={column.first === 0}
              onClick={() => turn(column, -1)}
            >
              ‹
            </button>
            <span>
              {column.first + 1}–{column.first + column.ys.length}
            </span>
            <button
              aria-label={`later units of ${column.key}`}
              disabled={column.first + column.ys.length >= column.units}
              onClick={() => turn(column, 1)}
            >
              ›
            </button>
          </div>
        ) : null,
      )}
    </>
  );
}

function EdgeNumbers({ geometry }: { geometry: Geometry }) {
  const store = useStore();
  const places = useMemo(() => labelPlaces(geometry), [geometry]);
  return (
    <>
      {places.map(({ edge, x, y }) => {
        const path = geometry.columns[edge.layer]!.weight;
        if (!path) return null;
        const index = [edge.from, edge.to];
        return (
          <button
            key={keyOf(path, index)}
            class="edge-number"
            style={{ left: px(x), top: px(y) }}
            data-path={path}
            data-index={index.join()}
            onClick={() => store.click("weight", path, index)}
          />
        );
      })}
    </>
  );
}

function EdgeTip(props: { geometry: Geometry; lane: number; edge: Edge | null; at: { x: number; y: number } }) {
  const { geometry, lane, edge, at } = props;
  const store = useStore();
  const path = edge ? geometry.columns[edge.layer]?.weight : null;
  if (!edge || !path) return null;
  const found = weightOf(store.block(lane, `weights/${path}`), edge.from, edge.to);
  const slope = weightOf(slopeOf(store, lane, path), edge.from, edge.to);
  const flip = at.x > geometry.width - 190;
  return (
    <div class={`tip ${flip ? "flip" : ""}`} style={{ left: px(at.x), top: px(at.y) }} role="status">
      <b data-path={path} data-index={`${edge.from},${edge.to}`} data-value={found ?? ""}>
        {number(found)}
      </b>
      <span>
        {path}[{edge.from}, {edge.to}]
      </span>
      {slope !== null && <span>∂L/∂w = {number(slope)}</span>}
    </div>
  );
}

type Ref<T> = { current: T };

/** Paints edges and writes numbers straight into the nodes: sixty times a second is too often to
 * build a page anew. */
function usePainter(
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
function slopeOf(store: Store, lane: number, path: string) {
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
  const key = `${(low / most).toFixed(2)} ${(high / most).toFixed(2)} ${matchMedia("(prefers-color-scheme: dark)").matches}`;
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

