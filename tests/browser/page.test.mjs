// The page as people use it, in a real Chromium, against a real server:
//   XRAY_BINARY         the program; without it the mock server stands in
//   XRAY_TEST_MODEL     model package to serve with (default: the program's own)
//   XRAY_TEST_PICTURES  folder of chest-like JPEG and PNG files (default: generated ones)
//   XRAY_SHARED         sample films (default: ../shared beside the repository)
//   XRAY_SCREENSHOTS    where pictures of the page go (default: build/screenshots)
//   XRAY_CHROMIUM       the browser (default: /usr/bin/chromium)
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { startMock } from "./mock_server.mjs";
import { encodePng, heatMap, phantom } from "./pictures.mjs";

const root = fileURLToPath(new URL("../../", import.meta.url));
const require = createRequire(join(root, "web/package.json"));
const { chromium } = require("playwright-core");
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

const { env } = process;
const screenshots = env.XRAY_SCREENSHOTS ?? join(root, "build/screenshots");
const originals = join(env.XRAY_SHARED ?? join(root, "../shared"), "data/originals");
const desktop = { width: 1440, height: 900 };
const phone = { width: 360, height: 740 };
const wall = { width: 3840, height: 2160 };

const temporary = mkdtempSync(join(tmpdir(), "xray-page-"));
const store = join(temporary, "x.sqlite");
const kept = new Map();
let server;
let browser;
let pictures;

/** Serves the store of this run; what was kept before is there again. */
async function startServer() {
  if (!env.XRAY_BINARY) return startMock(kept);
  const model = env.XRAY_TEST_MODEL ? ["--model", env.XRAY_TEST_MODEL] : [];
  const args = ["serve", "--listen", "127.0.0.1:0", "--store", `sqlite:${store}`, ...model];
  const child = spawn(env.XRAY_BINARY, args, { stdio: ["ignore", "pipe", "pipe"] });
  const ended = new Promise((done) => child.on("exit", done));
  let said = "";
  const url = await new Promise((resolve, reject) => {
    const listen = (data) => {
      said += data;
      const found = /http:\/\/127\.0\.0\.1:\d+/.exec(said);
      if (found) resolve(found[0]);
    };
    child.stdout.on("data", listen);
    child.stderr.on("data", listen);
    child.on("error", reject);
    child.on("exit", (code) => reject(new Error(`the server ended with ${code}:\n${said}`)));
  });
  return {
    url,
    stop: async () => {
      child.kill("SIGTERM");
      assert.equal(await ended, 0, said);
    },
  };
}

/** Four pictures or more, evenly out of the folder; what sorts last (PNEUMONIA) comes first. */
function findPictures() {
  const folder = env.XRAY_TEST_PICTURES;
  if (folder) {
    const names = readdirSync(folder, { recursive: true }).filter((name) => /\.(jpe?g|png)$/i.test(name));
    assert.ok(names.length >= 4, `${folder} has ${names.length} pictures, 4 are needed`);
    const every = Math.ceil(names.length / 6);
    return names.sort().reverse().filter((_, index) => index % every === 0).map((name) => join(folder, name));
  }
  return [0.9, 0, 0.5, 0.1].map((opacity, index) => {
    const path = join(temporary, `phantom-${opacity > 0.3 ? "ill" : "well"}-${index}.png`);
    writeFileSync(path, phantom({ opacity, seed: index + 1, width: 640, height: 480 }));
    return path;
  });
}

before(async () => {
  mkdirSync(screenshots, { recursive: true });
  pictures = findPictures();
  [server, browser] = await Promise.all([
    startServer(),
    chromium.launch({
      executablePath: env.XRAY_CHROMIUM ?? "/usr/bin/chromium",
      args: [
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
      ],
    }),
  ]);
});

after(async () => {
  await browser?.close();
  await server?.stop();
  rmSync(temporary, { recursive: true, force: true });
});

/**
 * A test with a fresh browser profile at the page. Fails on anything the console
 * complains of, on requests that leave the server, and on breaches of the
 * content security policy; refusals the test provokes are listed in `refused`.
 */
function pageTest(name, { refused = [], path = "", ...options }, body) {
  test(name, { timeout: 60_000 }, async (t) => {
    const context = await browser.newContext({ viewport: desktop, colorScheme: "dark", locale: "en-GB", ...options });
    const complaints = [];
    const page = await context.newPage();
    page.setDefaultTimeout(20_000);
    // With a listener from the start, no file dialog opens before the tests catch it.
    page.on("filechooser", () => undefined);
    page.on("pageerror", (error) => complaints.push(`error: ${error.message}`));
    page.on("console", (message) => {
      const expected = refused.some((words) => message.text().includes(words));
      if (["error", "warning"].includes(message.type()) && !expected) complaints.push(message.text());
    });
    page.on("request", (request) => {
      const { origin, protocol } = new URL(request.url());
      if (protocol !== "blob:" && origin !== server.url) complaints.push(`foreign request: ${request.url()}`);
    });
    await page.addInitScript(() => {
      addEventListener("securitypolicyviolation", (event) =>
        console.error(`policy: ${event.violatedDirective} ${event.blockedURI}`),
      );
    });
    try {
      await page.goto(`${server.url}/${path}`);
      await body(page, t);
      assert.deepEqual(complaints, []);
    } finally {
      await page.unrouteAll({ behavior: "ignoreErrors" });
      await context.close();
    }
  });
}

