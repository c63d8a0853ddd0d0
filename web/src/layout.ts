/** Whether film and list stand side by side, each scrolling alone; as in style.css. */
export const sideBySide = matchMedia("(min-width: 60rem) and (min-height: 36rem)");
