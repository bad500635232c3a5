// SPDX-License-Identifier: Apache-2.0
//
// Members of groups (group_members.h) that use the cluster over their sockets, and somebody who administers
// the groups: the scene in which they live asks a node, by a client for each member, which finds its
// coordinator first. Each member is a process on a host of its own. They use topics of their own.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "cluster_users.h"
#include "group_members.h"

struct groups_user;
struct node;

enum { GROUPS_HOSTS = MEMBERS_ALIVE_MAX + 4 }; // some leave while others come

struct groups_user *groups_user_new(struct users *u, struct sim_net *net, uint64_t seed);
void groups_user_free(struct groups_user *g);

// The settings of a node that make much of groups happen: "KEY", "VALUE", ..., NULL; borrowed.
const char *const *groups_user_settings(const struct groups_user *g);

// The machines that they are on.
struct sim_host *groups_user_host(struct groups_user *g, int number);

// Somebody does something, or not.
void groups_user_step(struct groups_user *g);

// Only what is under way goes on.
void groups_user_administer(struct groups_user *g);

// The node has died.
void groups_user_node_died(struct groups_user *g);

// Everybody commits, or asks what is committed.
void groups_user_commit_all(struct groups_user *g);
void groups_user_fetch_all(struct groups_user *g);

// Asks of each group how many members it has, and whether it is there. `is_settled`: it must be as many as
// there are.
void groups_user_describe(struct groups_user *g, bool is_settled);

// Nothing is asked any more that has to be answered.
bool groups_user_is_quiet(const struct groups_user *g);

// Each partition has one owner in each group with members.
bool groups_user_is_settled(const struct groups_user *g);

// What was asked and told so far.
uint64_t groups_user_hash(const struct groups_user *g);
uint64_t groups_user_asked(const struct groups_user *g);

// ---- Looking into the node ----

// Complains if a journal has more entries than it may.
void groups_user_check_journals(struct groups_user *g, struct node *node);

// Takes the state of all groups into the history's hash. `must_fit`: complains if the logs, loaded beside,
// say something else. `node` is ready and its disk works.
void groups_user_check_replay(struct groups_user *g, struct node *node, bool must_fit);
