// SPDX-License-Identifier: Apache-2.0
//
// Objects that are kept as they were written and written back as they are. What identifies each is
// its whole identity: a SCRAM credential is user and mechanism, so that removing one leaves those of
// other users alone.
#include "base/check.h"
#include "base/err.h"
#include "base/mem.h"
#include "metadata/internal.h"
#include "wire/record/access_control_entry_record.h"
#include "wire/record/client_quota_record.h"
#include "wire/record/delegation_token_record.h"
#include "wire/record/remove_access_control_entry_record.h"
#include "wire/record/remove_delegation_token_record.h"
#include "wire/record/remove_user_scram_credential_record.h"
#include "wire/record/user_scram_credential_record.h"

enum { RAW_KEY_MAX = 1024 * 1024, QUOTA_ENTITIES_MAX = 16 };

static struct bytes raw_key(const void *item)
{
    return ((const struct metadata_raw *)item)->key;
}

static void raw_ref(void *item)
{
    ((struct metadata_raw *)item)->refs++;
}

static void raw_unref(void *item)
{
    struct metadata_raw *raw = item;
    if (--raw->refs == 0)
        mem_free(raw);
}

const struct pmap_type metadata_raw_type = {raw_key, raw_ref, raw_unref};

static void raw_set(struct metadata_image *image, struct bytes key, struct bytes value)
{
    struct metadata_raw *raw = mem_alloc(sizeof *raw + key.size + value.size);
    uint8_t *memory = (uint8_t *)(raw + 1);
    memcpy(memory, key.data, key.size);
    memcpy(memory + key.size, value.data, value.size);
    raw->refs = 1;
    raw->key = bytes_of(memory, key.size);
    raw->value = bytes_of(memory + key.size, value.size);
    pmap_set(&image->raw, raw);
    raw_unref(raw);
}

static void key_text(struct buf *key, struct str text)
{
    buf_append_be32(key, text.data != NULL ? (uint32_t)text.size : UINT32_MAX);
    buf_append_str(key, text);
}

// The parts of an entity may come in any order; the key has them in order of their type.
static int quota_key(const struct client_quota_record *q, struct buf *key, struct diag *diag)
{
    if (q->entity.count < 1 || q->entity.count > QUOTA_ENTITIES_MAX)
        return diag_set(diag, ERR_CORRUPT, "a client quota for an entity of %d parts",
                        q->entity.count);
    buf_append_u8(key, RAW_QUOTA);
    bool used[QUOTA_ENTITIES_MAX] = {false};
    for (int i = 0; i < q->entity.count; i++) {
        int least = -1;
        for (int j = 0; j < q->entity.count; j++)
            if (!used[j] && (least < 0 || str_compare(q->entity.items[j].entity_type,
                                                      q->entity.items[least].entity_type) < 0))
                least = j;
        used[least] = true;
        key_text(key, q->entity.items[least].entity_type);
        key_text(key, q->entity.items[least].entity_name);
    }
    key_text(key, q->key);
    return 0;
}

static void acl_key(struct uuid id, struct buf *key)
{
    buf_append_u8(key, RAW_ACL);
    buf_append(key, id.bytes, UUID_SIZE);
}

static void scram_key(struct str user, int8_t mechanism, struct buf *key)
{
    buf_append_u8(key, RAW_SCRAM);
    buf_append_u8(key, (uint8_t)mechanism);
    buf_append_str(key, user);
}

static void token_key(struct str id, struct buf *key)
{
    buf_append_u8(key, RAW_TOKEN);
    buf_append_str(key, id);
}

// Makes the key of what `record` is about and says whether the record takes it away.
static int record_key(const struct metadata_record *record, struct buf *key, bool *removes,
                      struct diag *diag)
{
    *removes = false;
    switch (record->type) {
    case METADATA_CLIENT_QUOTA_RECORD: {
        const struct client_quota_record *q = record->message;
        *removes = q->remove;
        return quota_key(q, key, diag);
    }
    case METADATA_ACCESS_CONTROL_ENTRY_RECORD:
        acl_key(((const struct access_control_entry_record *)record->message)->id, key);
        return 0;
    case METADATA_REMOVE_ACCESS_CONTROL_ENTRY_RECORD:
        *removes = true;
        acl_key(((const struct remove_access_control_entry_record *)record->message)->id, key);
        return 0;
    case METADATA_USER_SCRAM_CREDENTIAL_RECORD: {
        const struct user_scram_credential_record *c = record->message;
        scram_key(c->name, c->mechanism, key);
        return 0;
    }
    case METADATA_REMOVE_USER_SCRAM_CREDENTIAL_RECORD: {
        const struct remove_user_scram_credential_record *c = record->message;
        *removes = true;
        scram_key(c->name, c->mechanism, key);
        return 0;
    }
    case METADATA_DELEGATION_TOKEN_RECORD:
        token_key(((const struct delegation_token_record *)record->message)->token_id, key);
        return 0;
    case METADATA_REMOVE_DELEGATION_TOKEN_RECORD:
        *removes = true;
        token_key(((const struct remove_delegation_token_record *)record->message)->token_id, key);
        return 0;
    default:
        check_unreachable();
    }
}

int metadata__replay_raw(struct metadata_image *image, const struct metadata_record *record,
                         struct bytes value, struct diag *diag)
{
    struct buf key;
    buf_init(&key, RAW_KEY_MAX);
    bool removes;
    int err = record_key(record, &key, &removes, diag);
    if (err == 0 && key.failed)
        err = diag_set(diag, ERR_LIMIT, "names of more than %d bytes", RAW_KEY_MAX);
    // What is not there need not be removed: Kafka writes a Remove for it, too.
    if (err == 0 && removes)
        pmap_remove(&image->raw, buf_bytes(&key));
    else if (err == 0)
        raw_set(image, buf_bytes(&key), value);
    buf_release(&key);
    return err;
}
