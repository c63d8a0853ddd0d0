// Reports as people open them: files of the real program in a real Chromium.
//   XRAY_BINARY         the program; without it there is nothing to test
//   XRAY_TEST_MODEL     model package to evaluate
//   XRAY_TEST_PICTURES  labelled folder
//   XRAY_SCREENSHOTS    where pictures of the pages go (default: build/screenshots)
//   XRAY_CHROMIUM       the browser (default: /usr/bin/chromium)
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";

const root = fileURLToPath(new URL("../../", import.meta.url));
const require = createRequire(join(root, "web/package.json"));
const { chromium } = require("playwright-core");
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

const { env } = process;
const skip = env.XRAY_BINARY ? false : "no program to write reports";
const screenshots = env.XRAY_SCREENSHOTS ?? join(root, "build/screenshots");
const temporary = mkdtempSync(join(tmpdir(), "xray-report-"));
const films = join(temporary, "films");
const hostile = "<img src=x onerror=console.error('markup')>&amp;.jpeg";
const pages = { exploration: join(temporary, "exploration.html"), evaluation: join(temporary, "evaluation.html"), study: join(temporary, "study/report.html") };
let browser;

function xray(...args) {
  const done = spawnSync(env.XRAY_BINARY, args, { encoding: "utf8" });
  assert.equal(done.status, 0, done.stderr);
}

/** A folder with both sides of a split, a film in both classes, a leaking patient and a hostile name. */
function makeFilms() {
  const pictures = env.XRAY_TEST_PICTURES;
  for (const side of ["train", "test"]) cpSync(pictures, join(films, side), { recursive: true });
  const normal = readdirSync(join(pictures, "NORMAL"))[0];
  const bytes = readFileSync(join(pictures, "NORMAL", normal));
  writeFileSync(join(films, "train/PNEUMONIA", hostile), bytes);
  const rows = readdirSync(films, { recursive: true })
    .filter((name) => /\.jpeg$/.test(name))
    .map((name) => `"${name.replaceAll('"', '""')}",${name.includes("NORMAL") ? 0.2 : 0.7}`);
  writeFileSync(join(temporary, "scores.csv"), ["file,probability", ...rows].join("\n"));
}

before(async () => {
  if (skip) return;
  mkdirSync(screenshots, { recursive: true });
  makeFilms();
  xray("explore", films, "--scores", join(temporary, "scores.csv"), "--out", pages.exploration);
  xray("evaluate", films, "--model", env.XRAY_TEST_MODEL, "--report", pages.evaluation);
  const space = join(temporary, "space.toml");
  writeFileSync(
    space,
    `[parameters.lr]\ntype = "float"\nmin = 1e-4\nmax = 1e-1\nscale = "log"\n[parameters.filters]\ntype = "int"\nmin = 8\nmax = 64\n`,
  );
  xray("tune", "--space", space, "--data", films, "--out", join(temporary, "study"), "--trainer", join(root, "tests/tune/fake_trainer.py"),
    "--trials", "12", "--use-folds", "1", "--objective", "auc", "--objective", "parameters");
  browser = await chromium.launch({
    executablePath: env.XRAY_CHROMIUM ?? "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"],
  });
});

after(async () => {
  await browser?.close();
  rmSync(temporary, { recursive: true, force: true });
});

/** A test with a report open; fails on anything the console complains of and on every request. */
function reportTest(name, kind, options, body) {
  test(name, { timeout: 60_000, skip }, async () => {
    const context = await browser.newContext({ viewport: { width: 1400, height: 900 }, ...options });
    const complaints = [];
    const page = await context.newPage();
    page.setDefaultTimeout(20_000);
    page.on("pageerror", (error) => complaints.push(`error: ${error.message}`));
    page.on("console", (message) => {
      if (["error", "warning"].includes(message.type())) complaints.push(message.text());
    });
    const address = pathToFileURL(pages[kind]).href;
    page.on("request", (request) => {
      if (request.url() !== address && !request.url().startsWith("data:")) complaints.push(`request: ${request.url()}`);
    });
    try {
      await page.goto(address);
      await page.locator("main section").first().waitFor();
      await body(page);
      assert.deepEqual(complaints, []);
    } finally {
      await context.close();
    }
  });
}

const titles = {
  exploration: [
    "Films per patient",
    "Each number alone as a score for pneumonia",
    "File size",
    "Brightness",
    "Contrast",
    "Dark border",
    "Corner brightness",
    "Sharpness",
    "Gray levels by class",
  ],
  evaluation: [
    "ROC curve",
    "ROC curve, the corner that matters",
    "Precision and recall",
    "Sensitivity and specificity at every threshold",
    "Percentages given",
    "Reliability",
    "Sensitivity and specificity by subgroup",
  ],
  study: ["auc by trial", "parameters against auc", "Importance of the parameters", "Parallel coordinates", "AUC by epoch"],
};

