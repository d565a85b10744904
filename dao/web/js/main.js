/** Starts the page: draws it, opens the view of the address, and listens to what changes. */

import { App } from "./components/app.js";
import { listen } from "./events.js";
import { html, render } from "./html.js";
import { openPage, refreshPage, handleEvent } from "./page_loader.js";
import { findRoute } from "./router.js";
import { resumeSession } from "./session.js";
import { getState, StoreProvider, subscribe } from "./store.js";

function openAddress() {
  const { hash } = location;
  const isWithinView = hash && !hash.startsWith("#/");
  if (!isWithinView) openPage(findRoute(hash));
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
followSession();
resumeSession().catch(() => null);
openAddress();
listen(handleEvent);
