// The server's web API without a model, for work on the page: `node tests/browser/mock_server.mjs`.
// Judges by the file's name. The tests use it where no binary was named.
import { randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { contours, heatMap } from "./pictures.mjs";

const page = process.env.XRAY_PAGE ?? fileURLToPath(new URL("../../web/dist/", import.meta.url));
const types = { ".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml" };
const policy =
  "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' blob:; " +
  "base-uri 'none'; form-action 'self'; frame-ancestors 'none'";
const model = { name: "mock", version: "1" };
const card = {
  format: 1,
  ...model,
  threshold: 0.4,
  intended_use: "Work on the page. Looks at file names, not at pictures.",
  not_for: ["anything else", "remembering: it forgets everything when it ends"],
  quality: {
    test: {
      n: 2,
      accuracy: { value: 0.5, low: 0.01, high: 0.99 },
      sensitivity: { value: 0.5, low: 0.01, high: 0.99 },
      specificity: { value: 0.5, low: 0.01, high: 0.99 },
      auc: { value: null, low: null, high: null },
    },
    note: "Measured on nobody.",
  },
};

const zoneNames = [..."ABCDEF"];
const margins = { extent: 6, score: 2.4, zone: 0.6 };

/** Severity as of a film whose lungs are `extent` per cent opaque, the right more than the left. */
function severityOf(extent) {
  const zones = zoneNames.map((zone, index) => {
    const share = Math.min(100, extent * (index < 3 ? 1.3 : 0.7) * (0.5 + 0.5 * (index % 3)));
    return { zone, extent: share, score: (3 * share) / 100 };
  });
  const score = zones.reduce((sum, zone) => sum + zone.score, 0);
  return {
    severity: {
      extent,
      right: extent * 1.3,
      left: extent * 0.7,
      score,
      grade: score < 8 ? "mild" : score < 12 ? "moderate" : "severe",
      interval: [Math.max(0, score - 3.3), Math.min(18, score + 3.3)],
    },
    zones,
  };
}

function change(before, after, margin) {
  return { before, after, change: after - before, margin, beyond_noise: Math.abs(after - before) > margin };
}

function compare(before, after) {
  const film = ({ id, file, created_at }) => ({ id, file, created_at });
  const score = change(before.severity.score, after.severity.score, margins.score);
  return {
    before: film(before),
    after: film(after),
    change: !score.beyond_noise ? "unchanged" : score.change < 0 ? "better" : "worse",
    extent: change(before.severity.extent, after.severity.extent, margins.extent),
    score,
    zones: before.zones.map(({ zone, score: was }, index) => ({ zone, ...change(was, after.zones[index].score, margins.zone) })),
  };
}

const refusals = {
  not_a_picture: [400, "Not a picture"],
  damaged: [400, "Damaged picture"],
  not_found: [404, "Not found"],
  unusable: [422, "Cannot be compared"],
};

/** Width and height of a PNG or JPEG, or the code of what is wrong with it. */
function sizeOf(bytes) {
  if (bytes.subarray(0, 4).equals(Buffer.from("\x89PNG", "latin1"))) {
    return bytes.includes("IEND") ? { width: bytes.readUInt32BE(16), height: bytes.readUInt32BE(20) } : "damaged";
  }
  if (bytes[0] !== 0xff || bytes[1] !== 0xd8) return "not_a_picture";
  if (bytes.at(-2) !== 0xff || bytes.at(-1) !== 0xd9) return "damaged";
  for (let at = 2; at + 9 < bytes.length; at += 2 + bytes.readUInt16BE(at + 2)) {
    if ([0xc0, 0xc1, 0xc2].includes(bytes[at + 1])) {
      return { height: bytes.readUInt16BE(at + 5), width: bytes.readUInt16BE(at + 7) };
    }
  }
  return "damaged";
}

/** Starts it; `kept` is what it remembers, and outlives it. */
export function startMock(kept = new Map(), port = 0) {
  const problem = (response, code, detail = "") => {
    const [status, title] = refusals[code];
    response.writeHead(status, { "content-type": "application/problem+json" });
    response.end(JSON.stringify({ title, status, detail, code }));
  };
  const json = (response, status, value) => {
    response.writeHead(status, { "content-type": "application/json" });
    response.end(JSON.stringify(value));
  };
  const png = (response, bytes) => {
    response.writeHead(200, { "content-type": "image/png" });
    response.end(bytes);
  };

  const create = async (request, response) => {
    const form = await new Response(request, { headers: request.headers }).formData();
    const file = form.get("file");
    const bytes = Buffer.from(await file.arrayBuffer());
    const size = sizeOf(bytes);
    await new Promise((done) => setTimeout(done, 40));
    if (typeof size === "string") return problem(response, size, "neither JPEG nor PNG, or cut short");
    const ill = /pneumonia|bacteria|virus|ill/i.test(file.name);
    const judged = !/flat/i.test(file.name);
    const share = ill ? 97.36 : 1.8;
    const finding = {
      id: randomUUID(),
      created_at: new Date().toISOString(),
      file: file.name,
      verdict: !judged ? "rejected" : ill ? "pneumonia" : "normal",
      reasons: judged ? [] : [{ code: "flat", text: "The picture is one flat gray" }],
      ...(judged && {
        percent: { normal: 100 - share, pneumonia: share },
        subtype: { bacterial: 72.2, viral: 27.8 },
        ...severityOf(ill ? 23.4 : 1.2),
      }),
      model: `${model.name} ${model.version}`,
      milliseconds: 38.2,
      timing: { decode: 12.1, preprocess: 3.9, infer: 21.6, total: 38.2 },
      picture: size,
    };
    kept.set(finding.id, { finding, bytes });
    json(response, 201, finding);
  };

  const comparison = async (request, response) => {
    const { before, after } = await new Response(request).json();
    const [first, second] = [before, after].map((id) => kept.get(id)?.finding);
    if (!first || !second) return problem(response, "not_found");
    if (!first.severity || !second.severity) return problem(response, "unusable");
    json(response, 200, compare(first, second));
  };

  const list = (query, response) => {
    const all = [...kept.values()]
      .map(({ finding }) => finding)
      .filter(({ verdict }) => !query.has("verdict") || verdict === query.get("verdict"))
      .reverse();
    const start = query.has("before") ? all.findIndex(({ id }) => id === query.get("before")) + 1 : 0;
    const findings = all.slice(start, start + Number(query.get("limit") ?? 50));
    const last = start + findings.length < all.length ? findings.at(-1).id : null;
    json(response, 200, { findings, next_before: last });
  };

  const asset = async (path, response) => {
    const file = normalize(path === "/" ? "/index.html" : path);
    try {
      const bytes = await readFile(join(page, file));
      response.writeHead(200, { "content-type": types[extname(file)], "content-security-policy": policy });
      response.end(bytes);
    } catch {
      problem(response, "not_found");
    }
  };

  const server = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url, "http://mock");
    const [, id, part] = /^\/api\/v1\/findings\/([^/]+)(?:\/(\w+))?$/.exec(pathname) ?? [];
    const entry = kept.get(id);
    if (pathname === "/api/v1/findings" && request.method === "POST") return void create(request, response);
    if (pathname === "/api/v1/findings") return list(searchParams, response);
    if (pathname === "/api/v1/comparisons") return void comparison(request, response);
    if (pathname === "/api/v1/session") return json(response, 200, { lock: false, sign_in: [], user: null });
    if (pathname === "/api/v1/model") return json(response, 200, card);
    if (id === undefined) return void asset(pathname, response);
    if (entry === undefined) return problem(response, "not_found");
    if (request.method === "DELETE") {
      kept.delete(id);
      return response.writeHead(204).end();
    }
    if (part === "image") return png(response, entry.bytes);
    if (part === "heatmap") {
      const draw = searchParams.get("layer") === "contour" ? contours : heatMap;
      return png(response, draw(320, Math.round((320 * entry.finding.picture.height) / entry.finding.picture.width)));
    }
    return json(response, 200, entry.finding);
  });
  return new Promise((ready) =>
    server.listen(port, "127.0.0.1", () =>
      ready({
        url: `http://127.0.0.1:${server.address().port}`,
        stop: () => new Promise((done) => (server.close(done), server.closeAllConnections())),
      }),
    ),
  );
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { url } = await startMock(new Map(), 8080);
  console.log(url);
}
