// SPDX-License-Identifier: Apache-2.0
//
// Room in a log directory: appends are refused while something is still free, so that what makes room
// again (deletions and the metadata that orders them) and a restart have what they need.
#include <inttypes.h>

#include "base/err.h"
#include "env/clock.h"
#include "log/dir_internal.h"
#include "log/dir_state.h"

enum {
    LOOK_MS = 500,        // between looks at a full file system
    BUDGET_MS = 100,      // between looks at one with room, or
    BUDGET_SHARE = 8,     // after appending this part of what is left
    RESERVE_SHARE = 20,   // of all the reserve takes at most
    ECHO_MS = 5000,       // requests that followed a refused one may still come in
    RESUME_SHARE = 8,     // of the reserve must be left beyond it before appends go on
};

static const int64_t budget_bytes_max = INT64_C(64) << 20;

struct room {
    int64_t reserve_bytes;
    int64_t left_bytes; // beyond the reserve; not above 0: full
};

static struct room look(const struct log_dir *dir)
{
    struct fs_space space;
    struct room room = {.left_bytes = INT64_MAX};
    if (fs_space(dir->env->fs, dir->path, &space) < 0)
        return room; // writing will tell
    int64_t reserve_max = space.total_bytes / RESERVE_SHARE;
    room.reserve_bytes =
        dir->space.reserve_bytes < reserve_max ? dir->space.reserve_bytes : reserve_max;
    room.left_bytes = space.free_bytes - room.reserve_bytes;
    return room;
}

static void set_timer(struct log_dir *dir)
{
    env_timer_set(dir->env->timers, &dir->space.timer,
                  env_mono_ns(dir->env->clock) + LOOK_MS * INT64_C(1000000));
}

static void begin(struct log_dir *dir, struct room room, bool refused);

static void full_back(struct env_message *message)
{
    container_of(message, struct dir_link, full)->telling = false;
}

// Another part found no room, so there is none here.
static void full_came(struct env_message *message)
{
    struct dir_link *link = container_of(message, struct dir_link, full);
    struct log_dir *first = link->part->first;
    if (!first->space.full && !first->offline && !first->closed)
        begin(first, look(first), link->refused);
    link->full.receive = full_back;
    env_post(link->part->env->mailbox, &link->full);
}

static void tell_first(struct dir_link *link, bool refused)
{
    if (link->telling)
        return;
    link->telling = true;
    link->refused = refused;
    link->full.receive = full_came;
    env_post(link->part->first->env->mailbox, &link->full);
}

static void begin(struct log_dir *dir, struct room room, bool refused)
{
    struct dir_space *s = &dir->space;
    s->full = true;
    s->refused = refused;
    s->budget_bytes = 0;
    set_timer(dir);
    dir__discard_now(dir);
    if (dir->link != NULL)
        tell_first(dir->link, refused);
    if (s->said)
        return;
    s->said = true;
    if (dir->link != NULL)
        return;
    trace_warn(dir->trace, LOG_AREA,
               "log directory %s is full: %" PRId64 " bytes are free, and %" PRId64 " are kept "
               "for metadata and checkpoints%s. Producers are told to try again, and nothing is "
               "created; reading and deleting go on. As soon as there is room, so does the rest",
               dir->path, room.left_bytes + room.reserve_bytes, room.reserve_bytes,
               refused ? ", but the file system takes no more" : "");
}

static void end(struct log_dir *dir)
{
    dir->space.said = false;
    if (dir->link == NULL)
        trace_info(dir->trace, LOG_AREA, "log directory %s has room again", dir->path);
}

static void fire(struct env_timer *timer)
{
    struct log_dir *dir = container_of(timer, struct log_dir, space.timer);
    struct room room = look(dir);
    if (dir->offline)
        return;
    if (room.left_bytes <= room.reserve_bytes / RESUME_SHARE) {
        set_timer(dir);
        return;
    }
    dir->space.full = false;
    dir->space.full_until_ns = env_mono_ns(dir->env->clock);
    // What a quota refuses cannot be seen here: then the next append finds out.
    if (!dir->space.refused)
        end(dir);
}

void dir__space_init(struct log_dir *dir, int64_t reserve_bytes)
{
    dir->space.reserve_bytes = reserve_bytes;
    dir->space.timer.fire = fire;
}

void dir__space_release(struct log_dir *dir)
{
    env_timer_cancel(dir->env->timers, &dir->space.timer);
}

bool log_dir_is_full(const struct log_dir *dir)
{
    return dir->space.full;
}

bool log_dir__was_full(const struct log_dir *dir)
{
    return dir->space.full_until_ns > 0 &&
           env_mono_ns(dir->env->clock) - dir->space.full_until_ns < ECHO_MS * INT64_C(1000000);
}

bool log_dir__take_room(struct log_dir *dir, int64_t bytes)
{
    struct dir_space *s = &dir->space;
    if (s->reserve_bytes == 0)
        return true;
    if (s->full)
        return false;
    int64_t now_ns = env_mono_ns(dir->env->clock);
    if (bytes <= s->budget_bytes && now_ns < s->budget_until_ns) {
        s->budget_bytes -= bytes;
        return true;
    }
    struct room room = look(dir);
    if (room.left_bytes <= 0) {
        begin(dir, room, false);
        return false;
    }
    int64_t budget = room.left_bytes / BUDGET_SHARE;
    if (budget > budget_bytes_max)
        budget = budget_bytes_max;
    s->budget_bytes = budget > bytes ? budget - bytes : 0;
    s->budget_until_ns = now_ns + BUDGET_MS * INT64_C(1000000);
    return true;
}

void log_dir__note_room(struct log_dir *dir)
{
    if (dir->space.said && !dir->space.full)
        end(dir);
}

void log_dir__note_no_room(struct log_dir *dir)
{
    dir->space.full_until_ns = env_mono_ns(dir->env->clock);
    if (dir->space.reserve_bytes > 0 && !dir->space.full && !dir->offline)
        begin(dir, look(dir), true);
}
