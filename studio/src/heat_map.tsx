// A matrix as colors, with the number under the pointer and a click on a cell.

import { useSignal } from "@preact/signals";
import { useRef } from "preact/hooks";
import { useDraw } from "./draw";
import { number } from "./format";
import { useStore } from "./store";

export type Cell = { row: number; column: number };

type HeatMapProps = {
  label: string;
  shape: () => [rows: number, columns: number] | null;
  paint: (canvas: HTMLCanvasElement) => void;
  valueAt: (cell: Cell) => number | null;
  name: (cell: Cell) => string;
  onPick?: (cell: Cell) => void;
  square?: boolean;
  /** Whether values come in 256 steps. */
  coarse?: boolean;
  caption?: string;
};

/** `paint` runs at every frame, so it reads the newest arrays. */
export function HeatMap(props: HeatMapProps) {
  const store = useStore();
  const canvas = useRef<HTMLCanvasElement>(null);
  const latest = useRef(props);
  latest.current = props;
  const over = useSignal<Cell | null>(null);
  useDraw(() => {
    void store.frame.value;
    if (canvas.current && latest.current.shape()) latest.current.paint(canvas.current);
  });
  const cellAt = (event: MouseEvent): Cell | null => {
    const shape = props.shape();
    if (!shape || !canvas.current) return null;
    const area = canvas.current.getBoundingClientRect();
    const row = Math.floor(((event.clientY - area.top) / area.height) * shape[0]);
    const column = Math.floor(((event.clientX - area.left) / area.width) * shape[1]);
    if (row < 0 || column < 0 || row >= shape[0] || column >= shape[1]) return null;
    return { row, column };
  };
  const move = (event: KeyboardEvent) => {
    const shape = props.shape();
    const by = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
    if (event.key === "Enter" && over.value) props.onPick?.(over.value);
    if (!by || !shape) return;
    event.preventDefault();
    event.stopPropagation();
    const { row, column } = over.value ?? { row: 0, column: -by[1]! };
    over.value = {
      row: Math.min(shape[0] - 1, Math.max(0, row + by[0]!)),
      column: Math.min(shape[1] - 1, Math.max(0, column + by[1]!)),
    };
  };
  const cell = over.value;
  return (
    <figure class={`heat ${props.square ? "square" : ""}`}>
      <canvas
        ref={canvas}
        tabIndex={props.onPick ? 0 : -1}
        role="img"
        aria-label={`${props.label}${props.onPick ? "; arrow keys choose a cell, Enter explains it" : ""}`}
        class={props.onPick ? "pickable" : ""}
        onPointerMove={(event) => (over.value = cellAt(event))}
        onPointerLeave={() => (over.value = null)}
        onClick={(event) => {
          const found = cellAt(event);
          if (found) props.onPick?.(found);
        }}
        onKeyDown={move}
      />
      <figcaption class="small" aria-live="polite">
        {cell ? (
          <>
            <span class="soft">{props.name(cell)}</span> {props.coarse ? "≈ " : ""}
            {number(props.valueAt(cell), props.coarse ? 2 : 4)}
          </>
        ) : (
          <span class="soft">{props.caption ?? "\u00a0"}</span>
        )}
      </figcaption>
    </figure>
  );
}
