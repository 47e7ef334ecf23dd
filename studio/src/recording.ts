// A recording: messages inside the page, played without Python; and the tape that makes one.

import { signal } from "@preact/signals";
import type { Link, Recording, Status, Tape } from "./wire";
import { unpack } from "./wire";

const PER_SECOND = 15;
const MOST_FRAMES = 600;
const MOST_BYTES = 2 ** 26;
const SETTING_UP = ["lane", "lanes", "state", "finding"]; // what a frame cannot be read without
const POLICY =
  "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; " +
  "img-src blob: data:; base-uri 'none'; form-action 'none'";

type Content = { per_second: number; setup: string[]; frames: string[] };

/** Base64 of zlib, as the recorder in Python writes it. */
async function inflated(base64: string): Promise<ArrayBuffer> {
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let k = 0; k < text.length; k++) bytes[k] = text.charCodeAt(k);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Response(stream).arrayBuffer();
}

async function deflated(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  const stream = new Blob([bytes]).stream().pipeThrough(new CompressionStream("deflate"));
  const made = new Uint8Array(await new Response(stream).arrayBuffer());
  let text = "";
  for (let k = 0; k < made.length; k += 0x8000)
    text += String.fromCharCode(...made.subarray(k, k + 0x8000));
  return btoa(text);
}

/** The script holds {per_second, setup, frames}, messages in base64 of zlib. */
export function recordingLink(json: string): Link {
  const found: Content = JSON.parse(json);
  let frames: ArrayBuffer[] = [];
  let tellStatus: (status: Status) => void = () => {};
  let tellMessage: (message: ArrayBuffer) => void = () => {};

  const recorded: Recording = {
    frames: found.frames.length,
    at: signal(0),
    playing: signal(false),
    seek(frame) {
      const message = frames[frame];
      if (message) tellMessage(message); // a frame is a whole state
      recorded.at.value = frame;
    },
    toggle() {
      recorded.playing.value = !recorded.playing.value;
      if (recorded.playing.value && recorded.at.value >= recorded.frames - 1) recorded.seek(0);
    },
  };
  setInterval(() => {
    if (!recorded.playing.value) return;
    if (recorded.at.value + 1 >= recorded.frames) recorded.playing.value = false;
    else recorded.seek(recorded.at.value + 1);
  }, 1000 / found.per_second);
  const read = async () => {
    const setup = await Promise.all(found.setup.map(inflated));
    frames = await Promise.all(found.frames.map(inflated));
    tellStatus({ kind: "open", text: "" });
    for (const message of setup) tellMessage(message);
    recorded.seek(0);
  };
  queueMicrotask(read);
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

/** The same link, with a tape of what it brings; `files` are the page's own script and style. */
export function taped(link: Link, files: { script: string; style: string }): Link {
  let setup: Uint8Array<ArrayBuffer>[] = [];
  let frames: Uint8Array<ArrayBuffer>[] = [];
  let title = "Cutaway studio";
  let bytes = 0;
  let last = -1;
  const on = signal(false);
  const count = signal(0);

  function keep(message: ArrayBuffer | DataView): void {
    const { head } = unpack(message);
    const copy = () => new Uint8Array(message instanceof DataView ? message.buffer : message).slice();
    if (head.type === "hello") [setup, title] = [[copy()], head.subject.title];
    else if (SETTING_UP.includes(head.type) && setup.length < 1000) setup.push(copy());
    if (head.type !== "frame" || !on.value || head.at - last < 0.9 / PER_SECOND) return;
    if (frames.length >= MOST_FRAMES || bytes > MOST_BYTES) return;
    last = head.at;
    bytes += copy().length;
    frames.push(copy());
    count.value = frames.length;
  }

  const tape: Tape = {
    on,
    count,
    async toggle() {
      on.value = !on.value;
      if (on.value) [frames, bytes, last, count.value] = [[], 0, -1, 0];
      else if (frames.length) save(await page(), `${title.replace(/[^\w-]+/g, "_")}.html`);
    },
  };

  async function page(): Promise<string> {
    const load = (path: string) => fetch(path).then((answer) => answer.text());
    const [script, style] = await Promise.all([load(files.script), load(files.style)]);
    const content: Content = {
      per_second: PER_SECOND,
      setup: await Promise.all(setup.map(deflated)),
      frames: await Promise.all(frames.map(deflated)),
    };
    const escaped = title.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
    return (
      `<!doctype html>\n<html lang="en"><head><meta charset="utf-8">` +
      `<meta http-equiv="Content-Security-Policy" content="${POLICY}">` +
      `<meta name="viewport" content="width=device-width, initial-scale=1">` +
      `<title>${escaped}</title><style>${style}</style></head>` +
      `<body><div id="studio"></div>` +
      `<script type="application/json" id="recording">${JSON.stringify(content)}<\/script>` +
      `<script>${script.replace(/<\/(script)/gi, "<\\/$1")}<\/script></body></html>\n`
    );
  }

  return {
    ...link,
    on(event: any, handle: any) {
      if (event !== "message") return link.on(event, handle);
      link.on("message", (message) => {
        keep(message);
        handle(message);
      });
    },
    tape,
  };
}

function save(html: string, name: string): void {
  const made = document.createElement("a");
  made.href = URL.createObjectURL(new Blob([html], { type: "text/html" }));
  made.download = name;
  made.click();
  setTimeout(() => URL.revokeObjectURL(made.href), 60_000);
}
