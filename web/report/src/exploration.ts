import { el } from "../../src/dom";
import * as charts from "./charts";
import type { Audit, DuplicateGroup, Exploration, ExplorationPage, Feature, Picture } from "./data";
import { labels, splits } from "./data";
import { Films, classLegend, figure, section, table, tag, tiles, unreadableSection, wall } from "./ui";
import { count, counted, decimal, featureWords, interval, labelName, none, percent, rough } from "./words";

function overview(data: Exploration): HTMLElement {
  const { classes, duplicates, leaks, unreadable } = data;
  return section(
    "overview",
    "At a glance",
    "",
    tiles([
      { name: "Pictures", value: count(data.pictures), note: counted(data.patients, "patient") },
      ...labels.map((label) => ({
        name: labelName[label],
        value: count(classes[label].pictures),
        note: counted(classes[label].patients, "patient"),
      })),
      {
        name: "Repeated pictures",
        value: count(duplicates.surplus),
        note: `${duplicates.across_labels} across classes, ${duplicates.across_splits} across splits`,
        grave: duplicates.across_labels + duplicates.across_splits > 0,
      },
      {
        name: "Leaking patients",
        value: data.split_given ? count(leaks.patients) : none,
        note: data.split_given ? "on several sides of the split" : "the folders give no split",
        grave: leaks.patients > 0,
      },
      { name: "Not read", value: count(unreadable.pictures), note: "files", grave: unreadable.pictures > 0 },
    ]),
    data.notices.length > 0
      ? el(
          "ul",
          { class: "notices" },
          ...data.notices.map(({ weight, text }) =>
            el("li", { class: `notice notice-${weight}` }, tag(weight === "serious" ? "Serious" : "Notable", weight), text),
          ),
        )
      : el("p", { text: "Nothing here that a model could be misled by." }),
  );
}

function countsSection(data: Exploration): HTMLElement {
  const perPatient = data.films_per_patient;
  const most = 8;
  const bars = perPatient
    .slice(0, most)
    .map(({ films, normal, pneumonia }) => ({ key: String(films), normal, pneumonia }));
  const rest = perPatient.slice(most);
  if (rest.length > 0) {
    const sum = (label: "normal" | "pneumonia") => rest.reduce((total, row) => total + row[label], 0);
    bars.push({ key: `${rest[0]?.films ?? most} +`, normal: sum("normal"), pneumonia: sum("pneumonia") });
  }
  return section(
    "counts",
    "Pictures and patients",
    "Classes come from the folders; groups, kinds of pneumonia and patients from the file names.",
    table(
      "By class, kind, group and split",
      [
        { head: "Class", text: true },
        { head: "Kind", text: true },
        { head: "Group of names", text: true },
        { head: "Split", text: true },
        { head: "Pictures" },
        { head: "Share" },
        { head: "Patients" },
      ],
      data.counts.map(({ label, subtype, group, split, pictures, patients }) => [
        labelName[label],
        subtype === "none" ? none : subtype,
        el("bdi", { text: group }),
        split ?? none,
        count(pictures),
        percent(pictures / data.pictures),
        count(patients),
      ]),
    ),
    figure({
      title: "Films per patient",
      alt: "Bars: how many patients of each class have one film, two films and so on.",
      legend: classLegend(),
      draw: (width) => [charts.groupedBars(width, bars, "films of one patient", "patients")],
      table: table(
        "Patients by number of films",
        [{ head: "Films" }, { head: "Normal" }, { head: "Pneumonia" }],
        perPatient.map(({ films, normal, pneumonia }) => [films, count(normal), count(pneumonia)]),
      ),
    }),
  );
}

