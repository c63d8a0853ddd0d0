// The page's logic that needs no browser.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { test } from "node:test";

const { runnerImport } = createRequire(new URL("../../web/package.json", import.meta.url))("vite");
const source = async (name) =>
  (await runnerImport(fileURLToPath(new URL(`../../web/src/${name}`, import.meta.url)))).module;
const { Queue, persist } = await source("queue.ts");
const { text } = await source("text.ts");
const { duration, moment, humanKey } = await source("format.ts");

const plain = (words) => words.replaceAll("\u00a0", " ");

test("Percent never claims certainty", () => {
  assert.equal(plain(text.percent(100)), ">99 %");
  assert.equal(plain(text.percent(99.5)), ">99 %");
  assert.equal(plain(text.percent(0)), "<1 %");
  assert.equal(plain(text.percent(99.4)), "99 %");
});

test("Percentages of both categories sum to 100", () => {
  for (let hundredths = 51; hundredths < 9950; ++hundredths) {
    const share = hundredths / 100;
    const sum = [share, 100 - share].map((value) => parseInt(text.percent(value))).reduce((a, b) => a + b);
    assert.equal(sum, 100, `${share}`);
  }
});

test("A difference that shows as nothing has no sign", () => {
  assert.equal(text.signed(-0.2, text.points), "\u22120.2");
  assert.equal(text.signed(0.2, text.points), "+0.2");
  assert.equal(text.signed(-0.04, text.points), "0.0");
  assert.equal(plain(text.signed(-0.4, text.share)), "0 %");
});

test("Durations are read in milliseconds or seconds", () => {
  assert.equal(plain(duration(38.4)), "38 ms");
  assert.equal(plain(duration(0.2)), "1 ms");
  assert.equal(plain(duration(1234)), "1.2 s");
});

test("Moments of today leave the date out", () => {
  const now = new Date(2026, 10, 12, 20, 0);
  assert.equal(moment(new Date(2026, 10, 12, 14, 32).toISOString(), now), "14:32");
  assert.match(moment(new Date(2026, 10, 11, 14, 32).toISOString(), now), /11 Nov 2026.*14:32/);
  assert.equal(moment("yesterday", now), "yesterday");
});

test("Keys of the model card read as words", () => {
  assert.equal(humanKey("intended_use"), "Intended use");
  assert.equal(humanKey("auc"), "AUC");
});

test("Queue starts in order and keeps to its width", async () => {
  const started = [];
  const finish = [];
  const queue = new Queue(2);
  const settle = () => new Promise((done) => setImmediate(done));
  for (let i = 0; i < 5; ++i) {
    queue.add(() => {
      started.push(i);
      return new Promise((done) => finish.push(done));
    });
  }
  assert.deepEqual(started, [0, 1]);
  finish[1]();
  await settle();
  assert.deepEqual(started, [0, 1, 2]);
  finish.forEach((done) => done());
  await settle();
  finish.forEach((done) => done());
  await settle();
  assert.deepEqual(started, [0, 1, 2, 3, 4]);
});

test("Persist waits as told and gives up after its tries", async () => {
  const waited = [];
  const patience = { tries: 3, delay: (_, count) => count * 10, wait: async (seconds) => void waited.push(seconds) };
  let attempts = 0;
  const answer = await persist(async () => {
    if (++attempts < 3) throw new Error("busy");
    return "done";
  }, patience);
  assert.equal(answer, "done");
  assert.deepEqual(waited, [10, 20]);
  await assert.rejects(persist(async () => Promise.reject(new Error("always")), patience), /always/);
  assert.deepEqual(waited, [10, 20, 10, 20]);
});

test("Persist does not repeat what would fail again", async () => {
  let attempts = 0;
  const attempt = async () => {
    ++attempts;
    throw new Error("not a picture");
  };
  await assert.rejects(persist(attempt, { tries: 5, delay: () => null, wait: async () => {} }));
  assert.equal(attempts, 1);
});
