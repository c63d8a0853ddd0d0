import { el } from "./dom";
import { text } from "./text";

const largestScale = 10;
export const zoomStep = 1.4;
const moveStep = 0.1;

/** What a heat map shows. */
export type Heat = "evidence" | "opacity";

/** What lies over a film: how strongly the heat map shows, 0..1, and whether the contours do. */
export interface Layers {
  heat: number;
  contours: boolean;
}

/** A film on black with its layers over it; can be zoomed and moved. */
export class Film {
  readonly stage: HTMLElement;
  /** Called when the film is first enlarged: finer pixels become worth their bytes. */
  onEnlarge: (() => void) | null = null;
  /** Called when the film has been zoomed or moved. */
  onPlace: () => void = () => undefined;
  /** Called when a layer has come or gone. */
  onLayer: () => void = () => undefined;

  #frame: HTMLElement;
  #picture: HTMLImageElement;
  #heatMap = el("img", { class: "film-heat", attr: { alt: "", draggable: "false", hidden: true } });
  #contours = el("img", { class: "film-contours", attr: { alt: "", draggable: "false", hidden: true } });
  #heat: Heat | "failed" | null = null;
  #contourUrl: string | null = null;
  #turn = 0;
  #scale = 1;
  #x = 0;
  #y = 0;

  constructor(name: string, label = text.film.label) {
    this.#picture = el("img", { class: "film-picture", attr: { alt: text.film.alt(name), draggable: "false" } });
    this.#frame = el("div", { class: "film-frame" }, this.#picture, this.#heatMap, this.#contours);
    this.stage = el("div", { class: "film", attr: { role: "group", tabindex: 0, "aria-label": label } }, this.#frame);
    this.#heatMap.onerror = () => this.#setHeat("failed");
    this.#contours.onerror = () => this.setContours(null);
    this.#listen();
    this.#place();
  }

  get scale(): number {
    return this.#scale;
  }

  /** What the heat map shows, "failed" where it could not be loaded, null where there is none. */
  get heat(): Heat | "failed" | null {
    return this.#heat;
  }

  get hasContours(): boolean {
    return this.#contourUrl !== null;
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

  /** Says in the picture's place that it could not be loaded. */
  fail(): void {
    this.stage.append(el("p", { class: "film-failed", text: text.film.failed }));
  }

  /** Lays the map over the picture. */
  setHeatMap(url: string, shows: Heat): void {
    this.#heatMap.src = url;
    this.#setHeat(shows);
  }

  /** The outlines of the opaque areas, loaded when they are first to be shown; null where there are none. */
  setContours(url: string | null): void {
    this.#contourUrl = url;
    this.onLayer();
  }

  show({ heat, contours }: Layers): void {
    this.#frame.style.setProperty("--heat", String(heat));
    this.#contours.hidden = !contours || this.#contourUrl === null;
    if (!this.#contours.hidden && this.#contourUrl !== this.#contours.getAttribute("src")) {
      this.#contours.src = this.#contourUrl ?? "";
    }
  }

  /** Shows the same part of the picture as another film does of its own. */
  follow(other: Film): void {
    this.#scale = other.#scale;
    this.#x = (other.#x * this.#frame.offsetWidth) / (other.#frame.offsetWidth || 1);
    this.#y = (other.#y * this.#frame.offsetHeight) / (other.#frame.offsetHeight || 1);
    this.#put();
  }

  fit(): void {
    this.#scale = 1;
    this.#place();
  }

  #setHeat(heat: Heat | "failed"): void {
    this.#heat = heat;
    this.#heatMap.hidden = heat === "failed";
    this.onLayer();
  }

  /** Zooms about a point given from the stage's centre, in CSS pixels. */
  zoom(factor = zoomStep, x = 0, y = 0): void {
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

  #place(): void {
    this.#put();
    this.onPlace();
  }

  /** Keeps the film's edges from leaving the stage, then moves it there. */
  #put(): void {
    const reach = (frame: number, stage: number) => Math.max(0, (frame * this.#scale - stage) / 2);
    const x = reach(this.#frame.offsetWidth, this.stage.clientWidth);
    const y = reach(this.#frame.offsetHeight, this.stage.clientHeight);
    this.#x = Math.min(x, Math.max(-x, this.#x));
    this.#y = Math.min(y, Math.max(-y, this.#y));
    this.#frame.style.setProperty("transform", `translate(${this.#x}px, ${this.#y}px) scale(${this.#scale})`);
    this.stage.classList.toggle("film-enlarged", this.#scale > 1);
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
        this.zoom(Math.exp(-event.deltaY * lines * 0.002), ...this.#fromCentre(event));
      },
      { passive: false },
    );
    stage.addEventListener("dblclick", (event) => {
      if (this.#scale > 1) this.fit();
      else this.zoom(2.5, ...this.#fromCentre(event));
    });
    stage.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const step = moveStep * Math.min(stage.clientWidth, stage.clientHeight);
      const actions: Record<string, () => void> = {
        "+": () => this.zoom(),
        "=": () => this.zoom(),
        "-": () => this.zoom(1 / zoomStep),
        "0": () => this.fit(),
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
        this.zoom(spread() / before, x, y);
      }
    });
    for (const end of ["pointerup", "pointercancel"] as const) {
      stage.addEventListener(end, (event) => fingers.delete(event.pointerId));
    }
    new ResizeObserver(() => this.#place()).observe(stage);
  }
}
