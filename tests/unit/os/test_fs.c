// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/err.h"
#include "os/error.h"
#include "os/fs.h"
#include "temp_dir.h"

struct fixture {
    struct temp_dir dir;
    struct os_fs os;
    struct env_fs *fs;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    temp_dir_make(&f->dir);
    os_fs_init(&f->os);
    f->fs = &f->os.fs;
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    temp_dir_remove(&f->dir);
    free(f);
    return 0;
}

static struct fs_file *open_new(struct fixture *f, const char *name)
{
    struct fs_file *file = NULL;
    int result = fs_open(f->fs, temp_dir_file(&f->dir, name).text,
                         FS_READ | FS_WRITE | FS_CREATE | FS_EXCLUSIVE, &file);
    assert_int_equal(result, 0);
    return file;
}

static void test_read_and_write_at_positions(void **state)
{
    struct fixture *f = *state;
    struct fs_file *file = open_new(f, "a");
    char out[16];
    assert_int_equal(fs_file_write(file, "world", 5, 6), 0);
    assert_int_equal(fs_file_write(file, "hello ", 6, 0), 0);
    assert_int_equal(fs_file_size(file), 11);
    assert_int_equal(fs_file_read(file, out, sizeof out, 0), 11);
    assert_memory_equal(out, "hello world", 11);
    assert_int_equal(fs_file_read(file, out, 3, 4), 3);
    assert_memory_equal(out, "o w", 3);
    assert_int_equal(fs_file_read(file, out, 3, 11), 0);
    assert_int_equal(fs_file_read(file, out, 3, 100), 0);
    assert_int_equal(fs_file_write(file, NULL, 0, 0), 0);
    assert_int_equal(fs_file_sync(file), 0);
    fs_file_close(file);
}

static void test_truncate_cuts_and_extends(void **state)
{
    struct fixture *f = *state;
    struct fs_file *file = open_new(f, "a");
    char out[8];
    assert_int_equal(fs_file_write(file, "abcdef", 6, 0), 0);
    assert_int_equal(fs_file_truncate(file, 2), 0);
    assert_int_equal(fs_file_truncate(file, 4), 0);
    assert_int_equal(fs_file_read(file, out, sizeof out, 0), 4);
    assert_memory_equal(out, "ab\0\0", 4);
    fs_file_close(file);
}

