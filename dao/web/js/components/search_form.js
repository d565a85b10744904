/** Asks what to search for. */

import { html, useState } from "../html.js";

/** A field for what is searched; sent, it opens the results. */
export function SearchForm({ text: shown = "" }) {
  const [text, setText] = useState(shown);
  const search = (event) => {
    event.preventDefault();
    if (text.trim()) location.hash = `#/search/${encodeURIComponent(text.trim())}`;
  };
  return html`
    <form class="row search" role="search" onSubmit=${search}>
      <label for="search">Find a task, round, proposal, Supernode or account</label>
      <input
        id="search"
        autocomplete="off"
        spellcheck=${false}
        placeholder="0x…, task 1 round 7, words of a title"
        value=${text}
        onInput=${({ target }) => setText(target.value)}
      />
      <button type="submit" class="plain">Search</button>
    </form>
  `;
}
