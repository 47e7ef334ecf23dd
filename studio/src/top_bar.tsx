// Title, transport, speed and counters.

import { useSignal } from "@preact/signals";
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
          {subject
            ? [...new Set([subject.kind, subject.task])].filter(Boolean).map(words).join(", ")
            : store.status.value.text}
        </p>
      </div>
      {store.link.recorded ? <Scrubber /> : <Transport />}
      {!store.link.recorded && <Speed />}
      {store.link.files && <Record />}
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

/** Keep what is shown from now on, and save it as a file that needs no Python. */
function Record() {
  const store = useStore();
  const { keeper } = store;
  const saving = useSignal(false);
  if (!keeper.isRecording.value)
    return (
      <button
        class="record"
        data-do="record"
        title="Record what is shown, for a file that needs no Python"
        disabled={!store.subject.value}
        onClick={() => keeper.begin()}
      >
        <Icon name="record" />
        <span>Record</span>
      </button>
    );
  const save = async () => {
    saving.value = true;
    const title = store.subject.value?.title ?? "Cutaway studio";
    try {
      download(await keeper.page(title, await store.link.files!()), fileName(title));
    } catch (error) {
      store.toast(`The recording was not saved: ${error}`);
    }
    saving.value = false;
  };
  const many = keeper.frames.value;
  return (
    <span class="group record" role="group" aria-label="Recording">
      <button class="current" data-do="save" title="End the recording and save it" disabled={saving.value || !many} onClick={save}>
        <Icon name="record" />
        <span>{saving.value ? "Saving" : "Save as HTML"}</span>
        <b class="soft small" data-number="recorded" data-value={many}>
          {many}
          {keeper.isFull.value && ", full"}
        </b>
      </button>
      <button aria-label="Discard the recording" title="Discard" onClick={() => keeper.drop()}>
        <Icon name="close" />
      </button>
    </span>
  );
}

function fileName(title: string): string {
  return `${title.toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/^-|-$/g, "") || "studio"}.html`;
}

function download(page: Blob, name: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(page);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
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
        max={Math.max(0, recorded.frames.value - 1)}
        value={recorded.at.value}
        aria-label="Frame of the recording"
        aria-valuetext={`frame ${recorded.at.value + 1} of ${recorded.frames.value}`}
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
