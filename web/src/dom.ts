type Child = Node | string | null;

interface Properties {
  class?: string;
  text?: string;
  on?: Partial<{ [K in keyof HTMLElementEventMap]: (event: HTMLElementEventMap[K]) => void }>;
  /** Attributes; false and null leave the attribute out, true writes it empty. */
  attr?: Record<string, string | number | boolean | null>;
}

/** One element with its properties and children. Text goes in as text, never as markup. */
export function el<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  properties: Properties = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  if (properties.class) element.className = properties.class;
  if (properties.text !== undefined) element.textContent = properties.text;
  for (const [name, value] of Object.entries(properties.attr ?? {})) setAttribute(element, name, value);
  for (const [name, listener] of Object.entries(properties.on ?? {})) {
    element.addEventListener(name, listener as EventListener);
  }
  element.append(...children.filter((child): child is Node | string => child !== null));
  return element;
}

export function setAttribute(element: Element, name: string, value: string | number | boolean | null): void {
  if (value === null || value === false) element.removeAttribute(name);
  else element.setAttribute(name, value === true ? "" : String(value));
}

const svgNamespace = "http://www.w3.org/2000/svg";

export function svg(tag: string, attributes: Record<string, string>, ...children: Element[]): SVGElement {
  const element = document.createElementNS(svgNamespace, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

// Strokes on a 24 x 24 grid.
const icons = {
  normal: "M12 3.5a8.5 8.5 0 1 0 0 17a8.5 8.5 0 1 0 0-17M8.300 12.300l2.600 2.600l4.800-5.400",
  pneumonia: "M12 2.800L21.200 12L12 21.200L2.800 12ZM12 7.600v5.200M12 16v.1",
  uncertain: "M12 3.5a8.5 8.5 0 1 0 0 17a8.5 8.5 0 1 0 0-17M9.600 9.700a2.400 2.400 0 1 1 3.400 2.200c-.7.3-1 .8-1 1.600M12 16.300v.1",
  rejected: "M12 3.5a8.5 8.5 0 1 0 0 17a8.5 8.5 0 1 0 0-17M6.200 6.200l11.600 11.600",
  warning: "M12 4L21 20H3ZM12 10v4.600M12 17.300v.1",
  waiting: "M12 3.5a8.5 8.5 0 1 0 0 17a8.5 8.5 0 1 0 0-17M12 7.5V12l3 2",
  working: "M12 3.5a8.5 8.5 0 1 1-8.5 8.5",
  plus: "M12 5v14M5 12h14",
  minus: "M5 12h14",
  remove: "M4.5 6.5h15M9.5 6.5V4.5h5v2M6.5 6.5l.8 13h9.400l.8-13M10.300 10v6M13.700 10v6",
  close: "M6 6l12 12M18 6L6 18",
  retry: "M19.5 12a7.5 7.5 0 1 1-2.200-5.300M19.5 3.5v4h-4",
  previous: "M6 15l6-6l6 6",
  next: "M6 9l6 6l6-6",
  heat: "M12 10.5a1.5 1.5 0 1 0 0 3a1.5 1.5 0 1 0 0-3M12 6.5a5.5 5.5 0 1 0 0 11a5.5 5.5 0 1 0 0-11M12 2.5a9.5 9.5 0 1 0 0 19a9.5 9.5 0 1 0 0-19",
  contours: "M9 4.5c3-1.500 6.500-.5 8 2s3.500 4 2 7.500s-3 5.500-6 5s-3.500-2.500-6-3s-3-3.500-2.500-6s1.500-4 4.500-5.500Z",
  compare: "M3.5 5h7.500v14H3.5ZM13 5h7.500v14H13Z",
  exchange: "M4 8.500h15.500l-4-4M20 15.500H4.500l4 4",
  print: "M7 9V4h10v5M7 17H4V9h16v8h-3M7 14h10v6H7Z",
  equal: "M5 9.500h14M5 14.500h14",
  system: "M4 5h16v11H4ZM9 20h6M12 16v4",
  light: "M12 8a4 4 0 1 0 0 8a4 4 0 1 0 0-8M12 2.5v2M12 19.5v2M2.5 12h2M19.5 12h2M5.300 5.300l1.400 1.400M17.300 17.300l1.400 1.400M5.300 18.700l1.400-1.400M17.300 6.700l1.400-1.400",
  dark: "M19.5 14.5A8 8 0 0 1 9.5 4.5a8 8 0 1 0 10 10Z",
} as const;

export type Icon = keyof typeof icons;

/** Decoration beside a word: hidden from screen readers. */
export function icon(name: Icon): SVGElement {
  return svg(
    "svg",
    { class: `icon icon-${name}`, viewBox: "0 0 24 24", "aria-hidden": "true", focusable: "false" },
    svg("path", { d: icons[name] }),
  );
}

/** A button with an icon and a word, or with the icon alone and the word as its name. */
export function button(
  properties: { icon?: Icon; label: string; bare?: boolean; class?: string; title?: string },
  onClick: () => void,
): HTMLButtonElement {
  const glyph = properties.icon ? icon(properties.icon) : null;
  const bare = properties.bare === true;
  return el(
    "button",
    {
      class: `button ${bare ? "button-bare" : ""} ${properties.class ?? ""}`.trim(),
      attr: {
        type: "button",
        "aria-label": bare ? properties.label : null,
        title: properties.title ?? (bare ? properties.label : null),
      },
      on: { click: onClick },
    },
    glyph,
    bare ? null : el("span", { text: properties.label }),
  );
}

/** A file's name, kept apart from the direction of the text around it. */
export const fileName = (name: string): HTMLElement => el("bdi", { class: "file-name", text: name });
