// What can be changed while the network trains: optimizer, batch size, noise, weights.

import { useSignal } from "@preact/signals";
import { clamp, number, singular, words } from "./format";
import { Panel } from "./panel";
import { useStore } from "./store";

const LR_LOW = -6; // powers of ten
const LR_HIGH = 1;

export function Controls() {
  const store = useStore();
  const lane = store.lane.value;
  const info = store.info.value[lane];
  if (!info || store.link.recorded) return null;
  return (
    <Panel name="training" title={`Training${store.ofLane}`}>
      <div class="fields">
        <OptimizerControl lane={lane} />
        <BatchAndNoise />
        <Weights lane={lane} />
      </div>
    </Panel>
  );
}

function OptimizerControl({ lane }: { lane: number }) {
  const store = useStore();
  const { optimizer } = store.info.value[lane]!;
  const options = store.options.value.optimizers;
  const known = options.find((one) => one.name === optimizer.name);
  const names = options.map((one) => one.name);
  if (!known) names.unshift(optimizer.name);
  const { lr, ...others } = optimizer.numbers;
  return (
    <>
      <label class="field">
        <span>optimizer</span>
        <select
          value={store.awaitedAt(lane, "optimizer", optimizer.name)}
          title={optimizer.text}
          onChange={(event) => {
            const name = event.currentTarget.value;
            store.change(lane, "optimizer", name, { type: "optimizer", name });
          }}
        >
          {names.map((one) => (
            <option key={one}>{one}</option>
          ))}
        </select>
      </label>
      {typeof lr === "number" ? <LearningRate lane={lane} value={lr} /> : <Scheduled lane={lane} />}
      {Object.entries(others).flatMap(([name, value]) => {
        const send = (next: number | number[]) => store.send({ type: "number", lane, name, value: next });
        if (!Array.isArray(value))
          return [<NumberField key={name} text={words(name)} name={name} value={value ?? 0} send={send} />];
        return value.map((one, k) => (
          <NumberField
            key={name + k}
            text={`${singular(words(name))} ${k + 1}`}
            name={`${name}[${k}]`}
            value={one}
            send={(next) => send(value.map((other, j) => (j === k ? next : other)))}
          />
        ));
      })}
    </>
  );
}

/** A learning rate that a schedule sets is shown, not chosen. */
function Scheduled({ lane }: { lane: number }) {
  const lr = useStore().progress(lane)?.lr;
  return (
    <p class="field">
      <span>learning rate</span>
      <output data-number="lr" data-value={lr}>
        {number(lr)}
      </output>
    </p>
  );
}

function LearningRate({ lane, value }: { lane: number; value: number }) {
  const store = useStore();
  const dragged = useSignal<number | null>(null);
  const place = clamp(Math.log10(value || 1e-9), LR_LOW, LR_HIGH);
  const send = (next: number) => store.send({ type: "number", lane, name: "lr", value: next });
  return (
    <div>
      <NumberField text="learning rate" name="lr" value={dragged.value ?? value} send={send} />
      <input
        class="wide"
        type="range"
        min={LR_LOW}
        max={LR_HIGH}
        step="0.05"
        value={place}
        aria-label="Learning rate, logarithmic"
        aria-valuetext={number(dragged.value ?? value, 3)}
        onInput={(event) => {
          const next = Number((10 ** Number(event.currentTarget.value)).toPrecision(2));
          dragged.value = next;
          send(next);
        }}
        onChange={() => (dragged.value = null)}
      />
    </div>
  );
}

type FieldProps = {
  text: string;
  name: string;
  value: number;
  send: (value: number) => void;
  help?: string;
  min?: number;
  step?: string;
};

export function NumberField({ text, name, value, send, help, min, step = "any" }: FieldProps) {
  const typed = useSignal<string | null>(null); // until it is sent; then what holds is shown
  return (
    <label class="field" title={help ?? ""}>
      <span>{text}</span>
      <input
        type="number"
        step={step}
        min={min}
        value={typed.value ?? plain(value)}
        data-number={name}
        data-value={value}
        onInput={(event) => (typed.value = event.currentTarget.value)}
        onChange={(event) => {
          const next = event.currentTarget.valueAsNumber;
          event.currentTarget.value = plain(value); // until it is taken: it may be refused
          if (Number.isFinite(next)) send(next);
          typed.value = null;
        }}
        onBlur={() => (typed.value = null)}
      />
    </label>
  );
}

/** Without the digits that float32 adds: 0.0010000000474974513 is 0.001. */
function plain(value: number): string {
  return String(Number(value.toPrecision(6)));
}

function BatchAndNoise() {
  const store = useStore();
  const { batch_size, noise } = store.state.value;
  return (
    <>
      <NumberField
        text="batch size"
        name="batch_size"
        min={1}
        step="1"
        value={batch_size}
        send={(size) => store.send({ type: "batch", size: Math.max(1, Math.round(size)) })}
      />
      <label class="field" title="Standard deviation of noise that is added to the training inputs">
        <span>input noise</span>
        <input
          type="range"
          min="0"
          max="1"
          step="0.05"
          value={noise}
          aria-valuetext={number(noise, 2)}
          onInput={(event) => store.send({ type: "noise", value: Number(event.currentTarget.value) })}
        />
        <output data-number="noise" data-value={noise}>
          {number(noise, 2)}
        </output>
      </label>
    </>
  );
}

function Weights({ lane }: { lane: number }) {
  const store = useStore();
  const initializer = useSignal("");
  const seed = useSignal(0);
  return (
    <>
      <label class="field">
        <span>initializer</span>
        <select
          value={initializer.value}
          onChange={(event) => (initializer.value = event.currentTarget.value)}
        >
          <option value="">as built</option>
          {store.options.value.initializers.map((one) => (
            <option key={one} value={one}>
              {words(one)}
            </option>
          ))}
        </select>
      </label>
      <NumberField
        text="seed"
        name="seed"
        min={0}
        step="1"
        value={seed.value}
        send={(next) => (seed.value = Math.max(0, Math.round(next)))}
      />
      <div class="buttons">
        <button
          title="Draw the weights again; the training goes on from there"
          onClick={() => {
            store.send({
              type: "seed_weights",
              lane,
              initializer: initializer.value || null,
              seed: seed.value,
            });
          }}
        >
          New weights
        </button>
        <button
          title="All networks at step 0 again, with weights drawn by this seed"
          onClick={() => store.send({ type: "restart", seed: seed.value })}
        >
          Restart
        </button>
      </div>
    </>
  );
}
