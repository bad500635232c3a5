// SPDX-License-Identifier: Apache-2.0
//
// The floor that bench/run measures brokers against: a server that does what nobody can leave out
// and nothing else. Produce: receive, check the CRC, one write, with --sync one fdatasync of each file
// for all who wait, answer. Fetch: one sendfile, as soon as there is something. One thread, no index, no
// state on disk, no limits; for bench/load alone, which sends batches of one size. Not a broker.
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/be.h"
#include "base/check.h"
#include "base/err.h"
#include "base/mem.h"
#include "os/error.h"
#include "rpc/server.h"
#include "wire/api/api_versions.h"
#include "wire/api/fetch.h"
#include "wire/api/init_producer_id.h"
#include "wire/api/metadata.h"
#include "wire/api/produce.h"
#include "wire/api_keys.h"
#include "wire/batch.h"

enum {
    PARTITIONS_MAX = 1024,
    FIRST_ROOM = 1 << 16,
    SLICES_MAX = 64,
    EVENTS_MAX = 64,
    ARENA_MAX = 64 << 20,
    ANSWER_MAX = 16 << 20,
};

static const struct rpc_api served[] = {
    {.key = API_PRODUCE, .version_min = 3, .version_max = 7},
    {.key = API_FETCH, .version_min = 4, .version_max = 11},
    {.key = API_METADATA, .version_min = 0, .version_max = 8},
    {.key = API_API_VERSIONS, .version_min = 0, .version_max = 2},
    {.key = API_INIT_PRODUCER_ID, .version_min = 0, .version_max = 1},
};
static const struct rpc_apis apis = {.items = served, .count = 5};

struct partition_file {
    struct partition_file *next; // of the same index, an older topic
    char *topic;
    int fd;
    int64_t size;
    int64_t offset_next;
    int64_t batch_bytes; // every batch has this size
    int64_t batch_records;
    bool dirty;
};

struct peer {
    int fd;
    uint8_t *data;
    size_t size;
    size_t capacity;
};

// An answer that waits for the sync.
struct waiting {
    int fd;
    struct rpc_output output;
};

// A fetch that found nothing: its frame, to be served again.
struct parked {
    struct peer *peer;
    uint8_t *frame;
    size_t size;
};

struct floor {
    const char *directory;
    const char *host;
    uint16_t port;
    int32_t partition_count;
    bool sync;
    struct partition_file *partitions[PARTITIONS_MAX]; // by index, the newest topic first
    int file_count;
    struct waiting *waiting;
    int waiting_count;
    int waiting_capacity;
    struct parked *parked;
    int parked_count;
    int parked_capacity;
    bool appended; // since the parked were served
    int epoll_fd;
};

static _Noreturn void die(const char *what)
{
    fprintf(stderr, "floor: %s: %s\n", what, err_text(os_error(errno)));
    exit(1);
}

// --- sending

static void send_all(int fd, struct rpc_output *o)
{
    struct rpc_slice slices[SLICES_MAX];
    int count;
    while ((count = rpc_output_slices(o, slices, SLICES_MAX)) > 0) {
        const struct rpc_slice *s = &slices[0];
        ssize_t n;
        if (s->source != NULL) {
            const struct partition_file *p = s->source;
            off_t position = s->position;
            n = sendfile(fd, p->fd, &position, s->size);
        } else {
            n = send(fd, s->data, s->size, MSG_NOSIGNAL | (count > 1 ? MSG_MORE : 0));
        }
        if (n <= 0)
            return; // the peer has gone; reading will tell
        rpc_output_sent(o, (size_t)n);
    }
}

static void reply(struct floor *f, struct peer *peer, const struct rpc_request_header *h,
                  int16_t version, const void *message, int splice_max, bool after_sync)
{
    struct rpc_output o;
    int result = rpc_response_encode(&o, h->api_key, version, h->correlation_id, message, splice_max,
                                     ANSWER_MAX);
    check(result == 0);
    if (after_sync) {
        mem_grow(f->waiting, f->waiting_count, f->waiting_capacity);
        f->waiting[f->waiting_count++] = (struct waiting){.fd = peer->fd, .output = o};
        return;
    }
    send_all(peer->fd, &o);
    rpc_output_release(&o);
}

