// SPDX-License-Identifier: Apache-2.0
//
// Inside the users of groups (cluster_groups.h).
#pragma once

#include "base/list.h"
#include "client/client.h"
#include "cluster_admin.h"
#include "cluster_groups.h"
#include "wire/api/find_coordinator.h"

enum { GROUP_SETTINGS_MAX = 32 };

// How a member gets to its coordinator.
struct channel {
    struct groups_user *owner;
    struct sim_host *host;
    struct member *member;     // NULL: nobody has it
    struct sim_client *client;
    int32_t coordinator;       // node id, -1: not known
    struct client_request find; // under way while somebody waits
    struct find_coordinator_request find_body;
    struct str find_key;
    struct list waiting;       // struct asked, for the coordinator to be found
    struct list sent;
    struct scene_event close;  // when all that a member asked is answered
    bool is_closing;
};

struct groups_user {
    struct users *users;
    struct sim_net *net;
    struct group_scene scene;
    struct sim_event wake; // for the scene's next event
    struct channel channels[GROUPS_HOSTS];
    struct member *members[GROUP_MEMBERS_MAX];
    int member_count;
    const char *settings[GROUP_SETTINGS_MAX];

    struct admin_user *admin;
    struct sim_host *admin_host;
    bool are_topics_made;      // that of the groups too
    bool are_topics_known;     // ids and counts are there
    bool is_count_old;         // more partitions were asked for
    int group;                 // that the administrator is busy with
    bool must_exist[GROUPS];
    bool is_deleting;          // a try has no answer yet
    int64_t commits[GROUP_TOPICS][GROUP_PARTITIONS_MAX]; // of nothing, by the deletion
    bool is_describing;        // one group after another
    bool must_fit;             // and what is told is to be what is known
    int described[GROUPS];     // members, as told; -1: none
};

// Sets the event that runs what is next in the scene, and tells of what was found wrong.
void groups_rearm(struct groups_user *g);

// ---- The administrator (cluster_group_admin.c) ----

// Does what is due: makes the topics, learns of them, goes on describing.
void groups_administer(struct groups_user *g);

// Something of what an administrator may want.
void groups_administer_any(struct groups_user *g);
