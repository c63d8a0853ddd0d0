import type { Estimate, Label } from "./data";

// Numbers and names as people read them.

const nbsp = "\u00a0";
export const none = "–";

export const count = (n: number): string => n.toLocaleString("en-GB");

/** "1 picture", "5,216 pictures". */
export const counted = (n: number, one: string, many = `${one}s`): string => `${count(n)} ${n === 1 ? one : many}`;

export const percent = (share: number | null, digits = 1): string =>
  share === null ? none : `${(100 * share).toFixed(digits)}${nbsp}%`;

export const decimal = (value: number | null, digits = 3): string => (value === null ? none : value.toFixed(digits));

/** Three figures, whatever the size: "224", "1.33", "18,300". */
export function rough(value: number | null): string {
  if (value === null) return none;
  return Number(value.toPrecision(3)).toLocaleString("en-GB", { maximumSignificantDigits: 3 });
}

/** "0.992 to 0.999", "96.0 to 98.7 %"; nothing where there is no interval. */
export function range(low: number | null, high: number | null, format: (value: number | null) => string): string {
  if (low === null || high === null) return "";
  return `${format(low).replace(`${nbsp}%`, "")} to ${format(high)}`;
}

/** "0.997 (0.992 to 0.999)". */
export function interval(estimate: Estimate, format: (value: number | null) => string): string {
  const ends = range(estimate.low, estimate.high, format);
  return ends ? `${format(estimate.value)} (${ends})` : format(estimate.value);
}

export const labelName: Record<Label, string> = { normal: "Normal", pneumonia: "Pneumonia" };

const features: Record<string, { name: string; unit: string; about: string }> = {
  width: { name: "Width", unit: "pixels", about: "in pixels of the file" },
  height: { name: "Height", unit: "pixels", about: "of the picture in the file" },
  aspect_ratio: { name: "Aspect ratio", unit: "width / height", about: "width over height" },
  file_size: { name: "File size", unit: "bytes", about: "of the file: detail, compression and size together" },
  brightness: { name: "Brightness", unit: "gray level", about: "mean gray level, 0 to 255" },
  contrast: { name: "Contrast", unit: "gray levels", about: "standard deviation of the gray levels" },
  border_darkness: {
    name: "Dark border",
    unit: "share of the frame",
    about: "share of near-black pixels in a narrow frame along the edges",
  },
  corner_brightness: {
    name: "Corner brightness",
    unit: "gray level",
    about: "mean gray level of the four corners, where markers and text stand",
  },
  sharpness: {
    name: "Sharpness",
    unit: "relative",
    about: "standard deviation of the Laplacian over that of the gray levels",
  },
};

export const featureWords = (name: string): { name: string; unit: string; about: string } =>
  features[name] ?? { name, unit: "", about: "" };