static void sync_and_answer(struct floor *f)
{
    if (f->waiting_count == 0)
        return;
    for (int i = 0; i < f->partition_count; i++)
        for (struct partition_file *p = f->partitions[i]; p != NULL; p = p->next) {
            if (p->dirty && fdatasync(p->fd) != 0)
                die("fdatasync");
            p->dirty = false;
        }
    for (int i = 0; i < f->waiting_count; i++) {
        send_all(f->waiting[i].fd, &f->waiting[i].output);
        rpc_output_release(&f->waiting[i].output);
    }
    f->waiting_count = 0;
}

// --- requests

static void api_versions(struct floor *f, struct peer *peer, const struct rpc_request_header *h)
{
    struct api_versions_response response;
    struct api_versions_response_api_version items[5];
    api_versions_response_init(&response);
    for (int i = 0; i < apis.count; i++)
        items[i] = (struct api_versions_response_api_version){
            served[i].key, served[i].version_min, served[i].version_max};
    response.error_code = h->is_version_fallback ? 35 : 0;
    response.api_keys.items = items;
    response.api_keys.count = apis.count;
    reply(f, peer, h, h->is_version_fallback ? 0 : h->api_version, &response, 0, false);
}

static void metadata(struct floor *f, struct peer *peer, const struct rpc_request_header *h,
                     struct bytes body, struct arena *arena)
{
    struct metadata_request request;
    struct metadata_response response;
    struct metadata_response_metadata_response_broker broker = {
        .node_id = 1, .host = str_from(f->host), .port = f->port};
    int32_t one = 1;
    struct wire_int32_array replicas = {.items = &one, .count = 1};
    if (wire_decode(&metadata_request_schema, h->api_version, body, arena, &request, NULL) != 0)
        return;
    metadata_response_init(&response);
    response.brokers.items = &broker;
    response.brokers.count = 1;
    response.controller_id = 1;
    int count = request.topics.count > 0 ? request.topics.count : 0;
    metadata_response_metadata_response_topic_array_new(arena, count, &response.topics);
    for (int i = 0; i < count; i++) {
        struct metadata_response_metadata_response_topic *t = &response.topics.items[i];
        t->name = request.topics.items[i].name;
        metadata_response_metadata_response_partition_array_new(arena, f->partition_count,
                                                                 &t->partitions);
        for (int j = 0; j < f->partition_count; j++) {
            t->partitions.items[j].partition_index = j;
            t->partitions.items[j].leader_id = 1;
            t->partitions.items[j].replica_nodes = replicas;
            t->partitions.items[j].isr_nodes = replicas;
        }
    }
    reply(f, peer, h, h->api_version, &response, 0, false);
}

// The file of a partition; made if it is not there.
static struct partition_file *partition(struct floor *f, struct str topic, int32_t index)
{
    check(index >= 0 && index < f->partition_count);
    for (struct partition_file *p = f->partitions[index]; p != NULL; p = p->next)
        if (str_is(topic, p->topic))
            return p;
    char path[4200];
    struct partition_file *p = mem_new(struct partition_file);
    snprintf(path, sizeof path, "%s/%d.log", f->directory, f->file_count++);
    p->topic = mem_copy_str(topic);
    p->fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (p->fd < 0)
        die(path);
    p->next = f->partitions[index];
    f->partitions[index] = p;
    return p;
}

static int64_t append(struct floor *f, struct partition_file *p, struct bytes batch)
{
    struct batch_header header;
    if (batch_header_parse(batch, &header) != 0 || !batch_crc_is_valid(batch))
        return -1;
    if (p->batch_bytes == 0) {
        p->batch_bytes = (int64_t)batch.size;
        p->batch_records = header.record_count;
    }
    check(p->batch_bytes == (int64_t)batch.size);
    union { const uint8_t *in; uint8_t *out; } bytes = {.in = batch.data};
    batch_set_base_offset(bytes.out, p->offset_next); // the frame is ours
    if (write(p->fd, batch.data, batch.size) != (ssize_t)batch.size)
        die("write");
    int64_t base_offset = p->offset_next;
    p->offset_next += header.record_count;
    p->size += (int64_t)batch.size;
    p->dirty = true;
    f->appended = true;
    return base_offset;
}

