/** What all views share: the network, who is signed in, and how fresh it all is. */

const watchers = new Set();

/** `network`: GET /network or null. `session`: {address, csrf, expires_at} or null. `link`: live, stale, lost. */
export const state = { network: null, session: null, link: "live", staleSince: null };

/** Changes the state and tells whoever watches. */
export function update(change) {
  Object.assign(state, change);
  for (const watcher of watchers) watcher(state);
}

/** Calls `watcher` at every change. */
export function watch(watcher) {
  watchers.add(watcher);
}

/** The token's sign, as in "12 CWT". */
export function symbol() {
  return state.network?.symbol ?? "tokens";
}
