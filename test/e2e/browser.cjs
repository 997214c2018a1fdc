// Debian's Chromium, driven by a test: JSON lines in, one answer a line out. The other side is browser.py.
"use strict";

const path = require("node:path");
const readline = require("node:readline");

const { chromium } = require(path.join(process.env.POSTHORN_NPM_PEERS, "playwright-core"));
const TIMEOUT_MS = 10000;

const state = { browser: null, context: null, page: null, complaints: [] };

// What a page must never do: fail in a script, break its own policy, or open a dialog.
function watch(page) {
  page.setDefaultTimeout(TIMEOUT_MS);
  page.on("pageerror", (error) => state.complaints.push(`error: ${error.message}`));
  page.on("console", (message) => {
    if (message.type() === "error") state.complaints.push(`console: ${message.text()}`);
  });
  page.on("dialog", (dialog) => {
    state.complaints.push(`dialog: ${dialog.message()}`);
    dialog.dismiss();
  });
}

const commands = {
  async start() {
    const args = process.getuid() === 0 ? ["--no-sandbox"] : [];
    state.browser = await chromium.launch({ executablePath: process.env.POSTHORN_CHROMIUM, args });
    return state.browser.version();
  },
  // A new window, with nothing of the one before.
  async window({ width, height, scheme, script, phone }) {
    if (state.context) await state.context.close();
    state.context = await state.browser.newContext({
      viewport: { width, height }, colorScheme: scheme, javaScriptEnabled: script, isMobile: phone,
      deviceScaleFactor: phone ? 2 : 1, hasTouch: phone, locale: "en-GB", timezoneId: "UTC",
    });
    state.page = await state.context.newPage();
    watch(state.page);
  },
  async open({ url }) {
    const answer = await state.page.goto(url);
    return answer.status();
  },
  url: async () => state.page.url(),
  text: async ({ selector }) => (await state.page.locator(selector).allInnerTexts()).join("\n"),
  count: async ({ selector }) => state.page.locator(selector).count(),
  fill: async ({ selector, text }) => state.page.fill(selector, text),
  choose: async ({ selector, value }) => void (await state.page.selectOption(selector, value)),
  click: async ({ selector }) => state.page.click(selector),
  evaluate: async ({ expression }) => state.page.evaluate(expression),
  offline: async ({ is_offline }) => state.context.setOffline(is_offline),
  picture: async ({ file }) => void (await state.page.screenshot({ path: file, fullPage: true })),
  complaints: async () => state.complaints.splice(0),
  async stop() {
    if (state.browser) await state.browser.close();
  },
};

async function main() {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const { command, ...options } = JSON.parse(line);
    let answer;
    try {
      answer = { result: (await commands[command](options)) ?? null };
    } catch (error) {
      answer = { error: error.message };
    }
    process.stdout.write(`${JSON.stringify(answer)}\n`);
    if (command === "stop") return;
  }
}

main();
