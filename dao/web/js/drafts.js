/** Keeps what is being typed until the tab is closed: a failure or another view loses nothing. */

import { useState } from "./html.js";

const PREFIX = "draft:";

function readDraft(name, empty) {
  try {
    return JSON.parse(sessionStorage.getItem(PREFIX + name)) ?? empty;
  } catch {
    return empty;
  }
}

function keepDraft(name, value) {
  try {
    sessionStorage.setItem(PREFIX + name, JSON.stringify(value));
  } catch {
    // A browser that stores nothing loses drafts on reload only.
  }
}

/** Removes a draft that has served. */
export function forgetDraft(name) {
  sessionStorage.removeItem(PREFIX + name);
}

/** Returns the draft under a name, `empty` at first, and a function that changes and keeps it. */
export function useDraft(name, empty) {
  const [draft, setDraft] = useState(() => readDraft(name, empty));
  const changeDraft = (value) => {
    keepDraft(name, value);
    setDraft(value);
  };
  return [draft, changeDraft];
}
