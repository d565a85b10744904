/** Draws a small part of Markdown: headings, lists, quotes, code, bold, italic and links; all else stays text. */

import { html, useState } from "../html.js";
import { formatCount } from "../format.js";
import { cleanText, cutText } from "../text.js";

const FENCE = /^\s*```/;
const HEADING = /^ {0,3}(#{1,6})\s+(.+?)\s*#*\s*$/;
const ITEM = /^ {0,6}(?:[-*+]|(\d{1,9})[.)])\s+(.*)$/;
const QUOTE = /^ {0,3}>\s?(.*)$/;
// code; bold; italic; a link with its words; an address. Each is on one line, and none nests in itself.
const INLINE =
  /`([^`\n]+)`|\*\*([^*\n]+)\*\*|(?<![*\w])\*([^*\s][^*\n]*)\*(?![*\w])|(?<!!)\[([^\]\n]+)\]\((https:\/\/[^\s()<>]+)\)|(?<![\w(])(https:\/\/[^\s<>"']+[^\s<>"'.,;:!?)\]])/g;

/** A text by strangers, in Markdown, without HTML or images; a link shows where it leads. One of more than `limit` characters is folded. */
export function Markdown({ text, limit }) {
  const [isWhole, setWhole] = useState(false);
  const clean = cleanText(text);
  const begin = cutText(clean, limit);
  const turn = () => setWhole(!isWhole);
  return html`
    <div class="prose">${drawBlocks(begin === null || isWhole ? clean : `${begin}…`)}</div>
    ${
      begin !== null &&
      html`
        <p>
          <button type="button" class="plain" aria-expanded=${isWhole} onClick=${turn}>
            ${isWhole ? "Less" : `All ${formatCount([...clean].length)} characters`}
          </button>
        </p>
      `
    }
  `;
}

function drawBlocks(text) {
  const lines = text.split("\n");
  const blocks = [];
  while (lines.length) {
    if (!lines[0].trim()) lines.shift();
    else blocks.push(takeBlock(lines));
  }
  return blocks;
}

/** Takes the first block off the lines, and draws it. */
function takeBlock(lines) {
  if (FENCE.test(lines[0])) return takeCode(lines);
  const heading = HEADING.exec(lines[0]);
  if (heading) {
    lines.shift();
    return html`<h3>${drawInline(heading[2])}</h3>`;
  }
  if (ITEM.test(lines[0])) return takeList(lines);
  if (QUOTE.test(lines[0])) {
    const quoted = takeWhile(lines, (line) => QUOTE.test(line)).map((line) => QUOTE.exec(line)[1]);
    return html`<blockquote><p>${drawInline(quoted.join("\n"))}</p></blockquote>`;
  }
  const isPlain = (line) => line.trim() && ![FENCE, HEADING, ITEM, QUOTE].some((kind) => kind.test(line));
  return html`<p>${drawInline(takeWhile(lines, isPlain).join("\n"))}</p>`;
}

function takeWhile(lines, isTaken) {
  const end = lines.findIndex((line) => !isTaken(line));
  return lines.splice(0, end < 0 ? lines.length : end);
}

function takeCode(lines) {
  lines.shift();
  const code = takeWhile(lines, (line) => !FENCE.test(line));
  lines.shift();
  return html`<pre><code>${code.join("\n")}</code></pre>`;
}

function takeList(lines) {
  const number = ITEM.exec(lines[0])[1];
  const isSame = (line) => ITEM.test(line) && (ITEM.exec(line)[1] === undefined) === (number === undefined);
  const items = takeWhile(lines, isSame).map((line) => html`<li>${drawInline(ITEM.exec(line)[2])}</li>`);
  return number === undefined ? html`<ul>${items}</ul>` : html`<ol start=${Number(number)}>${items}</ol>`;
}

function drawInline(text) {
  const parts = [];
  let end = 0;
  for (const match of text.matchAll(INLINE)) {
    const [whole, code, bold, italic, words, linked, address] = match;
    parts.push(text.slice(end, match.index));
    end = match.index + whole.length;
    if (code) parts.push(html`<code>${code}</code>`);
    else if (bold) parts.push(html`<strong>${bold}</strong>`);
    else if (italic) parts.push(html`<em>${italic}</em>`);
    else parts.push(drawLink(whole, words, linked ?? address));
  }
  return [...parts, text.slice(end)];
}

/** An address as the browser reads it, so that it cannot look like another one; its words stand before it. */
function drawLink(whole, words, address) {
  if (!URL.canParse(address)) return whole;
  const { href, username, password } = new URL(address);
  if (username || password) return whole;
  const link = html`<a href=${href} target="_blank" rel="noopener noreferrer nofollow">${href}</a>`;
  return words ? html`${words} (${link})` : link;
}
