// The story of what was clicked: its arithmetic, with links to the weights that it goes through.

import { useSignal } from "@preact/signals";
import { useLayoutEffect, useRef } from "preact/hooks";
import { columnsOf, type Column } from "./dense_geometry";
import { inputName } from "./dense_names";
import { weightOf } from "./dense_paint";
import { number } from "./format";
import { Notation, typeset } from "./notation";
import { Icon } from "./icons";
import { fill } from "./safe_html";
import { useStore, type Choice, type Store } from "./store";
import type { Lit } from "./wire";

const MOST_LINKS = 24;

export function StoryPanel() {
  const store = useStore();
  const told = store.told.value;
  const waiting = store.waiting.value !== null;
  const several = store.stories.value.length > 1;
  const panel = useRef<HTMLElement>(null);
  useLayoutEffect(() => panel.current?.scrollTo(0, 0), [told?.story.id]);
  const close = () => store.closeStory();
  const back = () => store.backToStory();
  if (!told && !waiting) return null;
  return (
    <section class="story region-story" ref={panel} aria-label="Explanation" aria-busy={waiting}>
      <div class="story-head">
        <button class="tiny" disabled={!several} aria-label="Back to the story before" title="Back" onClick={back}>
          <Icon name="back" />
        </button>
        <h2>
          <Notation text={told?.story.title ?? "…"} />
        </h2>
        {waiting && <i class="spinner" role="status" aria-label="Working it out" />}
        <button class="tiny" aria-label="Close the explanation" title="Close (Esc)" onClick={close}>
          <Icon name="close" />
        </button>
      </div>
      {told && (
        <div class="story-body" key={told.story.id}>
          <Actions choice={told.choice} />
          <Body html={told.story.html} />
          <Links lit={told.story.lit} />
          <Incoming choice={told.choice} />
        </div>
      )}
    </section>
  );
}

function Body({ html }: { html: string }) {
  const box = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => {
    fill(box.current!, html);
    typeset(box.current!);
  }, [html]);
  return <div class="told" ref={box} />;
}

/** What the weights on the way are, strongest first. */
function Links({ lit }: { lit: Lit[] }) {
  const store = useStore();
  if (!lit?.length) return null;
  const isDense = store.info.value[store.lane.value]?.is_dense;
  const ordered = [...lit].sort((a, b) => Math.abs(b.share) - Math.abs(a.share)).slice(0, MOST_LINKS);
  return (
    <p class="links">
      <span class="soft small">{isDense ? "lit on the drawing" : "weights in it"}</span>
      {ordered.map(({ path, index, share }) => (
        <button
          key={`${path}${index}`}
          title={`factor ${number(share)}`}
          onClick={() => store.click(index.length === 1 ? "bias" : "weight", path, index)}
        >
          {path}[{index.join(", ")}]
        </button>
      ))}
    </p>
  );
}

function valueOf(store: Store, lane: number, choice: Choice): number | null {
  const block = store.block(lane, `weights/${choice.path}`);
  if (!block) return null;
  const [from = 0, to] = choice.index;
  return to === undefined ? (block.data[from] ?? null) : weightOf(block, from, to);
}

function isFrozen(store: Store, lane: number, { path, index }: Choice): boolean {
  const key = `${path}[${index.join()}]`;
  return (store.info.value[lane]?.frozen ?? []).some((one) =>
    typeof one === "string"
      ? one === path || one.replaceAll(" ", "") === key
      : one.path === path && (!one.index || one.index.join() === index.join()),
  );
}

/** Edit, freeze, and what the optimizer does next: for single numbers of a parameter. */
function Actions({ choice }: { choice: Choice }) {
  const store = useStore();
  const lane = store.lane.value;
  const typed = useSignal<string | null>(null); // frames that come meanwhile leave it alone
  if (!["weight", "bias", "update"].includes(choice.what) || store.link.recorded) return null;
  const value = valueOf(store, lane, choice);
  const frozen = isFrozen(store, lane, choice);
  const { path, index } = choice;
  return (
    <div class="actions">
      {value !== null && (
        <label>
          <span class="soft small">value</span>
          <input
            type="number"
            step="any"
            value={typed.value ?? String(Number(value.toPrecision(6)))}
            data-path={path}
            data-index={index.join()}
            data-value={value}
            onChange={(event) => {
              const next = event.currentTarget.valueAsNumber;
              if (Number.isFinite(next)) store.send({ type: "edit", lane, path, index, value: next });
              typed.value = null;
            }}
            onInput={(event) => (typed.value = event.currentTarget.value)}
            onBlur={() => (typed.value = null)}
          />
        </label>
      )}
      <button
        aria-pressed={frozen}
        title={frozen ? "Training leaves it alone" : "Training may change it"}
        onClick={() => store.send({ type: "freeze", lane, path, index, frozen: !frozen })}
      >
        <Icon name="frozen" />
        {frozen ? "Frozen" : "Freeze"}
      </button>
      {choice.what === "update" ? (
        <button onClick={() => store.click(index.length > 1 ? "weight" : "bias", path, index)}>
          Its gradient
        </button>
      ) : (
        <button onClick={() => store.click("update", path, index)}>Next move of the optimizer</button>
      )}
    </div>
  );
}

/** All weights that lead into a neuron, as a list that the keyboard reaches. */
function Incoming({ choice }: { choice: Choice }) {
  const store = useStore();
  const lane = store.lane.value;
  const info = store.info.value[lane];
  void store.frame.value;
  if (choice.what !== "neuron" || !info?.is_dense) return null;
  const columns = columnsOf(info);
  const at = columns.findIndex((column) => column.key === choice.path);
  const column = columns[at];
  const before = columns[at - 1];
  const unit = choice.index[0] ?? 0;
  if (!column?.weight || !before) return null;
  const block = store.block(lane, `weights/${column.weight}`);
  const bias = column.bias ? store.block(lane, `weights/${column.bias}`)?.data[unit] : undefined;
  return (
    <details class="incoming" open={before.units <= 16}>
      <summary>Weights into this neuron</summary>
      <div class="chips">
        {Array.from({ length: before.units }, (_, from) => (
          <WeightChip
            key={from}
            path={column.weight!}
            index={[from, unit]}
            value={weightOf(block, from, unit)}
            text={nameOf(store, before, from)}
          />
        ))}
        {bias !== undefined && (
          <WeightChip path={column.bias!} index={[unit]} value={bias} text="bias" />
        )}
      </div>
    </details>
  );
}

function nameOf(store: Store, column: Column, unit: number): string {
  if (column.key === "input") return inputName(store.subject.value, unit, column.units);
  return `from ${unit + 1}`;
}

function WeightChip(props: { path: string; index: number[]; value: number | null; text: string }) {
  const { path, index, value, text } = props;
  const store = useStore();
  return (
    <button
      class={(value ?? 0) < 0 ? "negative" : ""}
      data-path={path}
      data-index={index.join()}
      data-value={value ?? ""}
      onClick={() => store.click(index.length > 1 ? "weight" : "bias", path, index)}
    >
      <span class="soft">{text}</span> {number(value)}
    </button>
  );
}
