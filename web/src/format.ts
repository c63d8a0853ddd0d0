import { text } from "./text";

/** A duration as people read it: "38 ms", "1.2 s". */
export function duration(milliseconds: number): string {
  return milliseconds < 999.5
    ? `${Math.max(1, Math.round(milliseconds))}\u00a0ms`
    : `${(milliseconds / 1000).toFixed(1)}\u00a0s`;
}

/** "14:32" for today, "12 Nov" for this year, else "12 Nov 2025"; an unreadable time stamp as it stands. */
export function moment(stamp: string, now = new Date()): string {
  const date = new Date(stamp);
  if (Number.isNaN(date.getTime())) return stamp;
  const style: Intl.DateTimeFormatOptions =
    date.toDateString() === now.toDateString()
      ? { timeStyle: "short" }
      : date.getFullYear() === now.getFullYear()
        ? { day: "numeric", month: "short" }
        : { dateStyle: "medium" };
  return new Intl.DateTimeFormat(text.locale, style).format(date);
}

/** Date and time in full. */
export function fullMoment(stamp: string): string {
  const date = new Date(stamp);
  if (Number.isNaN(date.getTime())) return stamp;
  return new Intl.DateTimeFormat(text.locale, { dateStyle: "medium", timeStyle: "medium" }).format(date);
}

/** "intended_use" -> "Intended use". */
export function humanKey(key: string): string {
  const words = key.replaceAll("_", " ").trim();
  return words.charAt(0).toUpperCase() + words.slice(1);
}
