import type { Change, Comparison, Finding, Grade, Reason, Severity, Verdict, ZoneName } from "./api";

// Every word the page shows. Another language is another object of this shape.

const nbsp = "\u00a0";

/**
 * Whole per cent of a certainty, 0..100. Certainty itself is never claimed, and
 * what two certainties that sum to 100 are rounded to sums to 100 again.
 */
function percent(certainty: number): string {
  if (certainty <= 0.5) return `<1${nbsp}%`;
  if (certainty >= 99.5) return `>99${nbsp}%`;
  const whole = certainty > 50 ? Math.round(certainty) : 100 - Math.round(100 - certainty);
  return `${whole}${nbsp}%`;
}

/** A plain share, 0..100, such as a slider's. */
const share = (value: number): string => `${Math.round(value)}${nbsp}%`;

/** A share that is estimated roughly, within a sentence. */
const about = (value: number): string => (value < 0.5 ? `less than 1${nbsp}%` : `about ${share(value)}`);

/** A score, with one decimal. */
const points = (value: number): string => value.toFixed(1);

/** A difference with its sign, where it is not shown as nothing. */
function signed(value: number, shown: (value: number) => string): string {
  const size = shown(Math.abs(value));
  if (size === shown(0)) return size;
  return `${value < 0 ? "\u2212" : "+"}${size}`;
}

const verdict: Record<Verdict, string> = {
  normal: "Normal",
  pneumonia: "Pneumonia",
  uncertain: "Uncertain",
  rejected: "Not judged",
};

/** How sure a finding is of its answer, in per cent; null where it gives none. */
const certainty = ({ verdict: given, percent: shares }: Finding): number | null =>
  shares && (given === "normal" || given === "pneumonia") ? shares[given] : null;

/** The verdict in one line: "Pneumonia, 93 %", "Uncertain". */
function summary(finding: Finding): string {
  const sure = certainty(finding);
  return sure === null ? verdict[finding.verdict] : `${verdict[finding.verdict]}, ${percent(sure)}`;
}

/** Plain words for the codes of a finding's reasons. */
const findingReasons: Record<string, string> = {
  too_small: "The picture is too small to be judged.",
  flat: "The picture is one flat gray: there is nothing on it to judge.",
  no_lungs: "No lungs can be made out on this picture.",
  not_frontal: "This does not look like an upright frontal chest X-ray.",
  turned_left: "This film lies on its left side. Turn it upright and add it again.",
  turned_right: "This film lies on its right side. Turn it upright and add it again.",
  upside_down: "This film is upside down. Turn it upright and add it again.",
  inverted: "Black and white were exchanged on this film; it was read the right way round.",
  poor_exposure: "The lungs are too dark, too bright or too flat on this film. Look at it yourself, or expose again.",
  lungs_cut: "Part of the lungs lies outside of this film; what cannot be seen was not judged.",
  opacity: "The film looks normal at first, but areas of the lungs are opaque. Look at this film yourself.",
  near_threshold: "The evidence lies too close to the threshold to call. Look at this film yourself.",
};

/** Plain words for the codes the server puts into its problem documents. */
const reasons: Record<string, string> = {
  not_a_picture: "This file is not a picture. Chest X-rays are read as JPEG or PNG.",
  unsupported: "This kind of picture is not read. Save it as an ordinary JPEG or PNG and try again.",
  too_large: "This picture is too large to be read here.",
  damaged: "This picture is incomplete or damaged. Export it again and retry.",
  unusable: "This picture opens, but there is nothing on it that could be shown.",
  busy: "The server is busy with other X-rays. Try again in a moment.",
  timeout: "The server took too long to answer. Try again.",
  storage: "The server could not keep the finding. Tell whoever runs it.",
  not_found: "This finding does not exist. It may have been deleted.",
  forbidden: "Your role does not allow this.",
  unauthenticated: "You are not signed in any more.",
  over_quota: "You have had too much read lately. Try again later.",
  offline: "The server could not be reached. Check the connection and try again.",
};

