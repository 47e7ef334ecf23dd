// A dense network as neurons and weights, with every number where it belongs.

import { useSignal } from "@preact/signals";
import { useLayoutEffect, useMemo, useRef } from "preact/hooks";
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
import { slopeOf, usePainter } from "./dense_live";
import { frozenKeys, inputName, longestNames, outputName } from "./dense_names";
import { weightOf } from "./dense_paint";
import { useDraw } from "./draw";
import { number, px } from "./format";
import { useSize } from "./size";
import { useStore, useViews, type Store } from "./store";
import type { LaneInfo } from "./wire";

/** On a wide page the story takes room from the drawing; elsewhere it stands further down. */
function hasStoryBelow(store: Store, box: HTMLElement | null): boolean {
  const page = box?.closest(".cutaway-studio.whole");
  return store.told.value !== null && (page?.clientWidth ?? 0) >= 1080;
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
  useDraw(() => {
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
      aria-label="Neurons and weights"
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
