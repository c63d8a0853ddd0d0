import { contourUrl, getModel, heatmapUrl, imageUrl, type Answer, type Finding } from "./api";
import { button, el, fileName, icon } from "./dom";
import { Film } from "./film";
import { FilmTools } from "./film_tools";
import { routeOf, type Entry, type Findings } from "./findings";
import { duration, fullMoment } from "./format";
import { severityBlock, zoneTable } from "./severity";
import { text } from "./text";

/** Longer side of the film as first fetched, and of its heat map, in pixels. */
export const filmPixels = 2048;
export const heatPixels = 1024;

interface Actions {
  remove: (entry: Entry) => void;
  step: (by: number) => void;
  compare: (finding: Finding) => void;
}

/** Per cent from which the finding's model calls pneumonia; null for one half, or where unknown. */
async function thresholdOf(finding: Finding): Promise<number | null> {
  const card = await getModel();
  const threshold = card["threshold"];
  if (finding.model !== `${card["name"]} ${card["version"]}` || typeof threshold !== "number") return null;
  return threshold === 0.5 ? null : threshold * 100;
}

/** Both percentages as numbers and as a bar, with what else is said of them. */
function shares(finding: Finding, percent: Record<Answer, number>, threshold: number | null): HTMLElement {
  const part = (given: Answer) =>
    el(
      "div",
      { class: "share" },
      el("dt", { text: text.verdict[given] }),
      el("dd", { text: text.percent(percent[given]) }),
    );
  const track = el(
    "div",
    { class: "bar", attr: { "aria-hidden": "true" } },
    el("span", { class: "bar-pneumonia" }),
    el("span", { class: "bar-normal" }),
  );
  track.style.setProperty("--share", `${percent.pneumonia}%`);
  if (threshold !== null) {
    const mark = el("span", { class: "bar-mark" });
    mark.style.setProperty("--at", `${threshold}%`);
    track.append(mark);
  }
  const { subtype } = finding;
  return el(
    "div",
    { class: "shares" },
    el("dl", { class: "share-list" }, part("pneumonia"), part("normal")),
    track,
    finding.verdict === "pneumonia" && subtype
      ? el("p", { class: "subtype", text: text.finding.subtype(subtype.bacterial, subtype.viral) })
      : null,
  );
}

/** What is said of severity is shown where there may be pneumonia; a normal film has veils too. */
const showsSeverity = ({ verdict }: Finding): boolean => verdict === "pneumonia" || verdict === "uncertain";

/** First the answer, then how severe it is, then the reasons. */
function answer(finding: Finding, threshold: number | null): HTMLElement[] {
  const parts = finding.percent ? [shares(finding, finding.percent, threshold)] : [];
  if (finding.severity && showsSeverity(finding)) parts.push(severityBlock(finding.severity));
  // Findings kept by an earlier server have none.
  const reasons = finding.reasons ?? [];
  if (reasons.length > 0) {
    parts.push(
      el("ul", { class: "reasons" }, ...reasons.map((reason) => el("li", { text: text.reason(reason) }))),
    );
  }
  return parts;
}

function fact(term: string, value: string, title?: string, kind = ""): HTMLElement {
  return el(
    "div",
    { class: `fact ${kind}`.trim() },
    el("dt", { text: term }),
    el("dd", { text: value, attr: { title: title ?? null } }),
  );
}

function facts(finding: Finding, roundTrip: number | null, threshold: number | null): HTMLElement {
  const server = text.finding.server(duration(finding.milliseconds));
  const time = roundTrip === null ? server : `${server}, ${text.finding.roundTrip(duration(roundTrip))}`;
  const parts = finding.timing;
  return el(
    "dl",
    { class: "facts" },
    fact(
      text.finding.time,
      time,
      parts &&
        text.finding.parts(duration(parts.decode), duration(parts.preprocess), duration(parts.infer)),
      "fact-time",
    ),
    fact(text.finding.model, finding.model),
    threshold === null ? null : fact(text.finding.threshold, text.finding.thresholdAt(threshold)),
    fact(text.finding.picture, text.finding.size(finding.picture.width, finding.picture.height)),
    fact(text.finding.date, fullMoment(finding.created_at)),
  );
}

/** One picture at large: the answer, the film, where the time went. */
export class FindingView {
  readonly element: HTMLElement;
  readonly heading: HTMLHeadingElement;
  readonly tools: FilmTools;

  #film: Film;
  #answer = el("div", { class: "answer-body" });
  #actions = el("div", { class: "answer-actions" });
  #more = el("div", { class: "answer-more" });
  #aside = el("div", { class: "aside", attr: { hidden: true } });
  #facts = el("div", { class: "foot-facts" });
  #state = "";
  #preview: string | null = null;
  #shown: Promise<unknown> = Promise.resolve();

