import type { Severity, Zone, ZoneName } from "./api";
import { el } from "./dom";
import { text } from "./text";

/** As the zones lie on the picture: the patient's right lung is on its left. */
const rows: { level: keyof typeof text.severity.level; zones: [ZoneName, ZoneName] }[] = [
  { level: "upper", zones: ["A", "D"] },
  { level: "middle", zones: ["B", "E"] },
  { level: "lower", zones: ["C", "F"] },
];

/** How severe it looks: in words, in per cent and as a score. */
export function severityBlock(severity: Severity): HTMLElement {
  const words = text.severity;
  return el(
    "div",
    { class: "severity" },
    el(
      "p",
      {},
      el("strong", { text: words.grade[severity.grade] }),
      el("span", { text: `: ${words.opaque(severity)}` }),
    ),
    el("p", { text: words.score(severity) }),
  );
}

function cell(zone: Zone | undefined): HTMLElement {
  if (!zone) return el("td", { text: text.severity.unknown });
  const shown = el(
    "td",
    {},
    el("span", { class: "zone-extent", text: text.share(zone.extent) }),
    " ",
    el("span", { class: "zone-score", text: text.severity.zoneScore(zone.score) }),
  );
  shown.style.setProperty("--extent", `${zone.extent}%`);
  return shown;
}

/** Extent and score of the zones, each where it lies on the picture. */
export function zoneTable(zones: Zone[]): HTMLElement {
  const words = text.severity;
  return el(
    "table",
    { class: "zones" },
    el("caption", { text: words.zones }),
    el(
      "thead",
      {},
      el(
        "tr",
        {},
        el("td"),
        el("th", { text: words.rightLung, attr: { scope: "col" } }),
        el("th", { text: words.leftLung, attr: { scope: "col" } }),
      ),
    ),
    el(
      "tbody",
      {},
      ...rows.map(({ level, zones: names }) =>
        el(
          "tr",
          {},
          el("th", { text: words.level[level], attr: { scope: "row" } }),
          ...names.map((name) => cell(zones.find(({ zone }) => zone === name))),
        ),
      ),
    ),
  );
}
