// SPDX-License-Identifier: Apache-2.0
#include "cluster_model.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "base/prng.h"

enum { OFFSET_MAX = 1 << 24 }; // far more than anybody sends

void model_init(struct model *m)
{
    *m = (struct model){0};
    for (int i = 0; i < MODEL_TOPICS_MAX; i++)
        snprintf(m->topics[i].name, sizeof m->topics[i].name, "t%d", i);
}

static void partition_clear(struct model_partition *p)
{
    mem_free(p->at);
    *p = (struct model_partition){0};
}

void model_release(struct model *m)
{
    for (int i = 0; i < MODEL_TOPICS_MAX; i++)
        for (int k = 0; k < MODEL_PARTITIONS_MAX; k++)
            partition_clear(&m->topics[i].partitions[k]);
    mem_free(m->records);
}

void model_complain(struct model *m, const char *format, ...)
{
    va_list args;
    if (m->failed)
        return;
    m->failed = true;
    va_start(args, format);
    vsnprintf(m->message, sizeof m->message, format, args);
    va_end(args);
}

// ---- Records ----

// "#number " and then bytes that follow from the number.
static void make_value(int64_t number, int size, uint8_t *value)
{
    char text[32];
    struct prng fill;
    int head = snprintf(text, sizeof text, "#%" PRId64 " ", number);
    prng_init(&fill, (uint64_t)number);
    bool zeros = prng_chance(&fill, 1, 10); // which look like blocks that were never written
    for (int i = 0; i < size; i++)
        value[i] = i < head ? (uint8_t)text[i] : zeros ? 0 : (uint8_t)prng_next(&fill);
}

int64_t model_record_new(struct model *m, int topic, int partition, int producer, int size,
                         uint8_t *value)
{
    check(size <= MODEL_VALUE_MAX);
    int64_t number = m->record_count;
    mem_grow(m->records, m->record_count, m->record_capacity);
    m->record_count++;
    m->records[number] = (struct model_record){
        .offset = -1,
        .topic = topic,
        .partition = partition,
        .producer = producer,
        .size = size < 24 ? 24 : size,
        .life = m->topics[topic].life,
        .doubtful = m->topics[topic].fact != MODEL_PRESENT || m->topics[topic].ambiguous,
    };
    make_value(number, m->records[number].size, value);
    return number;
}

static struct model_partition *partition_of(struct model *m, const struct model_record *r)
{
    return &m->topics[r->topic].partitions[r->partition];
}

// Is it certain to which topic of that name the record went?
static bool is_certain(const struct model *m, const struct model_record *r)
{
    const struct model_topic *t = &m->topics[r->topic];
    return !r->doubtful && r->life == t->life && t->fact == MODEL_PRESENT && !t->ambiguous;
}

static int64_t *slot_at(struct model_partition *p, int64_t offset)
{
    while (offset >= p->at_count) {
        mem_grow(p->at, p->at_count, p->at_capacity);
        p->at[p->at_count++] = 0;
    }
    return &p->at[offset];
}

// The record was found to be at the offset, and there it stays.
static void place(struct model *m, int64_t number, int64_t offset, const char *who)
{
    struct model_record *r = &m->records[number];
    struct model_partition *p = partition_of(m, r);
    const char *name = m->topics[r->topic].name;
    if (offset > OFFSET_MAX) {
        model_complain(m, "%s-%d: %s says offset %" PRId64, name, r->partition, who, offset);
        return;
    }
    int64_t *slot = slot_at(p, offset);
    if (*slot != 0 && *slot != number + 1)
        model_complain(m, "%s-%d: offset %" PRId64 " held record %" PRId64 ", and %s says %" PRId64,
                       name, r->partition, offset, *slot - 1, who, number);
    if (r->offset >= 0 && r->offset != offset)
        model_complain(m,
                       "%s-%d: record %" PRId64 " is at offset %" PRId64 ", and %s says %" PRId64,
                       name, r->partition, number, r->offset, who, offset);
    *slot = number + 1;
    r->offset = offset;
    if (offset >= p->end_min)
        p->end_min = offset + 1;
}

void model_acknowledged(struct model *m, int64_t number, int partition, int64_t offset)
{
    struct model_record *r = &m->records[number];
    if (r->acknowledged || r->failed)
        model_complain(m, "record %" PRId64 " has two results", number);
    r->acknowledged = true;
    m->acknowledged_count++;
    if (partition != r->partition)
        model_complain(m, "record %" PRId64 " was acknowledged by partition %d instead of %d",
                       number, partition, r->partition);
    if (is_certain(m, r) && offset >= 0)
        place(m, number, offset, "the answer");
}

