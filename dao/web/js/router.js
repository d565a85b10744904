/** Finds the view for an address: #/tasks/1 and the like. */

import * as account from "./views/account.js";
import * as cases from "./views/cases.js";
import * as me from "./views/me.js";
import * as overview from "./views/overview.js";
import * as proposal from "./views/proposal.js";
import * as proposals from "./views/proposals.js";
import * as propose from "./views/propose.js";
import * as round from "./views/round.js";
import * as search from "./views/search.js";
import * as supernode from "./views/supernode.js";
import * as task from "./views/task.js";

/**
 * A view exports `load(...args)`, which reads its data from the API; `View({data, args})`, the component that
 * draws it; `getTitle(data)`; `isAffectedBy(event, ...args)`: whether an event of the API may change the
 * data; where a change is news to who cannot see it, `announce(before, after)`: a sentence, or null; and
 * `hasNetwork` where its data have the network.
 */
const ROUTES = [
  [/^\/?$/, "overview", overview],
  [/^\/tasks\/(\d+)$/, "task", task],
  [/^\/tasks\/(\d+)\/rounds\/(\d+)$/, "round", round],
  [/^\/accounts\/(0x[0-9a-fA-F]{40})$/, "account", account],
  [/^\/search(?:\/(.*))?$/, "search", search],
  [/^\/cases$/, "cases", cases],
  [/^\/supernodes\/(0x[0-9a-fA-F]{40})$/, "supernode", supernode],
  [/^\/proposals$/, "proposals", proposals],
  [/^\/proposals\/(\d+)$/, "proposal", proposal],
  [/^\/propose(?:\/resolve\/(\d+)\/(\d+))?$/, "propose", propose],
  [/^\/me$/, "me", me],
];

/** Returns the view of an address, with its name and the parts of its path; null where there is none. */
export function findRoute(hash) {
  const path = hash.replace(/^#/, "");
  for (const [pattern, name, view] of ROUTES) {
    const match = pattern.exec(path);
    if (match) return { view, name, args: match.slice(1) };
  }
  return null;
}
