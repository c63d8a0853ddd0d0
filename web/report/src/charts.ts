import * as Plot from "@observablehq/plot";
import type { ByLabel, Curve, Estimate, Label } from "./data";
import { labels } from "./data";

// Colours are the page's own variables, so that drawings follow the theme; dashes tell
// the classes apart where colours are not seen.

const colour: ByLabel<string> = { normal: "var(--normal)", pneumonia: "var(--pneumonia)" };
const dash: ByLabel<string> = { normal: "5 3", pneumonia: "none" };
const faint = "var(--line)";
const muted = "var(--muted)";
const accent = "var(--accent)";

const style = { background: "transparent", fontSize: "12px", overflow: "visible" };

/** A drawing in the report's style. */
export function plot(width: number, height: number, options: Plot.PlotOptions): Element {
  const drawing = Plot.plot({ width, height, style, marginTop: 24, marginBottom: 40, marginLeft: 52, ...options });
  // Its figure says in words what it shows.
  drawing.setAttribute("aria-hidden", "true");
  return drawing;
}

const pairs = (values: number[]): [number, number][] => values.slice(1).map((high, i) => [values[i] ?? high, high]);

/** Shares of each class's pictures over the same bins. */
export function distribution(width: number, edges: number[], counts: ByLabel<number[]>, unit: string): Element {
  const bins = pairs(edges);
  const marks = labels.flatMap((label) => {
    const total = counts[label].reduce((sum, n) => sum + n, 0);
    if (total === 0) return [];
    const data = bins.map(([x1, x2], i) => ({ x1, x2, y: (counts[label][i] ?? 0) / total }));
    const outline = data.flatMap(({ x1, x2, y }) => [{ x: x1, y }, { x: x2, y }]);
    return [
      Plot.rectY(data, { x1: "x1", x2: "x2", y: "y", fill: colour[label], fillOpacity: 0.22, insetLeft: 0, insetRight: 0 }),
      Plot.lineY(outline, { x: "x", y: "y", stroke: colour[label], strokeWidth: 1.5, strokeDasharray: dash[label] }),
    ];
  });
  return plot(width, 180, {
    x: {
      label: unit,
      labelAnchor: "center",
      ticks: Math.max(2, Math.floor(width / 90)),
      ...((edges[edges.length - 1] ?? 0) >= 10_000 ? { tickFormat: "~s" } : {}),
    },
    y: { label: "% of the class", percent: true, ticks: 4, grid: true },
    marks: [...marks, Plot.ruleY([0])],
  });
}

/** A distribution that has one value only. */
export const isSingle = (edges: number[]): boolean => edges.length > 0 && edges[0] === edges[edges.length - 1];

/** How well each feature alone tells the classes apart; 0.5 in the middle. */
export function separation(width: number, rows: { name: string; auc: Estimate; shortcut: boolean }[]): Element {
  const data = rows.flatMap(({ name, auc, shortcut }) =>
    auc.value === null ? [] : [{ name, value: auc.value, low: auc.low, high: auc.high, shortcut }],
  );
  const zone = [
    { x1: 0, x2: 0.2, opacity: 0.2 },
    { x1: 0.2, x2: 0.35, opacity: 0.09 },
    { x1: 0.65, x2: 0.8, opacity: 0.09 },
    { x1: 0.8, x2: 1, opacity: 0.2 },
  ];
  return plot(width, 44 + 28 * rows.length + 40, {
    marginLeft: 124,
    marginRight: 16,
    x: { domain: [0, 1], label: "← higher in normal films     AUC     higher in pneumonia →", labelAnchor: "center" },
    y: { domain: rows.map(({ name }) => name), label: null },
    marks: [
      Plot.rect(zone, { x1: "x1", x2: "x2", fill: "var(--danger)", fillOpacity: "opacity" }),
      Plot.gridX({ stroke: faint, strokeOpacity: 1 }),
      Plot.ruleX([0.5], { stroke: muted }),
      Plot.ruleY(data, { y: "name", x1: "low", x2: "high", stroke: "currentColor", strokeWidth: 2 }),
      Plot.dot(data, { x: "value", y: "name", r: 5, fill: (d: { shortcut: boolean }) => (d.shortcut ? "var(--danger)" : accent), stroke: "var(--panel)" }),
    ],
  });
}

/** Bars of both classes side by side. */
export function groupedBars(width: number, rows: ({ key: string } & ByLabel<number>)[], xLabel: string, yLabel: string): Element {
  const data = rows.flatMap((row) => labels.map((label) => ({ key: row.key, label, n: row[label] })));
  return plot(width, 220, {
    fx: { domain: rows.map(({ key }) => key), label: xLabel, labelAnchor: "center", padding: 0.15 },
    x: { domain: labels, axis: null, padding: 0 },
    y: { label: yLabel, grid: true, ticks: 5 },
    color: { domain: labels, range: labels.map((label) => colour[label]) },
    marks: [Plot.barY(data, { fx: "key", x: "label", y: "n", fill: "label" }), Plot.ruleY([0])],
  });
}

