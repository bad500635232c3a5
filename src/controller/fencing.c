// SPDX-License-Identifier: Apache-2.0
//
// The steps of a broker's life that change partitions. The order of records is Kafka's: a broker
// leaves its partitions before it is fenced, and takes them after it is unfenced.
//
// Partitions are found by walking all of them: the state that is walked is the one from before the
// command's own records, so that it does not change meanwhile.
#include "base/check.h"
#include "base/err.h"
#include "controller/internal.h"
#include "wire/record/broker_registration_change_record.h"

// Which partitions of a broker a step is about.
struct selection {
    int32_t broker_id;
    bool (*matches)(const struct metadata_partition *p, const struct selection *s);
    struct wire_uuid_array directories;
};

static bool is_in_sync(const struct metadata_partition *p, const struct selection *s)
{
    return replicas_contain(p->isr, s->broker_id);
}

static bool is_eligible(const struct metadata_partition *p, const struct selection *s)
{
    return replicas_contain(p->isr, s->broker_id) || replicas_contain(p->elr, s->broker_id);
}

static bool is_leaderless(const struct metadata_partition *p, const struct selection *s)
{
    return p->leader == NO_LEADER && replicas_contain(p->replicas, s->broker_id);
}

static bool is_in_directory(const struct metadata_partition *p, const struct selection *s)
{
    struct uuid directory = metadata_partition_directory(p, s->broker_id);
    for (int32_t i = 0; i < s->directories.count; i++)
        if (uuid_equal(s->directories.items[i], directory))
            return is_in_sync(p, s);
    return false;
}

static int partitions_update(struct controller *c, struct controller_command *cmd,
                             const struct selection *selection, const struct partition_update *u,
                             struct diag *diag)
{
    struct metadata_image *before = metadata_image_fork(cmd->image);
    struct pmap_iter iter;
    int err = 0;
    for (const struct metadata_topic *t = metadata_topic_first(before, str_of(NULL, 0), &iter);
         t != NULL && err == 0; t = metadata_topic_next(&iter))
        for (int32_t i = 0; i < t->partition_count && err == 0; i++)
            if (selection->matches(t->partitions[i], selection))
                err = partition_update(c, cmd, t, t->partitions[i], u, diag);
    metadata_image_unref(before);
    return err;
}

static int registration_change(struct controller_command *cmd, const struct metadata_broker *b,
                               int16_t version, int8_t fenced, int8_t shutdown, struct diag *diag)
{
    struct broker_registration_change_record record;
    broker_registration_change_record_init(&record);
    record.broker_id = b->node.id;
    record.broker_epoch = b->epoch;
    record.fenced = fenced;
    record.in_controlled_shutdown = shutdown;
    return command_emit(cmd, METADATA_BROKER_REGISTRATION_CHANGE_RECORD, version, &record, diag);
}

int broker_leave_partitions(struct controller *c, struct controller_command *cmd, int32_t broker_id,
                            bool unclean, struct diag *diag)
{
    struct partition_update u = PARTITION_UPDATE_NONE;
    u.remove = broker_id;
    u.unclean = unclean ? broker_id : NO_BROKER;
    struct selection selection = {.broker_id = broker_id,
                                  .matches = unclean ? is_eligible : is_in_sync};
    return partitions_update(c, cmd, &selection, &u, diag);
}

int broker_leave_directories(struct controller *c, struct controller_command *cmd,
                             int32_t broker_id, struct wire_uuid_array offline, struct diag *diag)
{
    struct partition_update u = PARTITION_UPDATE_NONE;
    u.remove = broker_id;
    struct selection selection = {
        .broker_id = broker_id, .matches = is_in_directory, .directories = offline};
    return partitions_update(c, cmd, &selection, &u, diag);
}

int broker_fence(struct controller *c, struct controller_command *cmd,
                 const struct metadata_broker *b, struct diag *diag)
{
    int err = broker_leave_partitions(c, cmd, b->node.id, false, diag);
    return err != 0 ? err : registration_change(cmd, b, 0, 1, 0, diag);
}

int broker_unfence(struct controller *c, struct controller_command *cmd,
                   const struct metadata_broker *b, struct diag *diag)
{
    struct partition_update u = PARTITION_UPDATE_NONE;
    u.add = b->node.id;
    int err = registration_change(cmd, b, 0, -1, 0, diag);
    struct selection selection = {.broker_id = u.add, .matches = is_leaderless};
    return err != 0 ? err : partitions_update(c, cmd, &selection, &u, diag);
}

int broker_begin_shutdown(struct controller *c, struct controller_command *cmd,
                          const struct metadata_broker *b, struct diag *diag)
{
    int32_t id = b->node.id;
    int err = registration_change(cmd, b, 1, 0, 1, diag);
    return err != 0 ? err : broker_leave_partitions(c, cmd, id, false, diag);
}

bool broker_leads_partitions(const struct metadata_image *image, int32_t broker_id)
{
    struct pmap_iter iter;
    for (const struct metadata_topic *t = metadata_topic_first(image, str_of(NULL, 0), &iter);
         t != NULL; t = metadata_topic_next(&iter))
        for (int32_t i = 0; i < t->partition_count; i++)
            if (t->partitions[i]->leader == broker_id)
                return true;
    return false;
}
