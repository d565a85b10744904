/**
 * Says in words what a wallet is about to sign, from the typed data itself; what is not known, or is meant for another
 * chain or contract, is not put before anyone.
 */

import { moment, same, short } from "./format.js";
import { state } from "./state.js";

/** How a vote is cast, by its number. */
export const SUPPORT = ["against", "for", "abstain"];

const READERS = { Delegation: delegation, Ballot: ballot, ExtendedBallot: ballot, Propose: proposal };

/** {title, lines} for typed data (EIP-712); `said` are the API's words for it. Error when it is not one of this DAO's. */
export function wordsOf(typed, said) {
  const { network } = state;
  const { domain, primaryType, message } = typed;
  const read = READERS[primaryType];
  if (!read)
    throw new Error(
      `The API asked for a signature of “${primaryType}”, which this page does not know; nothing was signed.`,
    );
  if (Number(domain.chainId) !== network.chain_id) {
    throw new Error(
      `The API asked for a signature for chain ${domain.chainId}, this DAO is on ${network.chain_id}; nothing was signed.`,
    );
  }
  const { governor, token, registry } = network.contracts;
  const allowed = primaryType === "Delegation" ? [token, registry] : [governor];
  if (!allowed.some((address) => same(address, domain.verifyingContract))) {
    throw new Error(
      `The API asked for a signature for ${domain.verifyingContract}, no contract of this DAO; nothing was signed.`,
    );
  }
  return read(message, domain, said);
}

function delegation({ delegatee, nonce, expiry }, domain) {
  const staked = same(domain.verifyingContract, state.network.contracts.registry);
  const whose = `all tokens that you ${staked ? "have staked" : "hold"}, now and later`;
  const gone = /^0x0+$/.test(delegatee);
  return {
    title: staked ? "Delegate the votes of your stake" : "Delegate the votes of your tokens",
    lines: [
      gone
        ? `From the next block on, nobody has the votes of ${whose}: they count for nothing.`
        : `From the next block on, ${short(delegatee)} has the votes of ${whose}.`,
      `The whole address is ${delegatee}.`,
      "The tokens stay yours, and you can delegate to someone else at any time.",
      `The signature is number ${nonce} of yours there, and is good until ${moment(Number(expiry))}.`,
    ],
  };
}

function ballot({ proposalId, support, reason, nonce }, _, [named]) {
  const way = SUPPORT[Number(support)];
  const verb = way === "abstain" ? "You abstain on" : `You vote ${way}`;
  return {
    title: way === "abstain" ? "Abstain" : `Vote ${way}`,
    lines: [
      named,
      `${verb} proposal ${short(String(proposalId))}, with all votes you had when voting began.`,
      reason ? `Your reason, which everyone can read for ever: “${reason}”` : "You give no reason.",
      `The signature is number ${nonce} of yours at the governor.`,
    ],
  };
}

function proposal({ proposer, actions, description, nonce, deadline }, _, said) {
  return {
    title: "Propose",
    lines: [
      `${short(proposer)} proposes to the DAO: “${description}”`,
      `What would be executed has the fingerprint ${short(actions)}; it is what the preview shows:`,
      ...said,
      `The signature is number ${nonce} of yours at the governor, and is good until ${moment(Number(deadline))}.`,
    ],
  };
}
