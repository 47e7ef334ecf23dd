// What the network answers for the selected row, beside what would be right.

import { classColor, css } from "./color";
import { number } from "./format";
import { Panel } from "./panel";
import { useStore, useViews } from "./store";

const MOST = 12;

export function Output() {
  const store = useStore();
  const known = store.info.value[store.lane.value]?.views.some((view) => view.name === "output");
  if (!known) return null;
  return (
    <Panel name="output" title="Output for this row">
      <Answer />
    </Panel>
  );
}

function Answer() {
  const store = useStore();
  useViews("output");
  const lane = store.lane.value;
  const found = store.block(lane, "output/value");
  const about = store.about(lane, "output");
  if (!found || !about) return <p class="soft small">No output yet.</p>;
  const labels: string[] = about.labels ?? [];
  const values = [...found.data];
  const isClass = values.length > 1 || (store.subject.value?.classes?.length ?? 0) > 0;
  return (
    <>
      {isClass ? <Bars labels={labels} values={values} target={about.target} /> : (
        <p class="headline">
          <b data-number="output" data-index="0" data-value={values[0]}>
            {number(values[0])}
          </b>
        </p>
      )}
      <dl class="verdict">
        <div>
          <dt>predicted</dt>
          <dd>{shown(about.predicted)}</dd>
        </div>
        <div>
          <dt>target</dt>
          <dd>{shown(about.target)}</dd>
        </div>
      </dl>
      {about.text && <p class="soft small">{about.text}</p>}
    </>
  );
}

function shown(value: unknown): string {
  return typeof value === "number" ? number(value) : String(value ?? "–");
}

function Bars({ labels, values, target }: { labels: string[]; values: number[]; target: unknown }) {
  const order = values.map((_, k) => k);
  // with many classes only the likeliest are shown, and the right one among them
  if (values.length > MOST) order.sort((a, b) => values[b]! - values[a]!);
  const shownRows = order.slice(0, MOST);
  const right = labels.indexOf(String(target));
  if (right >= 0 && !shownRows.includes(right)) shownRows[MOST - 1] = right;
  const most = Math.max(1, ...values.map(Math.abs));
  return (
    <ol class="bars">
      {shownRows.map((k) => (
        <li key={k}>
          <span class={`label ${k === right ? "right-one" : ""}`} title={labels[k]}>
            {labels[k] ?? k}
          </span>
          <span class="track">
            <i
              style={{
                width: `${(Math.abs(values[k]!) / most) * 100}%`,
                background: css(classColor(k, values.length)),
              }}
            />
          </span>
          <span class="n" data-number="output" data-index={k} data-value={values[k]}>
            {number(values[k], 3)}
          </span>
        </li>
      ))}
    </ol>
  );
}
