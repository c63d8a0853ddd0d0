import { button, el, svg } from "./dom";
import { text } from "./text";

/** A rib cage in thin lines, drawn from its geometry: the page's only ornament. */
function ribCage(): SVGElement {
  const lines: Element[] = [];
  const line = (d: string, strength: number) =>
    lines.push(svg("path", { d, "stroke-opacity": strength.toFixed(2) }));
  const pairs = 9;
  for (let pair = 0; pair < pairs; ++pair) {
    const t = pair / (pairs - 1);
    const y = 58 + 29 * pair;
    const reach = 62 + 96 * Math.sin(Math.PI * (0.14 + 0.5 * t));
    const drop = 34 + 34 * Math.sin(Math.PI * (0.1 + 0.62 * t));
    for (const side of [-1, 1]) {
      const x = (offset: number) => (200 + side * offset).toFixed(1);
      // The back of the rib leaves the spine upwards and turns down at the side ...
      line(
        `M${x(13)} ${y} C${x(reach * 0.5)} ${y - 22} ${x(reach)} ${y - 8} ${x(reach)} ${y + drop}`,
        0.95 - 0.35 * t,
      );
      // ... and its front comes back, fainter, towards the breastbone.
      if (pair < pairs - 2) {
        line(
          `M${x(reach)} ${y + drop} C${x(reach * 0.98)} ${y + drop + 26} ${x(reach * 0.62)} ${y + drop + 30} ${x(34 + 10 * t)} ${y + drop + 12}`,
          0.3,
        );
      }
    }
  }
  for (let vertebra = 0; vertebra < 11; ++vertebra) {
    const y = 46 + 27 * vertebra;
    line(`M191 ${y} h18 v17 h-18 Z`, 0.55);
  }
  for (const side of [-1, 1]) {
    const x = (offset: number) => (200 + side * offset).toFixed(1);
    line(`M${x(16)} 52 C${x(60)} 30 ${x(92)} 58 ${x(150)} 30`, 0.9);
    line(`M${x(18)} 330 C${x(60)} 268 ${x(128)} 262 ${x(160)} 338`, 0.5);
  }
  return svg(
    "svg",
    { class: "rib-cage", viewBox: "0 0 400 360", "aria-hidden": "true", focusable: "false" },
    ...lines,
  );
}

/** The first screen: one large place to drop films on. */
export function home(choose: () => void): HTMLElement {
  const drop = el(
    "div",
    {
      class: "drop",
      on: {
        click: (event) => {
          if (!(event.target as HTMLElement).closest("button")) choose();
        },
      },
    },
    el("span", { class: "corner corner-nw" }),
    el("span", { class: "corner corner-ne" }),
    el("span", { class: "corner corner-sw" }),
    el("span", { class: "corner corner-se" }),
    ribCage(),
    el(
      "div",
      { class: "drop-words" },
      el("h1", { text: text.drop.title, attr: { tabindex: -1 } }),
      el("p", { text: text.drop.hint }),
      button({ icon: "plus", label: text.drop.choose, class: "button-primary" }, choose),
    ),
  );
  return drop;
}
