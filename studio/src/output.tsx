// What the network answers for the selected row, beside what would be right.

import { useRef } from "preact/hooks";
import { classColor, css, signColor, type Rgb } from "./color";
import { useDraw } from "./draw";
import { number, singular } from "./format";
import { Panel } from "./panel";
import { paintPicture } from "./pictures";
import { useStore, useViews } from "./store";

const MOST = 12;

/** The header of the view: see cutaway/studio/views/output.py. */
type About = {
  kind: "classes" | "values" | "mask" | "boxes" | "picture";
  labels?: string[];
  values?: number[];
  colors?: Rgb[];
  predicted?: string | number;
  target?: string | number | null;
  targets?: number[];
  text?: string;
  left_out?: number;
};

export function Output() {
  const store = useStore();
  const known = store.info.value[store.lane.value]?.views.some((view) => view.name === "output");
  const one = singular(store.subject.value?.examples ?? "rows");
  if (!known) return null;
  return (
    <Panel name="output" title={`Output${store.ofLane} for this ${one}`}>
      <Answer />
    </Panel>
  );
}

function Answer() {
  const store = useStore();
  useViews("output");
  void store.frame.value;
  const about: About | null = store.about(store.lane.value, "output");
  if (!about) return <p class="soft small">No output yet.</p>;
  const { kind, values = [], labels = [] } = about;
  const isOne = kind === "values" && values.length === 1;
  return (
    <>
      <PredictedPicture />
      {isOne && (
        <p class="headline">
          <b data-number="output" data-index="0" data-value={values[0]}>
            {number(values[0])}
          </b>{" "}
          <span class="soft">{labels[0]}</span>
        </p>
      )}
      {!isOne && values.length > 0 && <Bars about={about} values={values} labels={labels} />}
      {kind === "classes" || isOne ? (
        <dl class="verdict">
          {kind === "classes" && (
            <div>
              <dt>predicted</dt>
              <dd>{shown(about.predicted)}</dd>
            </div>
          )}
          {about.target !== null && (
            <div>
              <dt>target</dt>
              <dd>{shown(about.target)}</dd>
            </div>
          )}
        </dl>
      ) : (
        about.text && !about.targets && <p class="soft small">{about.text}</p>
      )}
    </>
  );
}

function shown(value: unknown): string {
  return typeof value === "number" ? number(value) : String(value ?? "–");
}

function PredictedPicture() {
  const store = useStore();
  const canvas = useRef<HTMLCanvasElement>(null);
  useDraw(() => {
    void store.frame.value;
    const found = store.block(store.lane.value, "output/picture");
    if (!canvas.current) return;
    canvas.current.hidden = !found;
    if (found) paintPicture(canvas.current, found);
  });
  return <canvas class="picture" ref={canvas} hidden role="img" aria-label="The predicted picture" />;
}

function Bars({ about, values, labels }: { about: About; values: number[]; labels: string[] }) {
  const order = values.map((_, k) => k);
  // with many classes only the likeliest are shown, and the right one among them
  if (values.length > MOST) order.sort((a, b) => values[b]! - values[a]!);
  const rows = order.slice(0, MOST);
  const right = labels.indexOf(String(about.target));
  if (right >= 0 && !rows.includes(right)) rows[MOST - 1] = right;
  const truths = about.kind === "values" ? (about.targets ?? []) : [];
  const most = Math.max(about.kind === "values" ? 1e-12 : 1, ...[...values, ...truths].map(Math.abs));
  const left = values.length - rows.length + (about.left_out ?? 0);
  return (
    <>
      <ol class="bars">
        {rows.map((k) => (
          <li key={k}>
            <span class={`label ${k === right ? "right-one" : ""}`} title={labels[k]}>
              {labels[k] ?? k}
            </span>
            <span class="track">
              <i
                style={{
                  width: `${(Math.abs(values[k]!) / most) * 100}%`,
                  background: css(about.colors?.[k] ?? (about.kind === "values" ? signColor(values[k]!) : classColor(k, values.length))),
                }}
              />
              {truths[k] !== undefined && (
                <b
                  class="truth"
                  title={`true: ${number(truths[k])}`}
                  style={{ left: `${(Math.abs(truths[k]!) / most) * 100}%` }}
                />
              )}
            </span>
            <span class="n" data-number="output" data-index={k} data-value={values[k]}>
              {number(values[k], 3)}
            </span>
          </li>
        ))}
      </ol>
      {truths.length > 0 && <p class="soft small">Upright marks: the true values.</p>}
      {left > 0 && <p class="soft small">and {left} more</p>}
    </>
  );
}
