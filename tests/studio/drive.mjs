// Drives Chromium for tests: one JSON command a line on stdin, one JSON answer a line on stdout.

import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const [modules, executable] = process.argv.slice(2);
const { chromium } = createRequire(`${modules}/`)("playwright-core");
const browser = await chromium.launch({ executablePath: executable, args: ["--no-sandbox"] });
const pages = new Map();
const heardOf = new Map(); // what each page asked for, and what went wrong in it

async function open({ page, url, width, height, scheme, motion }) {
  const context = await browser.newContext({
    viewport: { width, height },
    colorScheme: scheme,
    reducedMotion: motion,
  });
  const made = await context.newPage();
  const heard = { requests: [], errors: [] };
  heardOf.set(page, heard);
  made.on("request", (request) => heard.requests.push(request.url()));
  made.on("websocket", (socket) => heard.requests.push(socket.url()));
  made.on("pageerror", (error) => heard.errors.push(String(error)));
  made.on("console", (said) => said.type() === "error" && heard.errors.push(said.text()));
  pages.set(page, made);
  await made.goto(url);
}

const actions = {
  open,
  async evaluate({ page, script }) {
    return pages.get(page).evaluate(script);
  },
  async wait({ page, script, timeout }) {
    // the page's policy forbids waitForFunction, which evaluates a text inside the page
    const end = Date.now() + timeout;
    while (!(await pages.get(page).evaluate(`Boolean(${script})`))) {
      if (Date.now() > end) throw new Error("it did not become true");
      await new Promise((resolve) => setTimeout(resolve, 30));
    }
  },
  async press({ page, key }) {
    await pages.get(page).keyboard.press(key);
  },
  async click({ page, selector, timeout }) {
    await pages.get(page).click(selector, { timeout });
  },
  async choose({ page, selector, value }) {
    await pages.get(page).selectOption(selector, value);
  },
  async fill({ page, selector, value }) {
    await pages.get(page).fill(selector, value);
    await pages.get(page).press(selector, "Enter");
  },
  async download({ page, selector, path, timeout }) {
    const [found] = await Promise.all([
      pages.get(page).waitForEvent("download", { timeout }),
      pages.get(page).click(selector, { timeout }),
    ]);
    await found.saveAs(path);
    return found.suggestedFilename();
  },
  async reload({ page }) {
    await pages.get(page).reload();
  },
  async resize({ page, width, height }) {
    await pages.get(page).setViewportSize({ width, height });
  },
  async screenshot({ page, path, whole }) {
    await pages.get(page).screenshot({ path, fullPage: whole });
  },
  async heard({ page }) {
    return heardOf.get(page);
  },
  async close({ page }) {
    await pages.get(page).context().close();
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const { action, ...given } = JSON.parse(line);
  let answer;
  try {
    answer = { value: (await actions[action](given)) ?? null };
  } catch (error) {
    answer = { error: String(error) };
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
await browser.close();
