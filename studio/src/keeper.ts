// Keeps the messages of a session while the reader records, for a file that needs no Python.

import { computed, signal } from "@preact/signals";
import { pageOf } from "./recording_file";

const PER_SECOND = 15;
const MOST_FRAMES = 600;
const MOST_BYTES = 2 ** 26;
const KEPT = new Set(["lane", "lanes", "state", "finding", "surface"]);

export class Keeper {
  isRecording = signal(false);
  frames = signal(0);
  private size = signal(0);
  isFull = computed(() => this.frames.value >= MOST_FRAMES || this.size.value > MOST_BYTES);
  /** What a recording that begins now has to begin with. */
  private latest = new Map<string, ArrayBuffer>();
  private frame: ArrayBuffer | null = null;
  private kept: ArrayBuffer | null = null;
  private messages: ArrayBuffer[] = [];
  private lastAt = -Infinity;

  hear(head: any, message: ArrayBuffer): void {
    const { type } = head;
    if (type === "frame") {
      this.frame = message;
      if (!this.isRecording.peek() || head.at - this.lastAt < 0.9 / PER_SECOND) return;
      this.lastAt = head.at;
      this.keepFrame();
      return;
    }
    if (type === "hello") {
      this.latest.clear();
      this.frame = null;
    }
    if (type === "lanes")
      for (const key of this.latest.keys()) {
        const [kind, lane] = key.split(" ");
        if (kind === "lane" && !head.lanes.includes(Number(lane))) this.latest.delete(key);
      }
    const key = [type, head.lane, type === "finding" ? head.id : ""].join(" ");
    if (type === "finding_gone") this.latest.delete(`finding ${head.lane} ${head.id}`);
    else if (type === "hello" || KEPT.has(type)) this.latest.set(key, message);
    else return;
    if (this.isRecording.peek()) this.keep(message, 0);
  }

  private keepFrame(): void {
    if (this.frame && this.frame !== this.kept) this.keep(this.frame, 1);
    this.kept = this.frame;
  }

  private keep(message: ArrayBuffer, frames: 0 | 1): void {
    if (this.isFull.peek()) return;
    this.messages.push(message);
    this.size.value += message.byteLength;
    this.frames.value += frames;
  }

  begin(): void {
    this.drop();
    this.isRecording.value = true;
    for (const message of this.latest.values()) this.keep(message, 0);
    this.keepFrame();
  }

  drop(): void {
    this.messages = [];
    this.kept = null;
    this.size.value = this.frames.value = 0;
    this.lastAt = -Infinity;
    this.isRecording.value = false;
  }

  /** The page of what was kept, which ends with that. */
  async page(title: string, files: { script: string; style: string }): Promise<Blob> {
    this.keepFrame(); // the last one may have come soon after the one before
    const page = await pageOf(title, PER_SECOND, this.messages, files);
    this.drop();
    return page;
  }
}
