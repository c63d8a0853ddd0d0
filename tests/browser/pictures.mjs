// Pictures without patients, for tests of the page: a chest drawn from ellipses, written as PNG.
import { crc32, deflateSync } from "node:zlib";

const clamp = (value, low, high) => Math.min(high, Math.max(low, value));

/** 1 inside the ellipse, 0 outside, with a soft rim. */
const ellipse = (x, y, cx, cy, rx, ry) =>
  clamp((1 - Math.hypot((x - cx) / rx, (y - cy) / ry)) * 8 + 0.5, 0, 1);

function chunk(type, data) {
  const body = Buffer.concat([Buffer.from(type, "latin1"), data]);
  const out = Buffer.alloc(body.length + 8);
  out.writeUInt32BE(data.length, 0);
  body.copy(out, 4);
  out.writeUInt32BE(crc32(body), body.length + 4);
  return out;
}

/** PNG of 8-bit samples: 1 channel is gray, 4 are RGBA. */
export function encodePng(width, height, channels, samples) {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, channels === 1 ? 0 : 6], 8);
  const stride = width * channels;
  const rows = Buffer.alloc((stride + 1) * height);
  for (let y = 0; y < height; ++y) {
    rows.set(samples.subarray(y * stride, (y + 1) * stride), y * (stride + 1) + 1);
  }
  return Buffer.concat([
    Buffer.from("\x89PNG\r\n\x1a\n", "latin1"),
    chunk("IHDR", header),
    chunk("IDAT", deflateSync(rows, { level: 6 })),
    chunk("IEND", Buffer.alloc(0)),
  ]);
}

/** A frontal chest as gray PNG; `opacity` 0 (clear lungs) to 1 (white ones). */
export function phantom({ width = 900, height = 680, opacity = 0, seed = 1 } = {}) {
  let state = seed >>> 0;
  const random = () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32;
  const patches = Array.from({ length: 6 }, (_, i) => [
    (i % 2 ? 1 : -1) * (0.16 + 0.12 * random()),
    -0.2 + 0.45 * random(),
    0.05 + 0.06 * random(),
  ]);
  const samples = Buffer.alloc(width * height);
  for (let row = 0; row < height; ++row) {
    for (let column = 0; column < width; ++column) {
      const y = (row + 0.5) / height - 0.5;
      const x = (column + 0.5) / width - 0.5;
      const body = ellipse(x, y, 0, 0.1, 0.47, 0.75);
      const lungs = Math.max(ellipse(x, y, -0.21, -0.02, 0.15, 0.34), ellipse(x, y, 0.21, -0.02, 0.14, 0.33));
      const ribs = 0.5 + 0.5 * Math.cos((y + 0.6 * x * x) * 2 * Math.PI * 11);
      let level = 0.03 + 0.52 * Math.max(body, ellipse(x, y, 0, -0.42, 0.3, 0.2)) - 0.36 * lungs;
      level += 0.07 * lungs * ribs * ribs;
      level += 0.25 * ellipse(x, y, 0, 0, 0.035, 0.6);
      level += 0.22 * ellipse(x, y, 0.07, 0.14, 0.13, 0.16);
      level += 0.3 * clamp((y - 0.3) * 12, 0, 1) * body;
      for (const [px, py, radius] of patches) {
        const distance = Math.hypot(x - px, y - py) / (radius * (0.5 + opacity));
        level += 0.5 * opacity * lungs * Math.exp(-distance * distance);
      }
      level += 0.03 * (random() - 0.5);
      samples[row * width + column] = Math.round(clamp(level, 0, 1) * 255);
    }
  }
  return encodePng(width, height, 1, samples);
}

/** RGBA PNG of what `colour` makes of two patches, 0..1. */
function patches(width, height, colour) {
  const samples = Buffer.alloc(width * height * 4);
  for (let row = 0; row < height; ++row) {
    for (let column = 0; column < width; ++column) {
      const x = column / width - 0.5;
      const y = row / height - 0.5;
      const left = Math.exp(-(((x + 0.2) / 0.1) ** 2) - ((y - 0.05) / 0.15) ** 2);
      const right = 0.6 * Math.exp(-(((x - 0.2) / 0.09) ** 2) - ((y + 0.1) / 0.12) ** 2);
      samples.set(colour(clamp(left + right, 0, 1)).map(Math.round), (row * width + column) * 4);
    }
  }
  return encodePng(width, height, 4, samples);
}

/** Two warm patches on nothing, as RGBA PNG. */
export const heatMap = (width, height) =>
  patches(width, height, (value) => [
    110 + 145 * Math.min(1, 1.5 * value),
    235 * value ** 1.5,
    90 * (1 - value),
    190 * Math.min(1, 2 * value),
  ]);

/** Their outlines. */
export const contours = (width, height) =>
  patches(width, height, (value) => [255, 235, 120, Math.abs(value - 0.3) < 0.03 ? 255 : 0]);
