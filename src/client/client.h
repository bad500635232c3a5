// SPDX-License-Identifier: Apache-2.0
//
// A client of a cluster without sockets and without a clock: connections as state, the cluster's
// topology, requests on their way. Producer (client/producer.h), fetcher (client/fetcher.h) and
// group member (client/group_member.h) are built on it; a driver owns the sockets.
//
// The driver's side:
//     client_on_connected / _space, _on_received / _on_closed    what happened to a link
//     client_step(c, now_ms)         after each of these, after sending requests, at client_next_ms()
//     while (client_next_effect(c, &effect)) ...                 then: connect and close
//     client_slices(c, link, ...)                                and write what each link has to send
//
// Time is monotonic milliseconds and passed in. One owner, one thread. Completions are called from
// within client_on_received(), client_on_closed() and client_step(), never from client_send().
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/diag.h"
#include "base/list.h"
#include "base/uuid.h"
#include "client/topology.h"
#include "rpc/client.h"

struct client;

enum {
    CLIENT_HOST_MAX = 256,
    CLIENT_LINKS_MAX = 1024, // connections of one client
    CLIENT_NODE_ANY = -1,              // whichever connection is there
};

struct client_options {
    const char *client_id;          // copied; NULL = "chitin"
    int64_t request_timeout_ms;     // 0 = 30 000
    int64_t connect_timeout_ms;     // of one attempt, 0 = 10 000
    int64_t retry_backoff_ms;       // first pause, doubling, 0 = 100
    int64_t retry_backoff_ms_max;   // 0 = 1 000
    int64_t metadata_age_ms_max;    // 0 = 300 000
    size_t response_bytes_max;      // of one response, 0 = 128 MiB
    // While no broker has ever answered: give up (ERR_REFUSED) as soon as every bootstrap address
    // has failed once, instead of trying until the request's timeout.
    bool fail_fast;
};

// `bootstrap` is "HOST:PORT[,HOST:PORT]..." (port 9092 when missing, IPv6 in brackets); ERR_INVALID
// with the cause in `diag`.
int client_new(const struct client_options *options, struct str bootstrap, struct client **out,
               struct diag *diag);

// Completes every request with ERR_CLOSED and frees the client. The driver closes its sockets.
void client_free(struct client *c);

// --- Effects ---

enum client_effect_kind {
    CLIENT_CONNECT, // open a connection to host and port and call it `link`
    CLIENT_CLOSE,   // close the connection; `link` may soon name another one
};

struct client_effect {
    enum client_effect_kind kind;
    int link; // 0 .. CLIENT_LINKS_MAX - 1
    char host[CLIENT_HOST_MAX];
    uint16_t port;
};

// The next thing to do, or false.
bool client_next_effect(struct client *c, struct client_effect *out);

// The connection stands.
void client_on_connected(struct client *c, int link, int64_t now_ms);

// Output and input of a link that stands, as in rpc/client.h. A link without anything to send has 0
// slices.
int client_slices(const struct client *c, int link, struct rpc_slice *slices, int slices_max);
void client_sent(struct client *c, int link, size_t size);
void client_space(struct client *c, int link, uint8_t *scratch, size_t scratch_size, uint8_t **at,
                  size_t *room);
void client_on_received(struct client *c, int link, const uint8_t *at, size_t size, int64_t now_ms);

// The connection could not be made, or ended; `why` is kept for messages. The link is gone.
void client_on_closed(struct client *c, int link, const char *why, int64_t now_ms);

// Does what can be done now: assigns requests to links, notices what timed out.
void client_step(struct client *c, int64_t now_ms);

// How many requests have ended so far: a driver sees by it whether a call has changed anything for who
// uses the client. Those without an answer end in client_step(), with no event behind them.
int64_t client_ended_count(const struct client *c);

// When client_step() is due at the latest; INT64_MAX when nothing is waited for.
int64_t client_next_ms(const struct client *c);

// --- Requests ---

struct client_request;

// An answer. The response is views into the frame and arrays in the arena. The one a completion gets
// is valid during the call; who wants to keep it moves it away.
struct client_answer {
    const void *response; // the key's response struct
    int16_t version;
    struct rpc_frame frame;
    struct arena arena;
};

void client_answer_move(struct client_answer *to, struct client_answer *from);
void client_answer_release(struct client_answer *a); // harmless on a zeroed one

// `err` is 0 and `answer` there, or `answer` is NULL and err is: ERR_TIMEOUT; ERR_CLOSED (the
// connection ended after the request was sent: it may or may not have been acted on); ERR_REFUSED (no
// broker could be reached); ERR_UNSUPPORTED (no version in common); ERR_CORRUPT (not an answer), or
// what encoding says. Errors inside the response are the caller's business.
typedef void (*client_done_fn)(struct client_request *request, int err, struct client_answer *answer,
                               int64_t now_ms);

// Embedded by its owner, zeroed before first use; not touched between client_send() and `done`.
struct client_request {
    int16_t api_key;
    int16_t version_min;  // the least and greatest version this body can be sent in;
    int16_t version_max;  // both 0 = whatever we know
    int32_t node;         // node id, or CLIENT_NODE_ANY
    int channel;          // 0, or another one for a connection of its own to that node: answers come in
                          // order, and one that the broker parks would hold up what is behind it
    const void *body;     // the message's struct; lives until done
    int64_t timeout_ms;   // 0 = the client's; from client_send() on, connecting included
    bool no_response;     // Produce with acks=0: done, without an answer, once it is queued
    client_done_fn done;
    void *user;

    // The client's:
    struct rpc_call call;
    struct list_node node_in_list;
    struct client *client;
    int64_t deadline_ms;
    int link;             // -1 while it waits for a connection
    bool active;
};

// Starts a request. It goes out on a connection to its node, opened if need be; requests to one node
// go out in the order given, several at a time.
void client_send(struct client *c, struct client_request *request, int64_t now_ms);

// Forgets a request without calling `done`. Harmless when it is not active.
void client_cancel(struct client *c, struct client_request *request);

// --- Topology ---

const struct topology *client_topology(const struct client *c);

// Asks for Metadata: of all topics, or of one more topic which stays of interest (refreshed when it
// is old or turns out wrong). `create` lets the broker create it, if it does so at all.
void client_want_all_topics(struct client *c);
void client_want_topic(struct client *c, struct str topic, bool create);
void client_want_topic_id(struct client *c, struct uuid id); // its name is not known

// What is known has proved wrong (NOT_LEADER_OR_FOLLOWER for example): ask again, not sooner than the
// backoff allows.
void client_topology_is_stale(struct client *c, int64_t now_ms);

// Counts the answers to Metadata; changes when the topology did.
int64_t client_topology_generation(const struct client *c);

// Counts those among them that told of all topics.
int64_t client_all_topics_generation(const struct client *c);

// The error of the last try to get it, 0 when that went well.
int client_topology_error(const struct client *c);

// Called after each change of the topology.
void client_on_topology(struct client *c, void (*changed)(void *user, int64_t now_ms), void *user);

// Words for the last failure to reach anybody: "127.0.0.1:9092: connection refused"; "" if none.
const char *client_trouble(const struct client *c);

// True once a broker has answered.
bool client_was_connected(const struct client *c);

// The pause before try number `attempt` (from 0): doubling to the maximum.
int64_t client_backoff_ms(const struct client *c, int attempt);