static void produce(struct floor *f, struct peer *peer, const struct rpc_request_header *h,
                    struct bytes body, struct arena *arena)
{
    struct produce_request request;
    struct produce_response response;
    if (wire_decode(&produce_request_schema, h->api_version, body, arena, &request, NULL) != 0)
        return;
    produce_response_init(&response);
    produce_response_topic_produce_response_array_new(arena, request.topic_data.count,
                                                      &response.responses);
    for (int i = 0; i < request.topic_data.count; i++) {
        struct produce_request_topic_produce_data *in = &request.topic_data.items[i];
        struct produce_response_topic_produce_response *out = &response.responses.items[i];
        out->name = in->name;
        produce_response_partition_produce_response_array_new(arena, in->partition_data.count,
                                                              &out->partition_responses);
        for (int j = 0; j < in->partition_data.count; j++) {
            int32_t index = in->partition_data.items[j].index;
            int64_t base = append(f, partition(f, in->name, index),
                                  in->partition_data.items[j].records.bytes);
            out->partition_responses.items[j].index = index;
            out->partition_responses.items[j].base_offset = base;
            out->partition_responses.items[j].error_code = base < 0 ? 2 : 0;
        }
    }
    if (request.acks != 0)
        reply(f, peer, h, h->api_version, &response, 0, f->sync);
}

static void park(struct floor *f, struct peer *peer, struct bytes frame)
{
    mem_grow(f->parked, f->parked_count, f->parked_capacity);
    struct parked *parked = &f->parked[f->parked_count++];
    *parked = (struct parked){.peer = peer, .frame = mem_alloc(frame.size), .size = frame.size};
    memcpy(parked->frame, frame.data, frame.size);
}

// False if there is nothing to answer with yet.
static bool fetch(struct floor *f, struct peer *peer, const struct rpc_request_header *h,
                  struct bytes body, struct arena *arena)
{
    struct fetch_request request;
    struct fetch_response response;
    int splice_max = 0;
    if (wire_decode(&fetch_request_schema, h->api_version, body, arena, &request, NULL) != 0)
        return true;
    fetch_response_init(&response);
    fetch_response_fetchable_topic_response_array_new(arena, request.topics.count,
                                                      &response.responses);
    int64_t left = request.max_bytes;
    for (int i = 0; i < request.topics.count; i++) {
        struct fetch_request_fetch_topic *in = &request.topics.items[i];
        struct fetch_response_fetchable_topic_response *out = &response.responses.items[i];
        out->topic = in->topic;
        fetch_response_partition_data_array_new(arena, in->partitions.count, &out->partitions);
        for (int j = 0; j < in->partitions.count; j++) {
            struct fetch_request_fetch_partition *asked = &in->partitions.items[j];
            struct fetch_response_partition_data *data = &out->partitions.items[j];
            struct partition_file *p = partition(f, in->topic, asked->partition);
            data->partition_index = asked->partition;
            data->high_watermark = data->last_stable_offset = p->offset_next;
            if (p->batch_bytes == 0 || asked->fetch_offset >= p->offset_next || left <= 0)
                continue;
            int64_t position = asked->fetch_offset / p->batch_records * p->batch_bytes;
            int64_t size = p->size - position;
            if (size > asked->partition_max_bytes)
                size = asked->partition_max_bytes / p->batch_bytes * p->batch_bytes;
            if (size < p->batch_bytes)
                size = p->batch_bytes;
            left -= size;
            data->records = (struct wire_records){.source = p, .position = position, .size = size};
            splice_max++;
        }
    }
    if (splice_max == 0 && request.max_wait_ms > 0)
        return false;
    reply(f, peer, h, h->api_version, &response, splice_max, false);
    return true;
}

static void init_producer_id(struct floor *f, struct peer *peer, const struct rpc_request_header *h)
{
    struct init_producer_id_response response;
    init_producer_id_response_init(&response);
    response.producer_id = 1;
    reply(f, peer, h, h->api_version, &response, 0, false);
}

static bool handle(struct floor *f, struct peer *peer, struct bytes frame)
{
    struct rpc_request_header h;
    struct arena arena;
    if (rpc_request_header_decode(frame, &apis, &h) != 0)
        return false;
    struct bytes body = bytes_of(frame.data + h.size, frame.size - h.size);
    arena_init(&arena, ARENA_MAX);
    switch (h.api_key) {
    case API_PRODUCE:
        produce(f, peer, &h, body, &arena);
        break;
    case API_FETCH:
        if (!fetch(f, peer, &h, body, &arena))
            park(f, peer, frame);
        break;
    case API_METADATA:
        metadata(f, peer, &h, body, &arena);
        break;
    case API_INIT_PRODUCER_ID:
        init_producer_id(f, peer, &h);
        break;
    default:
        api_versions(f, peer, &h);
        break;
    }
    arena_release(&arena);
    return true;
}

