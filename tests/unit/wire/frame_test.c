// SPDX-License-Identifier: Apache-2.0
//
// Recorded frames: each decodes to the JSON beside it and encodes to its bytes again. A file holds
// one object per line: api, version, side, hex (the frame without its size), json {header, body}.
// Keys that start with '_' are views made for readers and are not compared.
//
//     frame_test GOLDEN_FILE FACTS_DIR
//
// FACTS_DIR/frames may hold many more such files; the variable CHITIN_KAFKA_FACTS goes before it.
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "wire/apis.h"
#include "wire/record/request_header.h"
#include "wire/record/response_header.h"
#include "wire/wire.h"

enum { FRAME_MAX = 16 << 20 };

struct frame {
    const struct api *api;
    int16_t version;
    bool is_request;
    struct bytes bytes;
    const json_t *json;
    const char *place;
};

struct tally {
    int passed, failed, undecoded;
};

static int hex_digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool hex_decode(const char *text, struct buf *out)
{
    for (; text[0] != '\0'; text += 2) {
        if (hex_digit(text[0]) < 0 || hex_digit(text[1]) < 0)
            return false;
        buf_append_u8(out, (uint8_t)(hex_digit(text[0]) << 4 | hex_digit(text[1])));
    }
    return !out->failed;
}

// Equal, without what is only a view? Records have "batches" beside "hex".
static bool json_same(const json_t *want, const json_t *got)
{
    if (json_is_array(want)) {
        bool same = json_array_size(want) == json_array_size(got);
        for (size_t i = 0; same && i < json_array_size(want); i++)
            same = json_same(json_array_get(want, i), json_array_get(got, i));
        return same;
    }
    if (!json_is_object(want))
        return json_equal(want, got);
    if (!json_is_object(got))
        return false;
    const char *key;
    json_t *value;
    size_t compared = 0;
    bool is_records = json_object_get(want, "hex") != NULL;
    json_object_foreach((json_t *)(uintptr_t)want, key, value) {
        if (key[0] == '_' || (is_records && strcmp(key, "hex") != 0))
            continue;
        compared++;
        if (!json_same(value, json_object_get(got, key)))
            return false;
    }
    return compared == json_object_size(got);
}

static bool print_is(const struct wire_schema *schema, int16_t version, const void *msg,
                     const json_t *want)
{
    struct buf text;
    buf_init(&text, FRAME_MAX);
    wire_print(schema, version, msg, WIRE_PRINT_SECRETS, &text);
    json_error_t error;
    json_t *got = json_loads(buf_text(&text), 0, &error);
    bool same = got != NULL && json_same(want, got);
    if (!same)
        fprintf(stderr, "decoded to %s\n", buf_text(&text));
    json_decref(got);
    buf_release(&text);
    return same;
}

// Decodes one message from the start of *in, compares, encodes again, and cuts it off.
static bool message_check(const struct wire_schema *schema, int16_t version, struct bytes *in,
                          const json_t *want, const char *place)
{
    struct arena arena;
    arena_init(&arena, FRAME_MAX);
    struct buf again;
    buf_init(&again, FRAME_MAX);
    void *msg = arena_alloc(&arena, wire_schema_struct_size(schema));
    size_t consumed = 0, size = 0;
    const char *what = NULL;
    int err = wire_decode(schema, version, *in, &arena, msg, &consumed);
    if (err != 0)
        what = err_name(err);
    else if (!print_is(schema, version, msg, want))
        what = "the JSON differs";
    else if ((err = wire_encode_buf(schema, version, msg, &again)) != 0)
        what = err_name(err);
    else if (!bytes_equal(buf_bytes(&again), bytes_of(in->data, consumed)))
        what = "the encoded bytes differ";
    else if (wire_size(schema, version, msg, &size) != 0 || size != consumed)
        what = "the size differs";
    if (what != NULL)
        fprintf(stderr, "%s: %s v%d: %s\n", place, wire_schema_name(schema), version, what);
    *in = bytes_of(in->data + consumed, in->size - consumed);
    buf_release(&again);
    arena_release(&arena);
    return what == NULL;
}