/** Mean share of pixels at each gray level. */
export function intensities(width: number, shares: ByLabel<number[]>): Element {
  const of = (label: Label) =>
    shares[label].map((y, i, all) => ({ x: ((i + 0.5) * 256) / all.length, y }));
  return plot(width, 260, {
    x: { domain: [0, 255], label: "gray level (0 black, 255 white)", labelAnchor: "center" },
    y: { label: "% of pixels", percent: true, grid: true },
    marks: [
      ...labels.flatMap((label) => [
        Plot.areaY(of(label), { x: "x", y: "y", fill: colour[label], fillOpacity: 0.15, curve: "monotone-x" }),
        Plot.lineY(of(label), { x: "x", y: "y", stroke: colour[label], strokeWidth: 2, strokeDasharray: dash[label], curve: "monotone-x" }),
      ]),
      Plot.ruleY([0]),
    ],
  });
}

interface CurveView {
  x: { label: string; domain: [number, number] };
  y: { label: string; domain: [number, number] };
  chance?: "diagonal" | number;
  point?: { x: number; y: number; text: string };
}

/** A curve over thresholds with its band. */
export function curve(width: number, data: Curve, view: CurveView): Element {
  const [xLow, xHigh] = view.x.domain;
  const points = data.points.map(([, x, y]) => ({ x, y }));
  const band = data.band.flatMap(([x, , low, high]) => (low === null || high === null ? [] : [{ x, low, high }]));
  const inView = view.point && view.point.x >= xLow && view.point.x <= xHigh && view.point.y >= view.y.domain[0];
  const towardsRight = view.point ? (view.point.x - xLow) / (xHigh - xLow) < 0.55 : true;
  return plot(width, Math.min(width, 400), {
    marginRight: 24,
    x: { ...view.x, labelAnchor: "center", grid: true },
    y: { ...view.y, grid: true },
    marks: [
      Plot.frame({ stroke: faint }),
      view.chance === "diagonal"
        ? Plot.line([{ x: 0, y: 0 }, { x: 1, y: 1 }], { x: "x", y: "y", stroke: muted, strokeDasharray: "2 4", clip: true })
        : null,
      typeof view.chance === "number" ? Plot.ruleY([view.chance], { stroke: muted, strokeDasharray: "2 4" }) : null,
      Plot.areaY(band, { x: "x", y1: "low", y2: "high", fill: accent, fillOpacity: 0.18, clip: true }),
      Plot.line(points, { x: "x", y: "y", stroke: accent, strokeWidth: 2, clip: true }),
      ...(view.point && inView
        ? [
            Plot.dot([view.point], { x: "x", y: "y", r: 5, fill: "var(--danger)", stroke: "var(--panel)" }),
            Plot.text([view.point], {
              x: "x",
              y: "y",
              text: "text",
              fill: "currentColor",
              stroke: "var(--panel)",
              strokeWidth: 4,
              textAnchor: towardsRight ? "start" : "end",
              dx: towardsRight ? 10 : -10,
              dy: 16,
            }),
          ]
        : []),
    ],
  });
}

/** Sensitivity and specificity at every threshold. */
export function thresholds(
  width: number,
  rows: { threshold: number; sensitivity: Estimate; specificity: Estimate }[],
  chosen: number,
): Element {
  const series = [
    { key: "sensitivity" as const, label: "pneumonia" as const },
    { key: "specificity" as const, label: "normal" as const },
  ];
  const data = series.map(({ key, label }) => ({
    label,
    rows: rows.flatMap((row) =>
      row[key].value === null ? [] : [{ x: row.threshold, y: row[key].value, low: row[key].low, high: row[key].high }],
    ),
  }));
  const seen = data.flatMap((one) => one.rows.filter(({ x }) => x >= 0.05 && x <= 0.95).map(({ low }) => low ?? 1));
  const bottom = Math.max(0, Math.floor(10 * Math.min(0.9, ...seen)) / 10);
  return plot(width, 320, {
    marginRight: 24,
    x: { domain: [0, 1], label: "threshold on the probability of pneumonia", labelAnchor: "center", tickFormat: ".0%" },
    y: { domain: [bottom, 1], label: "share read rightly", tickFormat: ".0%", grid: true },
    marks: [
      ...data.flatMap(({ label, rows: points }) => [
        Plot.areaY(points, { x: "x", y1: "low", y2: "high", fill: colour[label], fillOpacity: 0.16, clip: true }),
        Plot.lineY(points, { x: "x", y: "y", stroke: colour[label], strokeWidth: 2, strokeDasharray: dash[label], clip: true }),
      ]),
      Plot.ruleX([chosen], { stroke: "currentColor" }),
      Plot.text([chosen], {
        x: (x: number) => x,
        text: (x: number) => `threshold ${(100 * x).toFixed(1)} %`,
        frameAnchor: "bottom",
        dy: -8,
        dx: chosen > 0.6 ? -6 : 6,
        textAnchor: chosen > 0.6 ? "end" : "start",
        fill: "currentColor",
        stroke: "var(--panel)",
        strokeWidth: 4,
      }),
    ],
  });
}