const choose = (page, files) => page.setInputFiles("input[type=file]", files);
const verdict = (page) => page.locator("[data-state=read] h1.verdict");
const rows = (page) => page.locator(".row-link");
const reason = (page, words) => page.locator(".reason", { hasText: words }).waitFor();
const spoken = (page) => page.locator("[aria-atomic=false]").innerText();
const shot = (page, name) => page.screenshot({ path: join(screenshots, `${name}.png`) });

/** Uploads through the page and waits until all of them have been read. */
async function read(page, files) {
  await choose(page, files);
  await page.locator(".row[data-state=read]").nth(files.length - 1).waitFor();
  await verdict(page).waitFor();
  await page.locator(".film-loaded").waitFor();
}

/** Waits for the drawn heat map, then tells its opacity once it has come to rest. */
async function heatOpacity(page, wanted) {
  await page.waitForFunction((value) => {
    const map = document.querySelector(".film-heat");
    return map && Math.abs(Number(getComputedStyle(map).opacity) - value) < 0.005;
  }, wanted);
}

/** What a server may say of a film with pneumonia, whatever the model at work says of a drawn one. */
const ill = {
  verdict: "pneumonia",
  percent: { normal: 8, pneumonia: 92 },
  reasons: [],
  severity: { extent: 23.4, right: 30.1, left: 15.2, score: 6.2, grade: "mild", interval: [2.9, 9.5] },
  zones: [10, 40.2, 41, 0.4, 20, 25].map((extent, index) => ({ zone: "ABCDEF"[index], extent, score: extent / 33.4 })),
};

/** Draws a heat map where the server has none, as of a film that it refuses. */
const drawHeat = (page) =>
  page.route(/\/heatmap\?/, async (route) => {
    const response = await route.fetch();
    return route.fulfill(response.ok() ? { response } : { contentType: "image/png", body: heatMap(320, 240) });
  });

/** Has the server say so of every finding, once the page is loaded anew. */
async function claim(page, said) {
  await drawHeat(page);
  await page.route(/\/api\/v1\/findings(\?[^/]*|\/[^/]+)?$/, async (route) => {
    if (route.request().method() !== "GET") return route.continue();
    const response = await route.fetch();
    const answer = await response.json();
    const alter = (finding) => ({ ...finding, ...said });
    const json = answer.findings ? { ...answer, findings: answer.findings.map(alter) } : alter(answer);
    return route.fulfill({ response, json });
  });
  await page.reload();
  await page.locator(".film-loaded").waitFor();
  await rows(page).first().waitFor();
}

const idOf = (page) => new URL(page.url()).hash.split("/").at(-1);
const plain = (words) => words.replaceAll("\u00a0", " ");

