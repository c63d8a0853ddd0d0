import { el } from "../../src/dom";
import * as charts from "./study_charts";
import type { Objective, Study, StudyPage, Trial } from "./study_data";
import { figure, section, table, tiles } from "./ui";

const stateNames: Record<Trial["state"], string> = {
  waiting: "waiting",
  running: "running",
  paused: "paused",
  done: "done",
  pruned: "given up",
  failed: "failed",
  invalid: "not allowed",
  imported: "from an earlier study",
};

export function duration(seconds: number): string {
  const whole = Math.round(seconds);
  if (whole >= 3600) return `${Math.floor(whole / 3600)} h ${Math.floor(whole / 60) % 60} min`;
  if (whole >= 60) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${whole} s`;
}

export function figureText(name: string, value: number | null | undefined): string {
  if (value === null || value === undefined) return "–";
  if (name === "parameters") return Math.round(value).toLocaleString("en-GB");
  return name === "seconds" ? value.toFixed(1) : value.toFixed(4);
}

const valueText = (value: unknown): string =>
  typeof value === "number" && !Number.isInteger(value) ? String(Number(value.toPrecision(4))) : String(value);

/** Parameters that have more than one value. */
const open = (study: Study) => study.space.filter(({ kind }) => kind !== "fixed");

const byNumber = (study: Study) => new Map(study.trials.map((trial) => [trial.number, trial]));

function listed(study: Study, numbers: number[]): Trial[] {
  const all = byNumber(study);
  return numbers.flatMap((number) => all.get(number) ?? []);
}

function trialTable(study: Study, caption: string, trials: Trial[]): HTMLElement {
  const parameters = open(study);
  return table(
    caption,
    [
      { head: "Trial", text: true },
      ...study.objectives.map(({ name }) => ({ head: name })),
      { head: "Time" },
      ...parameters.map(({ name }) => ({ head: name })),
    ],
    trials.map((trial) => [
      String(trial.number),
      ...study.objectives.map(({ name }) => figureText(name, trial.figures[name])),
      duration(trial.seconds),
      ...parameters.map(({ name }) => (name in trial.configuration ? valueText(trial.configuration[name]) : "–")),
    ]),
  );
}

function overview(study: Study): HTMLElement {
  const counts = new Map<Trial["state"], number>();
  for (const { state } of study.trials) counts.set(state, (counts.get(state) ?? 0) + 1);
  const done = listed(study, study.best);
  /** The best in one objective, whatever the others say. */
  const champion = ({ name, maximise }: Objective) =>
    done.reduce<Trial | null>((best, trial) => {
      const [a, b] = [trial.figures[name] ?? NaN, best?.figures[name] ?? NaN];
      return best === null || (maximise ? a > b : a < b) ? trial : best;
    }, null);
  const folds = study.use_folds > 0 ? study.use_folds : study.folds;
  const worked = study.trials.reduce((sum, { seconds }) => sum + seconds, 0);
  return section(
    "overview",
    "Overview",
    `Trials by the ${study.tuner.kind} tuner, each scored on ${folds} of ${study.folds} folds by patient` +
      `${study.executions > 1 ? `, ${study.executions} times` : ""}; hopeless ones ${
        study.pruner.kind === "none" ? "are not given up" : `are given up (${study.pruner.kind})`
      }.`,
    tiles([
      ...study.objectives.map((objective) => {
        const best = champion(objective);
        return {
          name: `${objective.maximise ? "Highest" : "Lowest"} ${objective.name}`,
          value: figureText(objective.name, best?.figures[objective.name]),
          note: best ? `trial ${best.number}` : "no trial is done yet",
        };
      }),
      { name: "Trials", value: String(study.trials.length), note: [...counts].map(([state, n]) => `${n} ${stateNames[state]}`).join(", ") },
      { name: "Time at work", value: duration(worked), note: "of all workers" },
    ]),
    done.length > 0 ? trialTable(study, "The best trials", done.slice(0, 10)) : null,
  );
}

function historySection(study: Study): HTMLElement {
  const objective = study.objectives[0] as Objective;
  return section(
    "history",
    "History",
    "Each trial in the order of their beginning, and the best so far.",
    figure({
      title: `${objective.name} by trial`,
      alt: `Dots for each trial, a line for the best ${objective.name} so far; the table of all trials holds the numbers.`,
      draw: (width) => [charts.history(width, study, objective)],
    }),
  );
}

function frontSection(study: Study): HTMLElement | null {
  const [x, y] = study.objectives;
  if (!x || !y) return null;
  return section(
    "front",
    "Pareto front",
    "Trials that no other beats in every objective: the choice among them is yours.",
    figure({
      title: `${y.name} against ${x.name}`,
      alt: "Dots for each trial; those of the front are joined by a line.",
      draw: (width) => [charts.front(width, study, x, y)],
    }),
    trialTable(study, "The front", listed(study, study.front)),
  );
}

function importanceSection(study: Study): HTMLElement | null {
  if (study.importance.length === 0) return null;
  return section(
    "importance",
    "What matters",
    `Share of the differences in ${study.objectives[0]?.name ?? "the score"} that each parameter explains by itself (functional ANOVA over a random forest). What parameters do together is not counted, and few trials tell little.`,
    figure({
      title: "Importance of the parameters",
      alt: "A bar for each parameter; the table holds the numbers.",
      draw: (width) => [charts.importance(width, study.importance)],
      table: table(
        "Shares",
        [{ head: "Parameter", text: true }, { head: "Share" }],
        study.importance.map(({ parameter, share }) => [parameter, `${(100 * share).toFixed(1)} %`]),
      ),
    }),
  );
}

function parallelSection(study: Study): HTMLElement | null {
  if (study.best.length < 2 || open(study).length === 0) return null;
  return section(
    "parallel",
    "All parameters together",
    "A line for each trial that is done; the better, the stronger its colour. Where strong lines run together, that value matters.",
    figure({
      title: "Parallel coordinates",
      alt: "Lines through an axis for each parameter and the score; the table of all trials holds the numbers.",
      draw: (width) => [charts.parallel(width, study, open(study))],
    }),
  );
}

function curvesSection(study: Study): HTMLElement | null {
  if (study.curves.length === 0) return null;
  return section(
    "curves",
    "Learning curves",
    "AUC on the patients held out, epoch by epoch, of the first fold of each trial; the best trials stand out.",
    figure({
      title: "AUC by epoch",
      alt: "A line for each trial.",
      draw: (width) => [charts.learning(width, study)],
    }),
  );
}

function trialsSection(study: Study): HTMLElement {
  const parameters = open(study);
  return section(
    "trials",
    "All trials",
    "",
    table(
      "Every trial",
      [
        { head: "Trial", text: true },
        { head: "State", text: true },
        ...study.objectives.map(({ name }) => ({ head: name })),
        { head: "Time" },
        ...parameters.map(({ name }) => ({ head: name })),
        { head: "Note", text: true },
      ],
      study.trials.map((trial) => [
        String(trial.number),
        stateNames[trial.state],
        ...study.objectives.map(({ name }) => figureText(name, trial.figures[name])),
        duration(trial.seconds),
        ...parameters.map(({ name }) => (name in trial.configuration ? valueText(trial.configuration[name]) : "–")),
        el("bdi", { text: trial.message || (trial.from ? `from ${trial.from}` : "") }),
      ]),
    ),
  );
}

function spaceSection(study: Study): HTMLElement {
  return section(
    "space",
    "What was searched",
    "",
    table(
      "The space",
      [{ head: "Parameter", text: true }, { head: "Kind", text: true }, { head: "Values", text: true }, { head: "Where", text: true }],
      study.space.map((parameter) => [
        parameter.name,
        parameter.kind,
        parameter.values
          ? parameter.values.map(valueText).join(", ")
          : `${valueText(parameter.min)} to ${valueText(parameter.max)}${parameter.scale === "linear" ? "" : `, ${parameter.scale}`}${parameter.step ? `, step ${valueText(parameter.step)}` : ""}`,
        Object.entries(parameter.when ?? {})
          .map(([parent, values]) => `${parent} is ${values.map(valueText).join(" or ")}`)
          .join("; "),
      ]),
    ),
  );
}

export function studyView({ study }: StudyPage): HTMLElement[] {
  return [
    overview(study),
    historySection(study),
    frontSection(study),
    importanceSection(study),
    parallelSection(study),
    curvesSection(study),
    trialsSection(study),
    spaceSection(study),
  ].filter((part) => part !== null);
}
