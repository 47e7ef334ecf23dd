// Numbers and words as a reader sees them; the exact number goes into data-value beside.

const MINUS = "\u2212";

/** A number to four significant digits, with a real minus sign. */
export function number(value: number | null | undefined, digits = 4): string {
  if (value === null || value === undefined) return "–";
  if (Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value > 0 ? "∞" : `${MINUS}∞`;
  const size = Math.abs(value);
  if (size === 0) return "0";
  const text =
    size >= 1e5 || size < 1e-3
      ? value.toExponential(digits - 2).replace("e+", "e")
      : value.toPrecision(digits).includes("e")
        ? String(Math.round(value))
        : value.toPrecision(digits);
  return text.replaceAll("-", MINUS);
}

/** Short, for what stands in a small node or on an edge. */
export function short(value: number): string {
  const size = Math.abs(value);
  if (!Number.isFinite(value)) return number(value);
  if (size < 0.005) return size === 0 ? "0" : size < 5e-4 ? "≈0" : value.toFixed(3).replace("-", MINUS);
  if (size < 10) return value.toFixed(2).replace("-", MINUS);
  if (size < 1000) return value.toFixed(size < 100 ? 1 : 0).replace("-", MINUS);
  return value.toExponential(0).replace("e+", "e").replaceAll("-", MINUS);
}

/** An integer with thin spaces between thousands. */
export function count(value: number): string {
  return Math.round(value)
    .toString()
    .replace(/\B(?=(\d{3})+(?!\d))/g, "\u202f");
}

/** One of the examples: "rows" -> "row". */
export function singular(examples: string): string {
  return examples === "series" ? examples : examples.replace(/s$/, "");
}

/** snake_case names of losses, optimizers and scores as words. */
export function words(name: string): string {
  return name.replaceAll("_", " ");
}

/** Steps or epochs a second, without more digits than mean something. */
export function rate(value: number): string {
  if (!value) return "0";
  return value >= 100 ? count(value) : value >= 10 ? value.toFixed(0) : value.toFixed(1);
}

/** 3 -> "₃", for the numbers of units. */
export function below(index: number): string {
  return String(index).replace(/\d/g, (digit) => String.fromCharCode(0x2080 + Number(digit)));
}

export function clamp(value: number, low: number, high: number): number {
  return Math.min(high, Math.max(low, value));
}

/** A length for a style. */
export function px(value: number): string {
  return `${value}px`;
}