async function assertAccessible(page, where) {
  await page.evaluate(axe);
  const violations = await page.evaluate(async () => {
    // Colours in transition have no contrast yet.
    await Promise.all(document.getAnimations().filter((a) => a.effect.getTiming().iterations === 1).map((a) => a.finished));
    const tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
    const result = await window.axe.run({ runOnly: { type: "tag", values: tags } });
    return result.violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(" | ")}`);
  });
  assert.deepEqual(violations, [], where);
}

async function assertFitsAcross(page, where) {
  const [content, window] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
  assert.ok(content <= window, `${where}: ${content} pixels of content in ${window}`);
}

pageTest("First screen asks for X-rays and says what the tool is not", {}, async (page) => {
  const response = await page.reload();
  assert.match(response.headers()["content-security-policy"] ?? "", /default-src 'none'/);
  await page.getByRole("heading", { name: "Drop chest X-rays here" }).waitFor();
  await page.getByRole("button", { name: "Choose files" }).waitFor();
  assert.match(await page.getByRole("contentinfo").innerText(), /Not a medical device/);
  await page.getByText("Nothing has been read yet").waitFor();
  await shot(page, "home-dark");
  await assertAccessible(page, "first screen");
});

pageTest("Dropped films are read in the order dropped", {}, async (page) => {
  const files = pictures.slice(0, 3).map((path) => ({
    name: basename(path),
    bytes: readFileSync(path).toString("base64"),
  }));
  await page.evaluate(async (list) => {
    const transfer = new DataTransfer();
    for (const { name, bytes } of list) {
      const data = Uint8Array.from(atob(bytes), (letter) => letter.charCodeAt(0));
      transfer.items.add(new File([data], name));
    }
    const fire = (type) =>
      document.body.dispatchEvent(new DragEvent(type, { dataTransfer: transfer, bubbles: true, cancelable: true }));
    fire("dragenter");
    if (!document.body.classList.contains("dropping")) throw new Error("the page does not offer to take the files");
    fire("dragover");
    fire("drop");
    if (document.body.classList.contains("dropping")) throw new Error("the page still waits for the drop");
  }, files);
  await page.locator(".row[data-state=read]").nth(2).waitFor();
  const session = page.getByRole("region", { name: "Just added" });
  assert.deepEqual(await session.locator(".file-name").allInnerTexts(), files.map(({ name }) => name));
  await session.getByText("3 of 3 read").waitFor();
});

pageTest("A picture that cannot be judged is refused with its reason and without percentages", {}, async (page) => {
  const flat = encodePng(300, 200, 1, Buffer.alloc(300 * 200, 90));
  await choose(page, [{ name: "flat.png", mimeType: "image/png", buffer: flat }]);
  await verdict(page).waitFor();
  assert.equal(await verdict(page).innerText(), "Not judged");
  await page.locator(".reasons").getByText("one flat gray").waitFor();
  assert.equal(await page.locator(".share").count(), 0);
  assert.doesNotMatch(await page.locator(".finding .answer").innerText(), /\d\s*%/);
  assert.doesNotMatch(await page.locator(".row[data-state=read]").first().innerText(), /%/);
  assert.match(await page.title(), /Not judged.*flat\.png/);
  await shot(page, "rejected");
  await assertAccessible(page, "a rejected picture");
});

pageTest("A film shows the answer, both percentages and the time it took", {}, async (page) => {
  await read(page, pictures.slice(0, 1));
  const id = /#\/findings\/(.+)$/.exec(page.url())?.[1];
  const finding = await (await page.request.get(`${server.url}/api/v1/findings/${id}`)).json();
  const word = finding.verdict === "pneumonia" ? "Pneumonia" : "Normal";
  assert.equal(await verdict(page).innerText(), word);
  const shares = (await page.locator(".share dd").allInnerTexts()).map((share) => share.replaceAll("\u00a0", " "));
  const shown = (share) => (share <= 0.5 ? "<1 %" : share >= 99.5 ? ">99 %" : `${Math.round(share)} %`);
  assert.deepEqual(shares, [shown(finding.percent.pneumonia), shown(finding.percent.normal)]);
  const hinted = await page.locator(".subtype").count();
  assert.equal(hinted, finding.verdict === "pneumonia" && finding.subtype ? 1 : 0);
  assert.match(await page.locator(".facts").innerText(), /ms on the server, .* round trip/s);
  assert.match(await page.locator(".facts").innerText(), new RegExp(finding.model));
  assert.match(await page.title(), new RegExp(`${word}.*${basename(pictures[0])}`));
  const heard = await spoken(page);
  assert.match(heard.replaceAll("\u00a0", " "), new RegExp(`${basename(pictures[0])}: ${word}, .*\\d+ %`));
  const [width, height] = await page
    .locator(".film-picture")
    .evaluate((image) => [image.naturalWidth, image.naturalHeight]);
  assert.ok(width > 0 && height > 0);
  await page.waitForFunction(() => document.querySelector(".film-heat").naturalWidth > 0);
  await shot(page, "result-dark");
  await assertAccessible(page, "a finding in the dark theme");
});

pageTest("The file dialog takes many at once", {}, async (page) => {
  const dialog = page.waitForEvent("filechooser");
  await page.getByRole("button", { name: "Choose files" }).click();
  const chooser = await dialog;
  assert.ok(chooser.isMultiple());
  await chooser.setFiles(pictures);
  await page.getByText(`${pictures.length} of ${pictures.length} read`).waitFor();
});

pageTest("A pasted picture is read", {}, async (page) => {
  await page.evaluate((bytes) => {
    const transfer = new DataTransfer();
    const data = Uint8Array.from(atob(bytes), (letter) => letter.charCodeAt(0));
    transfer.items.add(new File([data], "image.png", { type: "image/png" }));
    dispatchEvent(new ClipboardEvent("paste", { clipboardData: transfer, cancelable: true }));
  }, readFileSync(pictures[0]).toString("base64"));
  await verdict(page).waitFor();
  assert.match(await page.locator(".answer-file").innerText(), /^Pasted \d\d:\d\d:\d\d\.png$/);
});

pageTest("The heat map fades with its slider and hides with a key", {}, async (page) => {
  await read(page, pictures.slice(1, 2));
  await heatOpacity(page, 0.45);
  const slider = page.getByRole("slider", { name: "Strength of the heat map" });
  await slider.focus();
  await page.keyboard.press("ArrowRight");
  await heatOpacity(page, 0.46);
  await page.keyboard.press("End");
  await heatOpacity(page, 1);
  await page.keyboard.press("h");
  await heatOpacity(page, 0);
  assert.equal(await page.getByRole("button", { name: "Heat map" }).getAttribute("aria-pressed"), "false");
  await page.keyboard.press("h");
  await heatOpacity(page, 1);
  await page.keyboard.press("Home");
  await heatOpacity(page, 0);
});

pageTest("The film zooms by wheel, keys and double click", {}, async (page) => {
  await read(page, pictures.slice(0, 1));
  const film = page.locator(".film");
  const scale = () => page.locator(".film-frame").evaluate((frame) => new DOMMatrix(getComputedStyle(frame).transform).a);
  await film.hover();
  await page.mouse.wheel(0, -400);
  await page.locator(".film-enlarged").waitFor();
  assert.ok((await scale()) > 1.5);
  await film.press("0");
  assert.equal(await scale(), 1);
  await film.dblclick();
  assert.ok((await scale()) > 2);
  await page.getByRole("button", { name: "Fit" }).click();
  assert.equal(await scale(), 1);
  await film.press("+");
  const moved = () => page.locator(".film-frame").evaluate((frame) => new DOMMatrix(getComputedStyle(frame).transform).f);
  await film.press("ArrowDown");
  assert.ok((await moved()) < 0);
});

pageTest("Files that cannot be read say why, in plain words", { refused: ["400"] }, async (page) => {
  const jpeg = await page.evaluate(async () => {
    const canvas = Object.assign(document.createElement("canvas"), { width: 320, height: 240 });
    const context = canvas.getContext("2d");
    for (let i = 0; i < 60; ++i) {
      context.fillStyle = `rgb(${i * 4} ${i * 4} ${i * 4})`;
      context.fillRect(i * 5, (i * 37) % 200, 90, 60);
    }
    const blob = await new Promise((done) => canvas.toBlob(done, "image/jpeg", 0.9));
    return [...new Uint8Array(await blob.arrayBuffer())];
  });
  const cut = Buffer.from(jpeg.slice(0, jpeg.length / 2));
  await choose(page, [
    { name: "notes.txt", mimeType: "text/plain", buffer: Buffer.from("not a film at all") },
    { name: "cut.jpeg", mimeType: "image/jpeg", buffer: cut },
  ]);
  await page.locator(".row[data-state=failed]").nth(1).waitFor();
  await reason(page, "This file is not a picture");
  assert.equal(await page.locator(".answer-file").innerText(), "notes.txt");
  await shot(page, "error-dark");
  await assertAccessible(page, "an error");
  await rows(page).nth(1).click();
  await reason(page, "This picture is incomplete or damaged");
  assert.match(await spoken(page), /cut\.jpeg: could not be read/);
  await page.getByText("0 of 2 read, 2 not readable").waitFor();
  await page.getByRole("button", { name: "Remove from the list", exact: true }).first().click();
  await page.getByText("notes.txt").first().waitFor();
  assert.equal(await page.locator(".row[data-state=failed]").count(), 1);
});

pageTest("A file name is text, whatever it says", {}, async (page) => {
  const name = "<img src=x onerror=alert(1)>.png";
  await choose(page, [{ name, mimeType: "image/png", buffer: readFileSync(pictures[0]) }]);
  await verdict(page).waitFor();
  assert.equal(await page.locator("img[src=x]").count(), 0);
  await page.reload();
  await page.locator(".row-link .file-name", { hasText: name }).waitFor();
});

pageTest("A busy server is asked again", { refused: ["503"] }, async (page) => {
  let refusals = 0;
  await page.route("**/api/v1/findings", async (route) => {
    if (route.request().method() !== "POST" || ++refusals > 2) return route.continue();
    return route.fulfill({
      status: 503,
      headers: { "retry-after": "0" },
      contentType: "application/problem+json",
      body: JSON.stringify({ title: "Busy", status: 503, detail: "the queue is full", code: "busy" }),
    });
  });
  await read(page, pictures.slice(0, 1));
  assert.equal(refusals, 3);
});

pageTest("A lost connection can be tried again", { refused: ["ERR_FAILED"] }, async (page) => {
  let lost = true;
  await page.route("**/api/v1/findings", (route) =>
    lost && route.request().method() === "POST" ? route.abort() : route.continue(),
  );
  await choose(page, pictures.slice(0, 1));
  await reason(page, "The server could not be reached");
  lost = false;
  await page.getByRole("button", { name: "Try again" }).click();
  await verdict(page).waitFor();
});

pageTest("Findings survive a restart of the server, and a link leads to each", {}, async (page) => {
  await read(page, pictures.slice(0, 2));
  const link = new URL(page.url()).hash;
  const shown = await verdict(page).innerText();
  // Leave the page first: what it still loads would meet a closed door.
  await page.goto("about:blank");
  await server.stop();
  server = await startServer();
  await page.goto(`${server.url}/${link}`);
  await verdict(page).waitFor();
  assert.equal(await verdict(page).innerText(), shown);
  assert.equal(await page.locator(".answer-file").innerText(), basename(pictures[0]));
  const earlier = page.getByRole("region", { name: "Earlier" });
  // The newest first: the second of the two dropped may have been read before the first.
  const newest = (await earlier.locator(".file-name").allInnerTexts()).slice(0, 2);
  assert.deepEqual(newest.sort(), pictures.slice(0, 2).map((path) => basename(path)).sort());
  await page.waitForFunction(() =>
    [...document.querySelectorAll(".thumbnail img")].slice(0, 3).every((image) => image.naturalWidth > 0),
  );
  await shot(page, "history-dark");
});

pageTest("More findings are loaded page by page", {}, async (page) => {
  await page.route("**/api/v1/findings?*", (route) =>
    route.continue({ url: route.request().url().replace(/limit=\d+/, "limit=2") }),
  );
  await page.reload();
  await rows(page).nth(1).waitFor();
  assert.equal(await rows(page).count(), 2);
  await page.getByRole("button", { name: "Show more" }).click();
  await rows(page).nth(3).waitFor();
  const links = await rows(page).evaluateAll((all) => all.map((link) => link.getAttribute("href")));
  assert.equal(new Set(links).size, links.length);
});

pageTest("The findings of one verdict are listed alone", {}, async (page) => {
  await read(page, pictures.slice(0, 1));
  await page.reload();
  const select = page.getByRole("combobox", { name: "Show findings of" });
  const none = page.getByText("No earlier finding has this verdict.");
  for (const verdict of ["normal", "pneumonia", "uncertain", "rejected", ""]) {
    const answer = await fetch(`${server.url}/api/v1/findings${verdict && `?verdict=${verdict}`}`);
    const { findings } = await answer.json();
    await select.selectOption(verdict);
    await (findings.length === 0 ? none : rows(page).nth(findings.length - 1)).waitFor();
    const links = await rows(page).evaluateAll((all) => all.map((link) => link.getAttribute("href")));
    assert.deepEqual(links, findings.map(({ id }) => `#/findings/${id}`));
  }
});

