import { imageUrl, type Finding, type Verdict } from "./api";
import { button, el, fileName, icon } from "./dom";
import { routeOf, type Entry, type Findings } from "./findings";
import { fullMoment, moment } from "./format";
import { sideBySide } from "./layout";
import { text } from "./text";

/** Longer side of a thumbnail, in pixels: twice its size on the page. */
const thumbnailPixels = 144;

/** A finding as lists show it: small, with its answer, its file and its time. */
export function brief(finding: Finding): [HTMLElement, HTMLElement] {
  const sure = text.certainty(finding);
  return [
    el(
      "span",
      { class: "thumbnail" },
      el("img", {
        attr: { src: imageUrl(finding.id, thumbnailPixels), alt: "", loading: "lazy", decoding: "async" },
        on: { error: (event) => (event.target as HTMLElement).remove() },
      }),
    ),
    el(
      "span",
      { class: "row-words" },
      el(
        "span",
        { class: "row-verdict" },
        icon(finding.verdict),
        el("span", { text: text.verdict[finding.verdict] }),
        sure === null ? null : el("span", { class: "row-percent", text: text.percent(sure) }),
      ),
      fileName(finding.file || text.finding.unnamed),
      el("time", {
        class: "row-time",
        text: moment(finding.created_at),
        attr: { datetime: finding.created_at, title: fullMoment(finding.created_at) },
      }),
    ),
  ];
}

/** One line of the list. */
class Row {
  readonly element: HTMLElement;
  readonly link = el("a", { class: "row-link" });
  #remove: HTMLButtonElement;

  constructor(
    readonly entry: Entry,
    remove: (entry: Entry) => void,
  ) {
    this.#remove = button({ icon: "remove", label: text.finding.remove, bare: true, class: "row-remove" }, () =>
      remove(entry),
    );
    this.element = el("li", { class: "row" }, this.link, this.#remove);
    this.update();
  }

  update(): void {
    const { entry } = this;
    const { state } = entry;
    this.link.href = routeOf(entry);
    this.element.dataset["state"] = state.at;
    if (state.at === "read") {
      this.element.dataset["verdict"] = state.finding.verdict;
      this.link.replaceChildren(...brief(state.finding));
    } else {
      const failed = state.at === "failed";
      const resting = state.at === "waiting" || state.at === "retrying";
      this.link.replaceChildren(
        el("span", { class: "thumbnail" }, icon(failed ? "warning" : resting ? "waiting" : "working")),
        el(
          "span",
          { class: "row-words" },
          el("span", { class: "row-verdict", text: this.#progress() }),
          fileName(entry.name),
        ),
      );
    }
    const label = state.at === "read" ? text.finding.removeNamed : text.upload.dismissNamed;
    this.#remove.setAttribute("aria-label", label(entry.name));
    this.#remove.title = state.at === "read" ? text.finding.remove : text.upload.dismiss;
  }

  select(selected: boolean): void {
    if (!selected) {
      this.link.removeAttribute("aria-current");
      return;
    }
    this.link.setAttribute("aria-current", "true");
    if (sideBySide.matches) this.element.scrollIntoView({ block: "nearest" });
  }

  #progress(): string {
    const { state } = this.entry;
    switch (state.at) {
      case "waiting":
        return text.upload.waitingShort;
      case "sending":
        return text.upload.sending(state.share);
      case "retrying":
        return text.upload.retrying(state.seconds);
      case "failed":
        return text.upload.failed;
      default:
        return text.upload.reading;
    }
  }
}

const verdicts = Object.keys(text.verdict) as Verdict[];

/** The findings of this visit and those of before, to choose from. */
export class List {
  readonly element: HTMLElement;
  readonly heading = el("h2", { text: text.list.heading, attr: { id: "list-heading", tabindex: -1 } });

