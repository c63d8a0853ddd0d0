/** Runs tasks in the order given, at most `width` of them at once. */
export class Queue {
  #waiting: (() => Promise<void>)[] = [];
  #running = 0;

  constructor(private readonly width: number) {}

  /** A task takes care of its own failures. */
  add(task: () => Promise<void>): void {
    this.#waiting.push(task);
    this.#next();
  }

  #next(): void {
    while (this.#running < this.width) {
      const task = this.#waiting.shift();
      if (task === undefined) return;
      ++this.#running;
      void task().finally(() => {
        --this.#running;
        this.#next();
      });
    }
  }
}

export interface Patience {
  /** Attempts in all. */
  tries: number;
  /** Seconds to wait before the next attempt, or null where another would not help. */
  delay: (failure: unknown, attempt: number) => number | null;
  /** Waits; told apart so that tests need no clock. */
  wait: (seconds: number) => Promise<void>;
}

/** Repeats `attempt` while `patience` finds it worth it; fails with the last failure. */
export async function persist<T>(attempt: () => Promise<T>, patience: Patience): Promise<T> {
  for (let count = 1; ; ++count) {
    try {
      return await attempt();
    } catch (failure) {
      const seconds = count < patience.tries ? patience.delay(failure, count) : null;
      if (seconds === null) throw failure;
      await patience.wait(seconds);
    }
  }
}
