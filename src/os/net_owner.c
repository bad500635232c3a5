// SPDX-License-Identifier: Apache-2.0
//
// Who listens on a port: /proc/net/tcp gives the socket's inode, and the process that has a
// descriptor of that name is the owner. Sees only what this user may see.
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "os/loop_internal.h"

enum { TCP_STATE_LISTEN = 10 };

// The inode of the socket that listens on this port, from one of the two tables; 0 if there is none.
static unsigned long listening_inode(const char *table, uint16_t port)
{
    FILE *f = fopen(table, "re");
    char line[512];
    unsigned long found = 0;
    while (f != NULL && found == 0 && fgets(line, sizeof line, f) != NULL) {
        unsigned line_port, state;
        unsigned long inode;
        // "0: 0100007F:2384 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 12345"
        int n = sscanf(line, " %*d: %*[0-9A-Fa-f]:%x %*s %x %*s %*s %*s %*s %*s %lu", &line_port,
                       &state, &inode);
        if (n == 3 && line_port == port && state == TCP_STATE_LISTEN)
            found = inode;
    }
    if (f != NULL)
        fclose(f);
    return found;
}

static bool process_has(const char *pid, const char *wanted)
{
    char path[300];
    snprintf(path, sizeof path, "/proc/%s/fd", pid);
    DIR *dir = opendir(path);
    bool found = false;
    const struct dirent *entry;
    while (dir != NULL && !found && (entry = readdir(dir)) != NULL) {
        char link[64];
        ssize_t n = readlinkat(dirfd(dir), entry->d_name, link, sizeof link - 1);
        if (n <= 0)
            continue;
        link[n] = '\0';
        found = strcmp(link, wanted) == 0;
    }
    if (dir != NULL)
        closedir(dir);
    return found;
}

static void process_name(const char *pid, char *out, size_t size)
{
    char path[300];
    snprintf(path, sizeof path, "/proc/%s/comm", pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, out, size - 1) : 0;
    out[n > 0 ? n : 0] = '\0';
    out[strcspn(out, "\n")] = '\0';
    if (fd >= 0)
        close(fd);
}

void os__net_port_owner(uint16_t port, char out[OS_OWNER_TEXT_MAX])
{
    out[0] = '\0';
    unsigned long inode = listening_inode("/proc/net/tcp", port);
    if (inode == 0)
        inode = listening_inode("/proc/net/tcp6", port);
    if (inode == 0)
        return;
    char wanted[64];
    snprintf(wanted, sizeof wanted, "socket:[%lu]", inode);
    DIR *proc = opendir("/proc");
    const struct dirent *entry;
    while (proc != NULL && (entry = readdir(proc)) != NULL) {
        if (!isdigit((unsigned char)entry->d_name[0]) || !process_has(entry->d_name, wanted))
            continue;
        char name[32];
        process_name(entry->d_name, name, sizeof name);
        snprintf(out, OS_OWNER_TEXT_MAX, "process %.10s (%s)", entry->d_name, name);
        break;
    }
    if (proc != NULL)
        closedir(proc);
}
