import { getModel, type Finding } from "./api";
import { button, el, fileName, icon } from "./dom";
import { comparisonRoute, type Entry, type Findings } from "./findings";
import { brief } from "./list";
import { cardView } from "./model_card";
import { text } from "./text";

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
              text: text.summary(state.finding),
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

/** Asks for the film to compare with. What has been read first is taken for the earlier of the two. */
export function compareDialog(finding: Finding, findings: Findings): HTMLDialogElement {
  const words = text.compare;
  const dialog = el("dialog", { class: "dialog", attr: { "aria-labelledby": "compare-title" } });
  const rows = el("ol");
  const foot = el("div");
  const age = ({ created_at, id }: Finding) => `${created_at} ${id}`;
  const fill = () => {
    const others = findings.comparable(finding);
    rows.replaceChildren(
      ...others.map((other) => {
        const [before, after] = age(other) < age(finding) ? [other, finding] : [finding, other];
        return el(
          "li",
          { class: "row", attr: { "data-verdict": other.verdict } },
          el(
            "a",
            {
              class: "row-link",
              attr: { href: comparisonRoute(before.id, after.id) },
              on: { click: () => dialog.close() },
            },
            ...brief(other),
          ),
        );
      }),
    );
    foot.replaceChildren(
      others.length === 0 ? el("p", { class: "muted", text: words.none }) : "",
      findings.more
        ? button({ label: text.list.more }, () => {
            const shown = others.length;
            void findings.loadMore().then(() => {
              fill();
              // The button has gone with its row of old: the focus goes on to the first new finding.
              (rows.children[shown]?.querySelector("a") ?? foot.querySelector("button"))?.focus();
            });
          })
        : "",
    );
  };
  fill();
  dialog.append(
    el(
      "div",
      { class: "dialog-body" },
      el("div", { class: "dialog-head" }, el("h2", { text: words.title, attr: { id: "compare-title" } }), close(dialog)),
      el("p", { text: words.body }),
      rows,
      foot,
    ),
  );
  closeFromBeside(dialog);
  dialog.addEventListener("close", () => dialog.remove());
  return dialog;
}
