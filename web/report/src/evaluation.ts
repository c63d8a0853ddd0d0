import { el } from "../../src/dom";
import { cardView } from "../../src/model_card";
import * as charts from "./charts";
import type { Curve, Estimate, Evaluation, EvaluationPage, Subgroup } from "./data";
import { Films, classLegend, figure, section, table, tiles, unreadableSection, wall } from "./ui";
import { count, counted, decimal, interval, percent, range } from "./words";

const figures: { key: keyof Omit<Evaluation["metrics"], "n" | "confusion">; name: string; share: boolean; about: string }[] = [
  { key: "accuracy", name: "Accuracy", share: true, about: "films read rightly" },
  { key: "sensitivity", name: "Sensitivity", share: true, about: "pneumonia called pneumonia" },
  { key: "specificity", name: "Specificity", share: true, about: "normal films called normal" },
  { key: "ppv", name: "Positive predictive value", share: true, about: "called pneumonia and is, at this share of pneumonia" },
  { key: "npv", name: "Negative predictive value", share: true, about: "called normal and is, at this share of pneumonia" },
  { key: "f1", name: "F1", share: false, about: "harmonic mean of sensitivity and positive predictive value" },
  { key: "auc", name: "AUC", share: false, about: "chance that a film with pneumonia scores higher than a normal one" },
  { key: "average_precision", name: "Average precision", share: false, about: "area under the precision-recall curve" },
  { key: "brier", name: "Brier score", share: false, about: "mean squared error of the probabilities; 0 is best" },
  { key: "ece", name: "Expected calibration error", share: false, about: "mean distance of promised and observed shares" },
];

const said = (share: boolean) => (value: number | null) => (share ? percent(value) : decimal(value, 4));

function overview(data: Evaluation): HTMLElement {
  const { metrics } = data;
  const tile = (name: string, estimate: Estimate, share: boolean) => ({
    name,
    value: said(share)(estimate.value),
    note: range(estimate.low, estimate.high, said(share)),
  });
  const { confusion } = metrics;
  const normal = confusion.true_negative + confusion.false_positive;
  return section(
    "overview",
    "At a glance",
    `Model ${data.model} on ${counted(metrics.n, "film")} (${count(normal)} normal, ${count(metrics.n - normal)} pneumonia), at the threshold ${percent(data.threshold)}${data.threshold === data.card_threshold ? " of its card" : ` instead of its card's ${percent(data.card_threshold)}`}. Intervals are 95 %, and take the films as independent.`,
    tiles([
      tile("Accuracy", metrics.accuracy, true),
      tile("Sensitivity", metrics.sensitivity, true),
      tile("Specificity", metrics.specificity, true),
      tile("AUC", metrics.auc, false),
      tile("Calibration error", metrics.ece, false),
    ]),
    confusionTables(data),
    table(
        "All figures",
        [{ head: "Figure", text: true }, { head: "Value" }, { head: "95 % interval" }, { head: "What it says", text: true }],
        figures.map(({ key, name, share, about }) => {
          const estimate = metrics[key];
          const format = said(share);
          return [name, format(estimate.value), range(estimate.low, estimate.high, format), about];
        }),
      ),
  );
}

function confusionTables({ metrics: { confusion }, kinds }: Evaluation): HTMLElement {
  const row = (name: string, right: number, wrong: number, rightFirst: boolean) => {
    const all = right + wrong;
    const cell = (n: number, good: boolean) =>
      el(
        "span",
        { class: good ? "right" : "wrong" },
        el("strong", { text: count(n) }),
        ` ${all === 0 ? "" : percent(n / all)}`,
      );
    const cells = [cell(right, true), cell(wrong, false)];
    return [name, ...(rightFirst ? cells : cells.reverse())];
  };
  return el(
    "div",
    { class: "pair" },
    table(
      "Confusion matrix at the threshold",
      [{ head: "The film is", text: true }, { head: "Read as normal" }, { head: "Read as pneumonia" }],
      [
        row("Normal", confusion.true_negative, confusion.false_positive, true),
        row("Pneumonia", confusion.true_positive, confusion.false_negative, false),
      ],
    ),
    kinds
      ? table(
          `Bacterial or viral: ${interval(kinds.accuracy, percent)} of ${count(kinds.n)} right`,
          [{ head: "The name says", text: true }, { head: "Read as bacterial" }, { head: "Read as viral" }],
          [
            row("Bacterial", kinds.bacterial.bacterial, kinds.bacterial.viral, true),
            row("Viral", kinds.viral.viral, kinds.viral.bacterial, false),
          ],
        )
      : null,
  );
}

const falsePositiveRates = [0, 0.01, 0.02, 0.03, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 1];
const recalls = [0.1, 0.25, 0.5, 0.75, 0.8, 0.85, 0.9, 0.95, 0.98, 0.99, 1];

