// The notebook's entry (anywidget): the same studio, over the kernel's custom messages.

import style from "css-text:./styles/studio.css";
import { mount } from "./mount";
import type { Command, Link, Status } from "./wire";

type Model = {
  get(name: string): any;
  send(content: Command): void;
  on(event: string, handle: (...given: any[]) => void): void;
  off(event: string, handle?: (...given: any[]) => void): void;
};

const SECOND = 1000;
const UNANSWERED = 2 * SECOND; // after hello
const LOST = 6 * SECOND; // the session says at least every two seconds that it lives
const WAITING =
  "Waiting for the kernel: it answers when the running cell has ended. If it has no such cell, run this one again.";
const SILENT = "The kernel does not answer. If it has ended or was restarted, run this cell again.";
const ENDED = "The kernel has ended or was restarted: run this cell again.";

/** Its type, which is the first field of a message. */
function typeOf(bytes: DataView): string {
  const length = Math.min(40, bytes.byteLength - 4);
  const text = new TextDecoder().decode(new Uint8Array(bytes.buffer, bytes.byteOffset + 4, length));
  return text.match(/^{"type":"(\w+)"/)?.[1] ?? "";
}

/** No answer to each frame: a busy kernel reads none, so a report a second says how drawing goes. */
function modelLink(model: Model, room: HTMLElement): Link & { close(): void } {
  let spent: number[] = []; // milliseconds of each frame drawn since the last report
  let isClosed = false; // nobody looks at this view any more
  let heard: number | null = null; // when the last message came
  const began = performance.now();
  let tellStatus: (status: Status) => void = () => {};
  let tellMessage: (message: DataView) => void = () => {};

  const receive = (_content: unknown, buffers: DataView[]) => {
    const bytes = buffers?.[0];
    if (!bytes) return;
    heard = performance.now();
    const type = typeOf(bytes);
    if (type === "closed") stop();
    // nothing is drawn in a hidden tab, and frames would pile up
    if (type === "frame" && document.hidden) return;
    tellStatus({ kind: "open", text: "" });
    tellMessage(bytes);
  };
  const send = (command: Command) => {
    if (isClosed) return;
    try {
      model.send(command);
    } catch {
      stop(); // its comm is closed for good
      tellStatus({ kind: "closed", text: ENDED });
    }
  };
  const checkSilence = () => {
    const now = performance.now();
    if (heard === null && now - began > UNANSWERED) tellStatus({ kind: "connecting", text: WAITING });
    if (heard !== null && now - heard > LOST) tellStatus({ kind: "lost", text: SILENT });
  };
  const report = () => {
    if (document.hidden) return; // then the session makes no more frames for this view
    checkSilence();
    // the median: one slow frame, while the notebook is laid out, says nothing about the next ones
    const ms = spent.sort((a, b) => a - b)[spent.length >> 1] ?? 0;
    send({ type: "report", drawn: spent.length, ms });
    spent = [];
  };
  const onVisibility = () => {
    if (heard !== null) heard = performance.now(); // what was not asked for was not missed
    report();
  };
  model.on("msg:custom", receive);
  document.addEventListener("visibilitychange", onVisibility);
  const timer = setInterval(report, SECOND);
  const stop = () => {
    clearInterval(timer);
    document.removeEventListener("visibilitychange", onVisibility);
  };
  return {
    send,
    on(event: string, handle: any) {
      if (event === "message") tellMessage = handle;
      else tellStatus = handle;
    },
    drawn(n, ms) {
      spent.push(ms);
      room.dataset.frame = String(n);
    },
    slow: "The kernel is busy: it hears the studio when the running cell has ended.",
    close() {
      // what is unmounted asks for no views, which is no wish of the other views of this widget
      isClosed = true;
      stop();
      model.off("msg:custom", receive);
    },
  };
}

export default {
  render({ model, el }: { model: Model; el: HTMLElement }) {
    const sheet = document.createElement("style");
    const still = model.get("_still");
    // the picture that is there for readers without a kernel
    sheet.textContent = style + (still ? `.${still}{display:none}` : "");
    const room = document.createElement("div");
    el.append(sheet, room);
    const link = modelLink(model, room);
    const { unmount } = mount(room, link);
    // only now is there somebody who can draw: what was sent before is lost
    link.send({ type: "hello", protocol: 1 });
    return () => {
      link.close();
      unmount();
      el.replaceChildren();
    };
  },
};
