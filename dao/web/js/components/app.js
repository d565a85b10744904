/** Draws the whole page: the open view, and the frame around it. */

import { html, removeTurns, useErrorBoundary, useLayoutEffect, useRef } from "../html.js";
import { useStore } from "../store.js";
import { Dialog } from "./dialog.js";
import { ActivityCards, ConnectionLine, Footer, Header } from "./frame.js";
import { Notice } from "./parts.js";

const NAME = "Commonweight";

/** The page. */
export function App() {
  const { announcement, isBusy, link, page } = useStore();
  const main = useRef(null);
  const focusMain = (options) => main.current.focus(options);
  useTitle(page);
  useLayoutEffect(() => {
    if (page.number > 1) focusMain({ preventScroll: true });
    scrollTo(0, 0);
  }, [page.number]);
  const skip = (event) => {
    event.preventDefault();
    focusMain();
  };
  return html`
    <a class="skip" href="#main" onClick=${skip}>Skip to the content</a>
    <${Header} />
    <${ConnectionLine} />
    <main id="main" tabindex="-1" data-link=${link} aria-busy=${isBusy ? "true" : null} ref=${main}>
      ${page.number > 0 && html`<${Page} key=${page.number} page=${page} />`}
    </main>
    <${Footer} />
    <${ActivityCards} />
    <p id="announce" class="unseen" aria-live="polite">${announcement}</p>
    <${Dialog} />
  `;
}

function Page({ page }) {
  const [error] = useErrorBoundary((problem) => console.error(problem));
  const { number, name = "", view, args, data } = page;
  const failure = error ? error.message : page.failure;
  return html`
    <div data-key="view-${number}" class="view ${name}">
      ${
        failure
          ? html`<h1>This cannot be shown</h1><${Notice} tone="bad">${failure}</${Notice}>`
          : html`<${view.View} data=${data} args=${args} />`
      }
    </div>
  `;
}

function useTitle({ view, data }) {
  const title = data ? view.getTitle(data) : NAME;
  useLayoutEffect(() => {
    document.title = title === NAME ? NAME : `${removeTurns(title)} · ${NAME}`;
  }, [title]);
}
