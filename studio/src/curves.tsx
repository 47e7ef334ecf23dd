// Loss curves of training and validation; a click on a past point rewinds to it.

import { useSignal } from "@preact/signals";
import { useRef } from "preact/hooks";
import { drawChart, indexAt, type Chart, type Line } from "./chart";
import { css, signColor } from "./color";
import { useDraw } from "./draw";
import { count, number } from "./format";
import { Panel } from "./panel";
import { rewindNear } from "./keyboard";
import { useSize } from "./size";
import { useStore, type Store } from "./store";

export const LANE_NAMES = ["A", "B", "C", "D"];

function linesOf(store: Store): Line[] {
  const several = store.lanes.value.length > 1; // told apart by more than their colors
  return store.lanes.value.flatMap((lane, k) => {
    const losses = store.lossesOf(lane);
    const color = css(signColor(k % 2 ? -1 : 1));
    return [
      { steps: losses.step, values: losses.value, color, smooth: true },
      { steps: losses.scoredStep, values: losses.scored, color, dashed: true, name: several ? LANE_NAMES[k] : "" },
    ];
  });
}

export function Curves() {
  const store = useStore();
  const log = useSignal(false);
  const lanes = store.lanes.value;
  const tools = (
    <label class="check">
      <input type="checkbox" checked={log.value} onChange={() => (log.value = !log.value)} />
      log scale
    </label>
  );
  return (
    <Panel name="loss" title="Loss" tools={tools}>
      <Plot log={log.value} />
      <p class="legend">
        {lanes.map((lane, k) => (
          <span key={lane}>
            {lanes.length > 1 && <b>{LANE_NAMES[k]} </b>}
            <i class={`key color-${k % 2}`} /> training <i class={`key dots color-${k % 2}`} /> validation
          </span>
        ))}
      </p>
    </Panel>
  );
}

function Plot({ log }: { log: boolean }) {
  const store = useStore();
  const box = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const chart = useRef<Chart | null>(null);
  const size = useSize(box);
  const wanted = useSignal(log);
  wanted.value = log;
  const at = useSignal<{ x: number; step: number } | null>(null);

  useDraw(() => {
    for (const lane of store.lanes.value) void store.lossesOf(lane).version.value;
    void store.frame.value;
    if (!canvas.current || !size.value.width) return;
    chart.current = drawChart(canvas.current, size.value, linesOf(store), wanted.value);
  });

  const move = (event: PointerEvent) => {
    const x = event.clientX - box.current!.getBoundingClientRect().left;
    const found = chart.current;
    at.value = found ? { x: found.xOf(found.stepAt(x)), step: found.stepAt(x) } : null;
  };
  return (
    <div
      class="chart-box"
      ref={box}
      onPointerMove={move}
      onPointerLeave={() => (at.value = null)}
      onClick={() => at.value && rewindNear(store, at.value.step)}
      title={store.link.recorded ? "" : "Click to rewind to that step"}
    >
      <canvas ref={canvas} role="img" aria-label="Loss by step" />
      <Empty />
      {at.value && <Reading at={at.value} width={size.value.width} />}
    </div>
  );
}

function Empty() {
  const store = useStore();
  const none = store.lanes.value.every((lane) => {
    void store.lossesOf(lane).version.value;
    return store.lossesOf(lane).step.length === 0;
  });
  return none ? <p class="empty soft small">The curve begins with the first step.</p> : null;
}

function Reading({ at, width }: { at: { x: number; step: number }; width: number }) {
  const store = useStore();
  const parts = store.lanes.value.map((lane, k) => {
    const losses = store.lossesOf(lane);
    const trained = indexAt(losses.step, at.step);
    const scored = indexAt(losses.scoredStep, at.step);
    const name = store.lanes.value.length > 1 ? `${LANE_NAMES[k]} ` : "";
    return {
      step: losses.step[trained],
      text:
        `${name}training ${number(losses.value[trained])}` +
        (scored >= 0 ? `, validation ${number(losses.scored[scored])}` : ""),
    };
  });
  return (
    <>
      <span class="cursor" style={{ left: `${at.x}px` }} />
      <span class={`reading ${at.x > width / 2 ? "at-left" : ""}`}>
        <b>step {count(parts[0]?.step ?? at.step)}</b>
        {parts.map(({ text }) => (
          <span key={text}>{text}</span>
        ))}
      </span>
    </>
  );
}
