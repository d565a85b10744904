// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title Votes on gradients
/// @notice A result names two gradients: of the app's loss at the base model, and along the step. They are floats of an app, so
/// no prover can judge them: jurors compute both again and vote whether the published ones are within the protocol's
/// tolerance. A case begins so early in the window for challenges that it is over before the window is: it holds no round up.
interface IGradientVote {
    /// @notice How a case ended.
    enum Verdict {
        None, // there is no case, or it is under way
        Wrong, // the round is void, unless it was final
        Right, // the accuser lost the bond
        Undecided, // too few voted, or as many stakes for as against: the DAO decides a challenge
        Lapsed // the round was void before
    }

    /// @notice A case: anyone's accusation of one result, of which each has one at most.
    struct GradientCase {
        address accuser;
        uint48 openBlock;
        uint48 commitEnd; // seconds of block time
        uint48 revealEnd;
        uint32 commits;
        uint32 votes; // commits that were revealed
        Verdict verdict;
        uint128 bond; // of the accuser's stake
        bytes32 seed; // draws the jurors; 0 until somebody had it kept
        uint128 forWrong; // stakes
        uint128 forRight;
    }

    /// @notice What a juror did in a case.
    struct Ballot {
        bytes32 commitment;
        bool revealed;
        bool wrong; // its vote, once it is revealed
        bool fined;
    }

    /// @notice Somebody accused a result's gradients. Jurors commit until `commitEnd`, and reveal until `revealEnd`.
    event GradientAccused(
        uint64 indexed task,
        uint64 indexed round,
        address indexed accuser,
        uint256 bond,
        uint256 commitEnd,
        uint256 revealEnd
    );
    /// @notice A juror committed to its vote.
    event VoteCommitted(uint64 indexed task, uint64 indexed round, address indexed juror);
    /// @notice A juror revealed its vote, which has the weight of its stake.
    event VoteRevealed(
        uint64 indexed task,
        uint64 indexed round,
        address indexed juror,
        bool wrong,
        uint256 weight
    );
    /// @notice A case is over.
    event GradientJudged(
        uint64 indexed task,
        uint64 indexed round,
        Verdict verdict,
        uint256 forWrong,
        uint256 forRight,
        uint256 lost
    );
    /// @notice A juror lost stake, for its vote was the minority's, or it did not vote.
    event JurorFined(uint64 indexed task, uint64 indexed round, address indexed juror, uint256 amount);

    /// @notice The gradients of this round were accused before.
    error AlreadyAccused(uint64 task, uint64 round);
    /// @notice The round has no case, or it is over.
    error NoCase(uint64 task, uint64 round);
    /// @notice The caller has less stake than its bonds ask for together.
    error StakeBelowBonds(uint256 stake, uint256 bonds);
    /// @notice The seed is of the block after the case opened, and a chain keeps it for 256 blocks.
    error NoSeed(uint256 blockNumber);
    /// @notice The account is no juror of the case.
    error NotJuror(address account);
    /// @notice The juror has committed already.
    error AlreadyVoted(address juror);
    /// @notice The vote is none that the juror committed to, or was revealed before.
    error WrongVote(address juror);
    /// @notice The account need pay no fine, or paid it.
    error NotFinable(address account);

    /// @notice Accuses the gradients of a result. The caller's stake is the bond: as much of it as a challenge of the round asks
    /// for, at most the least stake of a member. Any Supernode's operator may call, of whatever task, while three moves are left of the window for challenges.
    /// @param task the task
    /// @param round the round, which must be posted or frozen
    /// @param resultHash the hash of its result, which a reorg could replace
    function accuse(uint64 task, uint64 round, bytes32 resultHash) external;
    /// @notice Keeps the seed of a case, while the chain still has it. The first commit does, too. Anyone may call.
    /// @param task the task
    /// @param round the round
    function draw(uint64 task, uint64 round) external;
    /// @notice Commits to a vote. Only a juror may call, once.
    /// @param task the task
    /// @param round the round
    /// @param resultHash the hash of the result that the juror judged
    /// @param commitment keccak256(abi.encode(juror, task, round, wrong, salt))
    function commitVote(uint64 task, uint64 round, bytes32 resultHash, bytes32 commitment) external;
    /// @notice Reveals a vote. Only the juror that committed to it may call, once commits have ended.
    /// @param task the task
    /// @param round the round
    /// @param wrong whether a gradient is not within the tolerance, or cannot be had
    /// @param salt 32 bytes that nobody else knew
    function revealVote(uint64 task, uint64 round, bool wrong, bytes32 salt) external;
    /// @notice Ends a case whose time is over, or all of whose votes are revealed. If the majority of stakes finds a gradient wrong,
    /// `IDisputes.convict` voids the round and the accuser is paid as one who proved it; if it finds none wrong, the accuser loses
    /// the bond, half of it to the Superlink's owner and half burned. Nobody needs the result's statement, which a Superlink may
    /// withhold. Anyone may call.
    /// @param task the task
    /// @param round the round
    function judge(uint64 task, uint64 round) external;
    /// @notice Takes a hundredth of the minimum stake from a juror that did not vote, or with the minority: half of it goes to the
    /// caller, half is burned. Of a case that lapsed nobody is fined. Anyone may call.
    /// @param task the task
    /// @param round the round
    /// @param juror the juror
    function fine(uint64 task, uint64 round, address juror) external;

    /// @notice Returns a case.
    /// @param task the task
    /// @param round the round
    /// @return the case; all 0 where there is none
    function caseOf(uint64 task, uint64 round) external view returns (GradientCase memory);
    /// @notice Returns what a juror did in a case.
    /// @param task the task
    /// @param round the round
    /// @param juror the juror
    /// @return the ballot
    function ballotOf(uint64 task, uint64 round, address juror) external view returns (Ballot memory);
    /// @notice Returns the weight of an account's vote: for a juror the stake that its update counts by in the round.
    /// @param task the task
    /// @param round the round
    /// @param account the account
    /// @return the weight, 0 of who is no juror; of nobody while the seed cannot be had
    function weightOf(uint64 task, uint64 round, address account) external view returns (uint256);
    /// @notice Returns the bonds of an account's open cases together.
    /// @param accuser the account
    /// @return the sum in wei
    function bondsOf(address accuser) external view returns (uint256);
}