pageTest("A finding is deleted after confirmation alone", {}, async (page) => {
  await read(page, pictures.slice(0, 2));
  const address = `${server.url}/api/v1/findings/${new URL(page.url()).hash.split("/").at(-1)}`;
  const count = await rows(page).count();
  const ask = () => page.locator(".answer-actions").getByRole("button", { name: "Delete" }).click();
  await ask();
  const dialog = page.getByRole("dialog", { name: "Delete this finding?" });
  await dialog.getByText(basename(pictures[0])).waitFor();
  assert.equal(await page.evaluate(() => document.activeElement.textContent), "Keep it");
  await assertAccessible(page, "the question before deleting");
  await dialog.getByRole("button", { name: "Keep it" }).click();
  await dialog.waitFor({ state: "detached" });
  assert.equal((await page.request.get(address)).status(), 200);
  await ask();
  await dialog.getByRole("button", { name: "Delete" }).click();
  await dialog.waitFor({ state: "detached" });
  assert.equal(await rows(page).count(), count - 1);
  assert.equal((await page.request.get(address)).status(), 404);
  await page.locator(".answer-file", { hasText: basename(pictures[1]) }).waitFor();
  assert.ok(await page.evaluate(() => document.activeElement.classList.contains("row-link")));
});

pageTest("Severity is told in words, as a score and zone by zone", {}, async (page) => {
  await read(page, pictures.slice(0, 1));
  await claim(page, ill);
  const words = plain(await page.locator(".severity").innerText());
  assert.match(words, /Mild: about 23 % of the lungs opaque \(right 30 %, left 15 %\)/);
  assert.match(words, /6\.2 of 18 \(2\.9 to 9\.5\)/);
  await page.getByText("adults with COVID-19").waitFor();
  const zones = page.getByRole("table", { name: /each zone/ });
  assert.deepEqual(await zones.getByRole("columnheader").allInnerTexts(), ["Right lung", "Left lung"]);
  assert.deepEqual(await zones.getByRole("rowheader").allInnerTexts(), ["Upper", "Middle", "Lower"]);
  // The patient's right lung lies on the left of the picture.
  const extents = (await zones.locator("tbody td .zone-extent").allInnerTexts()).map(plain);
  assert.deepEqual(extents, ["10 %", "0 %", "40 %", "20 %", "41 %", "25 %"]);
  await page.waitForFunction(() => document.querySelector(".film-heat").naturalWidth > 0);
  const [film, table] = await Promise.all([page.locator(".film").boundingBox(), zones.boundingBox()]);
  assert.ok(table.x >= film.x + film.width, "the zones stand beside the film");
  await shot(page, "severity-dark");
  await assertAccessible(page, "severity in the dark theme");
  await page.getByRole("radio", { name: "Light" }).check();
  await shot(page, "severity-light");
  await assertAccessible(page, "severity in the light theme");
  await page.setViewportSize(phone);
  await assertFitsAcross(page, "severity on a phone");
  const [above, below] = await Promise.all([page.locator(".film").boundingBox(), zones.boundingBox()]);
  assert.ok(below.y >= above.y + above.height, "on a phone the zones lie under the film");
  await shot(page, "severity-phone");
});