function fileSection(data: Exploration): HTMLElement {
  return section(
    "files",
    "Sizes and formats",
    "What differs between the classes here can be learned instead of the disease.",
    el(
      "div",
      { class: "pair" },
      table(
        data.sizes.distinct > data.sizes.list.length
          ? `The commonest ${data.sizes.list.length} of ${count(data.sizes.distinct)} sizes`
          : "Picture sizes",
        [{ head: "Width × height", text: true }, { head: "Normal" }, { head: "Pneumonia" }],
        data.sizes.list.map(({ width, height, normal, pneumonia }) => [
          `${width} × ${height}`,
          count(normal),
          count(pneumonia),
        ]),
      ),
      table(
        "Formats",
        [
          { head: "Format", text: true },
          { head: "Channels" },
          { head: "Bits" },
          { head: "Normal" },
          { head: "Pneumonia" },
        ],
        data.formats.list.map(({ format, channels, bits, normal, pneumonia }) => [
          format,
          channels || none,
          bits,
          count(normal),
          count(pneumonia),
        ]),
      ),
    ),
  );
}

function shortcutVerdict({ shortcut, serious }: Feature): HTMLElement | string {
  if (serious) return tag("Serious", "serious");
  return shortcut ? tag("Notable", "notable") : none;
}

function shortcutSection(data: Exploration): HTMLElement {
  const named = data.features.map((feature) => ({ ...feature, words: featureWords(feature.name) }));
  return section(
    "shortcuts",
    "What tells the classes apart besides disease",
    "Each number below knows nothing of lungs. An AUC of 0.5 says it tells nothing; towards 0 or 1 it gives the class away, and a network may learn it as a shortcut. Brightness and contrast may be disease as well: consolidated lung is white.",
    figure({
      title: "Each number alone as a score for pneumonia",
      alt: `Dots with 95 % intervals: ${named.map(({ words, auc }) => `${words.name} ${decimal(auc.value, 2)}`).join(", ")}.`,
      caption:
        "AUC with its 95 % interval. Shaded: notable from 0.65 (0.35) on, serious from 0.8 (0.2) on, judged at the end of the interval nearer to 0.5.",
      draw: (width) => [charts.separation(width, named.map((f) => ({ name: f.words.name, auc: f.auc, shortcut: f.shortcut })))],
    }),
    table(
      "The same in numbers",
      [
        { head: "Number", text: true },
        { head: "What it is", text: true },
        { head: "AUC (95 % interval)" },
        { head: "Normal: median (quartiles)" },
        { head: "Pneumonia: median (quartiles)" },
        { head: "Shortcut", text: true },
      ],
      named.map((feature) => [
        feature.words.name,
        feature.words.about,
        interval(feature.auc, decimal),
        ...labels.map((label) => {
          const { low, median, high } = feature.quartiles[label];
          return `${rough(median)} (${rough(low)} to ${rough(high)})`;
        }),
        shortcutVerdict(feature),
      ]),
    ),
    el(
      "div",
      { class: "small-figures" },
      ...named.map((feature) =>
        charts.isSingle(feature.edges)
          ? el(
              "div",
              { class: "chart" },
              el("h3", { text: feature.words.name }),
              el("p", { class: "muted", text: `${rough(feature.edges[0] ?? null)} ${feature.words.unit} in every picture` }),
            )
          : figure({
              title: feature.words.name,
              alt: `Distribution of ${feature.words.name.toLowerCase()} by class; medians ${rough(feature.quartiles.normal.median)} in normal films and ${rough(feature.quartiles.pneumonia.median)} in pneumonia.`,
              legend: classLegend(),
              draw: (width) => [charts.distribution(width, feature.edges, feature.counts, feature.words.unit)],
            }),
      ),
    ),
  );
}

