// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { ITrainingCoordinator as I } from "../../contracts/interfaces/ITrainingCoordinator.sol";
import { Books } from "./Books.sol";

/// @dev Any participant does anything, in any order, at any time, right or wrong; beside the contracts, the handler
/// keeps its own account of what must be so. A call that the contracts refuse leaves no trace in either.
abstract contract Handler is Books {
    uint256 internal constant COUNT = 4;
    address internal constant SLASHER = address(0x51a);

    function setUp() public virtual override {
        super.setUp();
        registerKey(key(3), STAKE);
        for (uint256 i = 0; i < COUNT; ++i) give(owner(i), 1000 ether);
        vm.prank(DAO);
        registry.setSlasher(SLASHER, true);
        I.TaskRules memory r = rules();
        r.admittedOnly = true;
        r.quorum = 1;
        tasks = [task, create(r, 45 ether)];
        books[task].funded = 1000 ether;
        books[task].next = rules();
        books[tasks[1]].funded = 45 ether;
        books[tasks[1]].next = r;
        for (uint256 i = 0; i < COUNT; ++i) {
            vm.prank(DAO);
            coordinator.admit(tasks[1], owner(i), true);
            vm.prank(owner(i));
            coordinator.join(tasks[1], node(i));
        }
        skip(1);
    }

    modifier on(uint256 seed) {
        task = tasks[seed & 1];
        _;
    }

    // Time

    function wait(uint256 seed) external {
        uint256[8] memory times = [
            uint256(1),
            10,
            REVEAL,
            COMMIT,
            FORCE,
            RESULT + COMMIT,
            CHALLENGE,
            RESOLVE
        ];
        skip(times[seed % 8]);
    }

    // Stake

    function stake(uint256 i, uint256 amount) external {
        vm.prank(owner(i % COUNT));
        registry.addStake(node(i % COUNT), amount % 300 ether);
    }

    function registerAnother(uint256 i, uint256 salt) external {
        address to = owner(i % COUNT);
        uint256 operatorKey = key(COUNT + (salt % 4));
        bytes memory signature = operatorSignature(to, vm.addr(operatorKey), operatorKey);
        vm.prank(to);
        registry.register(vm.addr(operatorKey), MINIMUM, signature);
    }

    function unbond(uint256 i, uint256 amount) external {
        uint256 active = registry.stakeOf(node(i % COUNT));
        vm.prank(owner(i % COUNT));
        registry.unbond(node(i % COUNT), amount % 16 == 0 ? active : amount % (1 + active / 8));
    }

    function withdraw(uint256 i, bool late) external {
        if (late) skip(UNBONDING);
        registry.withdraw(node(i % COUNT));
    }

    function slash(uint256 i, uint256 amount, uint256 paid) external {
        vm.prank(SLASHER);
        registry.slash(
            node(i % COUNT),
            amount % (amount % 8 == 0 ? 2000 ether : 20 ether),
            ANYONE,
            paid % 20 ether
        );
    }

    function delegate(uint256 i, uint256 to) external {
        vm.prank(owner(i % COUNT));
        registry.delegate(owner(to % COUNT));
    }

    function pause(uint256 seed) public {
        bool first = seed & 1 == 0;
        bool paused = first ? coordinator.paused() : registry.paused();
        if (!paused && seed % 16 > 1) return;
        vm.prank(DAO);
        if (first) paused ? coordinator.unpause() : coordinator.pause();
        else paused ? registry.unpause() : registry.pause();
    }

    // Tasks

    function fund(uint256 seed, uint256 amount) external on(seed) {
        amount %= 30 ether;
        vm.prank(DAO);
        distributor.fund(task, amount);
        book().funded += amount;
    }

    function closeTask(uint256 seed) external on(seed) {
        if (seed % 64 > 1) return;
        vm.prank(DAO);
        coordinator.closeTask(task, DAO);
        book().funded = distributor.totalOf(task);
    }

    function setSuperlink(uint256 seed) external on(seed) {
        vm.prank(DAO);
        coordinator.setSuperlink(task, superlink);
    }

    /// @dev Some of what may change, sometimes against the rules of rules; no window longer than those of the start.
    function changeRules(uint256 seed) external on(seed) {
        I.TaskRules memory r = book().next;
        r.roundBudget = uint128((seed >> 8) % (2 * BUDGET));
        r.challengeBond = uint128((seed >> 16) % BOND);
        r.minStake = uint128((seed >> 24) % STAKE);
        r.quorum = 1 + uint32((seed >> 32) % 2);
        r.forcePeriod = FORCE - uint32((seed >> 40) % 50);
        r.challengePeriod = CHALLENGE - uint32((seed >> 48) % 500);
        r.revealPeriod = REVEAL - uint32((seed >> 56) % 20);
        vm.prank(DAO);
        coordinator.changeRules(task, r);
        book().next = r;
    }

    function admit(uint256 i, bool admitted) external {
        vm.prank(DAO);
        coordinator.admit(tasks[1], owner(i % COUNT), admitted);
    }

    function joinTask(uint256 seed, uint256 i) external on(seed) {
        join(i % COUNT);
    }

    function leaveTask(uint256 seed, uint256 i) external on(seed) {
        if (seed % 8 > 1) return;
        vm.prank(owner(i % COUNT));
        coordinator.leave(task, node(i % COUNT));
    }

    function expire(uint256 seed, uint256 i) external on(seed) {
        coordinator.expire(task, node(i % COUNT));
    }

    // The round

    /// @dev The next step of the task's round in good order, so that many rounds come to an end.
    function advance(uint256 seed, uint256 pay, uint256 fault) external on(seed) {
        I.Phase at = phase(last());
        if (at == I.Phase.Open) closeCommits(seed, 1, true);
        else if (at == I.Phase.Closed) postResult(seed, pay, fault, false);
        else openRound(seed);
    }

    function openRound(uint256 seed) public on(seed) {
        book().rules[open()] = book().next;
    }

    function closeCommits(uint256 seed, uint256 nodes, bool late) public on(seed) {
        uint64 round = last();
        if (late) skip(COMMIT);
        nodes = nodes % 4 == 0 ? (nodes >> 2) & 15 : joined() & ~books[task].forced[round];
        bytes32 root = commitsRoot(round, nodes);
        vm.prank(superlink);
        coordinator.closeCommits(task, round, root, uint32(bits(nodes)));
        book().inTree[round] = nodes;
    }

    function commit(uint256 seed, uint256 i) external on(seed) {
        uint64 round = pick(seed);
        i %= COUNT;
        force(round, i);
        I.Phase at = phase(round);
        if (at == I.Phase.Open || at == I.Phase.Closed) {
            bytes32 hash = book().forcedHash[round];
            book().forced[round] |= 1 << i;
            book().forcedHash[round] = keccak256(abi.encode(hash, node(i), commitment(i, round)));
        } else {
            book().contesting[round] |= 1 << i;
        }
    }

    /// @dev Mostly a result that pays its budget or less; sometimes one that does not add up.
    function postResult(uint256 seed, uint256 pay, uint256 fault, bool late) public on(seed) {
        uint64 round = last();
        if (late) skip(REVEAL);
        Book storage b = book();
        I.Round memory r = coordinator.roundOf(task, round);
        uint256[4] memory amounts = b.posted[uint64(r.parent)].amounts;
        uint256 total = b.posted[uint64(r.parent)].result.rewardTotal;
        uint256 budget = b.rules[round].roundBudget;
        uint256 paid = pay % (budget + 1);
        amounts[(pay >> 128) % COUNT] += paid;
        total += paid;
        fault %= 16;
        if (fault == 0) total += budget + 1;
        if (fault == 1) total /= 2;
        if (fault == 2) amounts[0] += 100 ether;
        uint32 all = r.commits + uint32(coordinator.forcedCountOf(task, round));
        I.Result memory posted_ = result(round);
        posted_.commitsRoot = commitsRoot(round, b.inTree[round]);
        posted_.rewardRoot = rewardRoot(amounts);
        posted_.rewardTotal = uint128(total);
        posted_.forcedHash = fault == 3 ? bytes32(0) : b.forcedHash[round];
        posted_.revealed = late ? all / 2 : all;
        posted_.inputs = posted_.revealed;
        post(round, posted_);
        b.posted[round].result = posted_;
        b.posted[round].amounts = amounts;
    }

    function dismiss(uint256 seed, uint256 i) external on(seed) {
        uint64 round = pick(seed);
        Book storage b = book();
        i %= COUNT;
        while (seed & 4 == 0 && b.contesting[round] != 0 && b.contesting[round] & (1 << i) == 0)
            i = (i + 1) % COUNT;
        (, bytes32[] memory proof) = tree(round, i, b.inTree[round]);
        I.Result memory posted_ = b.posted[round].result;
        coordinator.dismiss(task, round, node(i), commitment(i, round), i, proof, posted_);
        check(b.inTree[round] & b.contesting[round] & (1 << i) != 0);
        b.contesting[round] &= ~(1 << i);
    }

    function challengeRound(uint256 seed) external on(seed) {
        challenge(pick(seed));
    }

    function resolveRound(uint256 seed, bool valid) external on(seed) {
        resolve(pick(seed), valid);
    }

    function finalizeRound(uint256 seed, bool late) external on(seed) {
        if (late) skip(CHALLENGE);
        finalizeOne(pick(seed));
    }

    function abortRound(uint256 seed, bool late, bool bySuperlink) external on(seed) {
        if (late) skip(COMMIT + REVEAL + RESULT);
        uint64 round = pick(seed);
        if (bySuperlink) vm.prank(superlink);
        coordinator.abort(task, round);
    }

    function voidRound(uint256 seed) external on(seed) {
        coordinator.voidRound(task, pick(seed));
    }

    function claim(uint256 seed, uint256 i) external on(seed) {
        claimOne(i % COUNT);
    }

    // What is so

    /// @dev Time alone, and anyone: every round ends, every claim is paid, every stake and budget leaves. Paused, too.
    function unwind() internal {
        if (!coordinator.paused()) pause(0);
        if (!registry.paused()) pause(1);
        skip(COMMIT + REVEAL + RESULT + CHALLENGE + RESOLVE);
        for (uint256 t = 0; t < 2; ++t) {
            task = tasks[t];
            for (uint64 round = 1; round <= last(); ++round) end(round);
            I.Task memory state = coordinator.taskOf(task);
            eq(state.inFlight, 0);
            for (uint256 i = 0; i < COUNT; ++i) {
                uint256 owed = book().posted[book().active].amounts[i];
                uint256 left = distributor.totalOf(task) - book().claimed;
                uint256 due = owed - distributor.claimedOf(task, owner(i));
                if (due != 0 && due <= left) claimOne(i);
            }
            if (state.closed) continue;
            vm.prank(DAO);
            coordinator.closeTask(task, DAO);
            eq(distributor.availableOf(task), 0);
        }
        eq(token.balanceOf(address(coordinator)), 0);
        for (uint256 i = 0; i < COUNT; ++i) leaveStake(i);
    }

    // Parts of the above

    function end(uint64 round) private {
        I.Phase at = phase(round);
        if (at == I.Phase.Open || at == I.Phase.Closed) coordinator.abort(task, round);
        if (at == I.Phase.Frozen) coordinator.voidRound(task, round);
        if (at != I.Phase.Posted) return;
        I.Phase parent = phase(coordinator.roundOf(task, round).parent);
        if (parent == I.Phase.Void || book().contesting[round] != 0) coordinator.voidRound(task, round);
        else finalizeOne(round);
    }

    function leaveStake(uint256 i) private {
        uint256 active = registry.stakeOf(node(i));
        uint256 unbonding = registry.supernode(node(i)).unbonding;
        uint256 before = token.balanceOf(owner(i));
        if (active != 0) {
            vm.prank(owner(i));
            registry.unbond(node(i), active);
        }
        if (active + unbonding == 0) return;
        vm.warp(block.timestamp + UNBONDING);
        registry.withdraw(node(i));
        eq(token.balanceOf(owner(i)), before + active + unbonding);
    }

    function finalizeOne(uint64 round) private {
        Book storage b = book();
        coordinator.finalize(task, round, b.posted[round].result);
        if (phase(round) != I.Phase.Finalized) return;
        ++b.finalizations[round];
        b.active = round;
    }

    function claimOne(uint256 i) private {
        Book storage b = book();
        uint256[4] memory amounts = b.posted[b.active].amounts;
        uint256 before = token.balanceOf(owner(i));
        distributor.claim(task, owner(i), amounts[i], rewardProof(amounts, i));
        b.claimed += token.balanceOf(owner(i)) - before;
        eq(distributor.claimedOf(task, owner(i)), amounts[i]);
    }

    function last() private view returns (uint64) {
        return coordinator.taskOf(task).lastRound;
    }

    /// @dev One of the last three rounds, or the oldest that is posted and undecided.
    function pick(uint256 seed) private view returns (uint64 round) {
        uint64 newest = last();
        if (seed & 2 == 0) return newest < 3 ? newest : newest - uint64((seed >> 8) % 3);
        for (round = books[task].active + 1; round < newest; ++round) {
            I.Phase at = phase(round);
            if (at == I.Phase.Posted || at == I.Phase.Frozen) break;
        }
    }

    function joined() private view returns (uint256 nodes) {
        for (uint256 i = 0; i < COUNT; ++i) if (coordinator.isJoined(task, node(i))) nodes |= 1 << i;
    }

    function bits(uint256 set) private pure returns (uint256 count) {
        for (; set != 0; set >>= 1) count += set & 1;
    }

    function commitsRoot(uint64 round, uint256 nodes) private pure returns (bytes32 root) {
        (root, ) = tree(round, 0, nodes);
    }

    function tree(
        uint64 round,
        uint256 index,
        uint256 nodes
    ) private pure returns (bytes32 root, bytes32[] memory proof) {
        bytes32[] memory row = new bytes32[](COUNT);
        for (uint256 i = 0; i < COUNT; ++i) {
            if (nodes & (1 << i) != 0) row[i] = sha256(abi.encodePacked(node(i), commitment(i, round)));
        }
        return climb(row, index);
    }

    function rewardLeaf(uint256[4] memory amounts, uint256 i) private view returns (bytes32) {
        return distributor.leaf(task, owner(i), amounts[i]);
    }

    function rewardRoot(uint256[4] memory amounts) private view returns (bytes32) {
        bytes32 left = pair(rewardLeaf(amounts, 0), rewardLeaf(amounts, 1));
        return pair(left, pair(rewardLeaf(amounts, 2), rewardLeaf(amounts, 3)));
    }

    function rewardProof(uint256[4] memory amounts, uint256 i) private view returns (bytes32[] memory proof) {
        proof = new bytes32[](2);
        proof[0] = rewardLeaf(amounts, i ^ 1);
        proof[1] =
            i < 2
                ? pair(rewardLeaf(amounts, 2), rewardLeaf(amounts, 3))
                : pair(rewardLeaf(amounts, 0), rewardLeaf(amounts, 1));
    }
}
