import {
  deleteFinding,
  getFinding,
  listFindings,
  Problem,
  uploadPicture,
  type Finding,
  type Verdict,
} from "./api";
import { persist, Queue } from "./queue";
import { text } from "./text";

export type State =
  | { at: "waiting" }
  | { at: "sending"; share: number }
  | { at: "reading" }
  | { at: "retrying"; seconds: number }
  | { at: "failed"; problem: Problem }
  | { at: "read"; finding: Finding; roundTrip: number | null };

/** A picture on its way to a finding, or a finding from the server. */
export interface Entry {
  readonly number: number;
  readonly name: string;
  readonly file: File | null;
  readonly abort: AbortController;
  state: State;
}

export const findingRoute = (id: string): string => `#/findings/${encodeURIComponent(id)}`;

export const comparisonRoute = (before: string, after: string): string =>
  `#/compare/${encodeURIComponent(before)}/${encodeURIComponent(after)}`;

const newRouteOf = (entry: Entry): string => `#/new/${entry.number}`;

/** The page's address of an entry; it changes once, when the picture has been read. */
export const routeOf = (entry: Entry): string =>
  entry.state.at === "read" ? findingRoute(entry.state.finding.id) : newRouteOf(entry);

export const isPending = (entry: Entry): boolean =>
  entry.state.at !== "read" && entry.state.at !== "failed";

const parallel = 3;
const tries = 6;
const longestDelay = 30;

const wait = (seconds: number) => new Promise<void>((done) => setTimeout(done, seconds * 1000));

function asProblem(failure: unknown): Problem {
  return failure instanceof Problem ? failure : new Problem("", 0, String(failure));
}

/** What has been read, here and before, and what waits to be read. */
export class Findings {
  /** Of this visit, in the order dropped. */
  session: Entry[] = [];
  /** Of before, newest first. */
  earlier: Entry[] = [];
  /** Whether the server has more of `earlier`. */
  more = false;
  loading: "idle" | "loading" | "failed" = "idle";

  /** Of which verdict `earlier` is; null: of any. */
  verdict: Verdict | null = null;

  #before: string | null = null;
  #count = 0;
  #queue = new Queue(parallel);
  #listeners: ((changed: Entry | null) => void)[] = [];

  /** Called with the entry that changed, or with null where the list did. */
  listen(listener: (changed: Entry | null) => void): void {
    this.#listeners.push(listener);
  }

  get all(): Entry[] {
    return [...this.session, ...this.earlier];
  }

  /** The entry with this address, or with the one it had before it was read. */
  find(route: string): Entry | undefined {
    return this.all.find((entry) => routeOf(entry) === route || newRouteOf(entry) === route);
  }

  /** Where on the list the entry with this address stands; -1 where it does not. */
  placeOf(route: string): number {
    return this.all.findIndex((entry) => routeOf(entry) === route);
  }

  /** The findings with which this one can be compared: severity is comparable within one model. */
  comparable(finding: Finding): Finding[] {
    return this.all
      .flatMap(({ state }) => (state.at === "read" ? [state.finding] : []))
      .filter(({ id, severity, model }) => id !== finding.id && severity && model === finding.model);
  }

  /** How many pictures are to be sent before this one. */
  ahead(entry: Entry): number {
    const index = this.session.indexOf(entry);
    return this.session.slice(0, index).filter((other) => other.state.at === "waiting").length;
  }

  add(files: File[]): Entry[] {
    const entries = files.map((file) => this.#entry(file.name, file, { at: "waiting" }));
    this.session.push(...entries);
    this.#tell(null);
    for (const entry of entries) this.#enqueue(entry);
    return entries;
  }

  retry(entry: Entry): void {
    this.#set(entry, { at: "waiting" });
    this.#enqueue(entry);
  }

  /** Takes an entry that never became a finding off the list. */
  dismiss(entry: Entry): void {
    entry.abort.abort();
    this.#drop(entry);
  }

  /** Deletes on the server, then here. Somebody else having deleted it first is as good. */
  async remove(entry: Entry): Promise<void> {
    if (entry.state.at !== "read") return;
    try {
      await deleteFinding(entry.state.finding.id);
    } catch (failure) {
      if (asProblem(failure).status !== 404) throw failure;
    }
    this.#drop(entry);
  }

  async loadMore(): Promise<void> {
    if (this.loading === "loading") return;
    this.loading = "loading";
    this.#tell(null);
    const { verdict } = this;
    try {
      const page = await listFindings(this.#before, verdict);
      if (verdict !== this.verdict) return;
      const known = new Set(this.all.map(routeOf));
      this.earlier.push(
        ...page.findings.map((finding) => this.#read(finding)).filter((entry) => !known.has(routeOf(entry))),
      );
      this.#before = page.next_before ?? null;
      this.more = this.#before !== null;
      this.loading = "idle";
    } catch {
      if (verdict !== this.verdict) return;
      this.loading = "failed";
    }
    this.#tell(null);
  }

  /** Lists only findings of one verdict among those of before, or all of them again. */
  async choose(verdict: Verdict | null): Promise<void> {
    if (verdict === this.verdict) return;
    this.verdict = verdict;
    this.earlier = [];
    this.more = false;
    this.loading = "idle";
    this.#before = null;
    await this.loadMore();
  }

  /** A finding that is not on the list, for a link to it. Fails with a Problem. */
  async fetch(id: string): Promise<Entry> {
    return this.#read(await getFinding(id));
  }

  #entry(name: string, file: File | null, state: State): Entry {
    return { number: ++this.#count, name, file, abort: new AbortController(), state };
  }

  #read(finding: Finding): Entry {
    const name = finding.file || text.finding.unnamed;
    return this.#entry(name, null, { at: "read", finding, roundTrip: null });
  }

  #enqueue(entry: Entry): void {
    this.#queue.add(async () => {
      if (entry.abort.signal.aborted) return;
      try {
        const state = await persist(() => this.#upload(entry), {
          tries,
          delay: (failure, attempt) => {
            const problem = asProblem(failure);
            if (problem.status !== 503) return null;
            const seconds = Math.min(problem.retryAfter ?? 2 ** attempt, longestDelay);
            this.#set(entry, { at: "retrying", seconds });
            return seconds;
          },
          wait,
        });
        this.#set(entry, state);
      } catch (failure) {
        if (!entry.abort.signal.aborted) this.#set(entry, { at: "failed", problem: asProblem(failure) });
      }
    });
  }

  async #upload(entry: Entry): Promise<State> {
    entry.abort.signal.throwIfAborted();
    if (entry.file === null) throw new Error("nothing to send");
    const start = performance.now();
    this.#set(entry, { at: "sending", share: 0 });
    const finding = await uploadPicture(
      entry.file,
      (share) => this.#set(entry, share < 1 ? { at: "sending", share: share * 100 } : { at: "reading" }),
      entry.abort.signal,
    );
    return { at: "read", finding, roundTrip: performance.now() - start };
  }

  #drop(entry: Entry): void {
    const others = (other: Entry) => routeOf(other) !== routeOf(entry);
    this.session = this.session.filter(others);
    this.earlier = this.earlier.filter(others);
    this.#tell(null);
  }

  #set(entry: Entry, state: State): void {
    entry.state = state;
    this.#tell(entry);
  }

  #tell(changed: Entry | null): void {
    for (const listener of this.#listeners) listener(changed);
  }
}
