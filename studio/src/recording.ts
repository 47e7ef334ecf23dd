// A recording: messages inside the page, played without Python.

import { signal } from "@preact/signals";
import { bytesOf, unpackMessages } from "./recording_file";
import { headOf, type Link, type Recording, type Status } from "./wire";

/** The script holds {per_second, messages: base64}, see recording_file.ts. */
export function recordingLink(json: string): Link {
  const content = JSON.parse(json);
  const period = 1000 / (content.per_second ?? 15);
  let messages: ArrayBuffer[] = [];
  let frames: number[] = []; // which of the messages are frames
  let told = 0; // how many messages that are no frames count as told: those before this one
  let tellStatus: (status: Status) => void = () => {};
  let tellMessage: (message: ArrayBuffer) => void = () => {};

  const isFrame = new Set<number>();
  /** Frames are whole states; what came between two of them is told in its order. */
  const tellUntil = (end: number) => {
    for (; told < end; told++) if (!isFrame.has(told)) tellMessage(messages[told]!);
  };
  const recorded: Recording = {
    frames: signal(0),
    at: signal(0),
    playing: signal(false),
    seek(frame) {
      const place = frames[frame];
      if (place === undefined) return;
      let changed = false;
      for (let k = place; k < told; k++) changed ||= !isFrame.has(k);
      if (changed) told = 0; // back over a change: from the beginning
      tellUntil(place);
      tellMessage(messages[place]!);
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
  const open = async () => {
    messages = await unpackMessages(bytesOf(content.messages));
    messages.forEach((message, k) => {
      if (headOf(new DataView(message)).type === "frame") isFrame.add(k);
    });
    frames = [...isFrame];
    recorded.frames.value = frames.length;
    tellStatus({ kind: "open", text: "" });
    recorded.seek(0);
  };
  queueMicrotask(() => {
    open().catch((error) => tellStatus({ kind: "closed", text: `The recording cannot be read: ${error}` }));
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