void model_failed(struct model *m, int64_t number)
{
    struct model_record *r = &m->records[number];
    if (r->acknowledged || r->failed)
        model_complain(m, "record %" PRId64 " has two results", number);
    r->failed = true;
}

// ---- Reading ----

void model_reader_init(struct model_reader *r, const struct model *m, int topic, int partition)
{
    *r = (struct model_reader){.topic = topic,
                               .partition = partition,
                               .next = -1,
                               .first = -1,
                               .life = m->topics[topic].life};
    for (int i = 0; i < MODEL_PRODUCERS_MAX; i++)
        r->last_of[i] = -1;
}

void model_reader_reset(struct model_reader *r, struct model *m, int64_t from, int64_t to)
{
    const struct model_topic *t = &m->topics[r->topic];
    const struct model_partition *p = &t->partitions[r->partition];
    if (from < 0 || r->next < 0) { // where it began
        r->next = to;
        return;
    }
    if (to < from && t->fact == MODEL_PRESENT)
        model_complain(m, "%s-%d: a consumer at %" PRId64 " was sent back to %" PRId64, t->name,
                       r->partition, from, to);
    if (to > p->start_max)
        model_complain(m,
                       "%s-%d: a consumer at %" PRId64 " was sent on to %" PRId64
                       ", and nobody deleted what lies between",
                       t->name, r->partition, from, to);
    r->next = to;
}

// The record that this is, or -1.
static int64_t recognise(const struct model *m, const struct model_reader *r, struct bytes value)
{
    struct str text = bytes_str(value);
    uint8_t expected[MODEL_VALUE_MAX];
    int64_t number;
    if (text.size < 2 || text.data[0] != '#')
        return -1;
    text = str_of(text.data + 1, text.size - 1);
    if (!str_parse_i64(str_cut(&text, ' '), &number) || number < 0 || number >= m->record_count)
        return -1;
    const struct model_record *record = &m->records[number];
    if ((int64_t)value.size != record->size || record->topic != r->topic ||
        record->partition != r->partition)
        return -1;
    make_value(number, record->size, expected);
    return memcmp(expected, value.data, value.size) == 0 ? number : -1;
}

void model_read(struct model *m, struct model_reader *r, int64_t offset, struct bytes value,
                int64_t high_watermark)
{
    const struct model_topic *t = &m->topics[r->topic];
    int64_t number = recognise(m, r, value);
    if (r->life != t->life)
        return; // of a topic that is going, or gone
    if (number < 0) {
        model_complain(m, "%s-%d: offset %" PRId64 " holds what was never sent", t->name,
                       r->partition, offset);
        return;
    }
    struct model_record *record = &m->records[number];
    if (r->next >= 0 && offset != r->next)
        model_complain(m, "%s-%d: offset %" PRId64 " came where %" PRId64 " had to", t->name,
                       r->partition, offset, r->next);
    if (high_watermark < r->high_watermark || offset >= high_watermark)
        model_complain(m, "%s-%d: high watermark %" PRId64 " after %" PRId64 ", at offset %" PRId64,
                       t->name, r->partition, high_watermark, r->high_watermark, offset);
    if (!record->doubtful && number <= r->last_of[record->producer])
        model_complain(m, "%s-%d: record %" PRId64 " at offset %" PRId64 " came after %" PRId64,
                       t->name, r->partition, number, offset, r->last_of[record->producer]);
    r->high_watermark = high_watermark;
    r->next = offset + 1;
    if (r->first < 0)
        r->first = offset;
    if (!record->doubtful)
        r->last_of[record->producer] = number;
    if (!record->seen)
        m->seen_count++;
    record->seen = true;
    place(m, number, offset, "a consumer");
}

