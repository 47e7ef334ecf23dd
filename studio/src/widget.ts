// The notebook's entry (anywidget): the same studio, over the kernel's custom messages.

import style from "css-text:./styles/studio.css";
import { mount } from "./mount";
import type { Command, Link, Status } from "./wire";

type Model = {
  send(content: Command): void;
  on(event: string, handle: (...given: any[]) => void): void;
  off(event: string, handle?: (...given: any[]) => void): void;
};

/** No answer to each frame: a busy kernel reads none, so a report a second says how drawing goes. */
function modelLink(model: Model): Link & { close(): void } {
  let drawn = 0;
  let spent = 0;
  let tellStatus: (status: Status) => void = () => {};
  let tellMessage: (message: DataView) => void = () => {};
  const receive = (_content: unknown, buffers: DataView[]) => {
    const bytes = buffers?.[0];
    if (!bytes) return;
    tellStatus({ kind: "open", text: "" });
    tellMessage(bytes);
  };
  model.on("msg:custom", receive);
  const timer = setInterval(() => {
    model.send({ type: "report", drawn, ms: drawn ? spent / drawn : 0 });
    drawn = 0;
    spent = 0;
  }, 1000);
  return {
    send: (command) => model.send(command),
    on(event: string, handle: any) {
      if (event === "message") tellMessage = handle;
      else tellStatus = handle;
    },
    drawn(_, ms) {
      drawn++;
      spent += ms;
    },
    slow: "The kernel is busy: it hears the studio when the running cell has ended.",
    close() {
      clearInterval(timer);
      model.off("msg:custom", receive);
    },
  };
}

export default {
  render({ model, el }: { model: Model; el: HTMLElement }) {
    const sheet = document.createElement("style");
    sheet.textContent = style;
    const room = document.createElement("div");
    el.append(sheet, room);
    const link = modelLink(model);
    const { unmount } = mount(room, link);
    // only now is there somebody who can draw: what was sent before is lost
    model.send({ type: "hello", protocol: 1 });
    return () => {
      link.close();
      unmount();
    };
  },
};