pageTest("Severity is not shown where the film is normal, nor where the model does not tell it", {}, async (page) => {
  await read(page, pictures.slice(0, 1));
  for (const said of [
    { ...ill, verdict: "normal" },
    { ...ill, severity: undefined, zones: undefined },
  ]) {
    await claim(page, said);
    assert.equal(await page.locator(".share").count(), 2);
    assert.equal(await page.locator(".severity").count(), 0);
    assert.ok(!(await page.locator(".finding").getByRole("table").isVisible()));
    // The heat map may still be on its way through its handler.
    await page.unrouteAll({ behavior: "ignoreErrors" });
  }
});

pageTest("A film that looks normal but is opaque says so", {}, async (page) => {
  await read(page, pictures.slice(0, 1));
  await claim(page, { ...ill, verdict: "uncertain", reasons: [{ code: "opacity", text: "Opaque" }] });
  assert.equal(await verdict(page).innerText(), "Uncertain");
  await page.locator(".reasons").getByText("areas of the lungs are opaque").waitFor();
  await page.locator(".severity").waitFor();
});

pageTest("Contours are drawn on request, by button and key", {}, async (page) => {
  await read(page, pictures.slice(0, 1));
  await claim(page, ill);
  const contours = page.locator(".film-contours");
  const button = page.getByRole("button", { name: "Contours" });
  assert.equal(await button.getAttribute("aria-pressed"), "false");
  assert.ok(!(await contours.isVisible()));
  await page.keyboard.press("c");
  await contours.waitFor();
  await page.waitForFunction(() => document.querySelector(".film-contours").naturalWidth > 0);
  assert.match(await contours.getAttribute("src"), /layer=contour/);
  assert.match(await spoken(page), /Contours shown/);
  await page.waitForFunction(() => document.querySelector(".film-heat").naturalWidth > 0);
  await shot(page, "contours-dark");
  await button.click();
  await contours.waitFor({ state: "hidden" });
  await page.getByRole("button", { name: "About" }).click();
  await page.getByLabel("Single-key shortcuts").uncheck();
  await page.keyboard.press("Escape");
  await page.keyboard.press("c");
  assert.equal(await button.getAttribute("aria-pressed"), "false");
});

