/** A study of hyperparameters as `xray tune` writes it (src/tune/study_page). */

export interface Objective {
  name: string;
  maximise: boolean;
}

export interface Trial {
  number: number;
  state: "waiting" | "running" | "paused" | "done" | "pruned" | "failed" | "invalid" | "imported";
  configuration: Record<string, unknown>;
  figures: Record<string, number | null>;
  seconds: number;
  message: string;
  from: string;
}

export interface SpaceParameter {
  name: string;
  kind: "int" | "float" | "choice" | "bool" | "fixed";
  min?: number;
  max?: number;
  step?: number;
  scale?: "linear" | "log" | "reverse-log";
  values?: unknown[];
  when?: Record<string, unknown[]>;
}

export interface Study {
  name: string;
  objectives: Objective[];
  tuner: { kind: string };
  pruner: { kind: string };
  folds: number;
  use_folds: number;
  executions: number;
  space: SpaceParameter[];
  trials: Trial[];
  /** Numbers of trials, the best first. */
  best: number[];
  front: number[];
  importance: { parameter: string; share: number }[];
  curves: { trial: number; execution: number; fold: number; points: [number, number][] }[];
}

export interface StudyPage {
  kind: "study";
  folder: string;
  created: string;
  study: Study;
}