function graySection(data: Exploration): HTMLElement {
  const { intensities } = data;
  const every = 4;
  const rows = intensities.normal.flatMap((_, i) => {
    if (i % every !== 0) return [];
    const sum = (values: number[]) => values.slice(i, i + every).reduce((total, value) => total + value, 0);
    const low = (i * 256) / intensities.normal.length;
    const high = ((i + every) * 256) / intensities.normal.length - 1;
    return [[`${low} to ${high}`, percent(sum(intensities.normal)), percent(sum(intensities.pneumonia))]];
  });
  return section(
    "gray",
    "Gray levels",
    "",
    figure({
      title: "Gray levels by class",
      alt: "Two curves: the share of pixels at each gray level, averaged over the films of each class.",
      caption: "Share of pixels at each gray level, averaged over the films of a class.",
      legend: classLegend(),
      draw: (width) => [charts.intensities(width, intensities)],
      table: table("Share of pixels", [{ head: "Gray levels", text: true }, { head: "Normal" }, { head: "Pneumonia" }], rows),
    }),
  );
}

function meanSection({ mean_pictures: means }: ExplorationPage): HTMLElement {
  const mean = (uri: string | undefined, name: string, alt: string) =>
    uri ? el("figure", { class: "film" }, el("img", { attr: { src: uri, alt } }), el("figcaption", { text: name })) : null;
  return section(
    "means",
    "Mean pictures",
    "All films of a class laid over each other, squashed to a square. What stands out sharply here (a marker, a border, a frame) stands at the same place in many films.",
    el(
      "div",
      { class: "means" },
      mean(means.normal, "Normal", "Mean of the normal films"),
      mean(means.pneumonia, "Pneumonia", "Mean of the films with pneumonia"),
      mean(
        means.difference,
        `Difference: orange where pneumonia is brighter, blue where normal is; full colour is ${rough(means.difference_range ?? null)} gray levels`,
        "Difference of the two means",
      ),
    ),
  );
}

function samplesSection({ samples }: Exploration, films: Films): HTMLElement {
  return section(
    "samples",
    "Samples",
    "Drawn at random, each of another patient.",
    ...labels.flatMap((label) => [
      el("h3", { text: labelName[label] }),
      wall(...samples[label].map((picture) => films.film(picture))),
    ]),
  );
}

const patientNote = (picture: Picture): HTMLElement =>
  el("span", { class: "note" }, "patient ", el("bdi", { text: picture.patient }));

function groupBlock(group: DuplicateGroup, films: Films): HTMLElement {
  const more = group.pictures - group.members.length;
  return el(
    "div",
    { class: "group" },
    el(
      "p",
      { class: "group-head" },
      group.same_bytes ? "The same bytes" : `${group.distance} of 256 bits apart`,
      group.across_labels ? tag("both classes", "serious") : null,
      group.across_splits ? tag("several splits", "serious") : null,
      group.across_patients ? tag("several patients", "notable") : null,
      more > 0 ? `and ${more} more` : null,
    ),
    wall(...group.members.map((picture) => films.film(picture, patientNote(picture)))),
  );
}

function duplicatesSection({ duplicates }: Exploration, films: Films): HTMLElement {
  const conflicts = duplicates.list.filter((g) => g.across_labels || g.across_splits || g.across_patients);
  const harmless = duplicates.list.filter((group) => !conflicts.includes(group));
  return section(
    "duplicates",
    "Repeated pictures",
    `Pictures with the same bytes, or whose perceptual hashes differ in at most ${duplicates.limit} of 256 bits: one film saved anew, at another size, compression or exposure.`,
    tiles([
      { name: "Groups", value: count(duplicates.groups), note: `${count(duplicates.same_bytes)} of the same bytes` },
      { name: "Surplus pictures", value: count(duplicates.surplus), note: "would go if one of each stayed" },
      { name: "Across classes", value: count(duplicates.across_labels), grave: duplicates.across_labels > 0 },
      { name: "Across splits", value: count(duplicates.across_splits), grave: duplicates.across_splits > 0 },
      { name: "Across patients", value: count(duplicates.across_patients), grave: duplicates.across_patients > 0 },
    ]),
    conflicts.length > 0 ? el("h3", { text: "In conflict" }) : null,
    el("div", { class: "groups" }, ...conflicts.map((group) => groupBlock(group, films))),
    harmless.length > 0
      ? el(
          "details",
          {},
          el("summary", {
            text: `Within one patient, class and split: ${duplicates.list.length < duplicates.groups ? "the first " : ""}${counted(harmless.length, "group")}`,
          }),
          el("div", { class: "groups" }, ...harmless.map((group) => groupBlock(group, films))),
        )
      : null,
    duplicates.look_alikes.length > 0
      ? el(
          "details",
          {},
          el("summary", { text: "The closest pairs of different patients beyond that limit" }),
          el("p", {
            class: "intro",
            text: "Too far apart to be called the same film. If some of them are, patients hide under several names.",
          }),
          el(
            "div",
            { class: "groups" },
            ...duplicates.look_alikes.map(({ distance, members }) =>
              el(
                "div",
                { class: "group" },
                el("p", { class: "group-head", text: `${distance} of 256 bits apart` }),
                wall(...members.map((picture) => films.film(picture, patientNote(picture)))),
              ),
            ),
          ),
        )
      : null,
  );
}

