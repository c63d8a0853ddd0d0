import { text } from "./text";

/** A duration as people read it: "38 ms", "1.2 s". */
export function duration(milliseconds: number): string {
  return milliseconds < 999.5
    ? `${Math.max(1, Math.round(milliseconds))}\u00a0ms`
    : `${(milliseconds / 1000).toFixed(1)}\u00a0s`;
}

/** "14:32" for today, else "12 Nov 2026, 14:32"; an unreadable time stamp as it stands. */
export function moment(stamp: string, now = new Date()): string {
  const date = new Date(stamp);
  if (Number.isNaN(date.getTime())) return stamp;
  const today = date.toDateString() === now.toDateString();
  return new Intl.DateTimeFormat(
    text.locale,
    today ? { timeStyle: "short" } : { dateStyle: "medium", timeStyle: "short" },
  ).format(date);
}

/** Date and time in full. */
export function fullMoment(stamp: string): string {
  const date = new Date(stamp);
  if (Number.isNaN(date.getTime())) return stamp;
  return new Intl.DateTimeFormat(text.locale, { dateStyle: "medium", timeStyle: "medium" }).format(date);
}

/** "intended_use" -> "Intended use", "auc" -> "AUC". */
export function humanKey(key: string): string {
  const words = key.replaceAll("_", " ").trim();
  if (text.abbreviations.has(words)) return words.toUpperCase();
  return words.charAt(0).toUpperCase() + words.slice(1);
}