/** As reasons, of two findings that were to be compared. */
const comparisonReasons: Record<string, string> = {
  ...reasons,
  unusable:
    "These two films cannot be compared: for one of them there is no severity. It was not judged, or was read before the model told severity; add it again then.",
  invalid_argument:
    "These two films cannot be compared: they were read by different models. Add the earlier film again.",
  not_found: "One of the two findings does not exist. It may have been deleted.",
};

/** What changed between two films, by the figure that decided. */
function changed({ extent, score, change }: Comparison): string {
  const beyond = "beyond what two exposures of the same chest differ by";
  if (change === "unchanged") {
    return `${share(extent.before)} of the lungs opaque before, ${share(extent.after)} after. Two exposures of the same chest may differ by ${share(extent.margin)}.`;
  }
  const decides = ({ beyond_noise, change: by }: Change) => beyond_noise && by < 0 === (change === "better");
  if (decides(extent)) {
    const size = share(Math.abs(extent.change));
    return `${size} ${extent.change < 0 ? "less" : "more"} of the lungs is opaque (${share(extent.before)} before, ${share(extent.after)} after), ${beyond}.`;
  }
  const size = points(Math.abs(score.change));
  return `The score is ${size} ${score.change < 0 ? "lower" : "higher"} (${points(score.before)} before, ${points(score.after)} after), ${beyond}.`;
}

