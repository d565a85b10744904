/** Says in words what a wallet is about to sign, and refuses what is not for this DAO's contracts. */

import { formatMoment, isSameAddress, shorten } from "./format.js";
import { getState } from "./store.js";

/** The ways to vote, by their numbers. */
export const SUPPORT = ["against", "for", "abstain"];

const DESCRIBERS = {
  Delegation: describeDelegation,
  Ballot: describeBallot,
  ExtendedBallot: describeBallot,
  Propose: describeProposal,
};

/**
 * Returns {title, lines} for typed data (EIP-712); `apiWords` are the API's sentences for it. Throws an Error
 * where a signature would not be for a contract of this DAO.
 */
export function describeTypedData(typed, apiWords) {
  const { network } = getState();
  const { domain, primaryType, message } = typed;
  const describe = DESCRIBERS[primaryType];
  if (!describe)
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
  if (!allowed.some((address) => isSameAddress(address, domain.verifyingContract))) {
    throw new Error(
      `The API asked for a signature for ${domain.verifyingContract}, no contract of this DAO; nothing was signed.`,
    );
  }
  return describe(message, domain, apiWords);
}

function describeDelegation({ delegatee, nonce, expiry }, domain) {
  const isStake = isSameAddress(domain.verifyingContract, getState().network.contracts.registry);
  const whose = `all tokens that you ${isStake ? "have staked" : "hold"}, now and later`;
  const isNobody = /^0x0+$/.test(delegatee);
  return {
    title: isStake ? "Delegate the votes of your stake" : "Delegate the votes of your tokens",
    lines: [
      isNobody
        ? `From the next block on, nobody has the votes of ${whose}: they count for nothing.`
        : `From the next block on, ${shorten(delegatee)} has the votes of ${whose}.`,
      `The whole address is ${delegatee}.`,
      "The tokens stay yours, and you can delegate to someone else at any time.",
      `The signature is number ${nonce} of yours there, and is good until ${formatMoment(Number(expiry))}.`,
    ],
  };
}

function describeBallot({ proposalId, support, reason, nonce }, _, [named]) {
  const way = SUPPORT[Number(support)];
  const verb = way === "abstain" ? "You abstain on" : `You vote ${way}`;
  return {
    title: way === "abstain" ? "Abstain" : `Vote ${way}`,
    lines: [
      named,
      `${verb} proposal ${shorten(String(proposalId))}, with all votes that you had when voting opened.`,
      reason ? `Your reason, which everyone can read for ever: “${reason}”` : "You give no reason.",
      `The signature is number ${nonce} of yours at the governor.`,
    ],
  };
}

function describeProposal({ proposer, actions, description, nonce, deadline }, _, apiWords) {
  return {
    title: "Propose",
    lines: [
      `${shorten(proposer)} proposes to the DAO: “${description}”`,
      `What would be executed has the fingerprint ${shorten(actions)}; it is what the preview shows:`,
      ...apiWords,
      `The signature is number ${nonce} of yours at the governor, and is good until ${formatMoment(Number(deadline))}.`,
    ],
  };
}