/** How many films of each class got which percentage; square roots, so that single films show. */
export function scores(width: number, counts: ByLabel<number[]>, chosen: number): Element {
  const bars = labels.flatMap((label) =>
    counts[label].map((n, i, all) => ({ label, n, x1: i / all.length, x2: (i + 1) / all.length })),
  );
  return plot(width, 340, {
    marginRight: 72,
    x: { domain: [0, 1], label: "probability of pneumonia", labelAnchor: "center", tickFormat: ".0%" },
    y: { type: "sqrt", label: "films (square-root scale)", ticks: 5, grid: true },
    fy: { domain: labels, label: null, tickFormat: (label: Label) => (label === "normal" ? "Normal" : "Pneumonia") },
    marks: [
      Plot.rectY(bars, { x1: "x1", x2: "x2", y: "n", fy: "label", fill: (d: { label: Label }) => colour[d.label] }),
      Plot.ruleY([0]),
      Plot.ruleX([chosen], { stroke: "currentColor", strokeDasharray: "4 3" }),
    ],
  });
}

interface Reliability {
  low: number;
  high: number;
  n: number;
  mean_probability: number | null;
  observed: Estimate;
}

/** What was promised against what came, and how often each was promised. */
export function reliability(width: number, bins: Reliability[]): Element[] {
  const filled = bins.flatMap(({ n, mean_probability, observed }) =>
    n === 0 ? [] : [{ x: mean_probability, y: observed.value, low: observed.low, high: observed.high, n }],
  );
  const x = { domain: [0, 1] as [number, number], tickFormat: ".0%" };
  return [
    plot(width, Math.min(width, 340), {
      marginRight: 24,
      x: { ...x, label: null, grid: true },
      y: { domain: [0, 1], tickFormat: ".0%", label: "films that are pneumonia", grid: true },
      marks: [
        Plot.frame({ stroke: faint }),
        Plot.line([{ x: 0, y: 0 }, { x: 1, y: 1 }], { x: "x", y: "y", stroke: muted, strokeDasharray: "2 4" }),
        Plot.ruleX(filled, { x: "x", y1: "low", y2: "high", stroke: accent, strokeWidth: 2 }),
        Plot.dot(filled, { x: "x", y: "y", r: 4.5, fill: accent, stroke: "var(--panel)" }),
      ],
    }),
    plot(width, 130, {
      marginRight: 24,
      x: { ...x, label: "probability of pneumonia that was given", labelAnchor: "center" },
      y: { type: "sqrt", label: "films", ticks: 3, grid: true },
      marks: [Plot.rectY(bins, { x1: "low", x2: "high", y: "n", fill: accent, fillOpacity: 0.6 }), Plot.ruleY([0])],
    }),
  ];
}

/** Sensitivity and specificity of each subgroup, one above the other where both exist. */
export function groups(width: number, rows: { name: string; sensitivity: Estimate; specificity: Estimate }[]): Element {
  const series = [
    { key: "sensitivity" as const, label: "pneumonia" as const, symbol: "circle" as const, side: -1 },
    { key: "specificity" as const, label: "normal" as const, symbol: "square" as const, side: 1 },
  ];
  const data = series.map((one) => ({
    ...one,
    points: rows.flatMap((row) =>
      row[one.key].value === null
        ? []
        : [
            {
              name: row.name,
              ...row[one.key],
              alone: row.sensitivity.value === null || row.specificity.value === null,
            },
          ],
    ),
  }));
  const lowest = Math.min(0.9, ...data.flatMap(({ points }) => points.map(({ low }) => low ?? 1)));
  const marks = data.flatMap(({ label, symbol, side, points }) =>
    [true, false].flatMap((alone) => {
      const own = points.filter((point) => point.alone === alone);
      const dy = alone ? 0 : 6 * side;
      const stroke = colour[label];
      return [
        Plot.ruleY(own, { y: "name", x1: "low", x2: "high", stroke, strokeWidth: 2, dy }),
        Plot.dot(own, { y: "name", x: "value", r: 4.5, fill: stroke, stroke: "var(--panel)", symbol, dy }),
      ];
    }),
  );
  return plot(width, 70 + 34 * rows.length, {
    marginLeft: Math.min(230, width / 2.6),
    marginRight: 24,
    x: {
      domain: [Math.max(0, Math.floor(10 * lowest) / 10), 1],
      label: "share read rightly",
      labelAnchor: "center",
      tickFormat: ".0%",
      grid: true,
    },
    y: { domain: rows.map(({ name }) => name), label: null, tickSize: 0 },
    marks,
  });
}