export const text = {
  language: "en",
  locale: "en-GB",
  product: "xray",
  tagline: "chest X-ray reading",
  abbreviations: new Set(["auc", "ece", "npv", "ppv", "url"]),
  percent,
  share,
  points,
  signed,
  verdict,
  certainty,
  summary,
  reason: ({ code, text: said }: Reason) => findingReasons[code] ?? `${said}.`,
  title: (what: string) => `${what} – xray`,

  add: "Add X-rays",

  drop: {
    title: "Drop chest X-rays here",
    hint: "One or many, frontal view, JPEG or PNG. You can also paste a picture or drop a folder.",
    choose: "Choose files",
    over: "Drop to read",
    pasted: (time: string) => `Pasted ${time}.png`,
    nothing: "There is no picture in what was dropped or pasted.",
  },

  signIn: {
    title: "Sign in to xray",
    body: "Chest X-rays and what was found on them are for those who treat the patients.",
    name: "Name",
    password: "Password",
    submit: "Sign in",
    provider: "Sign in with your organisation",
    offline: "The server cannot be reached. Try again.",
    problems: {
      provider: "Your organisation's sign-in did not work. Try again, or ask who runs this server.",
      again: "This sign-in took too long, or began in another window. Try again.",
      role: "You are known, but have no role on this server. Ask who runs it.",
    } as Record<string, string>,
  },
  account: {
    title: (name: string) => `Signed in as ${name}`,
    roles: {
      reader: "Reader: sees findings",
      reviewer: "Reviewer: has pictures read, compares, deletes own findings",
      admin: "Admin: does everything, and keeps accounts",
    },
    password: "Password",
    old: "The one you have",
    fresh: "A new one",
    rule: "At least 12 letters; some words that have nothing to do with one another are best. Other browsers are signed out.",
    change: "Change password",
    changed: "Changed.",
    signOut: "Sign out",
  },
  theme: { label: "Theme", system: "As the system", light: "Light", dark: "Dark" },

  finding: {
    landmark: "Finding",
    loading: "Loading the finding",
    threshold: "Threshold",
    thresholdAt: (at: number) => `pneumonia from ${share(at)}, the mark on the bar`,
    subtype: (bacterial: number, viral: number) =>
      bacterial >= viral
        ? `Looks more bacterial (${percent(bacterial)}) than viral (${percent(viral)}): a radiograph only hints at this.`
        : `Looks more viral (${percent(viral)}) than bacterial (${percent(bacterial)}): a radiograph only hints at this.`,
    time: "Time",
    server: (milliseconds: string) => `${milliseconds} on the server`,
    roundTrip: (milliseconds: string) => `${milliseconds} round trip`,
    parts: (decode: string, preprocess: string, infer: string) =>
      `Decoding ${decode}, preparing ${preprocess}, model ${infer}`,
    model: "Model",
    picture: "Picture",
    size: (width: number, height: number) =>
      `${width}${nbsp}\u00d7${nbsp}${height}${nbsp}pixels`,
    date: "Read on",
    unnamed: "Unnamed picture",
    previous: "Previous finding",
    next: "Next finding",
    remove: "Delete",
    removeNamed: (name: string) => `Delete the finding of ${name}`,
    compare: "Compare with\u2026",
    print: "Print",
  },

  severity: {
    grade: { mild: "Mild", moderate: "Moderate", severe: "Severe" } satisfies Record<Grade, string>,
    opaque: ({ extent, right, left }: Severity) =>
      `${about(extent)} of the lungs opaque (right ${share(right)}, left ${share(left)})`,
    score: ({ score, interval: [low, high] }: Severity) =>
      `Brixia-like score ${points(score)} of 18 (${points(low)} to ${points(high)})`,
    note: "Learned from adults with COVID-19, scored by two radiologists: for children a rough guide.",
    zones: "Opaque share and score (0 to 3) of each zone, as it lies on the picture",
    rightLung: "Right lung",
    leftLung: "Left lung",
    level: { upper: "Upper", middle: "Middle", lower: "Lower" },
    zone: {
      A: "Right upper",
      B: "Right middle",
      C: "Right lower",
      D: "Left upper",
      E: "Left middle",
      F: "Left lower",
    } satisfies Record<ZoneName, string>,
    zoneScore: (score: number) => `score ${points(score)}`,
    unknown: "\u2013",
  },

  compare: {
    title: "Compare with which film?",
    body: "Choose a film of the same patient. The one that was read first is taken for the earlier; you can exchange them afterwards.",
    none: "There is no other finding here that tells severity by the same model. Add the earlier film first.",
  },

  comparison: {
    landmark: "Comparison",
    loading: "Comparing the films",
    change: {
      better: "Better",
      worse: "Worse",
      unchanged: "No change beyond noise",
    } satisfies Record<Comparison["change"], string>,
    summary: changed,
    which: ["Before", "After"],
    readOn: (when: string) => `read on ${when}`,
    files: (before: string, after: string) => `${before} and ${after}`,
    exchange: "Exchange",
    table: "What changed, and what two exposures of the same chest differ by",
    columns: ["Before", "After", "Change", "Noise"],
    extent: "Lungs opaque",
    score: "Score, 0 to 18",
    beyond: (margin: string) => `beyond \u00b1${margin}`,
    within: (margin: string) => `within \u00b1${margin}`,
    note: "Zones are scored from 0 to 3. Two exposures of the same chest stay within the noise nine times in ten; of six zones one may go beyond it by chance.",
    reason: (code: string, detail: string) => comparisonReasons[code] ?? detail,
  },

  film: {
    label: "Film. Plus and minus zoom, arrow keys move, zero fits.",
    alt: (name: string) => `Chest X-ray ${name}`,
    zoomIn: "Zoom in",
    zoomOut: "Zoom out",
    fit: "Fit",
    zoom: (scale: number) => `${scale.toFixed(1)}\u00d7`,
    heat: "Heat map",
    heatHint: "Shows or hides the heat map (key H)",
    strength: "Strength of the heat map",
    contours: "Contours",
    contoursHint: "Shows or hides the outlines of the opaque areas (key C)",
    legend: {
      evidence: { what: "Evidence:", weak: "weak", strong: "strong" },
      opacity: { what: "Opacity:", weak: "faint", strong: "dense" },
    },
    noHeat: "No heat map for this picture.",
    failed: "The picture could not be loaded.",
  },

  upload: {
    waiting: (ahead: number) =>
      ahead === 0 ? "Next in line" : `Waiting, ${ahead} ahead of it`,
    waitingShort: "Waiting",
    sending: (sent: number) => `Sending ${share(sent)}`,
    reading: "Reading",
    retrying: (seconds: number) => `Server busy, trying again in ${seconds}${nbsp}s`,
    failed: "Could not be read",
    retry: "Try again",
    dismiss: "Remove from the list",
    dismissNamed: (name: string) => `Remove ${name} from the list`,
    detail: (detail: string) => `The server says: ${detail}`,
    reason: (code: string, detail: string) => reasons[code] ?? detail,
    unknown: "Something went wrong on the server.",
  },

  list: {
    heading: "Findings",
    session: "Just added",
    progress: (done: number, all: number) => `${done} of ${all} read`,
    failures: (count: number) => (count === 1 ? "1 not readable" : `${count} not readable`),
    earlier: "Earlier",
    verdict: "Show findings of",
    anyVerdict: "All verdicts",
    none: "No earlier finding has this verdict.",
    empty: "Nothing has been read yet. Findings appear here and stay until you delete them.",
    loading: "Loading",
    more: "Show more",
    failed: "The findings could not be loaded.",
    retry: "Try again",
  },

  card: {
    quality: "Measured quality, with 95 % intervals",
    set: (name: string, films: number | null) => (films === null ? name : `${name}, ${films} films`),
    estimate: (value: string, low: string, high: string) => `${value} (${low} to ${high})`,
    unknown: "\u2013",
    all: "The whole card",
  },

  remove: {
    title: "Delete this finding?",
    body: "The picture and its finding are removed from this server. This cannot be undone.",
    cancel: "Keep it",
    confirm: "Delete",
    failed: "It could not be deleted.",
  },

  announce: {
    read: (name: string, finding: Finding) => `${name}: ${summary(finding)}`,
    failed: (name: string, reason: string) => `${name}: could not be read. ${reason}`,
    added: (count: number) => (count === 1 ? "1 picture added" : `${count} pictures added`),
    showing: (name: string, finding: Finding) => `Showing ${name}: ${summary(finding)}`,
    removed: (name: string) => `${name}: deleted`,
    heatOn: "Heat map shown",
    heatOff: "Heat map hidden",
    contoursOn: "Contours shown",
    contoursOff: "Contours hidden",
  },

  purpose: {
    line: "A second pair of eyes for frontal chest X-rays of children. Not a medical device; it does not replace a radiologist\u2019s reading.",
    about: "About",
    title: "What this is, and what it is not",
    is: [
      "xray reads a frontal chest X-ray of a child and says how much it looks like pneumonia. The percentage is the model\u2019s calibrated estimate. Severity and heat map are a second network\u2019s: they tell how much of the lungs looks opaque, and where.",
      "Where there may be pneumonia, it also estimates how much of the lungs is opaque and how densely, and compares films of one patient.",
      "It is a second pair of eyes: it may point at something worth another look.",
    ],
    isNot: [
      "It is not a medical device, and no diagnosis or treatment may rest on it alone.",
      "It knows no other disease: \u201cnormal\u201d means no sign of pneumonia, not a healthy chest.",
      "Lateral views, adults, CT slices or photographs of films are outside of what it has learned. Most pictures that are no upright frontal film it refuses, but not all.",
      "Whether pneumonia is bacterial or viral cannot be told from a radiograph alone; the page only passes on a hint.",
    ],
    privacy: "Pictures go to the server this page came from, and nowhere else. They stay there until deleted.",
    model: "The model at work",
    modelMissing: "The model card could not be loaded.",
    keys: "Keyboard",
    keyList: [
      ["H", "show or hide the heat map"],
      ["C", "show or hide the contours of opaque areas"],
      ["J, K", "next, previous finding"],
      ["+, \u2212, 0", "zoom in, out, fit (film focused)"],
      ["Arrows", "move the film (film focused)"],
    ] as [string, string][],
    shortcuts: "Single-key shortcuts (H, C, J, K)",
    close: "Close",
  },
};
