import { askToSignIn, proof } from "./session";

export type Answer = "normal" | "pneumonia";
export type Verdict = Answer | "uncertain" | "rejected";

/** Why a verdict is uncertain or a picture rejected, or what was done to read it. */
export interface Reason {
  code: string;
  text: string;
}

export type Grade = "mild" | "moderate" | "severe";

/** How much of the lungs is opaque, in per cent of each lung field, and how densely. */
export interface Severity {
  extent: number;
  /** Of the patient's right lung, which lies on the left of the picture. */
  right: number;
  left: number;
  /** 0..18, by the model of the Brixia score; `interval` is where it may lie. */
  score: number;
  grade: Grade;
  interval: [number, number];
}

/** The six zones of the lungs: A to C down the patient's right lung, D to F down the left. */
export type ZoneName = "A" | "B" | "C" | "D" | "E" | "F";

export interface Zone {
  zone: ZoneName;
  extent: number;
  /** 0..3 */
  score: number;
}

/**
 * What the server says of one picture; percentages are 0..100, and missing where rejected.
 * Severity is missing too where the model does not tell it.
 */
export interface Finding {
  id: string;
  created_at: string;
  file: string;
  verdict: Verdict;
  percent?: Record<Answer, number>;
  reasons: Reason[];
  subtype?: { bacterial: number; viral: number };
  severity?: Severity;
  zones?: Zone[];
  model: string;
  milliseconds: number;
  timing?: { decode: number; preprocess: number; infer: number; total: number };
  picture: { width: number; height: number };
}

export interface FindingPage {
  findings: Finding[];
  next_before?: string | null;
}

/** How one figure differs between two films, and by how much two of the same chest would. */
export interface Change {
  before: number;
  after: number;
  change: number;
  margin: number;
  beyond_noise: boolean;
}

type Film = Pick<Finding, "id" | "file" | "created_at">;

/** A film beside an earlier one. */
export interface Comparison {
  before: Film;
  after: Film;
  change: "better" | "worse" | "unchanged";
  extent: Change;
  score: Change;
  zones: (Change & { zone: ZoneName })[];
}

export type ModelCard = Record<string, unknown>;

/** A request that came to nothing. `code` is the server's, or "offline". */
export class Problem extends Error {
  constructor(
    readonly code: string,
    readonly status: number,
    readonly detail: string,
    /** Seconds after which the server asks to be tried again. */
    readonly retryAfter: number | null = null,
  ) {
    super(detail || code);
  }

  /** Whether the same request may well succeed later. */
  get passing(): boolean {
    return [0, 408, 429].includes(this.status) || this.status >= 500;
  }
}

const root = "api/v1";
const findingUrl = (id: string) => `${root}/findings/${encodeURIComponent(id)}`;

/** The picture as gray PNG; its longer side is at most `max` where given. */
export const imageUrl = (id: string, max?: number) =>
  `${findingUrl(id)}/image${max ? `?max=${max}` : ""}`;

export const heatmapUrl = (id: string, max: number) => `${findingUrl(id)}/heatmap?max=${max}`;

/** The outlines of the opaque areas. */
export const contourUrl = (id: string, max: number) => `${heatmapUrl(id, max)}&layer=contour`;

function problemOf(status: number, body: string, retryAfter: string | null): Problem {
  let code = "";
  let detail = "";
  try {
    const parsed: unknown = JSON.parse(body);
    if (typeof parsed === "object" && parsed !== null) {
      const fields = parsed as Record<string, unknown>;
      code = String(fields["code"] ?? "");
      detail = String(fields["detail"] ?? fields["title"] ?? "");
    }
  } catch {
    // A proxy in between may answer with a page of its own; the status tells enough.
  }
  const byStatus: Record<number, string> = { 404: "not_found", 413: "too_large", 503: "busy", 504: "timeout" };
  const seconds = retryAfter === null ? NaN : Number(retryAfter);
  return new Problem(
    code || (byStatus[status] ?? `http_${status}`),
    status,
    detail,
    Number.isFinite(seconds) ? seconds : null,
  );
}

async function request(url: string, init: RequestInit = {}): Promise<Response> {
  let response: Response;
  try {
    const changes = init.method !== undefined;
    response = await fetch(url, changes ? { ...init, headers: { ...init.headers, ...(await proof()) } } : init);
  } catch {
    throw new Problem("offline", 0, "");
  }
  if (!response.ok) {
    if (response.status === 401) askToSignIn();
    throw problemOf(response.status, await response.text(), response.headers.get("Retry-After"));
  }
  return response;
}

/** Newest first, after `before`, of one verdict where given. */
export async function listFindings(
  before: string | null,
  verdict: Verdict | null = null,
  limit = 50,
): Promise<FindingPage> {
  const query = new URLSearchParams({ limit: String(limit) });
  if (before !== null) query.set("before", before);
  if (verdict !== null) query.set("verdict", verdict);
  return (await request(`${root}/findings?${query}`)).json() as Promise<FindingPage>;
}

export async function getFinding(id: string): Promise<Finding> {
  return (await request(findingUrl(id))).json() as Promise<Finding>;
}

export async function deleteFinding(id: string): Promise<void> {
  await request(findingUrl(id), { method: "DELETE" });
}

export async function compareFindings(before: string, after: string): Promise<Comparison> {
  const response = await request(`${root}/comparisons`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ before, after }),
  });
  return response.json() as Promise<Comparison>;
}

let model: Promise<ModelCard> | null = null;

/** The card of the model at work; asked for once. */
export function getModel(): Promise<ModelCard> {
  model ??= request(`${root}/model`)
    .then((response) => response.json() as Promise<ModelCard>)
    .catch((failure: unknown) => {
      model = null;
      throw failure;
    });
  return model;
}

/** Sends one picture. `onSent` gets the share that has left, 0..1; fetch cannot tell. */
export function uploadPicture(
  file: File,
  onSent: (share: number) => void,
  signal: AbortSignal,
): Promise<Finding> {
  return new Promise((resolve, reject) => {
    const form = new FormData();
    form.append("file", file, file.name);
    const xhr = new XMLHttpRequest();
    xhr.open("POST", `${root}/findings`);
    xhr.upload.onprogress = (event) => {
      if (event.lengthComputable) onSent(event.loaded / event.total);
    };
    xhr.upload.onload = () => onSent(1);
    xhr.onerror = () => reject(new Problem("offline", 0, ""));
    xhr.onload = () => {
      if (xhr.status === 401) askToSignIn();
      if (xhr.status !== 201) {
        reject(problemOf(xhr.status, xhr.responseText, xhr.getResponseHeader("Retry-After")));
        return;
      }
      try {
        resolve(JSON.parse(xhr.responseText) as Finding);
      } catch {
        reject(new Problem("", xhr.status, ""));
      }
    };
    signal.addEventListener("abort", () => {
      xhr.abort();
      reject(signal.reason);
    });
    void proof().then((fields) => {
      if (signal.aborted) return;
      for (const [name, value] of Object.entries(fields)) xhr.setRequestHeader(name, value);
      xhr.send(form);
    });
  });
}
