// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title Membership of Supernodes in tasks
/// @notice An owner joins a task with one of its Supernodes. In a task for admitted owners the DAO admits them first.
interface IMembers {
    /// @notice The DAO admitted an owner, or withdrew its admission.
    event Admitted(uint64 indexed task, address indexed owner, bool admitted);
    /// @notice A Supernode joined and takes part in rounds that open from now on.
    event Joined(uint64 indexed task, address indexed operator, address indexed owner);
    /// @notice A Supernode left or was removed, and takes part in rounds that open from now on no longer.
    event Left(uint64 indexed task, address indexed operator);

    /// @notice The caller is not the Supernode's owner (nor, where a Supernode leaves, its operator).
    error NotOwnerOf(address operator, address caller);
    /// @notice The task is for admitted owners, and this owner is not admitted.
    error NotAdmitted(uint64 task, address owner);
    /// @notice The owner has a Supernode in this task.
    error AlreadyJoined(uint64 task, address account);
    /// @notice The Supernode is not in the task, or was not when the round opened.
    error NotJoined(uint64 task, address operator);
    /// @notice The Supernode has less stake than the task asks for.
    error StakeOutsideRules(uint256 stake, uint256 minimum);
    /// @notice The Superlink of a task, and its owner, take no part in the task's rounds.
    error IsSuperlink(uint64 task, address superlink);
    /// @notice The Supernode has the stake and the admission that the task asks for.
    error StillQualified(uint64 task, address operator);

    /// @notice Admits an owner to a task for admitted owners, or withdraws the admission. Only the DAO may call.
    /// @param task the task
    /// @param owner owner of Supernodes
    /// @param admitted whether the owner may join from now on
    function admit(uint64 task, address owner, bool admitted) external;
    /// @notice Joins a task with a Supernode, which takes part in rounds that open from then on. Only the Supernode's
    /// owner may call, who is not the Superlink's; an owner has at most one Supernode in a task.
    /// @param task the task
    /// @param operator the Supernode
    function join(uint64 task, address operator) external;
    /// @notice Takes a Supernode out of a task; in a round that is open it still takes part. Only the Supernode's owner
    /// or the operator itself may call.
    /// @param task the task
    /// @param operator the Supernode
    function leave(uint64 task, address operator) external;
    /// @notice Removes a Supernode whose admission ended, or whose stake is below the minimum of the next round and of
    /// every round in flight. Anyone may call.
    /// @param task the task
    /// @param operator the Supernode
    function expire(uint64 task, address operator) external;
    /// @notice Removes a Supernode that was absent from three rounds in a row. Only the disputes contract may call.
    /// @param task the task
    /// @param operator the Supernode
    function dismiss(uint64 task, address operator) external;

    /// @notice Returns whether the Supernode takes part in the task.
    /// @param task the task
    /// @param operator the Supernode
    /// @return whether it does
    function isJoined(uint64 task, address operator) external view returns (bool);
    /// @notice Returns whether the Supernode takes part in a round: whether it had joined, and not left, when the round
    /// opened.
    /// @param task the task
    /// @param operator the Supernode
    /// @param round the round
    /// @return whether it may, or might, commit to it
    function wasMember(uint64 task, address operator, uint64 round) external view returns (bool);
}