static bool frame_check(const struct frame *f)
{
    struct bytes in = f->bytes;
    int16_t header = f->is_request ? api_request_header_version(f->api->key, f->version)
                                   : api_response_header_version(f->api->key, f->version);
    const struct wire_schema *header_schema =
        f->is_request ? &request_header_schema : &response_header_schema;
    if (!message_check(header_schema, header, &in, json_object_get(f->json, "header"), f->place))
        return false;
    const json_t *body = json_object_get(f->json, "body");
    const struct wire_schema *schema = f->is_request ? f->api->request : f->api->response;
    // An ApiVersions request of a version that the broker does not know is answered in version 0.
    int16_t version = f->api->key == API_API_VERSIONS && !api_has_version(f->api, f->version)
                          ? 0 : f->version;
    if (!message_check(schema, version, &in, body, f->place))
        return false;
    const json_t *trailing = json_object_get(f->json, "_trailing");
    size_t want = trailing != NULL ? json_string_length(trailing) / 2 : 0;
    if (in.size != want)
        fprintf(stderr, "%s: %zu bytes are left, not %zu\n", f->place, in.size, want);
    return in.size == want;
}

static void line_check(const char *line, const char *place, struct tally *tally)
{
    json_error_t error;
    json_t *object = json_loads(line, 0, &error);
    struct buf bytes;
    buf_init(&bytes, FRAME_MAX);
    int64_t key = json_integer_value(json_object_get(object, "api"));
    const char *side = json_string_value(json_object_get(object, "side"));
    const char *hex = json_string_value(json_object_get(object, "hex"));
    struct frame f = {.api = api_find((int32_t)key), .json = json_object_get(object, "json"),
                      .place = place};
    f.version = (int16_t)json_integer_value(json_object_get(object, "version"));
    if (side == NULL || hex == NULL || f.api == NULL || !hex_decode(hex, &bytes)) {
        fprintf(stderr, "%s: not a frame\n", place);
        tally->failed++;
    } else if (json_is_null(json_object_get(f.json, "body"))) {
        tally->undecoded++; // a version that nobody serves
    } else {
        f.is_request = strcmp(side, "request") == 0;
        f.bytes = buf_bytes(&bytes);
        if (frame_check(&f))
            tally->passed++;
        else
            tally->failed++;
    }
    buf_release(&bytes);
    json_decref(object);
}

static void file_check(const char *path, struct tally *tally)
{
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        perror(path);
        tally->failed++;
        return;
    }
    char *line = NULL;
    size_t capacity = 0;
    for (int number = 1; getline(&line, &capacity, file) > 0; number++) {
        char place[512];
        snprintf(place, sizeof place, "%s:%d", path, number);
        line_check(line, place, tally);
    }
    free(line);
    fclose(file);
}

static int is_frame_file(const struct dirent *entry)
{
    return str_ends_with(str_from(entry->d_name), ".jsonl");
}

// False when there is no such directory.
static bool directory_check(const char *path, struct tally *tally)
{
    struct dirent **entries;
    int count = scandir(path, &entries, is_frame_file, alphasort);
    if (count < 0)
        return false;
    for (int i = 0; i < count; i++) {
        char file[1024];
        snprintf(file, sizeof file, "%s/%s", path, entries[i]->d_name);
        file_check(file, tally);
        free(entries[i]);
    }
    free(entries);
    return true;
}

int main(int argc, char **argv)
{
    struct tally tally = {0};
    if (argc != 3)
        return 2;
    file_check(argv[1], &tally);
    const char *facts = getenv("CHITIN_KAFKA_FACTS");
    char frames[1024];
    snprintf(frames, sizeof frames, "%s/frames", facts != NULL ? facts : argv[2]);
    if (!directory_check(frames, &tally))
        printf("SKIPPED: no recorded frames in %s (CHITIN_KAFKA_FACTS); only the golden ones were "
               "compared\n", frames);
    printf("%d frames passed, %d failed, %d of unknown versions left out\n", tally.passed,
           tally.failed, tally.undecoded);
    return tally.failed > 0 || tally.passed == 0;
}
