/** Keeps what is being typed, so that a failure, a reload or another page loses nothing; until the tab is closed. */

const PREFIX = "draft:";

/** The draft under a name, or `empty`. */
export function draft(name, empty) {
  try {
    return JSON.parse(sessionStorage.getItem(PREFIX + name)) ?? empty;
  } catch {
    return empty;
  }
}

/** Keeps a draft. */
export function keep(name, value) {
  try {
    sessionStorage.setItem(PREFIX + name, JSON.stringify(value));
  } catch {
    // a browser that stores nothing loses drafts on reload only
  }
}

/** Forgets a draft that has served. */
export function forget(name) {
  sessionStorage.removeItem(PREFIX + name);
}