for (const [shape, width, height] of [["landscape", 640, 480], ["portrait", 420, 640]]) {
  pageTest(`A finding of a ${shape} film is printed on one page, dark on white`, {}, async (page) => {
    const film = phantom({ opacity: 0.9, width, height });
    await read(page, [{ name: `ill-${shape}.png`, mimeType: "image/png", buffer: film }]);
    const reasons = ["near_threshold", "opacity", "inverted"].map((code) => ({ code, text: code }));
    await claim(page, { ...ill, verdict: "uncertain", reasons });
    await page.waitForFunction(() => document.querySelector(".film-heat").naturalWidth > 0);
    await page.evaluate(() => (window.print = () => (window.printed = true)));
    await page.getByRole("button", { name: "Print" }).click();
    assert.ok(await page.evaluate(() => window.printed));
    // However the film is shown on the screen, all of it is printed, with its heat map.
    await page.locator(".film").press("+");
    await page.keyboard.press("h");
    const pdf = await page.pdf({ preferCSSPageSize: true });
    // A page of a PDF is an object of its own, which Chromium writes in plain text.
    assert.equal(pdf.toString("latin1").match(/\/Type\s*\/Page\b/g)?.length, 1);
    await page.emulateMedia({ media: "print" });
    for (const part of [".film-picture", ".film-heat", ".shares", ".reasons", ".severity", ".zones", ".facts"]) {
      assert.ok(await page.locator(part).isVisible(), `${part} is printed`);
    }
    const finding = await (await page.request.get(`${server.url}/api/v1/findings/${idOf(page)}`)).json();
    const text = await page.locator("body").innerText();
    for (const word of [`ill-${shape}.png`, "Uncertain", finding.model, "Read on", "Not a medical device"]) {
      assert.ok(text.includes(word), `${word} is printed`);
    }
    assert.equal(await page.locator("button:visible, .head:visible, .list:visible").count(), 0);
    await heatOpacity(page, 0.45);
    assert.equal(await page.evaluate(() => getComputedStyle(document.body).backgroundColor), "rgb(255, 255, 255)");
    await shot(page, `print-${shape}`);
  });
}

/** A comparison as a server may answer it. */
function compared(before, after, change, { by, beyond = true }) {
  const film = (id) => ({ id, file: `${id.slice(0, 8)}.png`, created_at: "2026-11-20T08:00:00Z" });
  const moved = (from, difference, margin, beyond_noise) => ({
    before: from,
    after: from + difference,
    change: difference,
    margin,
    beyond_noise,
  });
  return {
    before: film(before),
    after: film(after),
    change,
    extent: moved(23.4, by, 6, beyond),
    score: moved(6.2, by / 4, 2.5, beyond),
    zones: [..."ABCDEF"].map((zone) => ({ zone, ...moved(1.4, by / 20, 0.5, beyond && zone === "C") })),
  };
}

