// Signing in by an identity provider: a real one (tests/oidc), the real program (XRAY_BINARY), a real Chromium.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { createServer } from "node:net";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../", import.meta.url));
const { chromium } = createRequire(join(root, "web/package.json"))("playwright-core");
const { env } = process;
const installed = existsSync(join(root, "tests/oidc/node_modules/oidc-provider"));
const skip = !env.XRAY_BINARY ? "no program to sign in to" : installed ? false : "no provider (scripts/setup test)";
const children = [];
let url;
let provider;
let browser;

const freePort = () =>
  new Promise((resolve) => {
    const probe = createServer().listen(0, "127.0.0.1", () => {
      const { port } = probe.address();
      probe.close(() => resolve(port));
    });
  });

/** A program, once it has said what it says when it is ready. */
function start(program, args, ready, more = {}) {
  const child = spawn(program, args, { stdio: ["ignore", "pipe", "ignore"], env: { ...env, ...more } });
  children.push(child);
  return new Promise((resolve, reject) => {
    let said = "";
    child.stdout.on("data", (data) => {
      said += data;
      if (ready.test(said)) resolve(said);
    });
    child.on("exit", (code) => reject(new Error(`${program} ended with ${code}`)));
  });
}

before(async () => {
  if (skip) return;
  const [port, issuer] = [await freePort(), await freePort()];
  url = `http://127.0.0.1:${port}`;
  provider = `http://127.0.0.1:${issuer}`;
  await start(process.execPath, [join(root, "tests/oidc/provider.mjs"), String(issuer), `${url}/api/v1/oidc/callback`], /ready/);
  const model = env.XRAY_TEST_MODEL ? ["--model", env.XRAY_TEST_MODEL] : [];
  await start(
    env.XRAY_BINARY,
    ["serve", "--listen", `127.0.0.1:${port}`, "--store", "sqlite::memory:", "--oidc-issuer", provider,
      "--oidc-client-id", "xray", "--oidc-role-claim", "groups", "--oidc-roles", "it=admin", ...model],
    /http:/,
    { XRAY_OIDC_CLIENT_SECRET: "the secret of the test" },
  );
  browser = await chromium.launch({
    executablePath: env.XRAY_CHROMIUM ?? "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"],
  });
});

after(async () => {
  await browser?.close();
  for (const child of children) child.kill("SIGTERM");
});

/** To the provider and through its forms, as `name`. */
async function signIn(page, name) {
  await page.goto(`${url}/?seen=before`);
  await page.waitForURL(/sign-in\.html/);
  await page.locator(".button-provider").click();
  await page.locator("input[name=login]").fill(name);
  await page.locator("input[name=password]").fill("anything");
  await page.getByRole("button", { name: /sign-in/i }).click();
  await page.getByRole("button", { name: /continue/i }).click();
}

test("A provider signs in, and says what one may do", { timeout: 60_000, skip }, async () => {
  const context = await browser.newContext();
  const page = await context.newPage();
  page.setDefaultTimeout(15_000);
  await signIn(page, "chief");
  await page.getByRole("button", { name: /chief/ }).waitFor();
  assert.match(page.url(), /\?seen=before$/);
  const session = await (await page.request.get(`${url}/api/v1/session`)).json();
  assert.deepEqual([session.user.name, session.user.role], ["chief", "admin"]);
  assert.equal((await page.request.get(`${url}/api/v1/users`)).status(), 200);
  await context.close();
});

test("Whom the provider gives no role stays outside", { timeout: 60_000, skip }, async () => {
  const context = await browser.newContext();
  const page = await context.newPage();
  page.setDefaultTimeout(15_000);
  await signIn(page, "visitor");
  await page.waitForURL(/sign-in\.html\?.*problem=/);
  await page.getByRole("alert").waitFor();
  assert.equal((await page.request.get(`${url}/api/v1/findings`)).status(), 401);
  await context.close();
});

test("Signing in again ends the session before", { timeout: 60_000, skip }, async () => {
  const context = await browser.newContext();
  const page = await context.newPage();
  page.setDefaultTimeout(15_000);
  await signIn(page, "chief");
  await page.getByRole("button", { name: /chief/ }).waitFor();
  const session = async () => (await context.cookies(url)).find(({ name }) => name === "xray_session").value;
  const ask = async (value) => (await fetch(`${url}/api/v1/findings`, { headers: { cookie: `xray_session=${value}` } })).status;
  const before = await session();
  assert.equal(await ask(before), 200);
  await page.goto(`${url}/api/v1/oidc/start`);
  await page.getByRole("button", { name: /chief/ }).waitFor();
  assert.equal(await ask(before), 401);
  assert.equal(await ask(await session()), 200);
  await context.close();
});

test("A link elsewhere signs nobody in unasked", { timeout: 60_000, skip }, async () => {
  const context = await browser.newContext();
  const page = await context.newPage();
  page.setDefaultTimeout(15_000);
  await page.goto(`${provider}/.well-known/openid-configuration`);
  await page.evaluate((to) => location.assign(to), `${url}/api/v1/oidc/start`);
  await page.waitForURL(`${url}/sign-in.html`);
  await page.locator(".button-provider").waitFor();
  await context.close();
});

test("An answer that nobody asked for signs nobody in", { timeout: 60_000, skip }, async () => {
  const answer = await fetch(`${url}/api/v1/oidc/callback?code=x&state=${"a".repeat(43)}`, { redirect: "manual" });
  assert.equal(answer.headers.get("set-cookie")?.includes("xray_session=") ?? false, false);
  assert.match(answer.headers.get("location") ?? "", /problem=/);
});
