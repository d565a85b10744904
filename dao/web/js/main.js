/** Starts the page: draws it, opens the view of the address, and listens to what changes. */

import { takeFirst } from "./api.js";
import { App } from "./components/app.js";
import { listen } from "./events.js";
import { html, render } from "./html.js";
import { handleEvent, openPage, refreshPage, setNetwork } from "./page_loader.js";
import { findRoute } from "./router.js";
import { resumeSession } from "./session.js";
import { getState, StoreProvider, subscribe } from "./store.js";
import { prime } from "./views/overview.js";

function openAddress() {
  const { hash } = location;
  const isWithinView = hash && !hash.startsWith("#/");
  if (!isWithinView) openPage(findRoute(hash));
}

/** Takes what came with the page: the network for every view, all of it for the overview. */
function readFirst() {
  const first = takeFirst();
  if (!first) return;
  setNetwork(first.network);
  if (findRoute(location.hash)?.name === "overview") prime(first);
}

/** Loads the view again for whoever has signed in or out. */
function followSession() {
  let { session } = getState();
  subscribe((state) => {
    if (state.session !== session) refreshPage();
    session = state.session;
  });
}

render(html`<${StoreProvider}><${App} /></${StoreProvider}>`, document.getElementById("app"));
addEventListener("hashchange", openAddress);
readFirst();
followSession();
resumeSession().catch(() => null);
openAddress();
listen(handleEvent);
