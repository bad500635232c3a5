// SPDX-License-Identifier: Apache-2.0
//
// Formatting and looking at the storage of a node, for `chitin storage` and kafka-storage: which
// directories it has and what meta.properties says there. The formatting itself is the server's
// (server/storage.h), which does the same at a first start.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "config/listeners.h"
#include "metadata/feature.h"

struct config;
struct tool;

enum { NODE_DIRS_MAX = 64, NODE_PATH_MAX = 1024 };

// A node's directories, as its properties file says.
struct node_storage {
    struct config *config;
    struct node_config node;
    char dirs[NODE_DIRS_MAX][NODE_PATH_MAX];
    int dir_count;
    int metadata_dir; // index in dirs
};

// Reads the file (NULL = defaults); 0 or an exit status after saying why. Release it in any case.
int node_storage_load(struct tool *t, const char *file, struct node_storage *out);
void node_storage_release(struct node_storage *s);

// What is in one directory.
struct node_storage_dir {
    bool exists;
    bool formatted;
    char problem[512]; // "" = none
    char cluster_id[128];
    char directory_id[64];
    char node_id[16];
    char version[16];
};

void node_storage_look(struct tool *t, const char *path, struct node_storage_dir *out);

struct node_storage_format {
    const char *cluster_id;
    struct feature_levels levels;
    bool standalone;       // this node is the only voter, by a KRaftVoters record (KIP-853)
    bool ignore_formatted;
    bool quiet;            // print nothing
};

// Formats what is not formatted; 0 or an exit status after saying why.
int node_storage_format(struct tool *t, const struct node_storage *s, const struct node_storage_format *f);
