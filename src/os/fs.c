// SPDX-License-Identifier: Apache-2.0
#include "os/fs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/check.h"
#include "base/err.h"
#include "base/list.h"
#include "base/mem.h"
#include "os/error.h"

enum {
    FILE_MAGIC = 0x6f736669,
    // How far apart is_cached looks. (cachestat(2) knows every page and takes three times as long.)
    PROBE_STEP_BYTES = 512 * 1024,
};

// One call moves at most this much: Linux stops at 2 GiB - 4096 anyway.
static const size_t io_bytes_max = (size_t)1 << 30;

struct os_file {
    struct fs_file file;
    unsigned magic;
    int fd;
};

static struct os_file *file_of(struct fs_file *file)
{
    struct os_file *f = container_of(file, struct os_file, file);
    check(f->magic == FILE_MAGIC);
    return f;
}

int os_file_descriptor(struct fs_file *file)
{
    return file_of(file)->fd;
}

static int64_t file_read(struct fs_file *file, void *out, size_t size, int64_t position)
{
    int fd = file_of(file)->fd;
    size_t done = 0;
    while (done < size) {
        size_t part = size - done < io_bytes_max ? size - done : io_bytes_max;
        ssize_t n = pread(fd, (char *)out + done, part, position + (int64_t)done);
        if (n == 0)
            break;
        if (n > 0)
            done += (size_t)n;
        else if (errno != EINTR)
            return os_error(errno);
    }
    return (int64_t)done;
}

static int64_t file_read_cached(struct fs_file *file, void *out, size_t size, int64_t position)
{
    int fd = file_of(file)->fd;
    size_t done = 0;
    while (done < size) {
        struct iovec piece = {.iov_base = (char *)out + done, .iov_len = size - done};
        ssize_t n = preadv2(fd, &piece, 1, position + (int64_t)done, RWF_NOWAIT);
        if (n < 0 && errno == EOPNOTSUPP)
            return file_read(file, out, size, position);
        if (n == 0)
            break;
        if (n > 0)
            done += (size_t)n;
        else if (errno != EINTR)
            return errno == EAGAIN ? ERR_AGAIN : os_error(errno);
    }
    return (int64_t)done;
}

static int file_write(struct fs_file *file, const void *data, size_t size, int64_t position)
{
    int fd = file_of(file)->fd;
    size_t done = 0;
    while (done < size) {
        size_t part = size - done < io_bytes_max ? size - done : io_bytes_max;
        ssize_t n = pwrite(fd, (const char *)data + done, part, position + (int64_t)done);
        if (n > 0)
            done += (size_t)n;
        else if (n == 0)
            return ERR_IO;
        else if (errno != EINTR)
            return os_error(errno);
    }
    return 0;
}

static int file_sync(struct fs_file *file)
{
    // Not repeated on EINTR or anything else: after a failure a second call proves nothing.
    return fdatasync(file_of(file)->fd) == 0 ? 0 : os_error(errno);
}

// True where syncfs() has the contract of fs_file_sync_all(). Linux tells of failed writes since 5.8.
// The file systems are those that are known to write all they hold and to tell: overlayfs keeps to
// itself what failed below it, FUSE and network file systems have a say of their own.
static bool has_sync_all(long type)
{
    static const long types[] = {0xEF53 /* ext4 */, 0x58465342 /* XFS */, 0x9123683E /* Btrfs */,
                                 0x01021994 /* tmpfs */};
    struct utsname name;
    int major, minor;
    if (uname(&name) != 0 || sscanf(name.release, "%d.%d", &major, &minor) != 2 || major < 5 ||
        (major == 5 && minor < 8))
        return false;
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (types[i] == type)
            return true;
    return false;
}

static int file_sync_all(struct fs_file *file)
{
    int fd = file_of(file)->fd;
    struct statfs st;
    if (fstatfs(fd, &st) != 0)
        return os_error(errno);
    if (!has_sync_all((long)st.f_type))
        return ERR_UNSUPPORTED;
    if (syncfs(fd) != 0)
        return os_error(errno);
    // XFS leaves bytes in the cache of the device when its own log has nothing to write; the sync of a
    // file empties that cache in any case.
    return fsync(fd) == 0 ? 0 : os_error(errno);
}

