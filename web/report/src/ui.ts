import { el } from "../../src/dom";
import type { Label, Picture, Unreadable } from "./data";
import { counted, labelName } from "./words";

type Child = Node | string | null;

/** One chapter of the report; the table of contents finds it by its id. */
export function section(id: string, title: string, intro: string, ...children: Child[]): HTMLElement {
  return el(
    "section",
    { attr: { id, "aria-labelledby": `${id}-title` } },
    el("h2", { text: title, attr: { id: `${id}-title` } }),
    intro ? el("p", { class: "intro", text: intro }) : null,
    ...children,
  );
}

interface FigureProperties {
  title: string;
  /** What the drawing shows, for those who do not see it. */
  alt: string;
  caption?: string;
  legend?: HTMLElement;
  draw: (width: number) => Element[];
  /** The drawing's numbers. */
  table?: HTMLElement;
}

/** A drawing that follows the width it gets, with its caption and its numbers. */
export function figure(properties: FigureProperties): HTMLElement {
  const plot = el("div", { class: "plot", attr: { role: "img", "aria-label": properties.alt } });
  let drawn = 0;
  const observer = new ResizeObserver(() => {
    const width = Math.floor(plot.clientWidth);
    if (width === 0 || Math.abs(width - drawn) < 4) return;
    drawn = width;
    plot.replaceChildren(...properties.draw(width));
  });
  observer.observe(plot);
  return el(
    "figure",
    { class: "chart" },
    el("h3", { text: properties.title }),
    properties.legend ?? null,
    plot,
    el(
      "figcaption",
      {},
      properties.caption ? el("p", { text: properties.caption }) : el("p", { class: "unseen", text: properties.alt }),
      properties.table
        ? el(
            "details",
            {},
            el("summary", { text: "Numbers" }, el("span", { class: "unseen", text: ` of ${properties.title}` })),
            properties.table,
          )
        : null,
    ),
  );
}

/** Text columns stand left, the others right. */
export interface Column {
  head: string;
  text?: boolean;
}

type Cell = Node | string | number;

/** The first cell of each row names the row. */
export function table(caption: string, columns: Column[], rows: Cell[][]): HTMLElement {
  const kind = (index: number) => (columns[index]?.text ? "text" : "number");
  return el(
    "div",
    { class: "table-frame", attr: { tabindex: "0", role: "region", "aria-label": caption } },
    el(
      "table",
      {},
      el("caption", { text: caption }),
      el(
        "thead",
        {},
        el(
          "tr",
          {},
          ...columns.map(({ head }, index) => el("th", { class: kind(index), text: head, attr: { scope: "col" } })),
        ),
      ),
      el(
        "tbody",
        {},
        ...rows.map((row) =>
          el(
            "tr",
            {},
            ...row.map((cell, index) => {
              const content = cell instanceof Node ? cell : String(cell);
              return index === 0
                ? el("th", { class: kind(index), attr: { scope: "row" } }, content)
                : el("td", { class: kind(index) }, content);
            }),
          ),
        ),
      ),
    ),
  );
}

export const swatch = (label: Label): HTMLElement =>
  el("span", { class: `swatch swatch-${label}`, attr: { "aria-hidden": "true" } });

/** What the colours and the dashes mean. */
export const classLegend = (words: Record<Label, string> = labelName): HTMLElement =>
  el(
    "p",
    { class: "legend" },
    el("span", {}, swatch("normal"), words.normal),
    el("span", {}, swatch("pneumonia"), words.pneumonia),
  );

/** A few numbers that say most. */
export const tiles = (entries: { value: string; name: string; note?: string; grave?: boolean }[]): HTMLElement =>
  el(
    "dl",
    { class: "tiles" },
    ...entries.map(({ value, name, note, grave }) =>
      el(
        "div",
        { class: grave ? "tile tile-grave" : "tile" },
        el("dt", { text: name }),
        el("dd", {}, el("span", { class: "tile-value", text: value }), note ? el("span", { text: note }) : null),
      ),
    ),
  );

export const tag = (text: string, kind: string): HTMLElement => el("span", { class: `tag tag-${kind}`, text });

/** Films as figures; `notes` say what matters about each. */
export class Films {
  /** `severalSplits`: the split is worth saying. */
  constructor(
    private readonly thumbnails: Record<string, string>,
    private readonly severalSplits: boolean,
    private readonly heatMaps: Record<string, string> = {},
  ) {}

  film(picture: Picture, ...notes: Child[]): HTMLElement {
    const uri = this.thumbnails[picture.id];
    const heat = this.heatMaps[picture.id];
    return el(
      "figure",
      { class: "film" },
      el(
        "div",
        { class: "film-view" },
        uri
          ? el("img", { attr: { src: uri, alt: `Film ${picture.file}, labelled ${picture.label}` } })
          : el("p", { text: "not shown" }),
        heat ? el("img", { class: "heat", attr: { src: heat, alt: "" } }) : null,
      ),
      el(
        "figcaption",
        {},
        el("bdi", { class: "file-name", text: picture.file, attr: { title: picture.file } }),
        ...notes,
        tag(labelName[picture.label], picture.label),
        this.severalSplits && picture.split ? tag(picture.split, "split") : null,
      ),
    );
  }
}

export const wall = (...films: Node[]): HTMLElement => el("div", { class: "wall" }, ...films);

export function unreadableSection({ pictures, list }: Unreadable): HTMLElement | null {
  if (pictures === 0) return null;
  return section(
    "unreadable",
    "Files that were not read",
    `${counted(pictures, "file")} could not be read and count nowhere.`,
    table(
      pictures > list.length ? `The first ${list.length}` : "Files and reasons",
      [{ head: "File", text: true }, { head: "Reason", text: true }],
      list.map(({ file, message }) => [el("bdi", { text: file }), message]),
    ),
  );
}
