// Laws of the parts that need no browser. `npm test` bundles them as the page does.

import assert from "node:assert/strict";
import test from "node:test";
import { build } from "esbuild";

async function load(name) {
  const made = await build({
    entryPoints: [`src/${name}`],
    bundle: true,
    format: "esm",
    write: false,
    jsx: "automatic",
    jsxImportSource: "preact",
  });
  const code = Buffer.from(made.outputFiles[0].contents).toString("base64");
  return import(`data:text/javascript;base64,${code}`);
}

globalThis.matchMedia = () => ({ matches: false });
globalThis.document = { body: { dataset: {} } };
const { unpack } = await load("wire.ts");
const { number, short } = await load("format.ts");
const { runningMean, ticks } = await load("chart.ts");
const { decode, encode, nextCommand } = await load("url_state.ts");
const { columnsOf, edges, labelPlaces, place } = await load("dense_geometry.ts");

const { pieces, withMinus } = await load("notation.tsx");

/** One message as cutaway/studio/wire.py packs it. */
function packed(head, content, shift = 0) {
  const json = Buffer.from(JSON.stringify(head));
  const start = Math.ceil((4 + json.length) / 8) * 8;
  const whole = Buffer.alloc(shift + start + content.length);
  whole.writeUInt32LE(json.length, shift);
  json.copy(whole, shift + 4);
  Buffer.from(content).copy(whole, shift + start);
  const bytes = new Uint8Array(whole).buffer;
  return new DataView(bytes, shift);
}

test("arrays are those that were packed, wherever the message begins in its buffer", () => {
  const floats = new Uint8Array(new Float32Array([1.5, -2, 3, 4, 5, 6]).buffer);
  const head = { type: "frame", arrays: [["0/w", "f4", [2, 3], 0]] };
  for (const shift of [0, 3, 8]) {
    const { head: found, blocks } = unpack(packed(head, floats, shift));
    assert.equal(found.type, "frame");
    assert.deepEqual([...blocks.get("0/w").data], [1.5, -2, 3, 4, 5, 6]);
    assert.deepEqual(blocks.get("0/w").shape, [2, 3]);
  }
});

test("numbers are shown to four digits with a real minus", () => {
  assert.equal(number(-0.064728), "\u22120.06473");
  assert.equal(number(0.0000123), "1.23e\u22125");
  assert.equal(number(NaN), "NaN");
  assert.equal(number(-Infinity), "\u2212\u221e");
  assert.equal(short(-1.234), "\u22121.23");
});

test("ticks are round and lie within the limits", () => {
  assert.deepEqual(ticks(0, 1, 5), [0, 0.2, 0.4, 0.6000000000000001, 0.8, 1]);
  for (const mark of ticks(-3.7, 12.2, 6)) assert.ok(mark >= -3.7 && mark <= 12.2);
});

test("a running mean keeps a straight line as it is", () => {
  const line = Array.from({ length: 300 }, (_, k) => 2 * k - 7);
  runningMean(line).forEach((value, k) => assert.ok(Math.abs(value - line[k]) < 1e-9));
});

function described(sizes, activation = "tanh") {
  const layers = [];
  for (let k = 1; k < sizes.length; k++) {
    const path = String(layers.length);
    const [inputs, units] = [sizes[k - 1], sizes[k]];
    const parameters = [
      { path: `${path}.weight`, shape: [inputs, units], trained: true },
      { path: `${path}.bias`, shape: [units], trained: true },
    ];
    layers.push({ path, kind: "Linear", inputs, units, activation: null, parameters });
    if (k + 1 < sizes.length) {
      const after = String(layers.length);
      layers.push({ path: after, kind: "Tanh", inputs: null, units: null, activation, parameters: [] });
    }
  }
  const optimizer = { name: "Adam", numbers: { lr: 0.1 } };
  return { lane: 0, is_dense: true, layers, optimizer };
}

/** What the session does with a command, as sizes. */
function obey(sizes, command) {
  const places = columnsOf(described(sizes)).map((column) => column.key);
  if (command.type === "units") sizes[places.indexOf(command.path)] = command.count;
  if (command.type === "remove_layer") sizes.splice(places.indexOf(command.path), 1);
  if (command.type === "add_layer") sizes.splice(-1, 0, command.units);
}

test("commands of a setting lead to its layers and then end", () => {
  for (const [from, hidden] of [
    [[2, 8, 8, 1], [5]],
    [[2, 3, 1], [4, 6, 2]],
    [[2, 8, 1], [8]],
  ]) {
    const setting = { hidden: hidden.map((units) => [units, "tanh"]) };
    const sizes = [...from];
    for (let k = 0; k < 20; k++) {
      const command = nextCommand(described(sizes), setting);
      if (!command) break;
      obey(sizes, command);
    }
    assert.deepEqual(sizes, [2, ...hidden, 1]);
    assert.equal(nextCommand(described(sizes), setting), null);
  }
});

test("a setting comes back from the address, and what is none is none", () => {
  const setting = { hidden: [[8, "relu"]], optimizer: "Adam", numbers: { lr: 0.01 } };
  assert.deepEqual(decode(encode(setting)), setting);
  assert.equal(decode("no setting"), null);
});

test("numbers on the edges of a small network do not cover each other", () => {
  const columns = columnsOf(described([2, 3, 1]));
  const box = { width: 680, height: 460 };
  const geometry = place(columns, box, {}, { input: 2, output: 1 });
  const places = labelPlaces(geometry);
  assert.equal(places.length, [...edges(geometry)].length);
  for (const one of places)
    for (const other of places)
      if (one !== other)
        assert.ok(Math.abs(one.x - other.x) > 30 || Math.abs(one.y - other.y) > 13);
});

test("indices of names stand below and above the line, names of columns stay as they are", () => {
  const marked = (text) => pieces(text).map(({ text, kind }) => `${kind}${kind && ":"}${text}`);
  assert.deepEqual(marked("∂L/∂w_12^(1) is"), ["∂L/∂w", "sub:12", "sup:(1)", " is"]);
  assert.deepEqual(marked("h_{t-1}"), ["h", "sub:t-1"]);
  assert.deepEqual(marked("2 / λ_max, with"), ["2 / λ", "sub:max", ", with"]);
  assert.deepEqual(marked("mean_score of 0.weight"), ["mean_score of 0.weight"]);
  const text = "z_5^(2) and b_6";
  assert.equal(pieces(text).reduce((sum, { written }) => sum + written, 0), text.length);
});

test("a minus is as wide as a plus, a hyphen within a word stays one", () => {
  assert.equal(withMinus("w - η · (-0.5) = -2"), "w − η · (−0.5) = −2");
  assert.equal(withMinus("-ln p"), "−ln p");
  assert.equal(withMinus("max-pool of 1e-05 and h_{t-1}"), "max-pool of 1e-05 and h_{t-1}");
});
