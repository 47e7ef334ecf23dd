// Which row is looked at: its set, its number, and what it looks like.

import { useRef } from "preact/hooks";
import { useDraw } from "./draw";
import { paintPicture } from "./pictures";
import { diverging, css, inkOn } from "./color";
import { clamp, count, number, singular } from "./format";
import { Icon } from "./icons";
import { Panel } from "./panel";
import { Series } from "./series";
import { useStore, useViews } from "./store";

const PICTURES = ["maps/input", "output/picture"];

export function RowPicker() {
  const store = useStore();
  const subject = store.subject.value;
  if (!subject) return null;
  // in a recording nothing can be selected: only what shows the row is there
  void store.frame.value;
  const lane = store.lane.value;
  const isShown = [...PICTURES, "words/pushes", "series/x"].some((name) => store.block(lane, name));
  if (store.link.recorded && !isShown) return null;
  const { row, set } = store.look.value;
  const many = set === "training" ? subject.training : subject.validation;
  const one = singular(subject.examples);
  const out = store.about(lane, "output");
  const go = (next: number) => store.lookAt({ row: clamp(next, 0, Math.max(0, many - 1)) });
  return (
    <Panel name="row" title={`Selected ${one}`}>
      {!store.link.recorded && (
        <div class="row-picker">
          <select
            value={set}
            aria-label="Training or validation rows"
            onChange={(event) =>
              store.lookAt({ set: event.currentTarget.value as "training" | "validation", row: 0 })
            }
          >
            <option value="training">training</option>
            <option value="validation" disabled={!subject.validation}>
              validation
            </option>
          </select>
          <button class="tiny" aria-label="Previous row" disabled={row <= 0} onClick={() => go(row - 1)}>
            <Icon name="back" />
          </button>
          <input
            type="number"
            min="1"
            max={many}
            value={row + 1}
            aria-label={`Number of the row, of ${many}`}
            onChange={(event) => go(Number(event.currentTarget.value) - 1)}
          />
          <button class="tiny" aria-label="Next row" disabled={row >= many - 1} onClick={() => go(row + 1)}>
            <Icon name="next" />
          </button>
          <span class="soft small">of {count(many)}</span>
          {["classes", "values"].includes(out?.kind) && (out.target ?? out.targets) != null && (
            <button
              class="worst"
              data-do="wrong"
              title={`Go to the ${one} that is predicted worst, and then to the next one`}
              onClick={() => store.send({ type: "wrong", lane })}
            >
              {subject.classes ? "Wrong" : "Worst"} {one}
            </button>
          )}
          {store.worst.value && <p class="soft small">{store.worst.value}</p>}
        </div>
      )}
      <Picture />
      <Series />
      <Words />
    </Panel>
  );
}

function Picture() {
  const store = useStore();
  const canvas = useRef<HTMLCanvasElement>(null);
  const subject = store.subject.value;
  useDraw(() => {
    void store.frame.value;
    const lane = store.lane.value;
    const name = PICTURES.find((one) => store.block(lane, one));
    if (!canvas.current) return;
    canvas.current.hidden = name === undefined;
    if (name !== undefined) paintPicture(canvas.current, store.block(lane, name)!);
  });
  if (subject?.examples === "rows" || subject?.examples === "texts") return null;
  return <canvas class="picture" ref={canvas} hidden role="img" aria-label="The selected picture" />;
}

function Words() {
  const store = useStore();
  useViews("words");
  const lane = store.lane.value;
  const pushes = store.block(lane, "words/pushes")?.data;
  const tokens: string[] | undefined = store.about(lane, "words")?.tokens;
  if (!pushes || !tokens) return <Running />;
  const most = Math.max(1e-12, ...[...pushes].map(Math.abs));
  return (
    <p class="words">
      {tokens.map((token, k) => {
        const color = diverging((pushes[k] ?? 0) / most);
        return (
          <button
            key={k}
            class="plain"
            style={{ background: css(color), color: inkOn(color) }}
            title={`${number(pushes[k])}: how far this word moves the output`}
            data-number="push"
            data-index={k}
            data-value={pushes[k]}
            onClick={() => store.click("input", "", [k])}
          >
            {token}
          </button>
        );
      })}
    </p>
  );
}

/** A window of running text, as far as a view of its steps names them. */
function Running() {
  const store = useStore();
  const views = ["hidden", "gates", "attention"].map((view) => store.about(store.lane.value, view));
  const steps: string[] | undefined = views.map((about) => about?.steps ?? about?.tokens).find(Boolean);
  if (store.subject.value?.kind !== "language" || !steps) return null;
  return <p class="words running">{steps.join(steps.every((step) => step.length === 1) ? "" : " ")}</p>;
}