  #rows = new Map<Entry, Row>();
  #selected: string | null = null;
  #session = el("ol", { class: "rows" });
  #earlier = el("ol", { class: "rows" });
  #sessionPart: HTMLElement;
  #earlierPart: HTMLElement;
  #progress = el("p");
  #verdict = el(
    "select",
    {
      class: "list-verdict",
      attr: { "aria-label": text.list.verdict },
      on: {
        change: () => void this.findings.choose(verdicts.find((one) => one === this.#verdict.value) ?? null),
      },
    },
    el("option", { text: text.list.anyVerdict, attr: { value: "" } }),
    ...verdicts.map((one) => el("option", { text: text.verdict[one], attr: { value: one } })),
  );
  #foot = el("div", { class: "list-foot" });

  constructor(
    private readonly findings: Findings,
    private readonly remove: (entry: Entry) => void,
  ) {
    this.#sessionPart = el(
      "section",
      { class: "list-part", attr: { "aria-label": text.list.session } },
      el("div", { class: "list-part-head" }, el("h3", { text: text.list.session }), this.#progress),
      this.#session,
    );
    this.#earlierPart = el(
      "section",
      { class: "list-part", attr: { "aria-label": text.list.earlier } },
      el("div", { class: "list-part-head" }, el("h3", { text: text.list.earlier }), this.#verdict),
      this.#earlier,
    );
    this.element = el(
      "section",
      { class: "list", attr: { "aria-labelledby": "list-heading" } },
      this.heading,
      this.#sessionPart,
      this.#earlierPart,
      this.#foot,
    );
    findings.listen((entry) => (entry === null ? this.#showAll() : this.#showOne(entry)));
    this.#showAll();
  }

  /** Marks the entry at this address, and the one before no longer. */
  select(route: string | null): void {
    this.#selected = route;
    for (const [entry, row] of this.#rows) row.select(routeOf(entry) === route);
  }

  /** The link of an entry, to put the focus on. */
  link(entry: Entry): HTMLElement | undefined {
    return this.#rows.get(entry)?.link;
  }

  #showOne(entry: Entry): void {
    this.#rows.get(entry)?.update();
    this.#showProgress();
  }

  #showAll(): void {
    const { session, earlier } = this.findings;
    for (const entry of this.#rows.keys()) {
      if (!session.includes(entry) && !earlier.includes(entry)) this.#rows.delete(entry);
    }
    this.#fill(this.#session, session);
    this.#fill(this.#earlier, earlier);
    this.#sessionPart.hidden = session.length === 0;
    this.#earlierPart.hidden = earlier.length === 0 && this.findings.verdict === null;
    this.#showProgress();
    this.#showFoot();
    this.select(this.#selected);
  }

  /** Makes the rows follow the entries, moving none that is in its place already. */
  #fill(rows: HTMLElement, entries: Entry[]): void {
    const wanted = entries.map((entry) => {
      const row = this.#rows.get(entry) ?? new Row(entry, this.remove);
      this.#rows.set(entry, row);
      return row.element;
    });
    const keep = new Set<Element>(wanted);
    for (const child of [...rows.children]) if (!keep.has(child)) child.remove();
    wanted.forEach((element, index) => {
      if (rows.children[index] !== element) rows.insertBefore(element, rows.children[index] ?? null);
    });
  }

  #showProgress(): void {
    const { session } = this.findings;
    const done = session.filter((entry) => entry.state.at === "read").length;
    const failed = session.filter((entry) => entry.state.at === "failed").length;
    const words = [text.list.progress(done, session.length)];
    if (failed > 0) words.push(text.list.failures(failed));
    this.#progress.textContent = words.join(", ");
  }

  #showFoot(): void {
    const { loading, more, all, earlier, verdict } = this.findings;
    const again = (label: string) => button({ label }, () => void this.findings.loadMore());
    if (loading === "loading") this.#foot.replaceChildren(el("p", { class: "muted", text: text.list.loading }));
    else if (loading === "failed")
      this.#foot.replaceChildren(el("p", { class: "reason", text: text.list.failed }), again(text.list.retry));
    else if (more) this.#foot.replaceChildren(again(text.list.more));
    else if (verdict !== null && earlier.length === 0)
      this.#foot.replaceChildren(el("p", { class: "muted", text: text.list.none }));
    else if (all.length === 0) this.#foot.replaceChildren(el("p", { class: "muted", text: text.list.empty }));
    else this.#foot.replaceChildren();
  }
}
