// Messages of a session as one compressed stream, and back; cutaway/studio/recorder.py does the same.

import { arraysOf, headOf } from "./wire";

/** Each message behind its length; arrays of frames as differences to those of the frame before. */
export async function packMessages(messages: ArrayBuffer[]): Promise<Uint8Array<ArrayBuffer>> {
  const before = new Map<string, Uint8Array>();
  const parts = messages.flatMap((message) => {
    const copy = new Uint8Array(message.slice(0));
    subtract(copy, before, new Uint8Array(message));
    return [new Uint8Array(Uint32Array.of(copy.length).buffer), copy];
  });
  return through(new Blob(parts), new CompressionStream("deflate-raw"));
}

export async function unpackMessages(packed: Uint8Array<ArrayBuffer>): Promise<ArrayBuffer[]> {
  const stream = await through(new Blob([packed]), new DecompressionStream("deflate-raw"));
  const view = new DataView(stream.buffer);
  const before = new Map<string, Uint8Array>();
  const found: ArrayBuffer[] = [];
  for (let at = 0; at < stream.length; ) {
    const length = view.getUint32(at, true);
    const message = stream.slice(at + 4, at + 4 + length);
    subtract(message, before, message, -1);
    found.push(message.buffer);
    at += 4 + length;
  }
  return found;
}

/** Subtract from the arrays in `into` those that came before, or add them; `now` are the real ones. */
function subtract(
  into: Uint8Array<ArrayBuffer>,
  before: Map<string, Uint8Array>,
  now: Uint8Array,
  sign = 1,
): void {
  const head = headOf(new DataView(into.buffer));
  if (head.type !== "frame") return;
  for (const { name, start, bytes } of arraysOf(new DataView(into.buffer), head)) {
    const old = before.get(name);
    if (old?.length === bytes) for (let k = 0; k < bytes; k++) into[start + k]! -= sign * old[k]!;
    before.set(name, now.subarray(start, start + bytes));
  }
}

async function through(
  blob: Blob,
  change: CompressionStream | DecompressionStream,
): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await new Response(blob.stream().pipeThrough(change)).arrayBuffer());
}

export function bytesOf(base64: string): Uint8Array<ArrayBuffer> {
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let k = 0; k < text.length; k++) bytes[k] = text.charCodeAt(k);
  return bytes;
}

function base64Of(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  return new Promise((found, failed) => {
    const reader = new FileReader();
    reader.onload = () => found((reader.result as string).split(",")[1] ?? "");
    reader.onerror = () => failed(reader.error);
    reader.readAsDataURL(new Blob([bytes]));
  });
}

// as in cutaway/studio/recorder.py: the page of a recording loads nothing and asks nobody
const POLICY =
  "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; " +
  "img-src blob: data:; base-uri 'none'; form-action 'none'";

/** A page that holds style, script and messages. */
export async function pageOf(
  title: string,
  perSecond: number,
  messages: ArrayBuffer[],
  files: { script: string; style: string },
): Promise<Blob> {
  const packed = await base64Of(await packMessages(messages));
  const content = JSON.stringify({ per_second: perSecond, messages: packed });
  const escaped = title.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
  // no text in the script may end the element that it stands in
  const script = files.script.replace(/<\/(?=script)/gi, "<\\/").replaceAll("<!" + "--", "<\\!--");
  return new Blob(
    [
      '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">',
      `<meta http-equiv="Content-Security-Policy" content="${POLICY}">`,
      '<meta name="viewport" content="width=device-width, initial-scale=1">',
      '<link rel="icon" href="data:,">',
      `<title>${escaped}</title><style>${files.style}</style></head>`,
      `<body><div id="studio"></div><script type="application/json" id="recording">${content}`,
      "</" + `script><script>${script}</` + "script></body></html>\n",
    ],
    { type: "text/html" },
  );
}
