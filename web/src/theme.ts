import { el, icon, type Icon } from "./dom";
import { remember, remembered } from "./settings";
import { text } from "./text";

type Theme = "system" | "light" | "dark";
const themes: Theme[] = ["system", "light", "dark"];

function apply(theme: Theme): void {
  document.documentElement.dataset["theme"] = theme;
}

const stored = remembered("theme");
const chosen = themes.find((theme) => theme === stored) ?? "system";
// Before the page asks the server anything: it should not come up in one theme and change to another.
apply(chosen);

/** Light, dark or as the system has it; remembered. */
export function themeSwitch(): HTMLElement {
  const choices = themes.map((theme) => {
    const input = el("input", {
      attr: { type: "radio", name: "theme", value: theme, checked: theme === chosen },
      on: {
        change: () => {
          apply(theme);
          remember("theme", theme);
        },
      },
    });
    return el(
      "label",
      { class: "theme-choice", attr: { title: text.theme[theme] } },
      input,
      icon(theme satisfies Icon),
      el("span", { class: "unseen", text: text.theme[theme] }),
    );
  });
  return el(
    "fieldset",
    { class: "theme" },
    el("legend", { class: "unseen", text: text.theme.label }),
    ...choices,
  );
}
