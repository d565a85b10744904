/** Signs in with the wallet (EIP-4361) and out; an account is known by its signature alone. */

import { get, post, setCsrf } from "./api.js";
import { getChainTime } from "./clock.js";
import { formatMoment, isSameAddress } from "./format.js";
import { askMember } from "./questions.js";
import { getState, update } from "./store.js";
import { connectWallet, forgetWallet, signText, WalletError } from "./wallet.js";

const KEY = "signed-in";

/** Takes up the session of an earlier visit, if there is one. */
export async function resumeSession() {
  if (!localStorage.getItem(KEY)) return; // a stranger need not be told so by an error
  try {
    setSession(await get("auth/session"));
  } catch (problem) {
    if (problem.status !== 401) throw problem;
    setSession(null);
  }
}

/** Sets who is signed in: the API's session, or null. */
export function setSession(session) {
  if (session) localStorage.setItem(KEY, "yes");
  else localStorage.removeItem(KEY);
  setCsrf(session?.csrf ?? null);
  update({ session });
}

/**
 * Connects the wallet, signs in where its account is not signed in yet, and returns the account's address.
 */
export async function requireAccount() {
  const address = await connectWallet();
  const { session } = getState();
  const isValid = session && session.expires_at > getChainTime();
  if (isValid && isSameAddress(session.address, address)) return session.address;
  return signIn(address);
}

/** Ends the session here and at the API. */
export async function signOut() {
  await post("auth/logout");
  forgetWallet();
  setSession(null);
}

async function signIn(address) {
  const invitation = await post("auth/nonce", { address });
  if (invitation.domain !== location.host) {
    throw new WalletError(
      `The API signs in for ${invitation.domain}, and this page is ${location.host}; open it there.`,
    );
  }
  const isAgreed = await askMember({
    title: "Sign in",
    lines: [
      `You prove to ${invitation.domain} that ${invitation.address} is yours.`,
      "It sends nothing and costs nothing. The API then relays what you sign, and nothing else.",
      `You stay signed in until ${formatMoment(invitation.expires_at)}, or until you sign out.`,
    ],
    exact: invitation.message,
    yes: "Sign in my wallet",
  });
  if (!isAgreed) throw new WalletError("You did not sign in.", true);
  const signature = await signText(invitation.message, address);
  setSession(await post("auth/verify", { message: invitation.message, signature }));
  return getState().session.address;
}