static int file_truncate(struct fs_file *file, int64_t size)
{
    int result;
    do
        result = ftruncate(file_of(file)->fd, size);
    while (result != 0 && errno == EINTR);
    return result == 0 ? 0 : os_error(errno);
}

static int64_t file_size(struct fs_file *file)
{
    struct stat st;
    return fstat(file_of(file)->fd, &st) == 0 ? (int64_t)st.st_size : os_error(errno);
}

static int file_lock(struct fs_file *file)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    if (fcntl(file_of(file)->fd, F_OFD_SETLK, &lock) == 0)
        return 0;
    return errno == EAGAIN || errno == EACCES ? ERR_BUSY : os_error(errno);
}

// Reads single bytes that the kernel must not wait for; at the end of the file there is no byte. Where
// that cannot be asked nothing is known, and nothing is done about it.
static bool probe_byte(int fd, int64_t position)
{
    char byte;
    struct iovec piece = {.iov_base = &byte, .iov_len = 1};
    return preadv2(fd, &piece, 1, position, RWF_NOWAIT) >= 0 || errno != EAGAIN;
}

static bool file_is_cached(struct fs_file *file, int64_t position, size_t size)
{
    struct os_file *f = file_of(file);
    if (size == 0)
        return true;
    for (size_t at = 0; at < size; at += PROBE_STEP_BYTES)
        if (!probe_byte(f->fd, position + (int64_t)at))
            return false;
    return probe_byte(f->fd, position + (int64_t)size - 1);
}

static void file_close(struct fs_file *file)
{
    struct os_file *f = file_of(file);
    // What close() may report was not promised durable by anybody: sync tells that.
    close(f->fd);
    f->magic = 0;
    mem_free(f);
}

static void file_drop_cached(struct fs_file *file, int64_t position, int64_t size)
{
    struct os_file *f = container_of(file, struct os_file, file);
    (void)posix_fadvise(f->fd, position, size, POSIX_FADV_DONTNEED); // a hint
}

// It must not count as a use of these pages, nor make the system read further ahead than it is told, as
// a read of them would.
static void file_prefetch(struct fs_file *file, int64_t position, size_t size)
{
    (void)posix_fadvise(file_of(file)->fd, position, (off_t)size, POSIX_FADV_WILLNEED);
}

static const struct fs_file_ops file_ops = {
    .read = file_read,
    .read_cached = file_read_cached,
    .write = file_write,
    .sync = file_sync,
    .sync_all = file_sync_all,
    .truncate = file_truncate,
    .size = file_size,
    .lock = file_lock,
    .is_cached = file_is_cached,
    .drop_cached = file_drop_cached,
    .prefetch = file_prefetch,
    .close = file_close,
};

static int open_flags(unsigned flags)
{
    // A FIFO in the way must not block the open; for regular files O_NONBLOCK means nothing.
    int result = O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
    if ((flags & FS_READ) != 0 && (flags & FS_WRITE) != 0)
        result |= O_RDWR;
    else
        result |= (flags & FS_WRITE) != 0 ? O_WRONLY : O_RDONLY;
    if ((flags & FS_CREATE) != 0)
        result |= O_CREAT;
    if ((flags & FS_EXCLUSIVE) != 0)
        result |= O_EXCL;
    if ((flags & FS_TRUNCATE) != 0)
        result |= O_TRUNC;
    return result;
}

static int open_path(const char *path, int flags)
{
    int fd;
    do
        fd = open(path, flags, 0644);
    while (fd < 0 && errno == EINTR);
    return fd >= 0 ? fd : os_error(errno);
}