function curveTable(caption: string, x: string, y: string, { band }: Curve, places: number[]): HTMLElement {
  return table(
    caption,
    [{ head: x }, { head: y }, { head: "95 % interval" }],
    places
      .flatMap((place) => [band[Math.round(place * (band.length - 1))] ?? []])
      .filter((point) => point.length > 0)
      .map(([at, value, low, high]) => [percent(at, 0), percent(value), range(low, high, percent)]),
  );
}

function curvesSection(data: Evaluation): HTMLElement | null {
  const { roc, precision_recall: pr, metrics } = data;
  if (roc.points.length === 0) return null;
  const sensitivity = metrics.sensitivity.value ?? 0;
  const falseAlarms = 1 - (metrics.specificity.value ?? 1);
  const precision = metrics.ppv.value;
  const prevalence = (metrics.confusion.true_positive + metrics.confusion.false_negative) / metrics.n;
  const here = { x: falseAlarms, y: sensitivity, text: "threshold" };
  const corner = (metrics.auc.value ?? 0) >= 0.95;
  const precisionFloor = Math.min(
    prevalence,
    ...pr.points.slice(Math.floor(pr.points.length / 10)).map(([, , y]) => y),
  );
  const x = "false alarms among normal films";
  const y = "pneumonia found";
  return section(
    "curves",
    "Curves over all thresholds",
    "Bands hold 95 % of 1,000 bootstrap resamples of the films. The dot is the threshold in use.",
    el(
      "div",
      { class: "triple" },
      figure({
        title: "ROC curve",
        alt: `Sensitivity against false alarms; the area under the curve is ${interval(metrics.auc, decimal)}.`,
        caption: `Sensitivity against 1 − specificity. AUC ${interval(metrics.auc, decimal)}.`,
        draw: (width) => [
          charts.curve(width, roc, {
            x: { label: x, domain: [0, 1] },
            y: { label: y, domain: [0, 1] },
            chance: "diagonal",
            point: here,
          }),
        ],
        table: curveTable("ROC curve", "False positive rate", "Sensitivity", roc, falsePositiveRates),
      }),
      corner
        ? figure({
            title: "ROC curve, the corner that matters",
            alt: "The same curve for at most 20 % false alarms and at least 80 % sensitivity.",
            caption: "The same, up to 20 % false alarms and from 80 % sensitivity.",
            draw: (width) => [
              charts.curve(width, roc, {
                x: { label: x, domain: [0, 0.2] },
                y: { label: y, domain: [0.8, 1] },
                point: here,
              }),
            ],
          })
        : null,
      figure({
        title: "Precision and recall",
        alt: `Precision against recall; average precision ${interval(metrics.average_precision, decimal)}.`,
        caption: `Of those called pneumonia, how many are, against the share of pneumonia found. Average precision ${interval(metrics.average_precision, decimal)}; the dotted line is the share of pneumonia among these films.`,
        draw: (width) => [
          charts.curve(width, pr, {
            x: { label: "pneumonia found (recall)", domain: [0, 1] },
            y: { label: "called pneumonia and is (precision)", domain: [Math.max(0, Math.floor(precisionFloor * 10 - 0.5) / 10), 1] },
            chance: prevalence,
            ...(precision === null ? {} : { point: { x: sensitivity, y: precision, text: "threshold" } }),
          }),
        ],
        table: curveTable("Precision at each recall", "Recall", "Precision", pr, recalls),
      }),
    ),
  );
}

function thresholdSection(data: Evaluation): HTMLElement {
  return section(
    "thresholds",
    "The threshold",
    "",
    figure({
      title: "Sensitivity and specificity at every threshold",
      alt: "Two curves with bands: sensitivity falls and specificity rises with the threshold.",
      legend: classLegend({ normal: "Specificity (normal films read rightly)", pneumonia: "Sensitivity (pneumonia read rightly)" }),
      draw: (width) => [charts.thresholds(width, data.thresholds, data.threshold)],
      table: table(
        "Sensitivity and specificity",
        [{ head: "Threshold" }, { head: "Sensitivity (95 % interval)" }, { head: "Specificity (95 % interval)" }],
        data.thresholds
          .filter((_, i) => i % 10 === 0)
          .map((row) => [percent(row.threshold, 0), interval(row.sensitivity, percent), interval(row.specificity, percent)]),
      ),
    }),
    figure({
      title: "Percentages given",
      alt: "Histograms of the probability of pneumonia that films of each class were given; a dashed line marks the threshold.",
      caption: "Normal films belong left of the dashed threshold, pneumonia right of it.",
      draw: (width) => [charts.scores(width, data.scores, data.threshold)],
      table: table(
        "Films by the percentage they were given",
        [{ head: "Probability of pneumonia", text: true }, { head: "Normal" }, { head: "Pneumonia" }],
        data.scores.normal.flatMap((n, i, all) => {
          const pneumonia = data.scores.pneumonia[i] ?? 0;
          if (n + pneumonia === 0) return [];
          return [[`${percent(i / all.length)} to ${percent((i + 1) / all.length)}`, count(n), count(pneumonia)]];
        }),
      ),
    }),
  );
}

