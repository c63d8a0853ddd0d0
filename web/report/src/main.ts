import { el } from "../../src/dom";
import { themeSwitch } from "../../src/theme";
import type { ReportPage } from "./data";
import { evaluationView } from "./evaluation";
import { explorationView } from "./exploration";

const source = document.getElementById("data")?.textContent ?? "null";
const page = JSON.parse(source) as ReportPage | null;

if (page) {
  const evaluation = page.kind === "evaluation";
  const title = evaluation ? `How well ${page.evaluation.model} reads` : "What these pictures are like";
  const sections = evaluation ? evaluationView(page) : explorationView(page);
  const created = new Intl.DateTimeFormat("en-GB", { dateStyle: "long", timeStyle: "short" }).format(new Date(page.created));
  document.title = `${title}: ${page.folder}`;
  document.body.append(
    el(
      "header",
      {},
      el("div", {}, el("h1", { text: title }), el("p", {}, el("bdi", { text: page.folder }), `, ${created}`)),
      themeSwitch(),
    ),
    el(
      "nav",
      { attr: { "aria-label": "Contents" } },
      el(
        "ol",
        {},
        ...sections.map((part) =>
          el("li", {}, el("a", { text: part.querySelector("h2")?.textContent ?? "", attr: { href: `#${part.id}` } })),
        ),
      ),
    ),
    el("main", {}, ...sections),
    el(
      "footer",
      {},
      el("p", {
        text: "Made by xray. Pictures of patients are inside this file: handle it as you would the films. Not a medical device.",
      }),
    ),
  );
}
