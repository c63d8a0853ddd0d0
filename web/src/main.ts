import { accountButton } from "./account";
import { announce, announcer } from "./announce";
import { compareFindings, Problem, type Comparison, type Finding } from "./api";
import { ComparisonView } from "./comparison_view";
import { aboutDialog, compareDialog, removeDialog } from "./dialogs";
import { button, el, svg } from "./dom";
import type { FilmTools } from "./film_tools";
import { FindingView } from "./finding_view";
import { Findings, isPending, routeOf, type Entry } from "./findings";
import { home } from "./home";
import { intake } from "./intake";
import { sideBySide } from "./layout";
import { List } from "./list";
import { remember, remembered } from "./settings";
import { text } from "./text";
import { themeSwitch } from "./theme";

const findings = new Findings();
const main = el("main", { class: "stage" });
let view: FindingView | null = null;
/** Of the film or films on the stage. */
let tools: FilmTools | null = null;

const shortcuts = {
  on: remembered("shortcuts") !== "off",
  set: (on: boolean) => {
    shortcuts.on = on;
    remember("shortcuts", on ? "on" : "off");
  },
};

const choose = intake((files) => {
  if (files.length === 0) {
    announce(text.drop.nothing);
    return;
  }
  const [first] = findings.add(files);
  announce(text.announce.added(files.length));
  if (first) location.hash = routeOf(first);
});

const list = new List(findings, remove);

function present(content: HTMLElement): void {
  view?.close();
  view = null;
  tools = null;
  main.replaceChildren(content);
  document.title = text.product;
  if (!sideBySide.matches) scrollTo(0, 0);
}

function showHome(): void {
  present(home(choose));
  list.select(null);
}

function titleOf(entry: Entry): string {
  const { state } = entry;
  return text.title(
    state.at === "read" ? `${text.verdict[state.finding.verdict]}, ${entry.name}` : entry.name,
  );
}

/** Brings address, list and title in line with the entry on the stage. */
function settle(entry: Entry): void {
  history.replaceState(null, "", routeOf(entry));
  list.select(routeOf(entry));
  document.title = titleOf(entry);
}

function show(entry: Entry): void {
  const shown = new FindingView(entry, findings, { remove, step, compare });
  present(shown.element);
  view = shown;
  tools = shown.tools;
  settle(entry);
  if (!sideBySide.matches) shown.heading.focus({ preventScroll: true });
  if (entry.state.at === "read") {
    announce(text.announce.showing(entry.name, entry.state.finding));
  }
}

function showComparison(comparison: Comparison): void {
  const shown = new ComparisonView(comparison);
  present(shown.element);
  tools = shown.tools;
  list.select(null);
  const { before, after, change } = comparison;
  const word = text.comparison.change[change];
  document.title = text.title(`${word}, ${text.comparison.files(before.file, after.file)}`);
  shown.heading.focus({ preventScroll: true });
  announce(`${word}. ${text.comparison.summary(comparison)}`);
}

function showFailure(problem: unknown, reasonOf: (code: string, detail: string) => string): void {
  const { code, detail } = problem instanceof Problem ? problem : new Problem("", 0, "");
  present(el("p", { class: "stage-message reason", text: reasonOf(code, detail) || text.upload.unknown }));
  list.select(null);
}

/** Shows what `get` brings, unless the address has changed by then. */
async function load<T>(
  waiting: string,
  get: () => Promise<T>,
  show: (loaded: T) => void,
  reasonOf: (code: string, detail: string) => string,
): Promise<void> {
  const route = location.hash;
  const here = () => location.hash === route;
  present(el("p", { class: "stage-message muted", text: waiting }));
  try {
    const loaded = await get();
    if (here()) show(loaded);
  } catch (problem) {
    if (here()) showFailure(problem, reasonOf);
  }
}

/** Shows what the address names. */
async function follow(): Promise<void> {
  const route = location.hash;
  const known = findings.find(route);
  const [, id] = /^#\/findings\/(.+)$/.exec(route) ?? [];
  const [, before, after] = /^#\/?compare\/([^/]+)\/([^/]+)$/.exec(route) ?? [];
  const plain = decodeURIComponent;
  if (known) {
    show(known);
  } else if (id) {
    await load(text.finding.loading, async () => findings.fetch(plain(id)), show, text.upload.reason);
  } else if (before && after) {
    const get = async () => compareFindings(plain(before), plain(after));
    await load(text.comparison.loading, get, showComparison, text.comparison.reason);
  } else {
    showHome();
  }
}

