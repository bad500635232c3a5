// SPDX-License-Identifier: Apache-2.0
//
// Clients and the real group coordinator in one test: each client's frames go to a broker in memory that
// hands them to the groups of src/group, with a log and time of their own (tests/unit/group/fixture.h).
// Connections can be cut, the coordinator can move, time passes when the test says so.
#pragma once

#include "../group/fixture.h"
#include "client/client.h"

enum { WORLD_CLIENTS = 8, WORLD_LINKS = 8, WORLD_PARTITIONS = 8, WORLD_TOPICS = 4 };

// What is in a partition of a topic.
struct world_log {
    struct buf log;
    int64_t start;
    int64_t end;
};

struct world_topic {
    const char *name;
    struct world_log partitions[WORLD_PARTITIONS];
};

struct world_client {
    struct world *world;
    struct client *client; // NULL = none
    struct buf in[WORLD_LINKS];
    struct list replies[WORLD_LINKS]; // in the order of the requests
    bool open[WORLD_LINKS];
    bool cut;              // nothing goes in or out, connections are refused
    void (*step)(void *user, int64_t now_ms);
    int64_t (*next_ms)(void *user);
    void *user;
};

struct world {
    struct fixture groups;
    struct world_topic topics[WORLD_TOPICS];
    struct world_client clients[WORLD_CLIENTS];
    int requests[100];      // by API key
    int16_t commit_code;    // answered to the next commit instead of doing it
    bool lose_commit;       // the next commit is done, then the connection ends
};

void world_init(struct world *w, const char *const settings[]);
void world_release(struct world *w); // clients are freed before

// A client that calls `step` whenever anything happens to it.
struct world_client *world_client_new(struct world *w, void (*step)(void *user, int64_t now_ms),
                                      int64_t (*next_ms)(void *user), void *user);
void world_client_free(struct world_client *c);

// Ends the connections of a client and refuses new ones, until it is let in again.
void world_cut(struct world_client *c);

void world_topic(struct world *w, const char *name, int partitions);

// Appends a record of this value to a partition.
void world_put(struct world *w, const char *topic, int32_t partition, const char *value);

// Moves everything until nothing moves any more.
void world_settle(struct world *w);

// Lets time pass.
void world_run(struct world *w, int64_t ms);
