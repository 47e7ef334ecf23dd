// The WebSocket: says hello with the token, connects again when it is lost.

import type { Command, Link, Status } from "./wire";

const KEEP = "cutaway-token";

/** The token leaves the address at once, so that it is in no history and no screenshot. */
function takeToken(): string {
  const fields = new URLSearchParams(location.hash.slice(1));
  const given = fields.get("token");
  if (given !== null) {
    fields.delete("token");
    const rest = fields.toString();
    history.replaceState(null, "", location.pathname + (rest ? `#${rest}` : ""));
    try {
      sessionStorage.setItem(KEEP, given); // survives a reload of this tab only
    } catch {
      // storage may be forbidden; then a reload asks for the printed address again
    }
    return given;
  }
  try {
    return sessionStorage.getItem(KEEP) ?? "";
  } catch {
    return "";
  }
}

async function own(name: string): Promise<string> {
  const answer = await fetch(`/static/${name}`);
  if (!answer.ok) throw new Error(`${name}: ${answer.status}`);
  return answer.text();
}

export function socketLink(): Link {
  const token = takeToken();
  let socket: WebSocket | null = null;
  let tries = 0;
  let ended = false;
  let tellStatus: (status: Status) => void = () => {};
  let tellMessage: (message: ArrayBuffer) => void = () => {};

  function connect(): void {
    const opened = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/ws`);
    socket = opened;
    opened.binaryType = "arraybuffer";
    opened.onopen = () => opened.send(JSON.stringify({ type: "hello", token, protocol: 1 }));
    opened.onmessage = ({ data }) => {
      if (!(data instanceof ArrayBuffer)) return;
      tries = 0;
      tellStatus({ kind: "open", text: "" });
      tellMessage(data);
    };
    opened.onclose = ({ code }) => {
      if (socket !== opened || ended) return;
      socket = null;
      if (code === 4401) {
        ended = true;
        tellStatus({
          kind: "closed",
          text: "This page has no valid token. Open the address that `cutaway studio` printed.",
        });
        return;
      }
      const seconds = Math.min(15, 0.5 * 2 ** tries++);
      tellStatus({
        kind: "lost",
        text: `Connection lost. Next try in ${Math.max(1, Math.round(seconds))} s; is the studio still running?`,
      });
      setTimeout(connect, seconds * 1000);
    };
  }

  const send = (command: Command) => {
    if (socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify(command));
  };
  queueMicrotask(connect);
  return {
    send,
    on(event: string, handle: any) {
      if (event === "message") tellMessage = handle;
      else tellStatus = handle;
    },
    async files() {
      const names = ["licenses.txt", "studio.js", "studio.css"];
      const [licenses, script, style] = await Promise.all(names.map(own));
      return { script: licenses! + script, style: style! };
    },
    drawn: (n, ms) => send({ type: "ack", n, drawn_ms: Math.round(ms * 10) / 10 }),
  };
}
