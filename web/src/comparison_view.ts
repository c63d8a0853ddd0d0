import { contourUrl, heatmapUrl, imageUrl, type Change, type Comparison } from "./api";
import { el, fileName, icon, type Icon } from "./dom";
import { Film } from "./film";
import { FilmTools } from "./film_tools";
import { filmPixels, heatPixels } from "./finding_view";
import { comparisonRoute, findingRoute } from "./findings";
import { fullMoment } from "./format";
import { text } from "./text";

const icons: Record<Comparison["change"], Icon> = { better: "normal", worse: "warning", unchanged: "equal" };

/** A row of the table; what is beyond noise is told by words as well as by weight. */
function row(name: string, change: Change, shown: (value: number) => string): HTMLElement {
  const words = text.comparison;
  return el(
    "tr",
    { class: change.beyond_noise ? "beyond" : "" },
    el("th", { text: name, attr: { scope: "row" } }),
    el("td", { text: shown(change.before) }),
    el("td", { text: shown(change.after) }),
    el("td", { text: text.signed(change.change, shown) }),
    el("td", { text: (change.beyond_noise ? words.beyond : words.within)(shown(change.margin)) }),
  );
}

function table({ extent, score, zones }: Comparison): HTMLElement {
  const words = text.comparison;
  const { columns } = words;
  return el(
    "table",
    { class: "changes" },
    el("caption", { text: words.table }),
    el(
      "thead",
      {},
      el("tr", {}, el("td"), ...columns.map((name) => el("th", { text: name, attr: { scope: "col" } }))),
    ),
    el("tbody", {}, row(words.extent, extent, text.share), row(words.score, score, text.points)),
    el("tbody", {}, ...zones.map((zone) => row(text.severity.zone[zone.zone], zone, text.points))),
  );
}

/** Two films of one chest side by side; first what changed. */
export class ComparisonView {
  readonly element: HTMLElement;
  readonly heading: HTMLHeadingElement;
  readonly tools: FilmTools;

  constructor(comparison: Comparison) {
    const words = text.comparison;
    const { before, after, change } = comparison;
    const films = [before, after].map(
      ({ file }, index) => new Film(file || text.finding.unnamed, `${words.which[index]}: ${text.film.label}`),
    ) as [Film, Film];
    this.tools = new FilmTools(films);
    this.heading = el("h1", { class: "verdict", attr: { tabindex: -1 } }, icon(icons[change]), words.change[change]);
    this.element = el(
      "article",
      { class: "comparison", attr: { "aria-label": words.landmark, "data-change": change } },
      el(
        "header",
        { class: "comparison-head" },
        this.heading,
        el(
          "a",
          { class: "button", attr: { href: comparisonRoute(after.id, before.id) } },
          icon("exchange"),
          el("span", { text: words.exchange }),
        ),
        el("p", { text: words.summary(comparison) }),
      ),
      el(
        "div",
        { class: "pair" },
        ...[before, after].map(({ id, file, created_at }, index) =>
          el(
            "figure",
            {},
            el(
              "figcaption",
              {},
              el("strong", { text: words.which[index] ?? "" }),
              el("a", { attr: { href: findingRoute(id) } }, fileName(file || text.finding.unnamed)),
              el("span", { class: "muted", text: words.readOn(fullMoment(created_at)) }),
            ),
            films[index]?.stage ?? null,
          ),
        ),
      ),
      this.tools.element,
      table(comparison),
      el("p", { class: "note", text: words.note }),
    );
    [before, after].forEach(({ id }, index) => {
      const film = films[index];
      void film?.setPicture(imageUrl(id, filmPixels)).then((shown) => shown || film.fail());
      film?.setHeatMap(heatmapUrl(id, heatPixels), "opacity");
      film?.setContours(contourUrl(id, heatPixels));
    });
  }
}
