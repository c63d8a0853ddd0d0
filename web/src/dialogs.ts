import { getModel, type ModelCard } from "./api";
import { button, el, fileName, icon } from "./dom";
import type { Entry } from "./findings";
import { humanKey } from "./format";
import { text } from "./text";

const deepest = 3;

/** A value with its interval, as the card gives measured quality. */
function interval(value: Record<string, unknown>): string | null {
  const { value: middle, low, high } = value;
  if (typeof middle !== "number") return null;
  const digits = (number: number) => String(Number(number.toPrecision(3)));
  return typeof low === "number" && typeof high === "number"
    ? `${digits(middle)} (${digits(low)} – ${digits(high)})`
    : digits(middle);
}

/** Whatever a model card says, as nested lists of terms. */
function described(value: unknown, depth = 0): Node {
  if (Array.isArray(value)) {
    const plain = value.every((item) => typeof item !== "object");
    if (plain && value.every((item) => typeof item === "number" || String(item).length < 24)) {
      return document.createTextNode(value.join(", "));
    }
    return el("ul", {}, ...value.map((item) => el("li", {}, described(item, depth + 1))));
  }
  if (typeof value === "object" && value !== null) {
    const fields = value as Record<string, unknown>;
    const measured = interval(fields);
    if (measured !== null) return document.createTextNode(measured);
    if (depth >= deepest) return document.createTextNode(JSON.stringify(value));
    return el(
      "dl",
      { class: "card-fields" },
      ...Object.entries(fields).map(([key, field]) =>
        el("div", {}, el("dt", { text: humanKey(key) }), el("dd", {}, described(field, depth + 1))),
      ),
    );
  }
  if (typeof value === "number") return document.createTextNode(String(Number(value.toPrecision(4))));
  return document.createTextNode(String(value));
}

/** What a reader of films wants to know of the model; how it is fed is for engineers. */
function cardView(card: ModelCard): Node[] {
  const { name, version, about, ...rest } = card;
  const technical = new Set(["format", "network_file", "network_sha256", "network", "input", "classes", "calibration"]);
  const essentials =
    typeof about === "object" && about !== null
      ? about
      : Object.fromEntries(Object.entries(rest).filter(([key]) => !technical.has(key)));
  return [el("p", { class: "card-name", text: `${String(name)} ${String(version)}` }), described(essentials)];
}

function close(dialog: HTMLDialogElement): HTMLElement {
  return button({ icon: "close", label: text.purpose.close, bare: true, class: "dialog-close" }, () =>
    dialog.close(),
  );
}

/** A click beside an open dialog closes it. */
function closeFromBeside(dialog: HTMLDialogElement): void {
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) dialog.close();
  });
}

/** What the tool is, what it is not, which model works in it. `shortcuts` is the setting. */
export function aboutDialog(shortcuts: { on: boolean; set: (on: boolean) => void }): HTMLDialogElement {
  const card = el("div", { class: "card" });
  const dialog = el("dialog", { class: "dialog about", attr: { "aria-labelledby": "about-title" } });
  const purpose = text.purpose;
  dialog.append(
    el(
      "div",
      { class: "dialog-body" },
      el("div", { class: "dialog-head" }, el("h2", { text: purpose.title, attr: { id: "about-title" } }), close(dialog)),
      ...purpose.is.map((words) => el("p", { text: words })),
      el("ul", { class: "limits" }, ...purpose.isNot.map((words) => el("li", { text: words }))),
      el("p", { text: purpose.privacy }),
      el("h3", { text: purpose.model }),
      card,
      el("h3", { text: purpose.keys }),
      el(
        "dl",
        { class: "keys" },
        ...purpose.keyList.map(([keys, meaning]) =>
          el("div", {}, el("dt", {}, el("kbd", { text: keys })), el("dd", { text: meaning })),
        ),
      ),
      el(
        "label",
        { class: "check" },
        el("input", {
          attr: { type: "checkbox", checked: shortcuts.on },
          on: { change: (event) => shortcuts.set((event.target as HTMLInputElement).checked) },
        }),
        el("span", { text: purpose.shortcuts }),
      ),
    ),
  );
  closeFromBeside(dialog);
  getModel().then(
    (model) => card.replaceChildren(...cardView(model)),
    () => card.replaceChildren(el("p", { text: purpose.modelMissing })),
  );
  dialog.addEventListener("close", () => dialog.remove());
  return dialog;
}

/** Asks before deleting; stays open, with the reason, where `remove` fails. */
export function removeDialog(entry: Entry, remove: () => Promise<void>): HTMLDialogElement {
  const words = text.remove;
  const failure = el("p", { class: "reason", attr: { role: "alert" } });
  const confirm = button({ icon: "remove", label: words.confirm, class: "button-danger" }, () => {
    confirm.disabled = true;
    remove().then(
      () => dialog.close(),
      (problem: Error) => {
        confirm.disabled = false;
        failure.replaceChildren(icon("warning"), `${words.failed} ${problem.message}`);
      },
    );
  });
  const dialog = el("dialog", { class: "dialog", attr: { "aria-labelledby": "remove-title" } });
  const { state } = entry;
  dialog.append(
    el(
      "div",
      { class: "dialog-body" },
      el("h2", { text: words.title, attr: { id: "remove-title" } }),
      el(
        "p",
        { class: "remove-what" },
        fileName(entry.name),
        state.at === "read"
          ? el("span", {
              text: words.what(
                text.verdict[state.finding.verdict],
                text.percent(state.finding.percent[state.finding.verdict]),
              ),
            })
          : null,
      ),
      el("p", { text: words.body }),
      failure,
      el(
        "div",
        { class: "dialog-actions" },
        button({ label: words.cancel }, () => dialog.close()),
        confirm,
      ),
    ),
  );
  closeFromBeside(dialog);
  dialog.addEventListener("close", () => dialog.remove());
  return dialog;
}