  constructor(
    readonly entry: Entry,
    private readonly findings: Findings,
    private readonly actions: Actions,
  ) {
    this.#film = new Film(entry.name);
    this.tools = new FilmTools([this.#film]);
    this.heading = el("h1", { class: "verdict", attr: { tabindex: -1 } });
    this.element = el(
      "article",
      { class: "finding", attr: { "aria-label": text.finding.landmark } },
      el(
        "header",
        { class: "answer" },
        el("div", { class: "answer-head" }, this.heading, el("p", { class: "answer-file" }, fileName(entry.name))),
        this.#answer,
        this.#actions,
        this.#more,
      ),
      this.#film.stage,
      this.tools.element,
      this.#aside,
      this.#facts,
    );
    if (entry.file && entry.state.at !== "read") void this.#showPreview(entry.file);
    this.update();
  }

  /** Call when the entry's state or its place on the list has changed. */
  update(): void {
    const { state } = this.entry;
    this.element.dataset["state"] = state.at;
    if (state.at !== "read") {
      this.#showProgress();
    } else if (this.#state !== "read") {
      this.#showFinding(state.finding, state.roundTrip);
      this.#showMore(state.finding);
    }
    this.#state = state.at;
    this.#showActions();
  }

  /** Frees what the page holds for this view. */
  close(): void {
    const preview = this.#preview;
    // Whatever shows it may still be loading it, or just about to.
    if (preview) void this.#shown.finally(() => setTimeout(() => URL.revokeObjectURL(preview), 1000));
    this.#preview = null;
  }

  async #showPreview(file: File): Promise<void> {
    this.#preview = URL.createObjectURL(file);
    if (this.#state === "read") return;
    this.#shown = this.#film.setPicture(this.#preview);
    await this.#shown;
  }

  #showProgress(): void {
    const { state } = this.entry;
    const say = (glyph: "waiting" | "working" | "warning", words: string) =>
      this.heading.replaceChildren(icon(glyph), words);
    switch (state.at) {
      case "waiting":
        say("waiting", text.upload.waitingShort);
        this.#answer.replaceChildren(el("p", { text: text.upload.waiting(this.findings.ahead(this.entry)) }));
        break;
      case "sending":
        say("working", text.upload.sending(state.share));
        this.#answer.replaceChildren();
        break;
      case "reading":
        say("working", text.upload.reading);
        this.#answer.replaceChildren();
        break;
      case "retrying":
        say("waiting", text.upload.waitingShort);
        this.#answer.replaceChildren(el("p", { text: text.upload.retrying(state.seconds) }));
        break;
      case "failed": {
        say("warning", text.upload.failed);
        const { code, detail } = state.problem;
        const reason = text.upload.reason(code, detail) || text.upload.unknown;
        this.#answer.replaceChildren(
          el("p", { class: "reason", text: reason }),
          ...(detail && detail !== reason
            ? [el("p", { class: "reason-detail", text: text.upload.detail(detail) })]
            : []),
        );
        break;
      }
      case "read":
        break;
    }
  }

  #showFinding(finding: Finding, roundTrip: number | null): void {
    const { verdict } = finding;
    this.element.dataset["verdict"] = verdict;
    this.heading.replaceChildren(icon(verdict), text.verdict[verdict]);
    const fill = (threshold: number | null) => {
      this.#answer.replaceChildren(...answer(finding, threshold));
      this.#facts.replaceChildren(facts(finding, roundTrip, threshold));
    };
    fill(null);
    if (finding.percent) {
      thresholdOf(finding)
        .then((threshold) => threshold !== null && fill(threshold))
        .catch(() => undefined);
    }

    const { id } = finding;
    const { width, height } = finding.picture;
    const large = Math.max(width, height) > filmPixels;
    void this.#film
      .setPicture(imageUrl(id, large ? filmPixels : undefined), width, height)
      .then((shown) => {
        if (!shown) this.#film.fail();
        this.close();
      });
    if (large) this.#film.onEnlarge = () => void this.#film.setPicture(imageUrl(id), width, height);
    if (verdict !== "rejected") {
      this.#film.setHeatMap(heatmapUrl(id, heatPixels), finding.severity ? "opacity" : "evidence");
    }
    if (finding.severity) this.#film.setContours(contourUrl(id, heatPixels));
    if (finding.zones && showsSeverity(finding)) {
      this.#aside.replaceChildren(zoneTable(finding.zones), el("p", { class: "note", text: text.severity.note }));
      this.#aside.hidden = false;
    }
  }

  /** What can be done with a finding, apart from going to another and deleting it. */
  #showMore(finding: Finding): void {
    this.#more.replaceChildren(
      finding.severity
        ? button({ icon: "compare", label: text.finding.compare }, () => this.actions.compare(finding))
        : "",
      button({ icon: "print", label: text.finding.print }, () => print()),
    );
  }

  #showActions(): void {
    const last = this.findings.all.length - 1;
    const place = this.findings.placeOf(routeOf(this.entry));
    const { state } = this.entry;
    const signature = `${state.at} ${place} ${last}`;
    if (this.#actions.dataset["signature"] === signature) return;
    this.#actions.dataset["signature"] = signature;
    const previous = button({ icon: "previous", label: text.finding.previous, bare: true }, () =>
      this.actions.step(-1),
    );
    const next = button({ icon: "next", label: text.finding.next, bare: true }, () => this.actions.step(1));
    previous.disabled = place <= 0;
    next.disabled = place < 0 || place === last;
    const failed = state.at === "failed";
    this.#actions.replaceChildren(
      failed && state.problem.passing ? button({ icon: "retry", label: text.upload.retry }, () => this.findings.retry(this.entry)) : "",
      button(
        {
          icon: "remove",
          label: state.at === "read" ? text.finding.remove : text.upload.dismiss,
          bare: !failed,
        },
        () => this.actions.remove(this.entry),
      ),
      previous,
      next,
    );
  }
}