pageTest("Two films are compared, and a link leads to the comparison", {}, async (page) => {
  // A model that tells no severity refuses; the page is then shown what another would say.
  await page.route("**/api/v1/comparisons", async (route) => {
    const { before, after } = route.request().postDataJSON();
    const response = await route.fetch();
    if (response.ok()) return route.fulfill({ response });
    return route.fulfill({ json: compared(before, after, "better", { by: -12.4 }) });
  });
  await read(page, pictures.slice(0, 1));
  const before = idOf(page);
  await read(page, pictures.slice(1, 2));
  await page.waitForFunction((id) => !location.hash.endsWith(id), before);
  await verdict(page).waitFor();
  const after = idOf(page);
  await claim(page, ill);
  await page.getByRole("button", { name: "Compare with" }).click();
  const dialog = page.getByRole("dialog", { name: "Compare with which film?" });
  await dialog.locator(".row-link").first().waitFor();
  assert.equal(await dialog.locator(`.row-link[href$="${after}"][href*="${after}/"]`).count(), 0, "not with itself");
  await assertAccessible(page, "the choice of a film");
  await dialog.locator(`.row-link[href="#/compare/${before}/${after}"]`).press("Enter");
  await dialog.waitFor({ state: "detached" });
  const heading = page.getByRole("article", { name: "Comparison" }).getByRole("heading");
  await heading.waitFor();
  const told = await heading.innerText();
  assert.match(told, /^(Better|Worse|No change beyond noise)$/);
  assert.ok(await heading.evaluate((element) => document.activeElement === element));
  await page.locator(".pair .film-loaded").nth(1).waitFor();
  await page.waitForFunction(() =>
    [...document.querySelectorAll(".film-heat")].filter((image) => image.naturalWidth > 0).length === 2,
  );
  const links = await page.locator("figcaption a").evaluateAll((all) => all.map((link) => link.getAttribute("href")));
  assert.deepEqual(links, [`#/findings/${before}`, `#/findings/${after}`]);
  assert.equal(await page.getByRole("table").getByRole("row").count(), 9);
  await page.keyboard.press("h");
  assert.equal(await page.getByRole("button", { name: "Heat map" }).getAttribute("aria-pressed"), "false");
  await page.keyboard.press("h");
  await page.locator(".film").first().press("+");
  await page.locator(".film-enlarged").nth(1).waitFor();
  await page.getByRole("button", { name: "Fit" }).click();
  await shot(page, "comparison-dark");
  await assertAccessible(page, "a comparison");
  await page.reload();
  await heading.waitFor();
  assert.equal(await heading.innerText(), told);
  await page.getByRole("link", { name: "Exchange" }).click();
  await page.waitForFunction((route) => location.hash === route, `#/compare/${after}/${before}`);
  await page.locator(".pair .film-loaded").nth(1).waitFor();
  await page.setViewportSize(phone);
  await assertFitsAcross(page, "a comparison on a phone");
  await shot(page, "comparison-phone");
});

pageTest("A comparison tells change from noise, in words", {}, async (page) => {
  await read(page, pictures.slice(0, 1));
  const id = idOf(page);
  let answer;
  await drawHeat(page);
  await page.route("**/api/v1/comparisons", (route) => route.fulfill({ json: answer }));
  const say = async (change, how) => {
    answer = compared(id, id, change, how);
    await page.goto("about:blank");
    await page.goto(`${server.url}/#/compare/${id}/${id}`);
    await page.locator(".pair .film-loaded").nth(1).waitFor();
    return plain(await page.locator(".comparison-head").innerText());
  };
  assert.match(await say("better", { by: -12.4 }), /Better[^]*12 % less of the lungs is opaque \(23 % before, 11 % after\), beyond/);
  const zones = page.locator(".changes .beyond");
  assert.equal(await zones.count(), 3);
  assert.match(plain(await zones.nth(2).innerText()), /Right lower\s+1\.4\s+0\.8\s+\u22120\.6\s+beyond \u00b10\.5/);
  assert.match(await say("worse", { by: 12 }), /Worse[^]*12 % more of the lungs is opaque/);
  assert.match(await say("unchanged", { by: -2, beyond: false }), /No change beyond noise[^]*may differ by 6 %/);
  assert.equal(await zones.count(), 0);
});

pageTest("Films that cannot be compared say why", { refused: ["404", "422"] }, async (page) => {
  const flat = encodePng(300, 200, 1, Buffer.alloc(300 * 200, 90));
  await choose(page, [{ name: "flat.png", mimeType: "image/png", buffer: flat }]);
  await verdict(page).waitFor();
  const unjudged = idOf(page);
  assert.equal(await page.getByRole("button", { name: "Compare with" }).count(), 0);
  await page.goto(`${server.url}/#/compare/${unjudged}/${unjudged}`);
  await reason(page, "These two films cannot be compared");
  await page.goto(`${server.url}/#/compare/${unjudged}/01890000-0000-7000-8000-000000000000`);
  await reason(page, "One of the two findings does not exist");
});

pageTest("A link to a finding that is gone says so", { refused: ["404"], path: "#/findings/01890000-0000-7000-8000-000000000000" }, async (page) => {
  await reason(page, "This finding does not exist");
});

pageTest("Everything can be done by keyboard", {}, async (page) => {
  const { keyboard } = page;
  /** Tabs to the control with this name; fails where Tab never gets there. */
  const tabTo = async (name) => {
    for (let step = 0; step < 80; ++step) {
      await keyboard.press("Tab");
      const label = await page.evaluate(() => {
        const element = document.activeElement;
        return element.getAttribute("aria-label") ?? element.textContent;
      });
      if (name.test(label.trim())) {
        const outlined = await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle !== "none");
        assert.ok(outlined, `${name} shows that it is focused`);
        return;
      }
    }
    assert.fail(`Tab does not reach ${name}`);
  };
  await tabTo(/^Choose files$/);
  const dialog = page.waitForEvent("filechooser");
  await keyboard.press("Enter");
  await (await dialog).setFiles(pictures.slice(0, 2));
  await page.getByText("2 of 2 read").waitFor();
  const first = page.url();
  await keyboard.press("j");
  await page.waitForFunction((url) => location.href !== url, first);
  await keyboard.press("k");
  await page.waitForFunction((url) => location.href === url, first);
  await tabTo(/^Film/);
  await keyboard.press("+");
  await page.locator(".film-enlarged").waitFor();
  await tabTo(/^Heat map$/);
  await keyboard.press("Space");
  await heatOpacity(page, 0);
  await tabTo(/^Strength of the heat map$/);
  await keyboard.press("ArrowRight");
  await heatOpacity(page, 0.01);
  await tabTo(/^Delete the finding of/);
  const before = await rows(page).count();
  await keyboard.press("Enter");
  await page.getByRole("dialog").waitFor();
  await tabTo(/^Delete$/);
  await keyboard.press("Enter");
  await page.getByRole("dialog").waitFor({ state: "detached" });
  assert.equal(await rows(page).count(), before - 1);
  await tabTo(/^About$/);
  await keyboard.press("Enter");
  const about = page.getByRole("dialog", { name: "What this is, and what it is not" });
  await about.waitFor();
  await keyboard.press("Escape");
  await about.waitFor({ state: "detached" });
});

