// HTML of stories into elements of this page: only what tells something, nothing that acts.

const DROPPED = new Set(
  "script style iframe object embed link meta base form input button select textarea template foreignobject animate set animatetransform audio video source".split(
    " ",
  ),
);
const NAMESPACES = new Set([
  "http://www.w3.org/1999/xhtml",
  "http://www.w3.org/2000/svg",
  "http://www.w3.org/1998/Math/MathML",
]);

/** Children for `into`, made anew from the text. */
export function fill(into: HTMLElement, html: string): void {
  // the parser too reports style attributes to the policy, so they come under another name
  const named = html
    .replace(/<style[^]*?<\/style>/gi, "")
    .replace(/(<[^>]*?\s)style=/gi, "$1data-style=");
  const parsed = new DOMParser().parseFromString(named, "text/html");
  into.replaceChildren(...copies(parsed.body));
}

function copies(of: Element): Node[] {
  const found: Node[] = [];
  for (const child of of.childNodes) {
    if (child.nodeType === Node.TEXT_NODE) found.push(document.createTextNode(child.textContent ?? ""));
    else if (child instanceof Element) {
      const copy = copied(child);
      if (copy) found.push(copy);
    }
  }
  return found;
}

function copied(element: Element): Element | null {
  if (DROPPED.has(element.localName.toLowerCase())) return null;
  if (!NAMESPACES.has(element.namespaceURI ?? "")) return null;
  const copy = document.createElementNS(element.namespaceURI, element.localName);
  for (const { name, value, namespaceURI } of element.attributes) {
    if (/^on/i.test(name)) continue;
    if (/(^|:)href$/i.test(name) && !value.startsWith("#")) continue;
    if (/^src/i.test(name) && !/^data:image\//i.test(value)) continue;
    if (name === "data-style") {
      // the page's policy forbids the attribute; the object model may set the same properties
      if (!/url\((?!["']?#)/i.test(value)) (copy as HTMLElement).style.cssText = value;
      continue;
    }
    copy.setAttributeNS(namespaceURI, name, value);
  }
  copy.append(...copies(element));
  return copy;
}
