/** Signs in with the wallet (EIP-4361) and out; an account is known by its signature alone. */

import { get, post, useCsrf } from "./api.js";
import { now } from "./clock.js";
import { ask } from "./dialog.js";
import { moment, same } from "./format.js";
import { state, update } from "./state.js";
import { connect, disconnect, signText, WalletError } from "./wallet.js";

const KEY = "signed-in";

/** Takes up the session of an earlier visit, if there is one. */
export async function resume() {
  if (!localStorage.getItem(KEY)) return; // a stranger need not be told so by an error
  try {
    take(await get("auth/session"));
  } catch (problem) {
    if (problem.status !== 401) throw problem;
    take(null);
  }
}

/** Forgets a session that the API no longer knows. */
export function take(session) {
  if (session) localStorage.setItem(KEY, "yes");
  else localStorage.removeItem(KEY);
  useCsrf(session?.csrf ?? null);
  update({ session });
}

/** Connects the wallet and, where that has not been done for its account, signs in; gives the account's address. */
export async function account() {
  const connected = await connect();
  const session = state.session;
  const valid = session && session.expires_at > now();
  if (valid && same(session.address, connected)) return session.address;
  return signIn(connected);
}

/** Ends the session here and at the API. */
export async function signOut() {
  await post("auth/logout");
  disconnect();
  take(null);
}

async function signIn(connected) {
  const asked = await post("auth/nonce", { address: connected });
  if (asked.domain !== location.host) {
    throw new WalletError(
      `The API signs in for ${asked.domain}, and this page is ${location.host}; open it there.`,
    );
  }
  const agreed = await ask({
    title: "Sign in",
    lines: [
      `You prove to ${asked.domain} that ${asked.address} is yours.`,
      "It sends nothing and costs nothing. The API then hands on what you sign, and nothing else.",
      `You stay signed in until ${moment(asked.expires_at)}, or until you sign out.`,
    ],
    more: asked.message,
    yes: "Sign in my wallet",
  });
  if (!agreed) throw new WalletError("You did not sign in.", true);
  const signature = await signText(asked.message, connected);
  take(await post("auth/verify", { message: asked.message, signature }));
  return state.session.address;
}
