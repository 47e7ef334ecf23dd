// Names of stories as they are written in formulas: w_12^(1) with its subscript and superscript.

const PART = /_(\{[^}]+\}|[\w,]*\w)|\^(\{[^}]+\}|\([^)]*\)|\w+)/g;
const SMALL = 0.74; // of the letters below and above the line, see panels.css

export type Piece = { text: string; kind: "" | "sub" | "sup"; written: number };

/** A text in pieces on, below and above the line; `written` are the characters that each had. */
export function pieces(text: string): Piece[] {
  const found: Piece[] = [];
  let done = 0;
  const plain = (end: number) => {
    if (end > done) found.push({ text: text.slice(done, end), kind: "", written: end - done });
  };
  for (const match of text.matchAll(PART)) {
    const [whole, below, above] = match;
    const before = text[match.index - 1] ?? " ";
    // in names of columns and layers an underscore is an underscore
    if (below && !/[a-zA-Z\u0370-\u03ff\u0302]/.test(before)) continue;
    if (below && /[a-zA-Z]{2}$/.test(text.slice(0, match.index))) continue;
    plain(match.index);
    const inner = (below ?? above ?? "").replace(/^\{|\}$/g, "");
    found.push({ text: inner, kind: below ? "sub" : "sup", written: whole.length });
    done = match.index + whole.length;
  }
  plain(text.length);
  return found;
}

export function Notation({ text }: { text: string }) {
  return (
    <>
      {pieces(withMinus(text)).map(({ text, kind }) =>
        kind === "sub" ? <sub>{text}</sub> : kind === "sup" ? <sup>{text}</sup> : text,
      )}
    </>
  );
}

/** Signs as formulas have them: a minus as wide as a plus, and no new line after a first =. */
export function withMinus(text: string, next: Node | null = null): string {
  const signed = text.replace(/(^|[\s(=·^])-(?=[\d.∂√(]|ln|\s)/g, "$1\u2212").replace(/^= /, "=\u00a0");
  // the digits of a rounded number are an element of their own
  return (next as Element)?.className === "exact" ? signed.replace(/-$/, "\u2212") : signed;
}

/** The same within elements; columns of preformatted texts stay where they are. */
export function typeset(box: HTMLElement): void {
  const texts = document.createTreeWalker(box, NodeFilter.SHOW_TEXT);
  const nodes: Text[] = [];
  while (texts.nextNode()) nodes.push(texts.currentNode as Text);
  let saved = 0; // characters that the line is shorter than it was
  let block: Element | null = null;
  for (const node of nodes) {
    const parent = node.parentElement!;
    if (parent.closest("math, svg")) continue;
    const pre = parent.closest("pre");
    if (pre !== block) [block, saved] = [pre, 0];
    const made: (Node | string)[] = [];
    const data = parent.closest("code") ? node.data : withMinus(node.data, node.nextSibling);
    for (const { text, kind, written } of pieces(data)) {
      if (kind) {
        const small = document.createElement(kind);
        small.textContent = text;
        made.push(small);
        saved += written - SMALL * text.length;
        continue;
      }
      if (!pre) made.push(text);
      else
        for (const part of text.split(/(\n| {2,})/)) {
          if (part.startsWith("\n")) saved = 0;
          made.push(part);
          if (!part.startsWith("  ") || saved === 0) continue;
          const gap = document.createElement("i");
          gap.className = "gap";
          gap.style.width = `${saved}ch`;
          made.push(gap);
          saved = 0;
        }
    }
    if (made.length > 1 || made[0] !== node.data) node.replaceWith(...made);
  }
}
