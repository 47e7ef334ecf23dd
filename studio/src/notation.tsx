// Names of stories as they are written in formulas: w_12^(1) with its subscript and superscript.

import type { ComponentChild } from "preact";

const PART = /_(\{[^}]+\}|[\w,]+)|\^(\{[^}]+\}|\([^)]*\)|\w+)/g;

export function Notation({ text }: { text: string }) {
  const parts: ComponentChild[] = [];
  let done = 0;
  for (const match of text.matchAll(PART)) {
    const [whole, below, above] = match;
    const before = text[match.index - 1] ?? " ";
    // in names of columns and layers an underscore is an underscore
    if (below && !/[a-zA-Z\u0370-\u03ff\u0302]/.test(before)) continue;
    if (below && /[a-zA-Z]{2}$/.test(text.slice(0, match.index))) continue;
    parts.push(text.slice(done, match.index));
    const inner = (below ?? above ?? "").replace(/^\{|\}$/g, "");
    parts.push(below ? <sub>{inner}</sub> : <sup>{inner}</sup>);
    done = match.index + whole.length;
  }
  parts.push(text.slice(done));
  return <>{parts}</>;
}
