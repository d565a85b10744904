/** Cleans texts that strangers wrote of what is not to be read, and cuts long ones. */

// Characters that turn the direction of the text after them, that nobody sees, or that are no text. Two invisible
// ones stay, which join letters (Persian) and emoji: U+200C and U+200D.
const HIDDEN =
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\u2800\u3164\ufeff\uffa0\ufff9-\ufffb\u{e0000}-\u{e0fff}]/gu;
const JOINERS = /[\u200c\u200d]{2,}/g;
const STACKED = /(\p{M}{3})\p{M}+/gu; // accents beyond these would paint over the lines above and below

/** Returns a text without what would turn, hide in, or paint over the text around it. */
export function cleanText(text) {
  return text.replace(HIDDEN, "").replace(JOINERS, "\u200d").replace(STACKED, "$1");
}

/** Returns the begin of a text that is longer than `limit` characters, up to a word's end; null of a shorter one. */
export function cutText(text, limit) {
  const characters = [...text];
  if (characters.length <= limit) return null;
  const begin = characters.slice(0, limit).join("");
  const lastSpace = begin.search(/\s+\S*$/);
  return lastSpace > begin.length / 2 ? begin.slice(0, lastSpace) : begin;
}