/** Goes `by` entries down the list. */
function step(by: number): void {
  const target = findings.all[findings.placeOf(location.hash) + by];
  if (target) location.hash = routeOf(target);
}

/** After an entry has gone: its neighbour takes its place, on the stage and for the focus. */
function leave(place: number, wasShown: boolean): void {
  const neighbour = findings.all[Math.min(place, findings.all.length - 1)];
  if (wasShown) location.hash = neighbour ? routeOf(neighbour) : "#/";
  ((neighbour && list.link(neighbour)) ?? list.heading).focus({ preventScroll: true });
}

function open(dialog: HTMLDialogElement): void {
  document.body.append(dialog);
  dialog.showModal();
}

function compare(finding: Finding): void {
  open(compareDialog(finding, findings));
}

function remove(entry: Entry): void {
  const place = Math.max(0, findings.placeOf(routeOf(entry)));
  const wasShown = view?.entry === entry;
  if (entry.state.at !== "read") {
    findings.dismiss(entry);
    leave(place, wasShown);
    return;
  }
  const dialog = removeDialog(entry, async () => {
    await findings.remove(entry);
    dialog.addEventListener("close", () => leave(place, wasShown));
    announce(text.announce.removed(entry.name));
  });
  open(dialog);
}

findings.listen((entry) => {
  if (entry && entry.state.at === "read") {
    announce(text.announce.read(entry.name, entry.state.finding));
  } else if (entry && entry.state.at === "failed") {
    const { code, detail } = entry.state.problem;
    announce(text.announce.failed(entry.name, text.upload.reason(code, detail)));
  }
  if (view && (entry === null || entry === view.entry || isPending(view.entry))) view.update();
  if (entry !== null && entry === view?.entry && entry.state.at === "read") settle(entry);
});

addEventListener("keydown", (event) => {
  if (!shortcuts.on || event.ctrlKey || event.metaKey || event.altKey) return;
  if (document.querySelector("dialog[open]")) return;
  switch (event.key.toLowerCase()) {
    case "h": {
      const on = tools?.toggleHeat();
      if (typeof on === "boolean") announce(on ? text.announce.heatOn : text.announce.heatOff);
      break;
    }
    case "c": {
      const on = tools?.toggleContours();
      if (typeof on === "boolean") announce(on ? text.announce.contoursOn : text.announce.contoursOff);
      break;
    }
    case "j":
      step(1);
      break;
    case "k":
      step(-1);
      break;
  }
});
addEventListener("hashchange", () => void follow());
addEventListener("beforeunload", (event) => {
  if (findings.session.some(isPending)) event.preventDefault();
});

function mark(): SVGElement {
  return svg(
    "svg",
    { class: "mark", viewBox: "0 0 32 32", "aria-hidden": "true", focusable: "false" },
    svg("path", {
      d: "M16 4v24M13 9.5C8.5 8 5 10.5 4.5 14.5M19 9.5C23.5 8 27 10.5 27.5 14.5M13 15C9 13.5 5.5 16 5 20M19 15C23 13.5 26.5 16 27 20M13 20.5C10 19 7 21 6.5 25M19 20.5C22 19 25 21 25.5 25",
    }),
  );
}

function about(): void {
  open(aboutDialog(shortcuts));
}

document.documentElement.lang = text.language;
const account = await accountButton(open);
document.body.prepend(
  el(
    "header",
    { class: "head" },
    el(
      "a",
      { class: "brand", attr: { href: "#/" } },
      mark(),
      el("span", { class: "brand-name", text: text.product }),
      el("span", { class: "brand-line", text: text.tagline }),
    ),
    el("div", { class: "head-actions" }, themeSwitch(), button({ icon: "plus", label: text.add, class: "button-add" }, choose), account),
  ),
  main,
  list.element,
  el(
    "footer",
    { class: "foot" },
    el("p", { text: text.purpose.line }),
    button({ label: text.purpose.about, class: "foot-about" }, about),
  ),
  announcer,
);

void findings.loadMore();
await follow();
