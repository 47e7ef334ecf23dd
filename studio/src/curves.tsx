// Loss curves of training and validation; a click on a past point rewinds to it.

import { useSignal, useSignalEffect } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import { dark } from "./color";
import { number } from "./format";
import { useStore, type Store } from "./store";

type Row = (number | null)[];

/** Join curves that were measured at different steps. */
function joined(store: Store, lanes: number[]): (number[] | Row)[] {
  const sources = lanes.flatMap((lane) => {
    const losses = store.lossesOf(lane);
    return [
      [losses.step, losses.value],
      [losses.scoredStep, losses.scored],
    ] as const;
  });
  const steps = [...new Set(sources.flatMap(([step]) => step))].sort((a, b) => a - b);
  const at = new Map(steps.map((step, k) => [step, k]));
  const rows = sources.map(([step, value]) => {
    const row: Row = new Array(steps.length).fill(undefined);
    step.forEach((one, k) => (row[at.get(one)!] = value[k]!));
    return row;
  });
  return [steps, ...rows];
}

const STYLES = [
  { stroke: ["#2b7bba", "#6db3e8"], dash: undefined },
  { stroke: ["#d95f0e", "#f08c46"], dash: undefined },
];

export function Curves() {
  const store = useStore();
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const log = useSignal(false);
  const at = useSignal<string>("");
  const lanes = store.lanes.value.length ? store.lanes.value : [0];
  const key = `${lanes.join()} ${log.value}`;

  useEffect(() => {
    const make = () => {
      plot.current?.destroy();
      plot.current = chart(box.current!, store, lanes, log.value, (text) => (at.value = text));
    };
    make();
    const watched = new ResizeObserver(() => {
      const { clientWidth: width, clientHeight: height } = box.current!;
      if (width) plot.current?.setSize({ width, height });
    });
    watched.observe(box.current!);
    dark.addEventListener("change", make);
    return () => {
      watched.disconnect();
      dark.removeEventListener("change", make);
      plot.current?.destroy();
      plot.current = null;
    };
  }, [key]);

  useSignalEffect(() => {
    for (const lane of store.lanes.value) void store.lossesOf(lane).version.value;
    void store.frame.value;
    plot.current?.setData(joined(store, store.lanes.value) as uPlot.AlignedData);
  });

  return (
    <section class="panel curves">
      <div class="panel-head">
        <h2>Loss</h2>
        <Legend lanes={lanes} />
        <label class="check">
          <input type="checkbox" checked={log.value} onChange={() => (log.value = !log.value)} />
          log
        </label>
      </div>
      <div class="chart-box" ref={box} role="img" aria-label={`Loss curves. ${at.value}`} />
    </section>
  );
}

function Legend({ lanes }: { lanes: number[] }) {
  return (
    <span class="legend">
      {lanes.map((lane, k) => (
        <span key={lane}>
          {lanes.length > 1 && <b>{k === 0 ? "A" : "B"} </b>}
          <i class={`key color-${k}`} /> training <i class={`key color-${k} dots`} /> validation
        </span>
      ))}
    </span>
  );
}

function chart(
  box: HTMLElement,
  store: Store,
  lanes: number[],
  log: boolean,
  tell: (text: string) => void,
): uPlot {
  const mode = dark.matches ? 1 : 0;
  const soft = mode ? "#9aa6b5" : "#5b6675";
  const line = mode ? "#2b343f" : "#e7ebf0";
  const axis = {
    stroke: soft,
    font: "11px system-ui, sans-serif",
    grid: { stroke: line, width: 1 },
    ticks: { show: false },
    gap: 4,
  };
  const series = lanes.flatMap((_, k) => {
    const stroke = STYLES[k % 2]!.stroke[mode]!;
    return [
      { label: "training", stroke, width: 1.5, spanGaps: true, points: { show: false } },
      { label: "validation", stroke, width: 2, dash: [2, 4], spanGaps: true, points: { show: false } },
    ];
  });
  const made = new uPlot(
    {
      width: box.clientWidth || 300,
      height: box.clientHeight || 150,
      legend: { show: false },
      padding: [6, 8, 0, 0],
      cursor: { y: false, drag: { x: false, y: false }, points: { size: 6 } },
      scales: { x: { time: false }, y: log ? { distr: 3 } : {} },
      axes: [
        { ...axis, size: 22, space: 60, values: (_, marks) => marks.map((one) => number(one, 3)) },
        { ...axis, size: 48, space: 26, values: (_, marks) => marks.map((one) => (one === null ? "" : number(one, 3))) },
      ],
      series: [{}, ...series],
      hooks: {
        setCursor: [
          (self) => {
            const index = self.cursor.idx;
            const step = index === null || index === undefined ? undefined : self.data[0][index];
            tell(step === undefined ? "" : `Step ${step}: training loss ${number(self.data[1]?.[index!] ?? null)}`);
          },
        ],
      },
    },
    joined(store, lanes) as uPlot.AlignedData,
    box,
  );
  made.over.title = "Click to rewind to that step";
  made.over.addEventListener("click", () => {
    const index = made.cursor.idx;
    const step = index === null || index === undefined ? undefined : made.data[0][index];
    if (step !== undefined) rewindNear(store, step);
  });
  return made;
}

/** Back to the remembered state that is nearest to a step. */
export function rewindNear(store: Store, step: number): void {
  const lane = store.lane.value;
  const entries = store.memory.value[lane] ?? [];
  if (!entries.length || store.link.recorded) return;
  const nearest = entries.reduce((best, one) =>
    Math.abs(one[1] - step) < Math.abs(best[1] - step) ? one : best,
  );
  store.send({ type: "rewind", lane, id: nearest[0] });
}
