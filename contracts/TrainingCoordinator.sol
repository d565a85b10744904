// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { IERC20 } from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import { Multicall } from "@openzeppelin/contracts/utils/Multicall.sol";

import { Challenges } from "./coordinator/Challenges.sol";
import { CoordinatorBase } from "./coordinator/CoordinatorBase.sol";
import { Tasks } from "./coordinator/Tasks.sol";
import { IRewardDistributor } from "./interfaces/IRewardDistributor.sol";
import { ISupernodeRegistry } from "./interfaces/ISupernodeRegistry.sol";
import { ITrainingCoordinator } from "./interfaces/ITrainingCoordinator.sol";

/// @title The TrainingCoordinator: tasks, members, rounds, forced commits and challenges
/// @notice The state machine of docs/protocol.md ("The round on chain"), put together from its parts. Invariants:
/// - a round is finalized at most once, and only after its parent;
/// - a forced commit is never dropped, and none is taken once the seed is drawn;
/// - the escrow left covers the budget of every round in flight;
/// - the standing results form one chain: the last finalized round, then each round's parent is the one before, to the
///   head;
/// - the balance covers the bonds of all open challenges;
/// - the bonds asked of a Superlink are those of the next rounds of all open tasks that name it.
/// Calls of one moment may be one transaction (`multicall`): a Superlink posts a result, finalizes what is due and opens the
/// next round. Each is checked as if it came alone; nothing here is payable.
contract TrainingCoordinator is Tasks, Challenges, Multicall {
    /// @param token_ the DAO's token
    /// @param registry_ the SupernodeRegistry
    /// @param distributor_ the RewardDistributor, made for this contract's address
    /// @param owner_ the timelock
    constructor(
        IERC20 token_,
        ISupernodeRegistry registry_,
        IRewardDistributor distributor_,
        address owner_
    ) CoordinatorBase(registry_, distributor_, owner_) Challenges(token_) {}

    /// @inheritdoc ITrainingCoordinator
    function pause() external onlyOwner {
        _pause();
    }

    /// @inheritdoc ITrainingCoordinator
    function unpause() external onlyOwner {
        _unpause();
    }
}
