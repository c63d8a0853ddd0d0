import { el } from "../../src/dom";
import { themeSwitch } from "../../src/theme";
import type { ReportPage } from "./data";
import { evaluationView } from "./evaluation";
import { explorationView } from "./exploration";
import { studyView } from "./study";

/** The page's title and chapters. */
function content(data: ReportPage): [string, HTMLElement[]] {
  switch (data.kind) {
    case "evaluation":
      return [`How well ${data.evaluation.model} reads`, evaluationView(data)];
    case "exploration":
      return ["What these pictures are like", explorationView(data)];
    case "study":
      return ["A search for hyperparameters", studyView(data)];
  }
}

const source = document.getElementById("data")?.textContent ?? "null";
const page = JSON.parse(source) as ReportPage | null;

if (page) {
  const [title, sections] = content(page);
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
        text:
          page.kind === "study"
            ? "Made by xray. Not a medical device."
            : "Made by xray. Pictures of patients are inside this file: handle it as you would the films. Not a medical device.",
      }),
    ),
  );
}
