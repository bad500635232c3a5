// SPDX-License-Identifier: Apache-2.0
//
// A disk that fails, for LD_PRELOAD: calls on files below a directory end with EIO while a control file
// says so. It tells of each call that it made fail.
//
//   FAILING_IO_DIR      the directory, without a slash at the end
//   FAILING_IO_CONTROL  the control file: any of the words open, read, write, sync; "once" with them
//                       lets only the first call fail. No file: nothing fails.
//   FAILING_IO_REPORT   gets a line for each: the call and the path
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

// Past the functions below: they are the ones that are replaced.
static int real_open(const char *path, int flags, int mode)
{
    return (int)syscall(SYS_openat, AT_FDCWD, path, flags | O_CLOEXEC, mode);
}

static bool is_below(const char *path)
{
    const char *dir = getenv("FAILING_IO_DIR");
    size_t size = dir != NULL ? strlen(dir) : 0;
    return size > 0 && strncmp(path, dir, size) == 0 && (path[size] == '/' || path[size] == '\0');
}

static void report(const char *call, const char *path)
{
    const char *name = getenv("FAILING_IO_REPORT");
    char line[PATH_MAX + 32];
    int size = snprintf(line, sizeof line, "%s %s\n", call, path);
    int fd = name != NULL ? real_open(name, O_WRONLY | O_CREAT | O_APPEND, 0644) : -1;
    if (fd < 0)
        return;
    if (syscall(SYS_write, fd, line, (size_t)size) < 0)
        abort();
    close(fd);
}

static bool fails(const char *kind, const char *call, const char *path)
{
    const char *control = getenv("FAILING_IO_CONTROL");
    char words[64];
    if (control == NULL || !is_below(path))
        return false;
    int fd = real_open(control, O_RDONLY, 0);
    if (fd < 0)
        return false;
    long size = syscall(SYS_read, fd, words, sizeof words - 1);
    close(fd);
    words[size > 0 ? size : 0] = '\0';
    if (strstr(words, kind) == NULL)
        return false;
    // Who takes the file away is the one whose call fails.
    if (strstr(words, "once") != NULL && unlink(control) != 0)
        return false;
    report(call, path);
    errno = EIO;
    return true;
}

static bool fd_fails(const char *kind, const char *call, int fd)
{
    char link[64], path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t size = readlink(link, path, sizeof path - 1);
    if (size < 0)
        return false;
    path[size] = '\0';
    return fails(kind, call, path);
}

int open64(const char *path, int flags, ...)
{
    va_list args;
    va_start(args, flags);
    int mode = (flags & O_CREAT) != 0 ? va_arg(args, int) : 0;
    va_end(args);
    return fails("open", "open", path) ? -1 : REAL(open64)(path, flags, mode);
}

ssize_t pread64(int fd, void *out, size_t size, off64_t position)
{
    return fd_fails("read", "pread", fd) ? -1 : REAL(pread64)(fd, out, size, position);
}

ssize_t sendfile64(int out, int in, off64_t *position, size_t size)
{
    return fd_fails("read", "sendfile", in) ? -1 : REAL(sendfile64)(out, in, position, size);
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t position)
{
    return fd_fails("write", "pwrite", fd) ? -1 : REAL(pwrite64)(fd, data, size, position);
}

int ftruncate64(int fd, off64_t size)
{
    return fd_fails("write", "ftruncate", fd) ? -1 : REAL(ftruncate64)(fd, size);
}

int fsync(int fd)
{
    return fd_fails("sync", "fsync", fd) ? -1 : REAL(fsync)(fd);
}

int fdatasync(int fd)
{
    return fd_fails("sync", "fdatasync", fd) ? -1 : REAL(fdatasync)(fd);
}

int syncfs(int fd)
{
    return fd_fails("sync", "syncfs", fd) ? -1 : REAL(syncfs)(fd);
}
