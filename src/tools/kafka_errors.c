// SPDX-License-Identifier: Apache-2.0
//
// Names and words of Kafka's exceptions, as far as its tools print them.
#include "tools/kafka.h"

#include "wire/errors.h"

struct exception {
    int16_t code;
    const char *name;
    const char *message;
};

static const struct exception exceptions[] = {
    {KAFKA_UNKNOWN_SERVER_ERROR, "UnknownServerException",
     "The server experienced an unexpected error when processing the request."},
    {KAFKA_OFFSET_OUT_OF_RANGE, "OffsetOutOfRangeException",
     "The requested offset is not within the range of offsets maintained by the server."},
    {KAFKA_UNKNOWN_TOPIC_OR_PARTITION, "UnknownTopicOrPartitionException",
     "This server does not host this topic-partition."},
    {KAFKA_NOT_LEADER_OR_FOLLOWER, "NotLeaderOrFollowerException",
     "For requests intended only for the leader, this error indicates that the broker is not the "
     "current leader. For requests intended for any replica, this error indicates that the broker is "
     "not a replica of the topic partition."},
    {KAFKA_LEADER_NOT_AVAILABLE, "LeaderNotAvailableException",
     "There is no leader for this topic-partition as we are in the middle of a leadership election."},
    {KAFKA_REQUEST_TIMED_OUT, "TimeoutException", "The request timed out."},
    {KAFKA_TOPIC_AUTHORIZATION_FAILED, "TopicAuthorizationException", "Topic authorization failed."},
    {KAFKA_CLUSTER_AUTHORIZATION_FAILED, "ClusterAuthorizationException",
     "Cluster authorization failed."},
    {KAFKA_POLICY_VIOLATION, "PolicyViolationException",
     "Request parameters do not satisfy the configured policy."},
    {KAFKA_INVALID_TOPIC_EXCEPTION, "InvalidTopicException",
     "The request attempted to perform an operation on an invalid topic."},
    {KAFKA_CORRUPT_MESSAGE, "CorruptRecordException",
     "This message has failed its CRC checksum, exceeds the valid size, has a null key for a compacted "
     "topic, or is otherwise corrupt."},
    {KAFKA_MESSAGE_TOO_LARGE, "RecordTooLargeException",
     "The request included a message larger than the max message size the server will accept."},
    {KAFKA_RECORD_LIST_TOO_LARGE, "RecordBatchTooLargeException",
     "The request included message batch larger than the configured segment size on the server."},
    {KAFKA_NOT_ENOUGH_REPLICAS, "NotEnoughReplicasException",
     "Messages are rejected since there are fewer in-sync replicas than required."},
    {KAFKA_NOT_ENOUGH_REPLICAS_AFTER_APPEND, "NotEnoughReplicasAfterAppendException",
     "Messages are written to the log, but to fewer in-sync replicas than required."},
    {KAFKA_INVALID_TIMESTAMP, "InvalidTimestampException",
     "The timestamp of the message is out of acceptable range."},
    {KAFKA_INVALID_RECORD, "InvalidRecordException",
     "This record has failed the validation on broker and hence will be rejected."},
    {KAFKA_OUT_OF_ORDER_SEQUENCE_NUMBER, "OutOfOrderSequenceException",
     "The broker received an out of order sequence number."},
    {KAFKA_INVALID_PRODUCER_EPOCH, "InvalidProducerEpochException",
     "Producer attempted to produce with an old epoch."},
    {KAFKA_KAFKA_STORAGE_ERROR, "KafkaStorageException",
     "Disk error when trying to access log file on the disk."},
    {KAFKA_GROUP_ID_NOT_FOUND, "GroupIdNotFoundException", "The group id does not exist."},
    {KAFKA_NON_EMPTY_GROUP, "GroupNotEmptyException", "The group is not empty."},
    {KAFKA_GROUP_SUBSCRIBED_TO_TOPIC, "GroupSubscribedToTopicException",
     "Deleting offsets of a topic is forbidden while the consumer group is actively subscribed to "
     "it."},
    {KAFKA_GROUP_AUTHORIZATION_FAILED, "GroupAuthorizationException",
     "Group authorization failed."},
    {KAFKA_INVALID_GROUP_ID, "InvalidGroupIdException", "The group id is invalid."},
    {KAFKA_COORDINATOR_NOT_AVAILABLE, "CoordinatorNotAvailableException",
     "The coordinator is not available."},
    {KAFKA_UNKNOWN_MEMBER_ID, "UnknownMemberIdException",
     "The coordinator is not aware of this member."},
    {KAFKA_BROKER_ID_NOT_REGISTERED, "BrokerIdNotRegisteredException",
     "The given broker ID was not registered."},
};

static const struct exception *find(int16_t code)
{
    for (size_t i = 0; i < sizeof exceptions / sizeof *exceptions; i++)
        if (exceptions[i].code == code)
            return &exceptions[i];
    return NULL;
}

const char *java_exception(int16_t code)
{
    const struct exception *e = find(code);
    return e != NULL ? e->name : kafka_error_name(code);
}

const char *java_message(int16_t code)
{
    const struct exception *e = find(code);
    return e != NULL ? e->message : kafka_error_text(code);
}
