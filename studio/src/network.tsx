// One network in training: its heading with counters, and its drawing.

import { Blocks } from "./blocks";
import { Counters } from "./counters";
import { LANE_NAMES } from "./curves";
import { DenseNetwork } from "./dense";
import { columnsOf } from "./dense_geometry";
import { count, number } from "./format";
import { Icon } from "./icons";
import { useStore } from "./store";
import type { LaneInfo } from "./wire";

const PHASES = {
  forward: "Backward shows how it depends on each weight.",
  backward: "Lines show ∂L/∂w; Update lets the optimizer use it.",
};

/** 2-8-8-1 of a dense network. */
function sizesOf(info: LaneInfo): string {
  if (!info.is_dense) return "Network";
  return columnsOf(info)
    .map((column) => column.units)
    .join("-");
}

export function Network({ lane, at, of }: { lane: number; at: number; of: number }) {
  const store = useStore();
  const info = store.info.value[lane];
  if (!info) return null;
  const next = store.progress(lane)?.next?.loss;
  const isChosen = of > 1 && store.lane.value === lane;
  const phase = lane === store.lane.value ? store.state.value.phase : null;
  return (
    <section
      class={`network region-network ${isChosen ? "chosen" : ""} ${store.stale.value ? "stale" : ""}`}
      aria-label={of > 1 ? `Network ${LANE_NAMES[at]}` : "Network"}
      onPointerDownCapture={() => (store.chosenLane.value = lane)}
      onFocusCapture={() => (store.chosenLane.value = lane)}
    >
      <LaneHead info={info} name={of > 1 ? LANE_NAMES[at]! : null} />
      {info.is_dense ? <DenseNetwork lane={lane} info={info} /> : <Blocks lane={lane} info={info} />}
      {phase && (
        <p class="phase" role="status">
          Next batch: loss{" "}
          <b data-number="next" data-value={next}>
            {number(next)}
          </b>
          . {PHASES[phase]}
        </p>
      )}
    </section>
  );
}

/** What of the drawing is shown; what is switched off is not computed either. */
function Switches({ info }: { info: LaneInfo }) {
  const store = useStore();
  const known = [
    { name: "neurons", text: "pictures", there: info.views.some((view) => view.name === "neurons") },
    { name: "numbers", text: "numbers", there: true },
  ];
  return (
    <span class="switches">
      {known
        .filter(({ there }) => there)
        .map(({ name, text }) => (
          <label class="check" key={name}>
            <input
              type="checkbox"
              checked={!store.hidden.value[name]}
              onChange={({ currentTarget }) => {
                store.hidden.value = { ...store.hidden.value, [name]: !currentTarget.checked };
              }}
            />
            {text}
          </label>
        ))}
    </span>
  );
}

function LaneHead({ info, name }: { info: LaneInfo; name: string | null }) {
  const store = useStore();
  const compiling = store.compiling.value[info.lane];
  const live = !store.link.recorded;
  return (
    <div class="lane-head">
      <div class="lane-title">
        <h2>
          {name && <b class="lane-name">{name}</b>}
          {sizesOf(info)}
          {info.title && <span class="soft">, {info.title}</span>}
        </h2>
        <p class="soft small">
          <span data-number="parameters" data-value={info.parameters}>
            {count(info.parameters)}
          </span>{" "}
          parameters
          {info.is_dense && <Switches info={info} />}
          {name && live && (
            <button
              class="tiny"
              aria-label={`Close network ${name}`}
              title="Close this network"
              onClick={() => store.send({ type: "drop", lane: info.lane })}
            >
              <Icon name="close" />
            </button>
          )}
        </p>
      </div>
      {compiling !== undefined && (
        <p class="compiling small" role="status">
          <i class="spinner" aria-hidden="true" /> compiling {compiling}
        </p>
      )}
      <Counters lane={info.lane} />
    </div>
  );
}