void model_read_all(struct model *m, const struct model_reader *r, int64_t end_offset)
{
    const struct model_topic *t = &m->topics[r->topic];
    const struct model_partition *p = &t->partitions[r->partition];
    int64_t start = r->first >= 0 ? r->first : end_offset;
    if (t->fact != MODEL_PRESENT || t->ambiguous || r->life != t->life)
        return;
    if (start < p->start_min || start > p->start_max)
        model_complain(m, "%s-%d: the log starts at %" PRId64 " instead of %" PRId64 " to %" PRId64,
                       t->name, r->partition, start, p->start_min, p->start_max);
    if (end_offset < p->end_min)
        model_complain(m, "%s-%d: the log ends at %" PRId64 ", and was known up to %" PRId64,
                       t->name, r->partition, end_offset, p->end_min);
    // The reader saw each offset in turn and place() compared it, so what is left are the records
    // whose offset nobody ever learned.
    for (int64_t i = 0; i < m->record_count; i++) {
        const struct model_record *record = &m->records[i];
        if (record->topic == r->topic && record->partition == r->partition &&
            record->acknowledged && record->offset < 0 && is_certain(m, record) &&
            p->start_max == 0)
            model_complain(m, "%s-%d: record %" PRId64 " was acknowledged and is not there",
                           t->name, r->partition, i);
    }
}

// ---- Topics ----

void model_create_asked(struct model *m, int topic, int partition_count)
{
    struct model_topic *t = &m->topics[topic];
    t->fact = MODEL_CREATE_ASKED;
    t->life++;
    t->count_min = 0;
    t->count_max = partition_count;
    for (int i = 0; i < MODEL_PARTITIONS_MAX; i++)
        partition_clear(&t->partitions[i]);
    // What went to the former one is nobody's business any more, and may appear here.
    for (int64_t i = 0; i < m->record_count; i++) {
        if (m->records[i].topic == topic) {
            m->records[i].offset = -1;
            m->records[i].doubtful = true;
        }
    }
}

void model_create_unanswered(struct model *m, int topic)
{
    m->topics[topic].ghost_create = true;
}

void model_created(struct model *m, int topic, bool existed)
{
    struct model_topic *t = &m->topics[topic];
    if (existed && !t->ghost_create)
        model_complain(m, "topic %s exists, and was never asked for", t->name);
    t->fact = MODEL_PRESENT;
    t->count_min = t->count_max;
}

void model_delete_asked(struct model *m, int topic)
{
    struct model_topic *t = &m->topics[topic];
    t->fact = MODEL_DELETE_ASKED;
    t->life++;
    t->ambiguous = t->ghost_create;
}

void model_delete_unanswered(struct model *m, int topic)
{
    m->topics[topic].ambiguous = true;
}

void model_deleted(struct model *m, int topic, bool existed)
{
    struct model_topic *t = &m->topics[topic];
    if (!existed && !t->ambiguous)
        model_complain(m, "topic %s is not there to be deleted", t->name);
    t->fact = MODEL_ABSENT;
}

void model_grow_asked(struct model *m, int topic, int partition_count)
{
    struct model_topic *t = &m->topics[topic];
    if (partition_count > t->count_max)
        t->count_max = partition_count;
}

void model_grown(struct model *m, int topic, int partition_count)
{
    struct model_topic *t = &m->topics[topic];
    if (partition_count > t->count_min)
        t->count_min = partition_count;
}

void model_start_asked(struct model *m, int topic, int partition, int64_t offset)
{
    struct model_partition *p = &m->topics[topic].partitions[partition];
    if (offset > p->start_max)
        p->start_max = offset;
}

void model_started(struct model *m, int topic, int partition, int64_t low_watermark)
{
    struct model_partition *p = &m->topics[topic].partitions[partition];
    if (low_watermark > p->start_max || low_watermark < p->start_min)
        model_complain(m,
                       "%s-%d: a low watermark of %" PRId64 " after %" PRId64
                       " with at most %" PRId64 " asked for",
                       m->topics[topic].name, partition, low_watermark, p->start_min, p->start_max);
    p->start_min = low_watermark;
}

void model_retention_asked(struct model *m, int topic)
{
    for (int i = 0; i < MODEL_PARTITIONS_MAX; i++)
        m->topics[topic].partitions[i].start_max = INT64_MAX;
}

void model_check_topic(struct model *m, int topic, bool exists, int partition_count)
{
    const struct model_topic *t = &m->topics[topic];
    if (t->ambiguous || t->fact == MODEL_CREATE_ASKED || t->fact == MODEL_DELETE_ASKED)
        return;
    if (exists != (t->fact == MODEL_PRESENT))
        model_complain(m, "topic %s is %s", t->name,
                       exists ? "there, and was deleted or never asked for" : "gone");
    else if (exists && (partition_count < t->count_min || partition_count > t->count_max))
        model_complain(m, "topic %s has %d partitions instead of %d to %d", t->name,
                       partition_count, t->count_min, t->count_max);
}
