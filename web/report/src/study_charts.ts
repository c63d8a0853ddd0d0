import * as Plot from "@observablehq/plot";
import { plot } from "./charts";
import type { Objective, SpaceParameter, Study, Trial } from "./study_data";

const accent = "var(--accent)";
const muted = "var(--muted)";
const danger = "var(--danger)";

const value = (trial: Trial, { name }: Objective): number | null => trial.figures[name] ?? null;

const isFinished = ({ state }: Trial) => state === "done" || state === "imported";

/** Room for the numbers on an axis of shares close to 1: the worst tenth is cut off. */
function span(values: number[]): [number, number] {
  const sorted = [...values].sort((a, b) => a - b);
  const low = sorted[Math.floor(sorted.length / 10)] ?? 0;
  const high = sorted[sorted.length - 1] ?? 1;
  const margin = (high - low || Math.abs(high) || 1) / 12;
  return [low - margin, high + margin];
}

export function history(width: number, study: Study, objective: Objective): Element {
  const points = study.trials.flatMap((trial) => {
    const y = value(trial, objective);
    return y === null ? [] : [{ x: trial.number, y, state: trial.state }];
  });
  const domain = objective.maximise ? span(points.map(({ y }) => y)) : span(points.map(({ y }) => -y)).map((y) => -y).reverse();
  let best: number | null = null;
  const line = study.trials.flatMap((trial) => {
    const y = value(trial, objective);
    if (y !== null && isFinished(trial) && (best === null || (objective.maximise ? y > best : y < best))) best = y;
    return best === null ? [] : [{ x: trial.number, y: best }];
  });
  return plot(width, 320, {
    marginLeft: 64,
    x: { label: "trial", labelAnchor: "center", tickFormat: "d" },
    y: { label: objective.name, domain: domain as [number, number], grid: true },
    marks: [
      Plot.lineY(line, { x: "x", y: "y", stroke: accent, strokeWidth: 2, curve: "step-after", clip: true }),
      Plot.dot(points, {
        x: "x",
        y: "y",
        r: 4,
        clip: true,
        stroke: (d: { state: Trial["state"] }) => (d.state === "done" || d.state === "imported" ? accent : muted),
        fill: (d: { state: Trial["state"] }) => (d.state === "done" ? accent : "transparent"),
      }),
    ],
  });
}

export function front(width: number, study: Study, x: Objective, y: Objective): Element {
  const chosen = new Set(study.front);
  const points = study.trials.flatMap((trial) => {
    const [a, b] = [value(trial, x), value(trial, y)];
    return a === null || b === null || !isFinished(trial) ? [] : [{ x: a, y: b, best: chosen.has(trial.number), number: trial.number }];
  });
  const edge = points.filter(({ best }) => best).sort((a, b) => a.x - b.x);
  const large = (objective: Objective) => (objective.name === "parameters" ? { type: "log" as const, tickFormat: "~s" } : {});
  return plot(width, Math.min(width, 380), {
    marginLeft: 64,
    marginRight: 24,
    x: { label: `${x.name} (${x.maximise ? "more" : "less"} is better)`, labelAnchor: "center", grid: true, ...large(x) },
    y: { label: `${y.name} (${y.maximise ? "more" : "less"} is better)`, grid: true, ...large(y) },
    marks: [
      Plot.line(edge, { x: "x", y: "y", stroke: accent, strokeDasharray: "4 3" }),
      Plot.dot(points, {
        x: "x",
        y: "y",
        r: 4.5,
        fill: (d: { best: boolean }) => (d.best ? accent : "transparent"),
        stroke: (d: { best: boolean }) => (d.best ? "var(--panel)" : muted),
      }),
      Plot.text(edge, { x: "x", y: "y", text: (d: { number: number }) => String(d.number), dy: -12, fill: "currentColor" }),
    ],
  });
}

export function importance(width: number, rows: { parameter: string; share: number }[]): Element {
  return plot(width, 64 + 26 * rows.length, {
    marginLeft: Math.min(200, width / 3),
    marginRight: 48,
    x: { domain: [0, Math.max(0.1, ...rows.map(({ share }) => share))], label: "share explained", tickFormat: ".0%", labelAnchor: "center", grid: true },
    y: { domain: rows.map(({ parameter }) => parameter), label: null, tickSize: 0 },
    marks: [
      Plot.barX(rows, { x: "share", y: "parameter", fill: accent, insetTop: 4, insetBottom: 4 }),
      Plot.text(rows, { x: "share", y: "parameter", text: (d: { share: number }) => `${(100 * d.share).toFixed(0)} %`, dx: 6, textAnchor: "start", fill: "currentColor" }),
      Plot.ruleX([0]),
    ],
  });
}

