// SPDX-License-Identifier: Apache-2.0
//
// Kafka's error codes: what a peer is told. One table gives code, name, whether a client tries again
// by itself, and a sentence for people. The numbers and names are FROZEN.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"

// X(code, name, retriable, text)
#define KAFKA_ERRORS(X)                                                                           \
    X(-1, UNKNOWN_SERVER_ERROR, false,                                                            \
      "The server failed in a way it did not expect; its log says why.")                          \
    X(0, NONE, false, "No error.")                                                                \
    X(1, OFFSET_OUT_OF_RANGE, false, "The asked offset lies outside the range the log holds.")    \
    X(2, CORRUPT_MESSAGE, true, "A record or batch failed its CRC, size or key check.")           \
    X(3, UNKNOWN_TOPIC_OR_PARTITION, true,                                                        \
      "The broker does not host or know this topic partition.")                                   \
    X(4, INVALID_FETCH_SIZE, false, "The asked fetch size is not valid.")                         \
    X(5, LEADER_NOT_AVAILABLE, true, "The partition has no leader at the moment.")                \
    X(6, NOT_LEADER_OR_FOLLOWER, true,                                                            \
      "The broker is not the leader, or not a replica able to serve this partition.")             \
    X(7, REQUEST_TIMED_OUT, true, "The operation did not finish within its timeout.")             \
    X(8, BROKER_NOT_AVAILABLE, false, "The broker cannot be reached.")                            \
    X(9, REPLICA_NOT_AVAILABLE, true, "The wanted replica is not available on this broker.")      \
    X(10, MESSAGE_TOO_LARGE, false, "A batch is larger than the broker or topic allows.")         \
    X(11, STALE_CONTROLLER_EPOCH, false, "The controller epoch in the request is outdated.")      \
    X(12, OFFSET_METADATA_TOO_LARGE, false,                                                       \
      "The metadata string of an offset commit is too long.")                                     \
    X(13, NETWORK_EXCEPTION, true, "The connection broke before an answer arrived.")              \
    X(14, COORDINATOR_LOAD_IN_PROGRESS, true, "The coordinator is still loading its state.")      \
    X(15, COORDINATOR_NOT_AVAILABLE, true,                                                        \
      "No coordinator is available, often because its internal topic is not ready.")              \
    X(16, NOT_COORDINATOR, true,                                                                  \
      "The broker asked is not the coordinator of this group or transaction.")                    \
    X(17, INVALID_TOPIC_EXCEPTION, false,                                                         \
      "The topic name is illegal or the topic may not be used this way.")                         \
    X(18, RECORD_LIST_TOO_LARGE, false, "The record set is larger than a segment.")               \
    X(19, NOT_ENOUGH_REPLICAS, true,                                                              \
      "Fewer in-sync replicas than min.insync.replicas, nothing was written.")                    \
    X(20, NOT_ENOUGH_REPLICAS_AFTER_APPEND, true,                                                 \
      "The data was written but the ISR shrank below the minimum before it was acknowledged.")    \
    X(21, INVALID_REQUIRED_ACKS, false, "acks is not 0, 1 or -1.")                                \
    X(22, ILLEGAL_GENERATION, false, "The member's generation is not the group's current one.")   \
    X(23, INCONSISTENT_GROUP_PROTOCOL, false,                                                     \
      "The member's protocol type or assignors do not fit the group.")                            \
    X(24, INVALID_GROUP_ID, false, "The group id is empty or otherwise illegal.")                 \
    X(25, UNKNOWN_MEMBER_ID, false, "The coordinator does not know the member id.")               \
    X(26, INVALID_SESSION_TIMEOUT, false, "The session timeout is outside the broker's limits.")  \
    X(27, REBALANCE_IN_PROGRESS, false, "The group is rebalancing; the member has to rejoin.")    \
    X(28, INVALID_COMMIT_OFFSET_SIZE, false, "The offset commit record would be too big.")        \
    X(29, TOPIC_AUTHORIZATION_FAILED, false, "Not authorized for the topic.")                     \
    X(30, GROUP_AUTHORIZATION_FAILED, false, "Not authorized for the group.")                     \
    X(31, CLUSTER_AUTHORIZATION_FAILED, false, "Not authorized for the cluster operation.")       \
    X(32, INVALID_TIMESTAMP, false, "The record timestamp is outside the allowed window.")        \
    X(33, UNSUPPORTED_SASL_MECHANISM, false, "The server does not offer this SASL mechanism.")    \
    X(34, ILLEGAL_SASL_STATE, false,                                                              \
      "The request is not legal at this point of the SASL exchange.")                             \
    X(35, UNSUPPORTED_VERSION, false, "The API version is not supported.")                        \
    X(36, TOPIC_ALREADY_EXISTS, false, "A topic of this name already exists.")                    \
    X(37, INVALID_PARTITIONS, false, "The partition count is illegal.")                           \
    X(38, INVALID_REPLICATION_FACTOR, false,                                                      \
      "The replication factor is illegal or larger than the number of brokers.")                  \
    X(39, INVALID_REPLICA_ASSIGNMENT, false, "The explicit replica assignment is illegal.")       \
    X(40, INVALID_CONFIG, false, "A configuration value is illegal.")                             \
    X(41, NOT_CONTROLLER, true, "The node is not the active controller.")                         \
    X(42, INVALID_REQUEST, false, "The request is malformed or contradictory.")                   \
    X(43, UNSUPPORTED_FOR_MESSAGE_FORMAT, false, "The record format does not support this.")      \
    X(44, POLICY_VIOLATION, false, "A policy of the operator refuses the request.")               \
    X(45, OUT_OF_ORDER_SEQUENCE_NUMBER, false,                                                    \
      "A producer sequence number is not the expected next one.")                                 \
    X(46, DUPLICATE_SEQUENCE_NUMBER, false, "A producer sequence number was already seen.")       \
    X(47, INVALID_PRODUCER_EPOCH, false, "The producer epoch is older than the one known.")       \
    X(48, INVALID_TXN_STATE, false, "The transaction is in a state that does not allow this.")    \
    X(49, INVALID_PRODUCER_ID_MAPPING, false,                                                     \
      "The producer id does not belong to this transactional id.")                                \
    X(50, INVALID_TRANSACTION_TIMEOUT, false,                                                     \
      "The transaction timeout exceeds the broker's maximum.")                                    \
    X(51, CONCURRENT_TRANSACTIONS, true,                                                          \
      "Another operation on the same transaction is in progress.")                                \
    X(52, TRANSACTION_COORDINATOR_FENCED, false,                                                  \
      "The transaction coordinator that sent this marker has been replaced by another.")          \
    X(53, TRANSACTIONAL_ID_AUTHORIZATION_FAILED, false,                                           \
      "Not authorized for the transactional id.")                                                 \
    X(54, SECURITY_DISABLED, false, "Security features (authorizer) are off.")                    \
    X(55, OPERATION_NOT_ATTEMPTED, false,                                                         \
      "The operation was skipped because an earlier one in the request failed.")                  \
    X(56, KAFKA_STORAGE_ERROR, true, "The log directory of the partition failed.")                \
    X(57, LOG_DIR_NOT_FOUND, false, "The log directory does not exist on this broker.")           \
    X(58, SASL_AUTHENTICATION_FAILED, false, "Authentication failed.")                            \
    X(59, UNKNOWN_PRODUCER_ID, false,                                                             \
      "The broker has no state for this producer id on this partition.")                          \
    X(60, REASSIGNMENT_IN_PROGRESS, false,                                                        \
      "A reassignment of the partition is already running.")                                      \
    X(61, DELEGATION_TOKEN_AUTH_DISABLED, false, "Delegation tokens are disabled.")               \
    X(62, DELEGATION_TOKEN_NOT_FOUND, false, "The delegation token does not exist.")              \
    X(63, DELEGATION_TOKEN_OWNER_MISMATCH, false,                                                 \
      "The caller does not own the delegation token.")                                            \
    X(64, DELEGATION_TOKEN_REQUEST_NOT_ALLOWED, false,                                            \
      "Delegation token requests are not allowed over this kind of connection.")                  \
    X(65, DELEGATION_TOKEN_AUTHORIZATION_FAILED, false,                                           \
      "Not authorized for the delegation token.")                                                 \
    X(66, DELEGATION_TOKEN_EXPIRED, false, "The delegation token has expired.")                   \
    X(67, INVALID_PRINCIPAL_TYPE, false, "The principal type is not supported.")                  \
    X(68, NON_EMPTY_GROUP, false, "The group still has members.")                                 \
    X(69, GROUP_ID_NOT_FOUND, false, "The group does not exist.")                                 \
    X(70, FETCH_SESSION_ID_NOT_FOUND, true, "The fetch session is unknown.")                      \
    X(71, INVALID_FETCH_SESSION_EPOCH, true, "The fetch session epoch is not the next one.")      \
    X(72, LISTENER_NOT_FOUND, true, "The leader has no listener of the kind the client used.")    \
    X(73, TOPIC_DELETION_DISABLED, false, "Deleting topics is disabled.")                         \
    X(74, FENCED_LEADER_EPOCH, true,                                                              \
      "The leader epoch in the request is older than the broker's.")                              \
    X(75, UNKNOWN_LEADER_EPOCH, true,                                                             \
      "The leader epoch in the request is newer than the broker's.")                              \
    X(76, UNSUPPORTED_COMPRESSION_TYPE, false,                                                    \
      "The client version cannot read this compression type.")                                    \
    X(77, STALE_BROKER_EPOCH, false, "The broker epoch is outdated.")                             \
    X(78, OFFSET_NOT_AVAILABLE, true,                                                             \
      "The new leader's high watermark has not caught up, offsets cannot be given yet.")          \
    X(79, MEMBER_ID_REQUIRED, false, "The member must join again with the id handed out now.")    \
    X(80, PREFERRED_LEADER_NOT_AVAILABLE, true, "The preferred leader is not available.")         \
    X(81, GROUP_MAX_SIZE_REACHED, false, "The group is full.")                                    \
    X(82, FENCED_INSTANCE_ID, false, "Another member took over the static instance id.")          \
    X(83, ELIGIBLE_LEADERS_NOT_AVAILABLE, true,                                                   \
      "No eligible leader for the partition is available.")                                       \
    X(84, ELECTION_NOT_NEEDED, true, "The partition already has the wanted leader.")              \
    X(85, NO_REASSIGNMENT_IN_PROGRESS, false, "No reassignment is running for the partition.")    \
    X(86, GROUP_SUBSCRIBED_TO_TOPIC, false,                                                       \
      "The group is subscribed to the topic, its offsets cannot be deleted.")                     \
    X(87, INVALID_RECORD, false, "A record failed validation.")                                   \
    X(88, UNSTABLE_OFFSET_COMMIT, true,                                                           \
      "There are uncommitted transactional offsets to wait for.")                                 \
    X(89, THROTTLING_QUOTA_EXCEEDED, true, "A quota would be exceeded; try later.")               \
    X(90, PRODUCER_FENCED, false, "A newer producer with the same transactional id exists.")      \
    X(91, RESOURCE_NOT_FOUND, false, "The named resource does not exist.")                        \
    X(92, DUPLICATE_RESOURCE, false, "The named resource already exists.")                        \
    X(93, UNACCEPTABLE_CREDENTIAL, false, "A credential does not meet requirements.")             \
    X(94, INCONSISTENT_VOTER_SET, false, "The voter sets of sender and receiver differ.")         \
    X(95, INVALID_UPDATE_VERSION, false, "The feature level asked for is illegal.")               \
    X(96, FEATURE_UPDATE_FAILED, false, "A feature could not be updated.")                        \
    X(97, PRINCIPAL_DESERIALIZATION_FAILURE, false,                                               \
      "A forwarded principal could not be decoded.")                                              \
    X(98, SNAPSHOT_NOT_FOUND, false, "The snapshot does not exist.")                              \
    X(99, POSITION_OUT_OF_RANGE, false, "The position lies outside the snapshot.")                \
    X(100, UNKNOWN_TOPIC_ID, true, "The topic id is not known.")                                  \
    X(101, DUPLICATE_BROKER_REGISTRATION, false,                                                  \
      "A broker with this id is already registered and alive.")                                   \
    X(102, BROKER_ID_NOT_REGISTERED, false, "The broker id is not registered.")                   \
    X(103, INCONSISTENT_TOPIC_ID, true,                                                           \
      "The topic id on disk differs from the one in the request.")                                \
    X(104, INCONSISTENT_CLUSTER_ID, false, "The cluster id differs.")                             \
    X(105, TRANSACTIONAL_ID_NOT_FOUND, false, "The transactional id does not exist.")             \
    X(106, FETCH_SESSION_TOPIC_ID_ERROR, true,                                                    \
      "The fetch session mixes topic ids and names inconsistently.")                              \
    X(107, INELIGIBLE_REPLICA, false,                                                             \
      "The replica may not join the ISR (fenced, shutting down or wrong epoch).")                 \
    X(108, NEW_LEADER_ELECTED, false,                                                             \
      "The leader changed through the request itself; the old leader must stop.")                 \
    X(109, OFFSET_MOVED_TO_TIERED_STORAGE, false, "The offset is only in remote storage now.")    \
    X(110, FENCED_MEMBER_EPOCH, false,                                                            \
      "The member epoch is wrong and the member must rejoin (new protocol).")                     \
    X(111, UNRELEASED_INSTANCE_ID, false,                                                         \
      "The static instance id is still used by another member.")                                  \
    X(112, UNSUPPORTED_ASSIGNOR, false,                                                           \
      "The assignor is not supported or not agreed by the members.")                              \
    X(113, STALE_MEMBER_EPOCH, false,                                                             \
      "The member epoch is behind; retry after the next heartbeat.")                              \
    X(114, MISMATCHED_ENDPOINT_TYPE, false,                                                       \
      "The request went to the wrong endpoint type (broker or controller).")                      \
    X(115, UNSUPPORTED_ENDPOINT_TYPE, false, "This endpoint type is not supported.")              \
    X(116, UNKNOWN_CONTROLLER_ID, false, "The controller id is not registered.")                  \
    X(117, UNKNOWN_SUBSCRIPTION_ID, false, "The telemetry subscription id is outdated.")          \
    X(118, TELEMETRY_TOO_LARGE, false, "The telemetry payload is too large.")                     \
    X(119, INVALID_REGISTRATION, false, "The controller refuses the registration.")               \
    X(120, TRANSACTION_ABORTABLE, false, "The transaction cannot go on but may be aborted.")      \
    X(121, INVALID_RECORD_STATE, false,                                                           \
      "The acknowledgement does not fit the record's share state.")                               \
    X(122, SHARE_SESSION_NOT_FOUND, true, "The share session is unknown.")                        \
    X(123, INVALID_SHARE_SESSION_EPOCH, true, "The share session epoch is not the next one.")     \
    X(124, FENCED_STATE_EPOCH, false, "The share state epoch is outdated.")                       \
    X(125, INVALID_VOTER_KEY, false, "The voter's directory id does not match.")                  \
    X(126, DUPLICATE_VOTER, false, "The voter is already in the set.")                            \
    X(127, VOTER_NOT_FOUND, false, "The voter is not in the set.")                                \
    X(128, INVALID_REGULAR_EXPRESSION, false, "The regular expression cannot be used.")           \
    X(129, REBOOTSTRAP_REQUIRED, false,                                                           \
      "The client's metadata is outdated, it must start over from its bootstrap servers.")        \
    X(130, STREAMS_INVALID_TOPOLOGY, false, "The streams topology is illegal.")                   \
    X(131, STREAMS_INVALID_TOPOLOGY_EPOCH, false, "The streams topology epoch is illegal.")       \
    X(132, STREAMS_TOPOLOGY_FENCED, false, "The member's topology epoch is outdated.")            \
    X(133, SHARE_SESSION_LIMIT_REACHED, true,                                                     \
      "The broker has no room for another share session.")                                        \
    X(134, GROUP_DELETION_FAILED, false, "The group could not be deleted.")                       \
    X(135, STREAMS_TOPOLOGY_DESCRIPTION_UPDATE_FAILED, false,                                     \
      "The streams topology description could not be stored.")                                    \
    X(136, CONTROLLER_ID_NOT_REGISTERED, false, "The controller id is not registered.")

enum kafka_error {
#define KAFKA_ERROR_ENUM(code, name, retriable, text) KAFKA_##name = code,
    KAFKA_ERRORS(KAFKA_ERROR_ENUM)
#undef KAFKA_ERROR_ENUM
};

enum { KAFKA_ERROR_MIN = -1, KAFKA_ERROR_MAX = KAFKA_CONTROLLER_ID_NOT_REGISTERED };

// "NONE", "OFFSET_OUT_OF_RANGE"...; "UNKNOWN_ERROR" for a code we do not know.
const char *kafka_error_name(int code);

// One sentence; never NULL.
const char *kafka_error_text(int code);

// Would the same request later, perhaps to another node, have a chance? False for unknown codes.
bool kafka_error_is_retriable(int code);

// By its name without the prefix, without regard to case; false, and *code untouched, if unknown.
bool kafka_error_find(struct str name, int16_t *code);

static inline bool kafka_error_is_known(int code)
{
    return code >= KAFKA_ERROR_MIN && code <= KAFKA_ERROR_MAX;
}
