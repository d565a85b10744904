/** Keeps the one state that all components share, and tells them when it changes. */

import { createContext, html, useContext, useLayoutEffect, useState } from "./html.js";

const listeners = new Set();

let state = {
  network: null, // GET /network
  head: null, // the newest block: {block, timestamp}
  link: "live", // to the API: live, stale (the API lost its chain) or lost
  staleSince: null, // ms
  session: null, // who is signed in: {address, csrf, expires_at}
  path: "#/", // the address that is open or being opened
  isBusy: false, // the view of that address takes its time
  page: { number: 0, view: null, args: [], data: null, failure: null }, // the view that is shown
  announcement: "", // for screen readers
  cards: [], // what the member has started: {id, name, tone, text}
  question: null, // what the dialog asks: see questions.js
  proposalFilter: { state: null, limit: 25 },
};

/** Returns the state as it is now; it is never changed in place. */
export function getState() {
  return state;
}

/** Changes some of the state's keys. */
export function update(changes) {
  state = { ...state, ...changes };
  for (const listener of listeners) listener(state);
}

/** Calls `listener(state)` at every change; returns a function that ends it. */
export function subscribe(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** Returns the token's sign, as in "12 CWT". */
export function getSymbol() {
  return state.network?.symbol ?? "tokens";
}

const StoreContext = createContext(state);

/** Gives its children the state. */
export function StoreProvider({ children }) {
  const [value, setValue] = useState(state);
  useLayoutEffect(() => {
    setValue(state);
    return subscribe(setValue);
  }, []);
  return html`<${StoreContext.Provider} value=${value}>${children}</${StoreContext.Provider}>`;
}

/** Returns the state inside a component, which is drawn again at every change. */
export function useStore() {
  return useContext(StoreContext);
}
