import { button, el, icon } from "./dom";
import { text } from "./text";

const largestScale = 10;
const zoomStep = 1.4;
const moveStep = 0.1;

/** How strongly the heat map shows, 0..1, and whether at all; the same for every film of a visit. */
const heat = { strength: 0.45, on: true };

/** A film on black with the heat map over it; can be zoomed and moved. */
export class Film {
  readonly stage: HTMLElement;
  readonly tools: HTMLElement;
  /** Called when the film is first enlarged: finer pixels become worth their bytes. */
  onEnlarge: (() => void) | null = null;

  #frame: HTMLElement;
  #picture: HTMLImageElement;
  #heatMap: HTMLImageElement;
  #toggle: HTMLButtonElement;
  #slider: HTMLInputElement;
  #reading: HTMLElement;
  #zoomReading: HTMLOutputElement;
  #legend: HTMLElement;
  #turn = 0;
  #scale = 1;
  #x = 0;
  #y = 0;

  constructor(name: string) {
    this.#picture = el("img", { class: "film-picture", attr: { alt: text.film.alt(name), draggable: "false" } });
    this.#heatMap = el("img", { class: "film-heat", attr: { alt: "", draggable: "false", hidden: true } });
    this.#frame = el("div", { class: "film-frame" }, this.#picture, this.#heatMap);
    this.stage = el(
      "div",
      { class: "film", attr: { role: "group", tabindex: 0, "aria-label": text.film.label } },
      this.#frame,
    );

    this.#toggle = el(
      "button",
      {
        class: "button heat-toggle",
        attr: { type: "button", title: text.film.heatHint, "aria-keyshortcuts": "H" },
        on: { click: () => this.toggleHeat() },
      },
      icon("heat"),
      el("span", { text: text.film.heat }),
    );
    this.#slider = el("input", {
      class: "heat-slider",
      attr: { type: "range", min: 0, max: 100, step: 1, "aria-label": text.film.strength },
      on: {
        input: () => {
          heat.strength = this.#slider.valueAsNumber / 100;
          heat.on = heat.strength > 0;
          this.#showHeat();
        },
      },
    });
    this.#reading = el("span", { class: "heat-reading", attr: { "aria-hidden": "true" } });
    this.#zoomReading = el("output", { class: "zoom-reading" });
    this.#legend = el("p", { class: "legend" });
    this.tools = el(
      "div",
      { class: "tools" },
      el("div", { class: "heat" }, this.#toggle, this.#slider, this.#reading),
      this.#legend,
      el(
        "div",
        { class: "zoom" },
        button({ icon: "minus", label: text.film.zoomOut, bare: true }, () => this.#zoom(1 / zoomStep)),
        this.#zoomReading,
        button({ icon: "plus", label: text.film.zoomIn, bare: true }, () => this.#zoom(zoomStep)),
        button({ label: text.film.fit }, () => this.#fit()),
      ),
    );
    this.setHeatMap(null);
    this.#listen();
    this.#place();
  }

  /**
   * Shows a picture, keeping the one before until the new one is there; the last
   * one asked for wins. False where it cannot be shown.
   */
  async setPicture(url: string, width?: number, height?: number): Promise<boolean> {
    const turn = ++this.#turn;
    const next = new Image();
    next.src = url;
    try {
      await next.decode();
    } catch {
      return false;
    }
    if (turn !== this.#turn) return true;
    this.stage.style.setProperty(
      "--ratio",
      String((width ?? next.naturalWidth) / (height ?? next.naturalHeight)),
    );
    this.#picture.src = url;
    this.stage.classList.add("film-loaded");
    return true;
  }

  /** Lays the map over the picture; null where there is none. */
  setHeatMap(url: string | null): void {
    this.#toggle.disabled = this.#slider.disabled = url === null;
    if (url !== null) {
      this.#legend.replaceChildren(
        text.film.legend,
        el("span", { text: text.film.weak }),
        el("span", { class: "legend-ramp" }),
        el("span", { text: text.film.strong }),
      );
      this.#heatMap.src = url;
      this.#heatMap.onerror = () => {
        this.setHeatMap(null);
        this.#legend.replaceChildren(text.film.noHeat);
      };
    }
    this.#heatMap.hidden = url === null;
    this.#showHeat();
  }

  /** Returns whether the map shows now; null where there is none. */
  toggleHeat(): boolean | null {
    if (this.#toggle.disabled) return null;
    heat.on = !heat.on;
    if (heat.on && heat.strength === 0) heat.strength = 0.45;
    this.#showHeat();
    return heat.on;
  }

  #showHeat(): void {
    const shown = heat.on ? heat.strength : 0;
    this.#frame.style.setProperty("--heat", String(shown));
    this.#slider.style.setProperty("--filled", `${shown * 100}%`);
    this.#slider.valueAsNumber = Math.round(shown * 100);
    this.#slider.setAttribute("aria-valuetext", text.share(shown * 100));
    this.#reading.textContent = text.share(shown * 100);
    this.#toggle.setAttribute("aria-pressed", String(heat.on));
  }

  #fit(): void {
    this.#scale = 1;
    this.#place();
  }

  /** Zooms about a point given from the stage's centre, in CSS pixels. */
  #zoom(factor: number, x = 0, y = 0): void {
    const before = this.#scale;
    this.#scale = Math.min(largestScale, Math.max(1, before * factor));
    const real = this.#scale / before;
    this.#x = x - (x - this.#x) * real;
    this.#y = y - (y - this.#y) * real;
    this.#place();
  }

  #move(dx: number, dy: number): void {
    this.#x += dx;
    this.#y += dy;
    this.#place();
  }

  /** Keeps the film's edges from leaving the stage, then moves it there. */
  #place(): void {
    const reach = (frame: number, stage: number) => Math.max(0, (frame * this.#scale - stage) / 2);
    const x = reach(this.#frame.offsetWidth, this.stage.clientWidth);
    const y = reach(this.#frame.offsetHeight, this.stage.clientHeight);
    this.#x = Math.min(x, Math.max(-x, this.#x));
    this.#y = Math.min(y, Math.max(-y, this.#y));
    this.#frame.style.setProperty("transform", `translate(${this.#x}px, ${this.#y}px) scale(${this.#scale})`);
    this.stage.classList.toggle("film-enlarged", this.#scale > 1);
    this.#zoomReading.value = text.film.zoom(this.#scale);
    if (this.#scale > 1 && this.onEnlarge) {
      this.onEnlarge();
      this.onEnlarge = null;
    }
  }

  #fromCentre(event: MouseEvent): [number, number] {
    const box = this.stage.getBoundingClientRect();
    return [event.clientX - box.left - box.width / 2, event.clientY - box.top - box.height / 2];
  }

  #listen(): void {
    const stage = this.stage;
    stage.addEventListener(
      "wheel",
      (event) => {
        // At rest, turning outwards scrolls the page as anywhere else.
        if (event.deltaY > 0 && this.#scale === 1 && !event.ctrlKey) return;
        event.preventDefault();
        const lines = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 16 : 1;
        this.#zoom(Math.exp(-event.deltaY * lines * 0.002), ...this.#fromCentre(event));
      },
      { passive: false },
    );
    stage.addEventListener("dblclick", (event) => {
      if (this.#scale > 1) this.#fit();
      else this.#zoom(2.5, ...this.#fromCentre(event));
    });
    stage.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const step = moveStep * Math.min(stage.clientWidth, stage.clientHeight);
      const actions: Record<string, () => void> = {
        "+": () => this.#zoom(zoomStep),
        "=": () => this.#zoom(zoomStep),
        "-": () => this.#zoom(1 / zoomStep),
        "0": () => this.#fit(),
        ArrowLeft: () => this.#move(step, 0),
        ArrowRight: () => this.#move(-step, 0),
        ArrowUp: () => this.#move(0, step),
        ArrowDown: () => this.#move(0, -step),
      };
      const action = actions[event.key];
      if (!action || (event.key.startsWith("Arrow") && this.#scale === 1)) return;
      event.preventDefault();
      action();
    });

    const fingers = new Map<number, [number, number]>();
    const spread = () => {
      const [a, b] = [...fingers.values()];
      return a && b ? Math.hypot(a[0] - b[0], a[1] - b[1]) : 0;
    };
    stage.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      fingers.set(event.pointerId, this.#fromCentre(event));
      stage.setPointerCapture(event.pointerId);
    });
    stage.addEventListener("pointermove", (event) => {
      const last = fingers.get(event.pointerId);
      if (!last) return;
      const now = this.#fromCentre(event);
      const before = spread();
      fingers.set(event.pointerId, now);
      if (fingers.size === 1) {
        this.#move(now[0] - last[0], now[1] - last[1]);
      } else if (before > 0) {
        const points = [...fingers.values()];
        const x = points.reduce((sum, point) => sum + point[0], 0) / points.length;
        const y = points.reduce((sum, point) => sum + point[1], 0) / points.length;
        this.#zoom(spread() / before, x, y);
      }
    });
    for (const end of ["pointerup", "pointercancel"] as const) {
      stage.addEventListener(end, (event) => fingers.delete(event.pointerId));
    }
    new ResizeObserver(() => this.#place()).observe(stage);
  }
}
