// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { IGovernor } from "@openzeppelin/contracts/governance/IGovernor.sol";

import { ISupernodeRegistry } from "../../contracts/interfaces/ISupernodeRegistry.sol";
import { Governed } from "./Governed.sol";

/// @dev Members transfer, delegate, stake, unbond, propose and vote in any order: votes are neither made nor lost.
contract VotesInvariantsTest is Governed {
    struct FuzzSelector {
        address addr;
        bytes4[] selectors;
    }

    uint256 private constant PEOPLE = 3; // the owners
    uint256[] private ids;
    mapping(uint256 id => Draft) private drafts;
    uint256 private counter;
    bool private moved; // votes, by staking or by leaving

    function setUp() public override {
        super.setUp();
        for (uint256 i = 0; i < PEOPLE; ++i) {
            vm.prank(CHALLENGER);
            token.transfer(owner(i), 300 ether);
        }
    }

    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(this);
    }

    function targetSelectors() external view returns (FuzzSelector[] memory targets) {
        bytes4[] memory selectors = new bytes4[](10);
        selectors[0] = this.pass.selector;
        selectors[1] = this.move.selector;
        selectors[2] = this.delegateBoth.selector;
        selectors[3] = this.delegateOne.selector;
        selectors[4] = this.stakeMore.selector;
        selectors[5] = this.leaveStake.selector;
        selectors[6] = this.proposeGrant.selector;
        selectors[7] = this.castAny.selector;
        selectors[8] = this.carryOut.selector;
        selectors[9] = this.decide.selector;
        targets = new FuzzSelector[](1);
        targets[0] = FuzzSelector(address(this), selectors);
    }

    // Acts of members

    function pass(uint256 seed) external {
        uint256[4] memory times = [uint256(1), DELAY + 1, PERIOD, UNBONDING];
        skip(times[seed % 4]);
    }

    function move(uint256 from, uint256 to, uint256 amount) external {
        vm.prank(person(from));
        token.transfer(person(to), amount % 100 ether);
    }

    function delegateBoth(uint256 i, uint256 to) external {
        vm.prank(person(i));
        token.delegate(person(to));
        vm.prank(person(i));
        registry.delegate(person(to));
    }

    function delegateOne(uint256 i, uint256 to, bool staked) external {
        vm.prank(person(i));
        if (staked) registry.delegate(person(to));
        else token.delegate(person(to));
    }

    /// @dev Nobody's votes change where wallet and stake have one delegate.
    function stakeMore(uint256 i, uint256 amount) external {
        i %= PEOPLE;
        address delegatee = token.delegates(owner(i));
        uint256 before = power.getVotes(delegatee);
        amount %= 50 ether;
        vm.prank(owner(i));
        token.approve(address(registry), amount);
        vm.prank(owner(i));
        registry.addStake(node(i), amount);
        if (delegatee == registry.delegates(owner(i)) && power.getVotes(delegatee) != before) moved = true;
    }

    function leaveStake(uint256 i, bool withdraw) external {
        i %= PEOPLE;
        address delegatee = token.delegates(owner(i));
        uint256 before = power.getVotes(delegatee);
        if (withdraw) {
            skip(UNBONDING);
            registry.withdraw(node(i));
        } else {
            vm.prank(owner(i));
            registry.unbond(node(i), 10 ether);
        }
        if (delegatee == registry.delegates(owner(i)) && power.getVotes(delegatee) != before) moved = true;
    }

    function proposeGrant(uint256 i, uint256 amount) external {
        Draft memory d = grantOf(amount % 10 ether);
        d.description = decimal(counter);
        vm.prank(person(i));
        uint256 id = governor.propose(d.targets, d.values, d.calldatas, d.description);
        ++counter;
        ids.push(id);
        drafts[id] = d;
    }

    function castAny(uint256 which, uint256 i, uint8 support) external {
        if (ids.length == 0) return;
        vote(ids[which % ids.length], person(i), support % 3);
    }

    /// @dev A decision in good order, so that many come to an end.
    function decide(uint256 seed) external {
        this.proposeGrant(seed, seed);
        uint256 id = ids[ids.length - 1];
        skip(DELAY + 1);
        for (uint256 i = 0; i < PEOPLE; ++i) vote(id, owner(i), (seed >> i) % 4 == 0 ? 0 : 1);
        skip(PERIOD + EXTENSION);
        if (governor.state(id) == IGovernor.ProposalState.Succeeded) carryOut(ids.length - 1);
    }

    function carryOut(uint256 which) public {
        if (ids.length == 0) return;
        uint256 id = ids[which % ids.length];
        if (governor.state(id) == IGovernor.ProposalState.Succeeded) queue(drafts[id]);
        skip(WAIT);
        execute(drafts[id]);
    }

    // Invariants

    /// @dev Each delegate's votes are those of the wallets and of the stake delegated to it, and of no others.
    function invariant_votes__sum_of_delegated_wallets_and_stakes() external view {
        require(!moved, "staking or leaving moved votes");
        uint256 staked;
        for (uint256 i = 0; i < 6; ++i) {
            uint256 votes;
            for (uint256 k = 0; k < 6; ++k) {
                address who = everyone(k);
                if (token.delegates(who) == everyone(i)) votes += token.balanceOf(who);
                if (registry.delegates(who) == everyone(i)) votes += stakeOf(k);
            }
            require(power.getVotes(everyone(i)) == votes, "votes are not those of what is delegated");
            staked += stakeOf(i);
        }
        require(token.balanceOf(address(registry)) == staked, "stake is not covered");
    }

    /// @dev At any past time, all votes fit into the supply that counts, and that into the whole.
    function invariant_supply__covers_all_votes() external view {
        uint256 time = block.timestamp - 1;
        uint256 votes;
        for (uint256 i = 0; i < 6; ++i) votes += power.getPastVotes(everyone(i), time);
        uint256 supply = power.getPastTotalSupply(time);
        require(votes <= supply, "more votes than tokens that count");
        require(supply <= token.getPastTotalSupply(time), "more tokens count than there are");
    }

    /// @dev No proposal has more votes than there were at its snapshot; what is executed had its quorum.
    function invariant_proposals__within_their_snapshot() external view {
        for (uint256 n = 0; n < ids.length; ++n) {
            uint256 snapshot = governor.proposalSnapshot(ids[n]);
            if (snapshot >= block.timestamp) continue;
            (uint256 against, uint256 for_, uint256 abstain) = governor.proposalVotes(ids[n]);
            require(against + for_ + abstain <= power.getPastTotalSupply(snapshot), "more votes than tokens");
            if (governor.state(ids[n]) != IGovernor.ProposalState.Executed) continue;
            require(for_ > against && for_ + abstain >= governor.quorum(snapshot), "executed without votes");
        }
    }

    /// @dev Returns the stake of everyone's Supernode or Superlink, also while it unbonds.
    function stakeOf(uint256 i) private view returns (uint256) {
        if (i > PEOPLE) return 0;
        ISupernodeRegistry.Supernode memory s = registry.supernode(i < PEOPLE ? node(i) : superlink);
        return uint256(s.active) + s.unbonding;
    }

    function person(uint256 i) private pure returns (address) {
        return owner(i % PEOPLE);
    }

    function everyone(uint256 i) private pure returns (address) {
        if (i < PEOPLE) return owner(i);
        if (i == 3) return ownerOf(SUPERLINK_KEY);
        return i == 4 ? CHALLENGER : ANYONE;
    }
}