function calibrationSection({ reliability, metrics }: Evaluation): HTMLElement {
  return section(
    "calibration",
    "Are the percentages true?",
    "Of the films that were given about 80 %, eight in ten should be pneumonia. On the dotted line promise and outcome agree.",
    el(
      "div",
      { class: "pair" },
      figure({
        title: "Reliability",
        alt: `Observed share of pneumonia against the probability given, with 95 % intervals; expected calibration error ${interval(metrics.ece, decimal)}.`,
        caption: `Dots: share of pneumonia among the films of a bin, with its 95 % interval. Below: films per bin (square-root scale). Expected calibration error ${interval(metrics.ece, decimal)}, Brier score ${interval(metrics.brier, decimal)}.`,
        draw: (width) => charts.reliability(width, reliability),
      }),
      table(
        "Reliability in numbers",
        [{ head: "Bin", text: true }, { head: "Films" }, { head: "Mean probability" }, { head: "Pneumonia (95 % interval)" }],
        reliability.map((bin) => [
          `${percent(bin.low, 0)} to ${percent(bin.high, 0)}`,
          count(bin.n),
          percent(bin.mean_probability),
          interval(bin.observed, percent),
        ]),
      ),
    ),
  );
}

const groupNames: Record<string, string> = { kind: "Kind", group: "Names", size: "Size" };
const fullName = ({ by, name }: Subgroup) => `${groupNames[by] ?? by}: ${name}`;

function subgroupSection({ subgroups }: Evaluation): HTMLElement | null {
  if (subgroups.length === 0) return null;
  return section(
    "subgroups",
    "Subgroups",
    "A model that reads lungs does about as well in all of them; where intervals part, look closer. The AUC of a group with one class is measured against all films of the other.",
    figure({
      title: "Sensitivity and specificity by subgroup",
      alt: "Dots with 95 % intervals for each subgroup; the table holds the numbers.",
      legend: classLegend({ normal: "Specificity (squares)", pneumonia: "Sensitivity (circles)" }),
      draw: (width) => [
        charts.groups(width, subgroups.map((group) => ({ name: fullName(group), sensitivity: group.sensitivity, specificity: group.specificity }))),
      ],
    }),
    table(
      "Subgroups in numbers",
      [
        { head: "Subgroup", text: true },
        { head: "Normal" },
        { head: "Pneumonia" },
        { head: "Sensitivity" },
        { head: "Specificity" },
        { head: "AUC" },
      ],
      subgroups.map((group) => [
        el("bdi", { text: fullName(group) }),
        count(group.normal),
        count(group.pneumonia),
        interval(group.sensitivity, percent),
        interval(group.specificity, percent),
        interval(group.auc, decimal),
      ]),
    ),
  );
}

function mistakesSection({ mistakes }: Evaluation, films: Films): HTMLElement {
  const block = (title: string, { pictures, list }: Evaluation["mistakes"]["normal"]) => [
    el("h3", { text: `${title}: ${count(pictures)}${pictures > list.length ? `, the worst ${list.length}` : ""}` }),
    wall(
      ...list.map((mistake) =>
        films.film(mistake, el("span", { class: "score", text: `${percent(mistake.probability)} pneumonia` })),
      ),
    ),
  ];
  const total = mistakes.normal.pictures + mistakes.pneumonia.pictures;
  return section(
    "mistakes",
    "Worst mistakes",
    total === 0
      ? "None."
      : "Farthest from the threshold first, with what moved the network laid over the film: it shows where the evidence for pneumonia stands out, not where disease is.",
    total === 0
      ? null
      : el(
          "label",
          { class: "heat-switch" },
          el("input", { attr: { type: "checkbox", checked: true, id: "heat" } }),
          "Heat maps",
        ),
    ...(mistakes.normal.pictures > 0 ? block("False alarms (normal, read as pneumonia)", mistakes.normal) : []),
    ...(mistakes.pneumonia.pictures > 0 ? block("Misses (pneumonia, read as normal)", mistakes.pneumonia) : []),
  );
}

export function evaluationView(page: EvaluationPage): HTMLElement[] {
  const data = page.evaluation;
  const shown = [...data.mistakes.normal.list, ...data.mistakes.pneumonia.list];
  const films = new Films(page.thumbnails, new Set(shown.map(({ split }) => split)).size > 1, page.heat_maps);
  return [
    overview(data),
    curvesSection(data),
    thresholdSection(data),
    calibrationSection(data),
    subgroupSection(data),
    mistakesSection(data, films),
    section("card", "The model", "", el("div", { class: "card" }, ...cardView(data.card))),
    unreadableSection(data.unreadable),
  ].filter((part) => part !== null);
}
