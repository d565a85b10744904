/** Which view an address shows: #/tasks/1 and the like. */

import * as me from "./views/me.js";
import * as overview from "./views/overview.js";
import * as proposal from "./views/proposal.js";
import * as proposals from "./views/proposals.js";
import * as propose from "./views/propose.js";
import * as supernode from "./views/supernode.js";
import * as task from "./views/task.js";

const ROUTES = [
  [/^\/?$/, overview],
  [/^\/tasks\/(\d+)$/, task],
  [/^\/supernodes\/(0x[0-9a-fA-F]{40})$/, supernode],
  [/^\/proposals$/, proposals],
  [/^\/proposals\/(\d+)$/, proposal],
  [/^\/propose$/, propose],
  [/^\/me$/, me],
];

/** The view for an address, with what its path says; null for none. */
export function viewOf(hash) {
  const path = hash.replace(/^#/, "");
  for (const [pattern, view] of ROUTES) {
    const match = pattern.exec(path);
    if (match) return { view, args: match.slice(1) };
  }
  return null;
}
