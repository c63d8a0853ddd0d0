import { button, el, icon, type Icon } from "./dom";
import { zoomStep, type Film } from "./film";
import { text } from "./text";

const usualStrength = 0.45;

/** What lies over the films, the same for every film of a visit. */
const layers = { strength: usualStrength, heat: true, contours: false };

const toggle = (properties: { icon: Icon; label: string; title: string; key: string }, onClick: () => void) =>
  el(
    "button",
    {
      class: "button toggle",
      attr: { type: "button", title: properties.title, "aria-keyshortcuts": properties.key },
      on: { click: onClick },
    },
    icon(properties.icon),
    el("span", { text: properties.label }),
  );

/** What is done with one film, or with two that are seen side by side: layers and zoom. */
export class FilmTools {
  readonly element: HTMLElement;

  #heat: HTMLButtonElement;
  #contours: HTMLButtonElement;
  #slider: HTMLInputElement;
  #reading = el("span", { class: "heat-reading", attr: { "aria-hidden": "true" } });
  #zoomReading = el("output", { class: "zoom-reading" });
  #legend = el("p", { class: "legend" });

  constructor(private readonly films: readonly [Film, ...Film[]]) {
    const [first] = films;
    const words = text.film;
    this.#heat = toggle({ icon: "heat", label: words.heat, title: words.heatHint, key: "H" }, () => this.toggleHeat());
    this.#contours = toggle({ icon: "contours", label: words.contours, title: words.contoursHint, key: "C" }, () =>
      this.toggleContours(),
    );
    this.#slider = el("input", {
      class: "heat-slider",
      attr: { type: "range", min: 0, max: 100, step: 1, "aria-label": words.strength },
      on: {
        input: () => {
          layers.strength = this.#slider.valueAsNumber / 100;
          layers.heat = layers.strength > 0;
          this.#show();
        },
      },
    });
    this.element = el(
      "div",
      { class: "tools" },
      el("div", { class: "heat" }, this.#heat, this.#slider, this.#reading),
      this.#contours,
      this.#legend,
      el(
        "div",
        { class: "zoom" },
        button({ icon: "minus", label: words.zoomOut, bare: true }, () => first.zoom(1 / zoomStep)),
        this.#zoomReading,
        button({ icon: "plus", label: words.zoomIn, bare: true }, () => first.zoom()),
        button({ label: words.fit }, () => first.fit()),
      ),
    );
    for (const film of films) {
      film.onLayer = () => this.#show();
      film.onPlace = () => {
        for (const other of films) if (other !== film) other.follow(film);
        this.#zoomReading.value = words.zoom(film.scale);
      };
    }
    this.#zoomReading.value = words.zoom(first.scale);
    this.#show();
  }

  /** Returns whether the map shows now; null where there is none. */
  toggleHeat(): boolean | null {
    if (this.#heat.disabled) return null;
    layers.heat = !layers.heat;
    if (layers.heat && layers.strength === 0) layers.strength = usualStrength;
    this.#show();
    return layers.heat;
  }

  /** Returns whether the contours show now; null where there are none. */
  toggleContours(): boolean | null {
    if (this.#contours.hidden) return null;
    layers.contours = !layers.contours;
    this.#show();
    return layers.contours;
  }

  #show(): void {
    const shown = layers.heat ? layers.strength : 0;
    for (const film of this.films) film.show({ heat: shown, contours: layers.contours });
    this.#slider.style.setProperty("--filled", `${shown * 100}%`);
    this.#slider.valueAsNumber = Math.round(shown * 100);
    this.#slider.setAttribute("aria-valuetext", text.share(shown * 100));
    this.#reading.textContent = text.share(shown * 100);
    this.#heat.setAttribute("aria-pressed", String(layers.heat));
    this.#contours.setAttribute("aria-pressed", String(layers.contours));
    this.#contours.hidden = !this.films.some((film) => film.hasContours);
    this.#showLegend();
  }

  #showLegend(): void {
    const shows = this.films.map(({ heat }) => heat);
    const heat = shows.find((given) => given === "opacity" || given === "evidence");
    this.#heat.disabled = this.#slider.disabled = heat === undefined;
    if (heat !== undefined) {
      const { what, weak, strong } = text.film.legend[heat];
      this.#legend.replaceChildren(
        what,
        el("span", { text: weak }),
        el("span", { class: "legend-ramp" }),
        el("span", { text: strong }),
      );
    } else {
      this.#legend.replaceChildren(shows.includes("failed") ? text.film.noHeat : "");
    }
  }
}
