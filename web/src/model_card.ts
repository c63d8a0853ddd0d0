import type { ModelCard } from "./api";
import { el } from "./dom";
import { humanKey } from "./format";
import { text } from "./text";

type Fields = Record<string, unknown>;

const isFields = (value: unknown): value is Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** What answers a reader's first questions, in this order. */
const essentials = ["intended_use", "not_for", "limits", "licence", "created"];
const measures = ["accuracy", "sensitivity", "specificity", "auc"];
const deepest = 4;

const short = (value: number) => String(Number(value.toPrecision(3)));

/** A measured value with its 95 % interval: "0.963 (0.94 to 0.98)". */
function estimate(fields: Fields): string | null {
  const { value, low, high } = fields;
  if (typeof value !== "number") return null;
  return typeof low === "number" && typeof high === "number"
    ? text.card.estimate(short(value), short(low), short(high))
    : short(value);
}

/** Whatever a card says, as nested lists of terms. */
function described(value: unknown, depth = 0): Node {
  if (Array.isArray(value)) {
    if (value.every((item) => typeof item === "number")) return document.createTextNode(value.join(", "));
    return el("ul", {}, ...value.map((item) => el("li", {}, described(item, depth + 1))));
  }
  if (isFields(value)) {
    const measured = estimate(value);
    if (measured !== null) return document.createTextNode(measured);
    if (depth === deepest) return document.createTextNode(JSON.stringify(value));
    return el(
      "dl",
      { class: "card-fields" },
      ...Object.entries(value).map(([key, field]) =>
        el("div", {}, el("dt", { text: humanKey(key) }), el("dd", {}, described(field, depth + 1))),
      ),
    );
  }
  return document.createTextNode(typeof value === "number" ? short(value) : String(value ?? text.card.unknown));
}

/** How well the model did, a column for each set of films it was tried on. */
function qualityTable(quality: Fields): HTMLElement | null {
  const sets = Object.entries(quality).filter(
    (entry): entry is [string, Fields] => isFields(entry[1]) && "accuracy" in entry[1],
  );
  if (sets.length === 0) return null;
  const column = { scope: "col" };
  return el(
    "table",
    { class: "quality" },
    el("caption", { text: text.card.quality }),
    el(
      "thead",
      {},
      el(
        "tr",
        {},
        el("td"),
        ...sets.map(([name, { n }]) =>
          el("th", { attr: column, text: text.card.set(humanKey(name), typeof n === "number" ? n : null) }),
        ),
      ),
    ),
    el(
      "tbody",
      {},
      ...measures.map((measure) =>
        el(
          "tr",
          {},
          el("th", { text: humanKey(measure), attr: { scope: "row" } }),
          ...sets.map(([, set]) => {
            const measured = set[measure];
            return el("td", { text: (isFields(measured) && estimate(measured)) || text.card.unknown });
          }),
        ),
      ),
    ),
  );
}

/** The card for people: first what it is for and how good, then all of it on request. */
export function cardView(card: ModelCard): Node[] {
  const first = Object.fromEntries(essentials.filter((key) => key in card).map((key) => [key, card[key]]));
  const quality = isFields(card["quality"]) ? card["quality"] : {};
  const note = quality["note"];
  return [
    el("p", { class: "card-name", text: `${String(card["name"])} ${String(card["version"])}` }),
    described(first),
    qualityTable(quality) ?? "",
    typeof note === "string" ? el("p", { class: "muted", text: note }) : "",
    el("details", {}, el("summary", { text: text.card.all }), described(card)),
  ].map((part) => (typeof part === "string" ? document.createTextNode(part) : part));
}
