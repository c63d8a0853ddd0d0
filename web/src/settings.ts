/** A choice remembered in this browser; lost silently where storage is blocked. */
export function remembered(key: string): string | null {
  try {
    return localStorage.getItem(`xray.${key}`);
  } catch {
    return null;
  }
}

export function remember(key: string, value: string): void {
  try {
    localStorage.setItem(`xray.${key}`, value);
  } catch {
    // The choice then lasts as long as the page is open.
  }
}