static int dir_file_open(struct env_fs *env_fs, const char *path, unsigned flags,
                         struct fs_file **out)
{
    int fd = open_path(path, open_flags(flags));
    if (fd < 0)
        return fd;
    struct stat st;
    int result = 0;
    if (fstat(fd, &st) != 0)
        result = os_error(errno);
    else if (!S_ISREG(st.st_mode))
        result = ERR_INVALID;
    if (result != 0) {
        close(fd);
        return result;
    }
    struct os_file *f = mem_new(struct os_file);
    f->file.ops = &file_ops;
    f->magic = FILE_MAGIC;
    f->fd = fd;
    *out = &f->file;
    return 0;
}

static enum fs_kind kind_of_mode(mode_t mode)
{
    if (S_ISREG(mode))
        return FS_KIND_FILE;
    return S_ISDIR(mode) ? FS_KIND_DIR : FS_KIND_OTHER;
}

static int dir_stat(struct env_fs *fs, const char *path, struct fs_stat *out)
{
    struct stat st;
    if (stat(path, &st) != 0)
        return os_error(errno);
    *out = (struct fs_stat){
        .kind = kind_of_mode(st.st_mode),
        .size = (int64_t)st.st_size,
        .modified_ms = (int64_t)st.st_mtim.tv_sec * 1000 + st.st_mtim.tv_nsec / 1000000,
        .volume = (uint64_t)st.st_dev,
        .file_id = (uint64_t)st.st_ino,
        .changed_ns = (int64_t)st.st_ctim.tv_sec * 1000000000 + st.st_ctim.tv_nsec,
    };
    return 0;
}

// The kind of an entry; a link counts as what it leads to.
static enum fs_kind kind_of_entry(DIR *dir, const struct dirent *entry)
{
    if (entry->d_type == DT_REG)
        return FS_KIND_FILE;
    if (entry->d_type == DT_DIR)
        return FS_KIND_DIR;
    struct stat st;
    if (fstatat(dirfd(dir), entry->d_name, &st, 0) != 0)
        return FS_KIND_OTHER;
    return kind_of_mode(st.st_mode);
}

static int dir_list(struct env_fs *fs, const char *path, fs_list_fn each, void *context)
{
    DIR *dir = opendir(path);
    if (dir == NULL)
        return os_error(errno);
    int result = 0;
    while (result == 0) {
        errno = 0;
        const struct dirent *entry = readdir(dir);
        if (entry == NULL) {
            result = os_error(errno);
            break;
        }
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        result = each(context, entry->d_name, kind_of_entry(dir, entry));
    }
    closedir(dir);
    return result;
}

static int dir_make(struct env_fs *fs, const char *path)
{
    return mkdir(path, 0755) == 0 ? 0 : os_error(errno);
}

static int dir_rename(struct env_fs *fs, const char *from, const char *to)
{
    return rename(from, to) == 0 ? 0 : os_error(errno);
}

static int dir_remove(struct env_fs *fs, const char *path)
{
    return remove(path) == 0 ? 0 : os_error(errno);
}

static int dir_sync(struct env_fs *fs, const char *path)
{
    int fd = open_path(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return fd;
    int result = fsync(fd) == 0 ? 0 : os_error(errno);
    close(fd);
    return result;
}

static int dir_set_read_only(struct env_fs *fs, const char *path)
{
    return chmod(path, 0444) == 0 ? 0 : os_error(errno);
}

static int dir_space(struct env_fs *fs, const char *path, struct fs_space *out)
{
    struct statvfs st;
    struct statfs kind;
    if (statvfs(path, &st) != 0 || statfs(path, &kind) != 0)
        return os_error(errno);
    *out = (struct fs_space){
        .total_bytes = (int64_t)(st.f_blocks * st.f_frsize),
        .free_bytes = (int64_t)(st.f_bavail * st.f_frsize),
        .can_sync_all = has_sync_all((long)kind.f_type),
    };
    return 0;
}

void os_fs_init(struct os_fs *fs)
{
    *fs = (struct os_fs){
        .fs = {
            .open = dir_file_open,
            .stat = dir_stat,
            .list = dir_list,
            .make_dir = dir_make,
            .rename = dir_rename,
            .remove = dir_remove,
            .dir_sync = dir_sync,
            .set_read_only = dir_set_read_only,
            .space = dir_space,
        },
    };
}