static void serve_parked(struct floor *f)
{
    struct parked *parked = f->parked;
    int count = f->parked_count;
    if (!f->appended || count == 0)
        return;
    f->parked = NULL;
    f->parked_count = f->parked_capacity = 0;
    for (int i = 0; i < count; i++) {
        handle(f, parked[i].peer, bytes_of(parked[i].frame, parked[i].size));
        mem_free(parked[i].frame);
    }
    mem_free(parked);
    f->appended = false;
}

// --- connections

// Serves what has arrived; false when the connection is over.
static bool serve(struct floor *f, struct peer *peer)
{
    ssize_t n = recv(peer->fd, peer->data + peer->size, peer->capacity - peer->size, MSG_DONTWAIT);
    if (n <= 0)
        return n < 0 && (errno == EAGAIN || errno == EINTR);
    peer->size += (size_t)n;
    size_t at = 0;
    while (peer->size - at >= 4) {
        size_t size = be32_load(peer->data + at);
        if (peer->size - at - 4 < size) {
            if (size + 4 > peer->capacity) {
                peer->capacity = size + 4;
                peer->data = mem_resize(peer->data, peer->capacity);
            }
            break;
        }
        if (!handle(f, peer, bytes_of(peer->data + at + 4, size)))
            return false;
        at += 4 + size;
    }
    peer->size -= at;
    if (at > 0 && peer->size > 0)
        memmove(peer->data, peer->data + at, peer->size);
    return true;
}

static void accept_peer(struct floor *f, int listener)
{
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    if (fd < 0)
        return;
    struct peer *peer = mem_new(struct peer);
    *peer = (struct peer){.fd = fd, .data = mem_alloc(FIRST_ROOM), .capacity = FIRST_ROOM};
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = peer};
    if (epoll_ctl(f->epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0)
        die("epoll_ctl");
}

static void close_peer(struct floor *f, struct peer *peer)
{
    for (int i = f->parked_count - 1; i >= 0; i--)
        if (f->parked[i].peer == peer) {
            mem_free(f->parked[i].frame);
            f->parked[i] = f->parked[--f->parked_count];
        }
    close(peer->fd);
    mem_free(peer->data);
    mem_free(peer);
}

static int listen_here(struct floor *f)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(f->port)};
    socklen_t size = sizeof a;
    int one = 1;
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (bind(fd, (struct sockaddr *)&a, size) != 0 || listen(fd, 128) != 0)
        die("listen");
    getsockname(fd, (struct sockaddr *)&a, &size);
    f->port = ntohs(a.sin_port);
    return fd;
}

static void run(struct floor *f, int listener)
{
    struct epoll_event events[EVENTS_MAX];
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    f->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (epoll_ctl(f->epoll_fd, EPOLL_CTL_ADD, listener, &event) != 0)
        die("epoll_ctl");
    for (;;) {
        int count = epoll_wait(f->epoll_fd, events, EVENTS_MAX, -1);
        struct peer *gone[EVENTS_MAX];
        int gone_count = 0;
        for (int i = 0; i < count; i++) {
            struct peer *peer = events[i].data.ptr;
            if (peer == NULL)
                accept_peer(f, listener);
            else if (!serve(f, peer))
                gone[gone_count++] = peer;
        }
        sync_and_answer(f);
        serve_parked(f);
        for (int i = 0; i < gone_count; i++)
            close_peer(f, gone[i]);
    }
}

// floor DIRECTORY PARTITIONS [--sync]: prints its port on stdout and serves until it is killed.
int main(int argc, char **argv)
{
    static struct floor f;
    if (argc < 3) {
        fprintf(stderr, "usage: floor DIRECTORY PARTITIONS [--sync]\n");
        return 2;
    }
    f.directory = argv[1];
    f.host = "127.0.0.1";
    f.sync = argc > 3 && strcmp(argv[3], "--sync") == 0;
    if (!str_parse_i32(str_from(argv[2]), &f.partition_count) || f.partition_count < 1 ||
        f.partition_count > PARTITIONS_MAX)
        return 2;
    signal(SIGPIPE, SIG_IGN);
    int listener = listen_here(&f);
    printf("%u\n", (unsigned)f.port);
    fflush(stdout);
    run(&f, listener);
}
