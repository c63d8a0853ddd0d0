// Signing in and out as people do, in a real Chromium, against the real program (XRAY_BINARY; see page.test.mjs).
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../", import.meta.url));
const require = createRequire(join(root, "web/package.json"));
const { chromium } = require("playwright-core");
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

const { env } = process;
const skip = env.XRAY_BINARY ? false : "no program to sign in to";
const screenshots = env.XRAY_SCREENSHOTS ?? join(root, "build/screenshots");
const temporary = mkdtempSync(join(tmpdir(), "xray-sign-in-"));
const password = "correct horse battery";
const fresh = "another horse entirely";
let server;
let url;
let browser;

before(async () => {
  if (skip) return;
  mkdirSync(screenshots, { recursive: true });
  const model = env.XRAY_TEST_MODEL ? ["--model", env.XRAY_TEST_MODEL] : [];
  server = spawn(env.XRAY_BINARY, ["serve", "--listen", "127.0.0.1:0", "--store", `sqlite:${join(temporary, "x.sqlite")}`, ...model], {
    stdio: ["ignore", "pipe", "ignore"],
    env: { ...env, XRAY_ADMIN_USER: "chief", XRAY_ADMIN_PASSWORD: password },
  });
  url = await new Promise((resolve, reject) => {
    let said = "";
    server.stdout.on("data", (data) => {
      said += data;
      const found = /http:\/\/127\.0\.0\.1:\d+/.exec(said);
      if (found) resolve(found[0]);
    });
    server.on("exit", (code) => reject(new Error(`the server ended with ${code}`)));
  });
  browser = await chromium.launch({
    executablePath: env.XRAY_CHROMIUM ?? "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"],
  });
});

after(async () => {
  await browser?.close();
  server?.kill("SIGTERM");
  rmSync(temporary, { recursive: true, force: true });
});

async function assertAccessible(page) {
  await page.evaluate(axe);
  const violations = await page.evaluate(async () => {
    const result = await window.axe.run({ runOnly: { type: "tag", values: ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa"] } });
    return result.violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(" | ")}`);
  });
  assert.deepEqual(violations, []);
}

async function signIn(page, word) {
  await page.getByLabel("Name").fill("chief");
  await page.getByLabel("Password").fill(word);
  await page.keyboard.press("Enter");
}

const account = (page) => page.getByRole("button", { name: /chief/ });

test("Who is not signed in is asked to, and comes back to where he was", { timeout: 60_000, skip }, async () => {
  const context = await browser.newContext();
  const page = await context.newPage();
  page.setDefaultTimeout(15_000);
  await page.goto(`${url}/?seen=before`);
  await page.waitForURL(/sign-in\.html/);
  await page.getByRole("button", { name: "Sign in" }).waitFor();
  // One can begin to type at once.
  assert.equal(await page.evaluate(() => document.activeElement?.getAttribute("name")), "name");
  await assertAccessible(page);
  await page.screenshot({ path: join(screenshots, "sign-in.png") });

  await signIn(page, "not the password");
  await page.getByRole("alert").getByText("wrong").waitFor();
  await signIn(page, password);
  await account(page).waitFor();
  assert.match(page.url(), /\?seen=before$/);
  const cookie = (await context.cookies()).find(({ name }) => name === "xray_session");
  assert.deepEqual([cookie.httpOnly, cookie.sameSite], [true, "Strict"]);

  await account(page).click();
  await assertAccessible(page);
  await page.screenshot({ path: join(screenshots, "account.png") });
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.waitForURL(/sign-in\.html/);
  assert.equal((await page.request.get(`${url}/api/v1/findings`)).status(), 401);
  await context.close();
});

test("A password that was changed ends the other browser's session", { timeout: 60_000, skip }, async () => {
  const contexts = await Promise.all([browser.newContext(), browser.newContext()]);
  const pages = await Promise.all(contexts.map((context) => context.newPage()));
  for (const page of pages) {
    page.setDefaultTimeout(15_000);
    await page.goto(url);
    await page.waitForURL(/sign-in\.html/);
    await signIn(page, password);
    await account(page).waitFor();
  }
  const [mine, other] = pages;
  await account(mine).click();
  await mine.getByLabel("The one you have").fill(password);
  await mine.getByLabel("A new one").fill(fresh);
  await mine.getByRole("button", { name: "Change password" }).click();
  await mine.getByRole("alert").getByText(/changed/i).waitFor();
  assert.equal((await mine.request.get(`${url}/api/v1/findings`)).status(), 200);
  assert.equal((await other.request.get(`${url}/api/v1/findings`)).status(), 401);
  await Promise.all(contexts.map((context) => context.close()));
});
