import { el } from "./dom";

const kept = 12;

/** Where screen readers hear what happened; the latest messages stay readable. */
export const announcer = el("div", { class: "unseen", attr: { role: "status", "aria-atomic": "false" } });

export function announce(message: string): void {
  announcer.append(el("p", { text: message }));
  while (announcer.childElementCount > kept) announcer.firstElementChild?.remove();
}
