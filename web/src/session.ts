// Who is signed in, and what a request has to carry for it.

export interface Person {
  id: string;
  name: string;
  role: "reader" | "reviewer" | "admin";
}

export interface Session {
  /** Whether people sign in here at all. */
  lock: boolean;
  /** Ways to: "password", "oidc". */
  sign_in: string[];
  user: Person | null;
  csrf?: string;
}

const open: Session = { lock: false, sign_in: [], user: null };
let session: Promise<Session> | null = null;

/** Asked for once; a server that cannot be reached has everybody in, and answers each request itself. */
export function currentSession(): Promise<Session> {
  session ??= fetch("api/v1/session", { headers: { Accept: "application/json" } })
    .then((response) => (response.ok ? (response.json() as Promise<Session>) : open))
    .catch(() => {
      session = null;
      return open;
    });
  return session;
}

/** What a request that changes something carries beside its cookie. */
export async function proof(): Promise<Record<string, string>> {
  const { csrf } = await currentSession();
  return csrf ? { "X-CSRF-Token": csrf } : {};
}

/** A path of this server's own; "./" where `wanted` is none. */
export function localPath(wanted: string | null): string {
  return wanted !== null && /^\/(?![/\\])[!-~]*$/.test(wanted) && !wanted.includes("\\") ? wanted : "./";
}

/** To the page that asks who one is, and from there back to here. */
export function askToSignIn(): void {
  const here = location.pathname + location.search + location.hash;
  location.assign(`sign-in.html?next=${encodeURIComponent(here)}`);
}

/** Sends JSON; null where all went well, else what the server says. */
export async function send(method: string, url: string, body?: unknown): Promise<string | null> {
  const headers: Record<string, string> = await proof();
  if (body !== undefined) headers["Content-Type"] = "application/json";
  try {
    const response = await fetch(url, {
      method,
      headers,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    if (response.ok) return null;
    const problem = (await response.json()) as { detail?: string };
    return problem.detail ?? `${response.status}`;
  } catch {
    return "";
  }
}
