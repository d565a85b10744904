/** Draws the frame around a view: header, connection, footer, and cards of what the member does. */

import { removeCard } from "../activity.js";
import { formatCount } from "../format.js";
import { html } from "../html.js";
import { useStore } from "../store.js";
import { CopyButton, Moment } from "./parts.js";

const LINKS = [
  ["#/", "Overview"],
  ["#/cases", "Cases"],
  ["#/proposals", "Proposals"],
  ["#/propose", "Propose"],
];

/** The page's name and its main links. */
export function Header() {
  const { path, session } = useStore();
  const getCurrent = (href) => (href === path ? "page" : null);
  return html`
    <header class="top">
      <a class="wordmark" href="#/"><img src="icon.svg" alt="" width="26" height="26" />Commonweight</a>
      <nav aria-label="Main">
        ${LINKS.map(
          ([href, label]) => html`<a key=${href} href=${href} aria-current=${getCurrent(href)}>${label}</a>`,
        )}
        <a
          href="#/me"
          id="account"
          aria-current=${getCurrent("#/me")}
          title=${session ? `Signed in as ${session.address}` : ""}
        >
          ${session ? `${session.address.slice(0, 6)}…` : "Connect"}
        </a>
      </nav>
    </header>
  `;
}

/** Says that what is shown may be old; hidden while it is not. */
export function ConnectionLine() {
  const { link, staleSince } = useStore();
  const since = staleSince ? ` since ${new Date(staleSince).toLocaleTimeString("en-GB")}` : "";
  const words =
    link === "lost"
      ? `No connection to the API${since}: what you see may be old. Trying again…`
      : `The API does not hear from its chain${since}: what you see may be old.`;
  return html`<p id="connection" role="status" class=${link} hidden=${link === "live"}>${words}</p>`;
}

/** The network, its newest block, and where to read all of it. */
export function Footer() {
  const { network, head } = useStore();
  if (!network) return html`<footer class="bottom" />`;
  const { block, timestamp } = head ?? network.as_of;
  const { governor } = network.contracts;
  return html`
    <footer class="bottom">
      <p>
        ${`${network.name} on chain ${network.chain_id}, block ${formatCount(block)}, `}
        <${Moment} at=${timestamp} />
      </p>
      <p>Governor <code>${governor}</code><${CopyButton} text=${governor} name="the governor’s address" /></p>
      <p><a href="#/search">Search</a></p>
      <p><a href="api/v1/openapi.json">The API</a> gives everything that this page shows.</p>
    </footer>
  `;
}

/** Cards of what the member has started. */
export function ActivityCards() {
  const { cards } = useStore();
  return html`
    <section id="activity" aria-label="Your actions" aria-live="polite">
      ${cards.map(
        ({ id, name, tone, text }) => html`
          <article key=${id} class=${tone}>
            <h3>${name}</h3>
            <p>${text}</p>
            <button type="button" class="close" aria-label="Close" onClick=${() => removeCard(id)}>×</button>
          </article>
        `,
      )}
    </section>
  `;
}
