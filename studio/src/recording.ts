// A recording: messages inside the page, played without Python.

import { signal } from "@preact/signals";
import type { Link, Recording, Status } from "./wire";

function bytesOf(base64: string): ArrayBuffer {
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let k = 0; k < text.length; k++) bytes[k] = text.charCodeAt(k);
  return bytes.buffer;
}

/** The script holds {setup: [base64...], frames: [base64...], per_second} or a plain list. */
export function recordingLink(json: string): Link {
  const found = JSON.parse(json);
  const all: string[] = Array.isArray(found) ? found : [...(found.setup ?? []), ...found.frames];
  const messages = all.map(bytesOf);
  const isFrame = (bytes: ArrayBuffer) => {
    const length = new DataView(bytes).getUint32(0, true);
    const head = JSON.parse(new TextDecoder().decode(new Uint8Array(bytes, 4, length)));
    return head.type === "frame";
  };
  const marks = messages.map(isFrame);
  const setup = messages.filter((_, k) => !marks[k]);
  const frames = messages.filter((_, k) => marks[k]);
  const period = 1000 / (found.per_second ?? 15);
  let tellStatus: (status: Status) => void = () => {};
  let tellMessage: (message: ArrayBuffer) => void = () => {};

  const recorded: Recording = {
    frames: frames.length,
    at: signal(0),
    playing: signal(false),
    seek(frame) {
      // the loss curve grows by what each frame brings, so those between are given as well
      const from = frame > recorded.at.value ? recorded.at.value + 1 : 0;
      for (let k = from; k <= frame; k++) tellMessage(frames[k]!);
      recorded.at.value = frame;
    },
    toggle() {
      recorded.playing.value = !recorded.playing.value;
      if (recorded.playing.value && recorded.at.value >= frames.length - 1) recorded.seek(0);
    },
  };
  setInterval(() => {
    if (!recorded.playing.value) return;
    if (recorded.at.value + 1 >= frames.length) recorded.playing.value = false;
    else recorded.seek(recorded.at.value + 1);
  }, period);
  queueMicrotask(() => {
    tellStatus({ kind: "open", text: "" });
    for (const message of setup) tellMessage(message);
    if (frames.length) tellMessage(frames[0]!);
  });
  return {
    send: () => {},
    on(event: string, handle: any) {
      if (event === "message") tellMessage = handle;
      else tellStatus = handle;
    },
    drawn: () => {},
    recorded,
  };
}
