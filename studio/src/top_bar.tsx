// Title, transport, speed and counters.

import { words } from "./format";
import { Help } from "./help";
import { Icon } from "./icons";
import { SPEEDS, speedAt, speedText } from "./speed";
import { useStore } from "./store";

export function TopBar() {
  const store = useStore();
  const subject = store.subject.value;
  return (
    <header class="top">
      <div class="title">
        <h1 title={subject?.title}>{subject?.title ?? "Cutaway studio"}</h1>
        <p class="soft small">
          {subject ? `${words(subject.kind)}, ${words(subject.task)}` : store.status.value.text}
        </p>
      </div>
      {store.link.recorded ? <Scrubber /> : <Transport />}
      {!store.link.recorded && <Speed />}
      <Record />
      {!store.link.recorded && <Help />}
    </header>
  );
}

function Transport() {
  const store = useStore();
  const { playing, phase } = store.state.value;
  const open = store.status.value.kind === "open";
  const steps = [
    { unit: "epoch", text: "Epoch", key: "Shift+→", hint: "Train one epoch" },
    { unit: "batch", text: "Batch", key: "→", hint: "Train one batch: forward, backward and update" },
    { unit: "forward", text: "Forward", key: "F", hint: "Forward pass of the next batch" },
    { unit: "backward", text: "Backward", key: "B", hint: "Backward pass: gradients of all weights" },
    { unit: "update", text: "Update", key: "U", hint: "The optimizer moves the weights" },
  ] as const;
  return (
    <div class="transport" role="toolbar" aria-label="Training">
      <button
        class="primary"
        disabled={!open}
        aria-pressed={playing}
        title={`${playing ? "Pause" : "Play"} (Space)`}
        data-do="play"
        onClick={() => store.send({ type: playing ? "pause" : "play" })}
      >
        <Icon name={playing ? "pause" : "play"} />
        {playing ? "Pause" : "Play"}
      </button>
      <span class="group">
        {steps.map(({ unit, text, key, hint }) => (
          <button
            key={unit}
            disabled={!open}
            class={phase === unit ? "current" : ""}
            title={`${hint} (${key})`}
            aria-label={hint}
            data-do={unit}
            onClick={() => store.step(unit)}
          >
            <Icon name={unit} />
            <span>{text}</span>
          </button>
        ))}
      </span>
    </div>
  );
}

function Speed() {
  const store = useStore();
  const { speed } = store.state.value;
  const at = speedAt(speed);
  return (
    <label class="speed">
      <span class="soft small">Speed</span>
      <input
        type="range"
        min="0"
        max={SPEEDS.length - 1}
        step="1"
        value={at}
        aria-label="Speed"
        aria-valuetext={speedText(speed)}
        onInput={(event) =>
          store.send({ type: "speed", ...SPEEDS[Number(event.currentTarget.value)]! })
        }
      />
      <output>{speedText(speed)}</output>
    </label>
  );
}

function Record() {
  const { tape } = useStore().link;
  if (!tape) return null;
  const on = tape.on.value;
  return (
    <button
      class="record"
      aria-pressed={on}
      data-do="record"
      title={on ? "End the recording and save it as one HTML file" : "Record what is on the screen"}
      onClick={() => tape.toggle()}
    >
      {on ? `Save ${tape.count.value} frames` : "Record"}
    </button>
  );
}

function Scrubber() {
  const { recorded } = useStore().link;
  if (!recorded) return null;
  const playing = recorded.playing.value;
  return (
    <div class="transport scrubber">
      <button class="primary" aria-pressed={playing} onClick={() => recorded.toggle()}>
        <Icon name={playing ? "pause" : "play"} />
        {playing ? "Pause" : "Play"}
      </button>
      <input
        type="range"
        min="0"
        max={recorded.frames - 1}
        value={recorded.at.value}
        aria-label="Frame of the recording"
        aria-valuetext={`frame ${recorded.at.value + 1} of ${recorded.frames}`}
        onInput={(event) => {
          recorded.playing.value = false;
          recorded.seek(Number(event.currentTarget.value));
        }}
      />
      <span class="soft small">
        A recording: to train, change or ask, start <code>cutaway studio</code>.
      </span>
    </div>
  );
}
