import type { StudyPage } from "./study_data";

// What a report is made from; written by src/report.

export type Label = "normal" | "pneumonia";
export const labels: Label[] = ["normal", "pneumonia"];

export type ByLabel<T> = Record<Label, T>;
export type Split = "train" | "validation" | "test";
export const splits: Split[] = ["train", "validation", "test"];

/** A measured number with its 95 % interval; null where it does not exist. */
export interface Estimate {
  value: number | null;
  low: number | null;
  high: number | null;
}

export interface Picture {
  id: number;
  file: string;
  label: Label;
  group: string;
  patient: string;
  split?: Split;
}

export interface ScoredPicture extends Picture {
  probability: number;
}

export interface Notice {
  weight: "fine" | "notable" | "serious";
  text: string;
}

export interface Unreadable {
  pictures: number;
  list: { file: string; code: string; message: string }[];
}

export interface Feature {
  name: string;
  auc: Estimate;
  shortcut: boolean;
  serious: boolean;
  quartiles: ByLabel<{ low: number | null; median: number | null; high: number | null }>;
  edges: number[];
  counts: ByLabel<number[]>;
}

export interface DuplicateGroup {
  same_bytes: boolean;
  distance: number;
  across_labels: boolean;
  across_splits: boolean;
  across_patients: boolean;
  pictures: number;
  members: Picture[];
}

export interface Suspect extends ScoredPicture {
  likely: boolean;
}

export interface Audit {
  scored: number;
  unscored: number;
  unknown_rows: number;
  auc: Estimate;
  likely: number;
  list: Suspect[];
}

export interface Exploration {
  pictures: number;
  patients: number;
  notices: Notice[];
  classes: ByLabel<{ pictures: number; patients: number; readable: number }>;
  counts: {
    label: Label;
    subtype: string;
    group: string;
    split: Split | null;
    pictures: number;
    patients: number;
  }[];
  split_given: boolean;
  films_per_patient: ({ films: number } & ByLabel<number>)[];
  sizes: { distinct: number; list: ({ width: number; height: number } & ByLabel<number>)[] };
  formats: { distinct: number; list: ({ format: string; channels: number; bits: number } & ByLabel<number>)[] };
  intensities: ByLabel<number[]>;
  features: Feature[];
  duplicates: {
    limit: number;
    groups: number;
    surplus: number;
    same_bytes: number;
    across_labels: number;
    across_splits: number;
    across_patients: number;
    list: DuplicateGroup[];
    look_alikes: { distance: number; members: Picture[] }[];
  };
  leaks: { patients: number; list: ({ patient: string } & Record<Split, number>)[] };
  samples: ByLabel<Picture[]>;
  unreadable: Unreadable;
  warnings: string[];
  audit?: Audit;
}

/** [threshold (null: none reaches it), x, y] and [x, y, low, high]. */
export interface Curve {
  points: [number | null, number, number][];
  band: [number, number, number | null, number | null][];
}

export interface Subgroup {
  by: string;
  name: string;
  normal: number;
  pneumonia: number;
  accuracy: Estimate;
  sensitivity: Estimate;
  specificity: Estimate;
  auc: Estimate;
}

export interface Evaluation {
  pictures: number;
  model: string;
  threshold: number;
  card_threshold: number;
  metrics: {
    n: number;
    confusion: {
      true_positive: number;
      false_positive: number;
      true_negative: number;
      false_negative: number;
    };
  } & Record<
    | "accuracy"
    | "auc"
    | "sensitivity"
    | "specificity"
    | "ppv"
    | "npv"
    | "f1"
    | "average_precision"
    | "brier"
    | "ece",
    Estimate
  >;
  roc: Curve;
  precision_recall: Curve;
  thresholds: { threshold: number; sensitivity: Estimate; specificity: Estimate }[];
  reliability: { low: number; high: number; n: number; mean_probability: number | null; observed: Estimate }[];
  scores: { bins: number } & ByLabel<number[]>;
  kinds: {
    n: number;
    accuracy: Estimate;
    bacterial: { bacterial: number; viral: number };
    viral: { bacterial: number; viral: number };
  } | null;
  subgroups: Subgroup[];
  mistakes: ByLabel<{ pictures: number; list: ScoredPicture[] }>;
  card: Record<string, unknown>;
  unreadable: Unreadable;
}

interface Page {
  folder: string;
  created: string;
  thumbnails: Record<string, string>;
}

export interface ExplorationPage extends Page {
  kind: "exploration";
  exploration: Exploration;
  mean_pictures: { normal?: string; pneumonia?: string; difference?: string; difference_range?: number };
}

export interface EvaluationPage extends Page {
  kind: "evaluation";
  evaluation: Evaluation;
  heat_maps: Record<string, string>;
}

export type ReportPage = ExplorationPage | EvaluationPage | StudyPage;