function leaksSection({ leaks, split_given }: Exploration): HTMLElement | null {
  if (!split_given) return null;
  return section(
    "leaks",
    "Patients on several sides of the split",
    leaks.patients === 0
      ? "None, as far as file names tell."
      : `${counted(leaks.patients, "patient")}, as far as file names tell. Figures measured on such a split are too good.`,
    leaks.patients === 0
      ? null
      : table(
          leaks.patients > leaks.list.length ? `The first ${leaks.list.length}` : "Patients and their pictures",
          [{ head: "Patient", text: true }, ...splits.map((split) => ({ head: split }))],
          leaks.list.map((leak) => [el("bdi", { text: leak.patient }), ...splits.map((split) => leak[split] || none)]),
        ),
  );
}

function auditSection(audit: Audit, duplicates: Exploration["duplicates"], films: Films): HTMLElement {
  const doubtful = duplicates.list.filter((group) => group.across_labels);
  return section(
    "audit",
    "Labels in doubt",
    "Scores from models that did not see the patient, against the labels: worst first. Such a film is a hard case, a poor film, or wrongly labelled; only someone who reads films can tell which.",
    tiles([
      {
        name: "Likely label errors",
        value: count(audit.likely),
        note: `of ${count(audit.scored)} scored pictures`,
      },
      { name: "AUC of the scores", value: decimal(audit.auc.value), note: interval(audit.auc, decimal) },
      { name: "Without a score", value: count(audit.unscored), note: `${counted(audit.unknown_rows, "row")} name no picture` },
    ]),
    el("p", {
      class: "muted",
      text: "Likely: the score for the other class is as high as that class's own films have on average (confident learning, Northcutt 2021).",
    }),
    doubtful.length > 0
      ? el("p", {}, `${counted(doubtful.length, "picture")} in both classes: see `, el("a", { text: "Repeated pictures", attr: { href: "#duplicates" } }), ".")
      : null,
    wall(
      ...audit.list.map((suspect) =>
        films.film(
          suspect,
          el("span", { class: "score" }, `${percent(suspect.probability)} pneumonia`),
          suspect.likely ? tag("likely wrong", "serious") : null,
        ),
      ),
    ),
  );
}

export function explorationView(page: ExplorationPage): HTMLElement[] {
  const data = page.exploration;
  const films = new Films(page.thumbnails, new Set(data.counts.map(({ split }) => split)).size > 1);
  return [
    overview(data),
    countsSection(data),
    data.audit ? auditSection(data.audit, data.duplicates, films) : null,
    shortcutSection(data),
    graySection(data),
    meanSection(page),
    fileSection(data),
    duplicatesSection(data, films),
    leaksSection(data),
    samplesSection(data, films),
    unreadableSection(data.unreadable),
    data.warnings.length > 0
      ? section("warnings", "Warnings", "", el("ul", {}, ...data.warnings.map((text) => el("li", { text }))))
      : null,
  ].filter((part) => part !== null);
}