/** Where on its axis, 0 to 1, a value stands. */
function position(parameter: SpaceParameter, given: unknown): number {
  if (parameter.values) {
    const index = parameter.values.findIndex((one) => one === given);
    return parameter.values.length > 1 ? index / (parameter.values.length - 1) : 0.5;
  }
  const [low, high] = [parameter.min ?? 0, parameter.max ?? 1];
  const x = Number(given);
  if (high === low) return 0.5;
  if (parameter.scale === "log") return Math.log(x / low) / Math.log(high / low);
  if (parameter.scale === "reverse-log") return 1 - Math.log((low + high - x) / low) / Math.log(high / low);
  return (x - low) / (high - low);
}

const short = (given: unknown): string => (typeof given === "number" ? String(Number(given.toPrecision(3))) : String(given));

export function parallel(width: number, study: Study, parameters: SpaceParameter[]): Element {
  const objective = study.objectives[0] as Objective;
  const done = study.trials.filter((trial) => isFinished(trial) && value(trial, objective) !== null);
  const scores = done.map((trial) => value(trial, objective) as number);
  const [low, high] = [Math.min(...scores), Math.max(...scores)];
  const order = new Map(study.best.map((number, index) => [number, index]));
  const names = [...parameters.map(({ name }) => name), objective.name];
  const lines = done.flatMap((trial) => {
    const rank = (order.get(trial.number) ?? done.length) / Math.max(1, done.length - 1);
    const score = value(trial, objective) as number;
    return [
      ...parameters.flatMap((parameter) =>
        parameter.name in trial.configuration
          ? [{ trial: trial.number, axis: parameter.name, at: position(parameter, trial.configuration[parameter.name]), rank }]
          : [],
      ),
      { trial: trial.number, axis: objective.name, at: high > low ? (score - low) / (high - low) : 0.5, rank },
    ];
  });
  const ends = [
    ...parameters.flatMap((parameter) =>
      parameter.values
        ? parameter.values.map((one) => ({ axis: parameter.name, at: position(parameter, one), text: short(one) }))
        : [
            { axis: parameter.name, at: 0, text: short(parameter.min) },
            { axis: parameter.name, at: 1, text: short(parameter.max) },
          ],
    ),
    { axis: objective.name, at: 0, text: low.toFixed(4) },
    { axis: objective.name, at: 1, text: high.toFixed(4) },
  ];
  // The best are drawn last, on top.
  lines.sort((a, b) => b.rank - a.rank);
  return plot(width, 380, {
    marginLeft: 60,
    marginRight: 60,
    x: { domain: names, type: "point", label: null, tickSize: 0, tickRotate: names.length * 90 > width ? -20 : 0 },
    y: { axis: null, domain: [0, 1] },
    marks: [
      Plot.ruleX(names, { stroke: "var(--line)" }),
      Plot.line(lines, {
        x: "axis",
        y: "at",
        z: "trial",
        stroke: accent,
        strokeWidth: 1.6,
        strokeOpacity: (d: { rank: number }) => 0.08 + 0.85 * (1 - d.rank) ** 2,
      }),
      Plot.text(ends, { x: "axis", y: "at", text: "text", dx: 5, textAnchor: "start", fill: muted, stroke: "var(--panel)", strokeWidth: 3 }),
    ],
  });
}

export function learning(width: number, study: Study): Element {
  const order = new Map(study.best.map((number, index) => [number, index]));
  const points = study.curves
    .filter(({ execution, fold }) => execution === 1 && fold === 1)
    .flatMap(({ trial, points: own }) => own.map(([x, y]) => ({ trial, x, y, rank: order.get(trial) ?? Infinity })));
  const domain = span(points.map(({ y }) => y));
  const colour = (d: { rank: number }) => (d.rank === 0 ? danger : d.rank < 5 ? accent : muted);
  const several = new Set(points.map(({ x }) => x)).size > 1;
  points.sort((a, b) => b.rank - a.rank || a.x - b.x);
  return plot(width, 340, {
    marginLeft: 60,
    x: { label: "epoch", labelAnchor: "center", tickFormat: "d", ticks: [...new Set(points.map(({ x }) => x))].slice(0, 30) },
    y: { label: "AUC", domain, grid: true },
    marks: [
      several
        ? Plot.line(points, {
            x: "x",
            y: "y",
            z: "trial",
            clip: true,
            stroke: colour,
            strokeWidth: (d: { rank: number }) => (d.rank < 5 ? 2 : 1),
            strokeOpacity: (d: { rank: number }) => (d.rank < 5 ? 1 : 0.5),
          })
        : null,
      Plot.dot(points, { x: "x", y: "y", r: 2.5, clip: true, fill: colour }),
    ],
  });
}
