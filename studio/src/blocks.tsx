import type { LaneInfo } from "./wire";
export function Blocks(_: { lane: number; info: LaneInfo }) {
  return null;
}