/** Every drawing stands under its title, with words for those who do not see it. */
async function assertDrawn(page, kind) {
  const charts = page.locator("figure.chart");
  assert.deepEqual(await charts.locator("h3").allInnerTexts(), titles[kind]);
  for (const chart of await charts.all()) {
    const title = await chart.locator("h3").innerText();
    assert.ok((await chart.locator(".plot svg").count()) > 0, `${title} is drawn`);
    const marks = chart.locator(".plot svg :is(path, rect, circle)");
    const seen = await marks.evaluateAll((all) => all.map((mark) => mark.getBoundingClientRect()).filter(({ width, height }) => width > 4 && height > 4).length);
    assert.ok(seen > 0, `${title} shows something`);
    assert.ok(((await chart.locator(".plot[role=img]").getAttribute("aria-label")) ?? "").length > 20, `${title} has words`);
  }
  assert.ok(!(await page.locator("svg").evaluateAll((all) => all.some((svg) => svg.outerHTML.includes("NaN")))));
}

async function assertAccessible(page) {
  // The page's own policy lets no script in; the browser's tools may.
  await page.evaluate(axe);
  const violations = await page.evaluate(async () => {
    const tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
    const result = await window.axe.run({ runOnly: { type: "tag", values: tags } });
    return result.violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(" | ")}`);
  });
  assert.deepEqual(violations, []);
}

const ground = (page) => page.evaluate(() => getComputedStyle(document.body).backgroundColor);

for (const kind of ["exploration", "evaluation"]) {
  for (const colorScheme of ["light", "dark"]) {
    reportTest(`The ${kind} shows its figures in the ${colorScheme} theme`, kind, { colorScheme }, async (page) => {
      await assertDrawn(page, kind);
      await page.locator("details").evaluateAll((all) => all.forEach((one) => (one.open = true)));
      await assertAccessible(page);
      await page.screenshot({ path: join(screenshots, `report-${kind}-${colorScheme}.png`), fullPage: true });
    });
  }

  reportTest(`The ${kind} changes its theme at the switch and prints light`, kind, { colorScheme: "light" }, async (page) => {
    const light = await ground(page);
    await page.getByRole("radio", { name: "Dark" }).check();
    const dark = await ground(page);
    assert.notEqual(dark, light);
    const ink = await page.evaluate(() => getComputedStyle(document.body).color);
    await page.emulateMedia({ media: "print" });
    assert.equal(await ground(page), "rgb(255, 255, 255)");
    assert.notEqual(await page.evaluate(() => getComputedStyle(document.body).color), ink);
    assert.ok(await page.locator("nav").isHidden());
  });

  reportTest(`The ${kind} fits a phone`, kind, { viewport: { width: 360, height: 740 } }, async (page) => {
    await assertDrawn(page, kind);
    const [content, window] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
    assert.ok(content <= window, `${content} pixels of content in ${window}`);
  });

  reportTest(`Every entry of the ${kind}'s contents leads somewhere`, kind, {}, async (page) => {
    for (const link of await page.locator("nav a").all())
      assert.equal(await page.locator(`section${await link.getAttribute("href")}`).count(), 1);
  });
}

reportTest("Hostile file names are shown as they are", "exploration", {}, async (page) => {
  const names = await page.locator("#duplicates .file-name").allTextContents();
  assert.ok(names.includes(`train/PNEUMONIA/${hostile}`), names.join("\n"));
  assert.equal(await page.locator("img[onerror]").count(), 0);
});

reportTest("The exploration leads with what is grave", "exploration", {}, async (page) => {
  const first = page.locator(".notice").first();
  assert.match(await first.innerText(), /Serious\s+\d+ pictures? (is|are) in both classes/);
  await page.getByText("several sides of the split, by file name").first().waitFor();
  assert.ok((await page.locator("#leaks tbody tr").count()) >= 6);
  assert.ok((await page.locator("#audit .film img").count()) > 0);
  const broken = await page.locator("img").evaluateAll((all) => all.filter((one) => one.naturalWidth === 0).length);
  assert.equal(broken, 0);
});

reportTest("Numbers stand beside the curves", "evaluation", {}, async (page) => {
  const roc = page.locator("figure.chart", { has: page.getByRole("heading", { name: "ROC curve", exact: true }) });
  await roc.getByText("Numbers").click();
  await roc.getByRole("columnheader", { name: "Sensitivity" }).waitFor();
  assert.ok((await roc.locator("tbody tr").count()) > 5);
});

reportTest("Heat maps lie over the mistakes until they are switched off", "evaluation", {}, async (page) => {
  const heat = page.locator("#mistakes .heat").first();
  await heat.waitFor();
  await page.getByLabel("Heat maps").uncheck();
  assert.ok(await heat.isHidden());
});

test("A report is one small file", { skip }, () => {
  assert.ok(statSync(pages.evaluation).size < 1_500_000);
});

reportTest("a study shows its history, its front and every trial", "study", { colorScheme: "light" }, async (page) => {
  await assertDrawn(page, "study");
  await assertAccessible(page);
  assert.equal(await page.locator("#trials tbody tr").count(), 12);
  const best = await page.locator("#overview .tile-value").first().innerText();
  const scores = await page.locator("#trials tbody tr td:nth-child(3)").allInnerTexts();
  assert.equal(best, scores.sort().at(-1));
  assert.doesNotMatch(await page.locator("footer").innerText(), /patients/);
  await page.screenshot({ path: join(screenshots, "report-study.png"), fullPage: true });
});
