// SPDX-License-Identifier: Apache-2.0
//
// `chitin server`: a node as a process. Reads the configuration, builds the node from its parts
// (os, log directories, metadata, broker), runs its event loop and stops it in order.
#pragma once

// Runs the command; argv[0] is "server". Blocks until the node has stopped.
// Usage: server [FILE] [--override KEY=VALUE]... (what it means is said by `chitin server --help`,
// which is the command line's).
// Returns the exit status: 0 after an orderly stop, 1 when the start or the stop failed, 2 for a
// usage error.
int server_main(int argc, char **argv);
