/** Draws the whole page: the open view, and the frame around it. */

import { html, useErrorBoundary, useLayoutEffect, useRef } from "../html.js";
import { useStore } from "../store.js";
import { cleanText } from "../text.js";
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

/** The open view, or the sentence why it cannot be shown. */
function Page({ page }) {
  const { number, name = "", view, args, data } = page;
  const undrawable = useRef(null); // data that the view failed to draw; newer data are tried again
  const [error] = useErrorBoundary((problem) => {
    undrawable.current = data;
    console.error(problem);
  });
  const failure = error && undrawable.current === data ? error.message : page.failure;
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
    document.title = title === NAME ? NAME : `${cleanText(title)} · ${NAME}`;
  }, [title]);
}