static void test_open_flags_and_errors(void **state)
{
    struct fixture *f = *state;
    struct fs_file *file = (struct fs_file *)state;
    struct temp_path path = temp_dir_file(&f->dir, "a");
    struct temp_path inside = temp_dir_file(&f->dir, "a/b");
    assert_int_equal(fs_open(f->fs, path.text, FS_READ, &file), ERR_NOT_FOUND);
    assert_ptr_equal(file, state); // untouched
    fs_file_close(open_new(f, "a"));
    assert_int_equal(
        fs_open(f->fs, path.text, FS_WRITE | FS_CREATE | FS_EXCLUSIVE, &file), ERR_EXISTS);
    assert_int_equal(fs_open(f->fs, inside.text, FS_READ, &file), ERR_NOT_FOUND);
    assert_int_equal(fs_open(f->fs, f->dir.path, FS_READ, &file), ERR_INVALID);
    assert_int_equal(fs_open(f->fs, f->dir.path, FS_WRITE, &file), ERR_INVALID);

    assert_int_equal(fs_open(f->fs, path.text, FS_WRITE, &file), 0);
    assert_int_equal(fs_file_write(file, "abc", 3, 0), 0);
    char byte;
    assert_true(fs_file_read(file, &byte, 1, 0) < 0); // not opened for reading
    assert_int_equal(fcntl(os_file_descriptor(file), F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    fs_file_close(file);
    assert_int_equal(fs_open(f->fs, path.text, FS_READ | FS_WRITE | FS_TRUNCATE, &file), 0);
    assert_int_equal(fs_file_size(file), 0);
    fs_file_close(file);
}

static void test_a_fifo_is_refused_without_waiting(void **state)
{
    struct fixture *f = *state;
    struct fs_file *file;
    struct temp_path path = temp_dir_file(&f->dir, "fifo");
    assert_int_equal(mkfifo(path.text, 0600), 0);
    assert_int_equal(fs_open(f->fs, path.text, FS_READ, &file), ERR_INVALID);
}

static void test_full_device(void **state)
{
    struct fixture *f = *state;
    struct stat st;
    if (stat("/dev/full", &st) != 0)
        skip();
    // Only regular files open, so ask the mapping with a write to the device itself.
    int fd = open("/dev/full", O_WRONLY);
    assert_true(fd >= 0);
    struct fs_file *file = open_new(f, "a");
    int before = dup(os_file_descriptor(file));
    assert_true(dup2(fd, os_file_descriptor(file)) >= 0);
    assert_int_equal(fs_file_write(file, "x", 1, 0), ERR_NOSPC);
    fs_file_close(file);
    close(before);
    close(fd);
}

struct names {
    int files;
    int dirs;
    int others;
    int stop_after;
};

static int count_name(void *context, const char *name, enum fs_kind kind)
{
    struct names *n = context;
    n->files += kind == FS_KIND_FILE;
    n->dirs += kind == FS_KIND_DIR;
    n->others += kind == FS_KIND_OTHER;
    return n->stop_after > 0 && n->files + n->dirs >= n->stop_after ? 77 : 0;
}

static void test_directories(void **state)
{
    struct fixture *f = *state;
    struct temp_path sub = temp_dir_file(&f->dir, "sub");
    struct temp_path a = temp_dir_file(&f->dir, "a");
    struct temp_path b = temp_dir_file(&f->dir, "b");
    struct names names = {0};
    assert_int_equal(fs_make_dir(f->fs, sub.text), 0);
    assert_int_equal(fs_make_dir(f->fs, sub.text), ERR_EXISTS);
    fs_file_close(open_new(f, "a"));
    fs_file_close(open_new(f, "b"));
    assert_int_equal(symlink("nowhere", temp_dir_file(&f->dir, "dangling").text), 0);
    assert_int_equal(symlink(sub.text, temp_dir_file(&f->dir, "to-sub").text), 0);
    assert_int_equal(fs_list(f->fs, f->dir.path, count_name, &names), 0);
    assert_int_equal(names.files, 2);
    assert_int_equal(names.dirs, 2); // one by a link
    assert_int_equal(names.others, 1);
    names = (struct names){.stop_after = 1};
    assert_int_equal(fs_list(f->fs, f->dir.path, count_name, &names), 77);
    assert_int_equal(fs_list(f->fs, "/nowhere", count_name, &names), ERR_NOT_FOUND);

    assert_int_equal(fs_rename(f->fs, a.text, b.text), 0);
    struct fs_stat st;
    assert_int_equal(fs_stat(f->fs, a.text, &st), ERR_NOT_FOUND);
    assert_int_equal(fs_stat(f->fs, b.text, &st), 0);
    assert_int_equal(st.kind, FS_KIND_FILE);
    assert_true(st.modified_ms > INT64_C(1600000000000));
    assert_int_equal(fs_stat(f->fs, sub.text, &st), 0);
    assert_int_equal(st.kind, FS_KIND_DIR);
    uint64_t volume = st.volume;
    assert_int_equal(fs_stat(f->fs, f->dir.path, &st), 0);
    assert_int_equal(st.volume, volume);
    assert_int_equal(fs_stat(f->fs, "/proc", &st), 0);
    assert_int_not_equal(st.volume, volume);

    assert_int_equal(fs_remove(f->fs, f->dir.path), ERR_EXISTS); // not empty
    assert_int_equal(fs_remove(f->fs, b.text), 0);
    assert_int_equal(fs_remove(f->fs, b.text), ERR_NOT_FOUND);
    assert_int_equal(fs_dir_sync(f->fs, f->dir.path), 0);
    assert_int_equal(fs_dir_sync(f->fs, "/nowhere"), ERR_NOT_FOUND);
    assert_int_equal(fs_remove(f->fs, sub.text), 0);

    struct fs_space space;
    assert_int_equal(fs_space(f->fs, f->dir.path, &space), 0);
    assert_true(space.total_bytes > 0);
    assert_true(space.free_bytes <= space.total_bytes);
    struct fs_file *file = open_new(f, "c");
    assert_int_equal(fs_file_write(file, "x", 1, 0), 0);
    assert_int_equal(fs_file_sync_all(file), space.can_sync_all ? 0 : ERR_UNSUPPORTED);
    fs_file_close(file);
}

static void test_set_read_only(void **state)
{
    struct fixture *f = *state;
    struct temp_path path = temp_dir_file(&f->dir, "a");
    struct stat st;
    fs_file_close(open_new(f, "a"));
    assert_int_equal(fs_set_read_only(f->fs, path.text), 0);
    assert_int_equal(stat(path.text, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0444);
}

// Two descriptors of one process exclude each other too, unlike with POSIX locks.
static void test_lock_excludes_another_descriptor(void **state)
{
    struct fixture *f = *state;
    struct fs_file *first = open_new(f, ".lock");
    struct fs_file *second = NULL;
    assert_int_equal(
        fs_open(f->fs, temp_dir_file(&f->dir, ".lock").text, FS_READ | FS_WRITE, &second), 0);
    assert_int_equal(fs_file_lock(first), 0);
    assert_int_equal(fs_file_lock(second), ERR_BUSY);
    fs_file_close(first);
    assert_int_equal(fs_file_lock(second), 0);
    fs_file_close(second);
}

// Apache Kafka takes a POSIX lock on the same file.
static void test_lock_excludes_a_posix_lock_of_another_process(void **state)
{
    struct fixture *f = *state;
    struct fs_file *file = open_new(f, ".lock");
    assert_int_equal(fs_file_lock(file), 0);
    pid_t pid = fork();
    if (pid == 0) {
        struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
        int fd = open(temp_dir_file(&f->dir, ".lock").text, O_RDWR);
        _exit(fcntl(fd, F_SETLK, &lock) == 0 ? 1 : 0);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    fs_file_close(file);
}

// A read-only file system is mostly one that has failed: whoever wrote to it must hear that.
static void test_a_read_only_file_system_has_failed(void **state)
{
    assert_int_equal(os_error(EROFS), ERR_IO);
    assert_int_equal(os_error(EACCES), ERR_REFUSED);
}

static void test_is_cached(void **state)
{
    struct fixture *f = *state;
    struct fs_file *file = open_new(f, "a");
    static char data[300000];
    memset(data, 'x', sizeof data);
    assert_int_equal(fs_file_write(file, data, sizeof data, 0), 0);
    assert_true(fs_file_is_cached(file, 0, sizeof data));
    assert_true(fs_file_is_cached(file, 12345, 1));
    assert_true(fs_file_is_cached(file, 0, 0));
    assert_int_equal(fs_file_read_cached(file, data, sizeof data, 0), sizeof data);
    assert_int_equal(fs_file_read_cached(file, data, 10, sizeof data - 4), 4);
    assert_int_equal(fs_file_read_cached(file, data, 10, sizeof data), 0);
    // Thrown out of the cache it is not: only where the file system is not memory itself.
    assert_int_equal(fs_file_sync(file), 0);
    if (posix_fadvise(os_file_descriptor(file), 0, 0, POSIX_FADV_DONTNEED) == 0 &&
        !fs_file_is_cached(file, 0, sizeof data)) {
        fs_file_prefetch(file, 0, 128 * 1024);
        assert_int_equal(fs_file_read(file, data, 1, 128 * 1024 - 1), 1);
        assert_true(fs_file_is_cached(file, 0, 128 * 1024));
        if (posix_fadvise(os_file_descriptor(file), 0, 0, POSIX_FADV_DONTNEED) == 0)
            assert_int_equal(fs_file_read_cached(file, data, sizeof data, 0), ERR_AGAIN);
        assert_int_equal(fs_file_read(file, data, sizeof data, 0), sizeof data);
        assert_true(fs_file_is_cached(file, 0, sizeof data));
    }
    fs_file_close(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_read_and_write_at_positions, setup, teardown),
        cmocka_unit_test_setup_teardown(test_truncate_cuts_and_extends, setup, teardown),
        cmocka_unit_test_setup_teardown(test_open_flags_and_errors, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_fifo_is_refused_without_waiting, setup, teardown),
        cmocka_unit_test_setup_teardown(test_full_device, setup, teardown),
        cmocka_unit_test_setup_teardown(test_directories, setup, teardown),
        cmocka_unit_test_setup_teardown(test_set_read_only, setup, teardown),
        cmocka_unit_test_setup_teardown(test_lock_excludes_another_descriptor, setup, teardown),
        cmocka_unit_test_setup_teardown(test_lock_excludes_a_posix_lock_of_another_process, setup,
                                        teardown),
        cmocka_unit_test(test_a_read_only_file_system_has_failed),
        cmocka_unit_test_setup_teardown(test_is_cached, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
