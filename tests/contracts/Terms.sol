// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import { ITasks } from "../../contracts/interfaces/ITasks.sol";

/// @dev The rules of the task that tests play.
abstract contract Terms {
    uint128 internal constant BUDGET = 10 ether;
    uint128 internal constant BOND = 5 ether;
    uint32 internal constant COMMIT = 60;
    uint32 internal constant CLOSE_AFTER = 20;
    uint32 internal constant REVEAL = 30;
    uint32 internal constant RESULT = 120;
    uint32 internal constant CHALLENGE = 600;
    uint32 internal constant RESOLVE = 1000;

    address internal superlink;

    function rules() internal view returns (ITasks.TaskRules memory) {
        return
            ITasks.TaskRules({
                superlink: superlink,
                commitPeriod: COMMIT,
                revealPeriod: REVEAL,
                resultPeriod: RESULT,
                challengePeriod: CHALLENGE,
                resolvePeriod: RESOLVE,
                quorum: 2,
                shards: 100,
                bodyDepth: 17,
                codec: 0,
                admittedOnly: false,
                closeAfter: CLOSE_AFTER,
                closeShare: 100,
                maxInFlight: 64,
                minStake: 100 ether,
                maxStake: 1000 ether,
                roundBudget: BUDGET,
                superlinkBond: 500 ether,
                challengeBond: BOND,
                chunks: 100_000,
                scoredChunks: 90_000,
                appHash: keccak256("app"),
                baseModel: keccak256("base"),
                baseModelRoot: keccak256("base model"),
                validationRoot: keccak256("validation"),
                card: keccak256("card")
            });
    }
}