pageTest("About tells of the model, and turns single-key shortcuts off for good", {}, async (page) => {
  await page.getByRole("button", { name: "About" }).click();
  const setting = page.getByLabel("Single-key shortcuts");
  const model = await (await page.request.get(`${server.url}/api/v1/model`)).json();
  await page.getByRole("dialog").getByText(`${model.name} ${model.version}`, { exact: true }).waitFor();
  await page.getByRole("dialog").getByText(model.intended_use, { exact: true }).first().waitFor();
  await assertAccessible(page, "the About dialog");
  await shot(page, "about-dark");
  await setting.uncheck();
  await page.keyboard.press("Escape");
  await page.reload();
  await read(page, pictures.slice(0, 1));
  await page.keyboard.press("h");
  await heatOpacity(page, 0.45);
});

pageTest("The theme follows the system until one is chosen, which is remembered", { colorScheme: "light" }, async (page) => {
  const lightness = () =>
    page.evaluate(() => {
      const [red, green, blue] = getComputedStyle(document.body).backgroundColor.match(/\d+/g).map(Number);
      return (red + green + blue) / 3;
    });
  assert.ok((await lightness()) > 200);
  await shot(page, "home-light");
  await page.emulateMedia({ colorScheme: "dark" });
  assert.ok((await lightness()) < 50);
  await page.getByRole("radio", { name: "Light" }).check();
  assert.ok((await lightness()) > 200);
  await page.reload();
  assert.ok((await lightness()) > 200);
  await read(page, pictures.slice(-1));
  await page.waitForFunction(() => document.querySelector(".film-heat").naturalWidth > 0);
  await shot(page, "result-light");
  await assertAccessible(page, "a finding in the light theme");
  assert.equal(await page.locator(".film").evaluate((film) => getComputedStyle(film).backgroundColor), "rgb(0, 0, 0)");
});

pageTest("Everything fits a phone", { viewport: phone, deviceScaleFactor: 2, hasTouch: true, isMobile: true, refused: ["400"] }, async (page) => {
  await assertFitsAcross(page, "first screen");
  await shot(page, "home-phone");
  await read(page, pictures.slice(0, 1));
  await assertFitsAcross(page, "a finding");
  await page.waitForFunction(() => document.querySelector(".film-heat").naturalWidth > 0);
  await shot(page, "result-phone");
  await assertAccessible(page, "a finding on a phone");
  await page.getByText("Not a medical device").first().waitFor();
  await page.getByRole("button", { name: "About" }).tap();
  await page.locator(".card-name").waitFor();
  await assertFitsAcross(page, "the About dialog");
  await page.keyboard.press("Escape");
  const name = `${"a-very-long-name-".repeat(12)}.txt`;
  await choose(page, [{ name, mimeType: "text/plain", buffer: Buffer.from("no film") }]);
  await reason(page, "This file is not a picture");
  await assertFitsAcross(page, "an error");
});

pageTest("A wall display shows the film larger", { viewport: desktop }, async (page) => {
  await read(page, pictures.slice(0, 1));
  const width = async () => (await page.locator(".film-frame").boundingBox()).width;
  const before = await width();
  await page.setViewportSize(wall);
  assert.ok((await width()) > 2 * before);
  await assertFitsAcross(page, "a finding");
  await shot(page, "result-wall");
});

pageTest("Original films are read", {}, async (page, t) => {
  if (!existsSync(originals)) return t.skip(`no sample films at ${originals}`);
  const films = ["PNEUMONIA", "NORMAL"].flatMap((kind) =>
    readdirSync(join(originals, kind)).sort().slice(0, 3).map((name) => join(originals, kind, name)),
  );
  await read(page, films);
  const session = page.getByRole("region", { name: "Just added" });
  assert.deepEqual(await session.locator(".file-name").allInnerTexts(), films.map((path) => basename(path)));
  await page.waitForFunction(() =>
    [...document.querySelectorAll(".film-heat, .thumbnail img")].slice(0, 7).every((image) => image.naturalWidth > 0),
  );
  await shot(page, "original-dark");
  await page.getByRole("radio", { name: "Light" }).check();
  await rows(page).nth(4).click();
  await page.waitForFunction(() => document.querySelector(".film-loaded .film-heat")?.naturalWidth > 0);
  await shot(page, "original-light");
});
