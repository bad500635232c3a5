// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "base/err.h"
#include "env/env.h"
#include "env/fs.h"
#include "env/net.h"
#include "os/loop.h"
#include "temp_dir.h"

enum { ACCEPTED_MAX = 16 };

struct fixture {
    struct os_loop *loop;
    struct env *env;
    struct net_listener *listener;
    struct net_conn *accepted[ACCEPTED_MAX];
    int refused_count;
    int accepted_count;
    // What the callback `note` saw of the first connection.
    unsigned events;
    int call_count;
};

static void on_accept(struct net_listener *listener, struct net_conn *conn)
{
    struct fixture *f = listener->user;
    f->accepted[f->accepted_count++] = conn;
    conn->user = f;
}

static void note(struct net_conn *conn, unsigned events)
{
    struct fixture *f = conn->user;
    f->events |= events;
    f->call_count++;
    net_want(conn, 0); // once
}

static void listen_on(struct fixture *f, const char *host)
{
    struct diag diag = {{0}};
    int result = net_listen(f->env->net, host, 0, &f->listener, &diag);
    assert_string_equal(diag.text, "");
    assert_int_equal(result, 0);
    assert_true(f->listener->local.port != 0);
    f->listener->accept = on_accept;
    f->listener->user = f;
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    assert_int_equal(os_loop_new(NULL, &f->loop, NULL), 0);
    f->env = os_loop_env(f->loop);
    listen_on(f, "127.0.0.1");
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < f->accepted_count; i++)
        if (f->accepted[i] != NULL)
            net_close(f->accepted[i]);
    if (f->listener != NULL)
        net_listener_close(f->listener);
    os_loop_free(f->loop);
    free(f);
    return 0;
}

// A blocking socket of the test's own.
static int dial(const struct fixture *f, int receive_buffer)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(f->listener->local.port)};
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (receive_buffer > 0)
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
    assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof a), 0);
    return fd;
}

static struct net_conn *accept_one(struct fixture *f)
{
    int before = f->accepted_count;
    while (f->accepted_count == before)
        os_loop_step(f->loop, true);
    struct net_conn *conn = f->accepted[before];
    conn->ready = note;
    f->events = 0;
    f->call_count = 0;
    return conn;
}

static void wait_call(struct fixture *f, struct net_conn *conn, unsigned want)
{
    int before = f->call_count;
    f->events = 0;
    net_want(conn, want);
    while (f->call_count == before)
        os_loop_step(f->loop, true);
}

static void test_read_until_the_end(void **state)
{
    struct fixture *f = *state;
    int fd = dial(f, 0);
    struct net_conn *conn = accept_one(f);
    char out[8];
    assert_string_equal(conn->remote.host, "127.0.0.1");
    assert_string_equal(conn->local.host, "127.0.0.1");
    assert_int_equal(conn->local.port, f->listener->local.port);
    assert_int_equal(net_read(conn, out, sizeof out), ERR_AGAIN);

    assert_int_equal(send(fd, "hello world!", 12, 0), 12);
    wait_call(f, conn, NET_READABLE);
    assert_int_equal(f->events, NET_READABLE);
    assert_int_equal(net_read(conn, out, sizeof out), 8);
    wait_call(f, conn, NET_READABLE); // what is left is told without a new event of the kernel
    assert_int_equal(net_read(conn, out, sizeof out), 4);
    assert_int_equal(net_read(conn, out, sizeof out), ERR_AGAIN);

    // The last bytes and the end come together; a short read must not hide the end.
    assert_int_equal(send(fd, "bye", 3, 0), 3);
    shutdown(fd, SHUT_WR);
    wait_call(f, conn, NET_READABLE);
    assert_int_equal(net_read(conn, out, sizeof out), 3);
    wait_call(f, conn, NET_READABLE);
    assert_int_equal(net_read(conn, out, sizeof out), ERR_CLOSED);
    close(fd);
}

static void test_only_wanted_events_are_told(void **state)
{
    struct fixture *f = *state;
    int fd = dial(f, 0);
    struct net_conn *conn = accept_one(f);
    assert_int_equal(send(fd, "x", 1, 0), 1);
    for (int i = 0; i < 5; i++)
        os_loop_step(f->loop, false);
    assert_int_equal(f->call_count, 0);
    wait_call(f, conn, NET_WRITABLE);
    assert_int_equal(f->events, NET_WRITABLE);
    wait_call(f, conn, NET_READABLE | NET_WRITABLE);
    assert_int_equal(f->events, NET_READABLE | NET_WRITABLE);
    assert_false(os_loop_step(f->loop, false)); // and then nothing is left to do
    close(fd);
}

static void test_reset_is_told_to_who_wants_nothing(void **state)
{
    struct fixture *f = *state;
    int fd = dial(f, 0);
    struct net_conn *conn = accept_one(f);
    struct linger reset = {.l_onoff = 1};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    close(fd);
    while (f->call_count == 0)
        os_loop_step(f->loop, true);
    assert_true((f->events & NET_FAILED) != 0);
    char out[4];
    assert_int_equal(net_read(conn, out, sizeof out), ERR_CLOSED);
    struct net_slice slice = {.data = (const uint8_t *)"x", .size = 1};
    assert_int_equal(net_write(conn, &slice, 1), ERR_CLOSED);
    os_loop_step(f->loop, false);
    assert_int_equal(f->call_count, 1); // once
}

static struct fs_file *make_file(struct fixture *f, const struct temp_dir *dir, size_t size)
{
    struct fs_file *file = NULL;
    uint8_t *data = malloc(size);
    for (size_t i = 0; i < size; i++)
        data[i] = (uint8_t)(i * 7 + i / 251);
    assert_int_equal(fs_open(f->env->fs, temp_dir_file(dir, "file").text,
                             FS_READ | FS_WRITE | FS_CREATE, &file), 0);
    assert_int_equal(fs_file_write(file, data, size, 0), 0);
    free(data);
    return file;
}

enum { FILE_BYTES = 600000 };

// Sends slices (memory, small and large file ranges) to a slow peer and compares what arrives.
static void test_write_memory_and_file_ranges(void **state)
{
    struct fixture *f = *state;
    struct temp_dir dir;
    temp_dir_make(&dir);
    struct fs_file *file = make_file(f, &dir, FILE_BYTES);
    struct net_slice slices[] = {
        {.data = (const uint8_t *)"head", .size = 4},
        {.file = file, .position = 10, .size = 100},
        {.data = (const uint8_t *)"", .size = 0},
        {.file = file, .position = 5000, .size = 16000},
        {.data = (const uint8_t *)"middle", .size = 6},
        {.file = file, .position = 0, .size = FILE_BYTES},
        {.data = (const uint8_t *)"tail", .size = 4},
    };
    enum { COUNT = sizeof slices / sizeof slices[0] };
    size_t total = 0;
    for (int i = 0; i < COUNT; i++)
        total += slices[i].size;
    uint8_t *expected = malloc(total), *got = malloc(total + 1);
    size_t at = 0;
    for (int i = 0; i < COUNT; i++) {
        if (slices[i].file != NULL)
            fs_file_read(file, expected + at, slices[i].size, slices[i].position);
        else
            memcpy(expected + at, slices[i].data, slices[i].size);
        at += slices[i].size;
    }

    int fd = dial(f, 4096);
    struct net_conn *conn = accept_one(f);
    size_t received = 0, sent = 0;
    int first = 0;
    bool was_full = false;
    while (received < total) {
        int64_t n = first < COUNT ? net_write(conn, slices + first, COUNT - first) : ERR_AGAIN;
        was_full |= first < COUNT && n == ERR_AGAIN;
        assert_true(n > 0 || n == ERR_AGAIN);
        sent += n > 0 ? (size_t)n : 0;
        for (int64_t left = n > 0 ? n : 0; first < COUNT;) {
            struct net_slice *s = &slices[first];
            size_t part = (size_t)left < s->size ? (size_t)left : s->size;
            s->position += (int64_t)part;
            s->data += s->file == NULL ? part : 0;
            s->size -= part;
            left -= (int64_t)part;
            if (s->size > 0)
                break;
            first++;
        }
        if (sent > received) {
            ssize_t m = recv(fd, got + received, total + 1 - received, 0);
            assert_true(m > 0);
            received += (size_t)m;
        }
        os_loop_step(f->loop, false);
    }
    assert_true(was_full);
    assert_int_equal(sent, total);
    assert_memory_equal(got, expected, total);
    free(expected);
    free(got);
    close(fd);
    fs_file_close(file);
    temp_dir_remove(&dir);
}

static void test_range_past_the_end_of_its_file(void **state)
{
    struct fixture *f = *state;
    struct temp_dir dir;
    temp_dir_make(&dir);
    struct fs_file *file = make_file(f, &dir, 100);
    int fd = dial(f, 0);
    struct net_conn *conn = accept_one(f);
    struct net_slice small = {.file = file, .position = 50, .size = 51};
    struct net_slice large = {.file = file, .position = 100, .size = 50000};
    struct net_slice both[] = {{.data = (const uint8_t *)"abc", .size = 3}, small};
    wait_call(f, conn, NET_WRITABLE);
    assert_int_equal(net_write(conn, &small, 1), ERR_TRUNCATED);
    assert_int_equal(net_write(conn, &large, 1), ERR_TRUNCATED);
    assert_int_equal(net_write(conn, both, 2), 3); // what can be sent is
    close(fd);
    fs_file_close(file);
    temp_dir_remove(&dir);
}

static void close_from_callback(struct net_conn *conn, unsigned events)
{
    struct fixture *f = conn->user;
    f->call_count++;
    for (int i = 0; i < f->accepted_count; i++) { // itself and those of the same batch
        if (f->accepted[i] != NULL)
            net_close(f->accepted[i]);
        f->accepted[i] = NULL;
    }
}

static void test_close_from_a_callback(void **state)
{
    struct fixture *f = *state;
    int fds[3];
    for (int i = 0; i < 3; i++) {
        fds[i] = dial(f, 0);
        accept_one(f);
    }
    for (int i = 0; i < 3; i++) {
        f->accepted[i]->ready = close_from_callback;
        net_want(f->accepted[i], NET_READABLE);
        assert_int_equal(send(fds[i], "x", 1, 0), 1);
    }
    while (f->call_count == 0)
        os_loop_step(f->loop, true);
    for (int i = 0; i < 5; i++)
        os_loop_step(f->loop, false);
    assert_int_equal(f->call_count, 1);
    for (int i = 0; i < 3; i++)
        close(fds[i]);
}

static void test_connect(void **state)
{
    struct fixture *f = *state;
    struct net_conn *client = NULL;
    struct diag diag = {{0}};
    char out[4];
    assert_int_equal(
        net_connect(f->env->net, "127.0.0.1", f->listener->local.port, &client, &diag), 0);
    client->user = f;
    client->ready = note;
    wait_call(f, client, NET_WRITABLE);
    assert_int_equal(f->events, NET_WRITABLE);
    assert_string_equal(client->remote.host, "127.0.0.1");
    assert_int_equal(client->remote.port, f->listener->local.port);
    assert_true(client->local.port != 0);
    struct net_slice slice = {.data = (const uint8_t *)"ping", .size = 4};
    assert_int_equal(net_write(client, &slice, 1), 4);
    while (f->accepted_count == 0)
        os_loop_step(f->loop, true);
    f->accepted[0]->ready = note;
    wait_call(f, f->accepted[0], NET_READABLE);
    assert_int_equal(net_read(f->accepted[0], out, 4), 4);
    assert_memory_equal(out, "ping", 4);
    net_close(client);
}

// A port where nobody listens: at once or through the connection, but with the reason.
static void test_connect_refused(void **state)
{
    struct fixture *f = *state;
    uint16_t port = f->listener->local.port;
    net_listener_close(f->listener);
    f->listener = NULL;
    struct net_conn *client = NULL;
    struct diag diag = {{0}};
    int result = net_connect(f->env->net, "127.0.0.1", port, &client, &diag);
    if (result == 0) {
        char byte;
        client->user = f;
        client->ready = note;
        while (f->call_count == 0)
            os_loop_step(f->loop, true);
        assert_true((f->events & NET_FAILED) != 0);
        result = (int)net_read(client, &byte, 1);
        net_close(client);
    } else {
        assert_non_null(strstr(diag.text, "cannot connect to 127.0.0.1 port "));
    }
    assert_int_equal(result, ERR_REFUSED);
}

static void test_unknown_host(void **state)
{
    struct fixture *f = *state;
    struct net_conn *client = NULL;
    struct net_listener *listener = NULL;
    struct diag diag = {{0}};
    assert_int_equal(net_connect(f->env->net, "no such host", 1, &client, &diag), ERR_NOT_FOUND);
    assert_non_null(strstr(diag.text, "\"no such host\" cannot be resolved"));
    assert_int_equal(net_listen(f->env->net, "no such host", 1, &listener, &diag), ERR_NOT_FOUND);
}

// The test listens itself, so the message must name this very process.
static void test_port_in_use_names_its_owner(void **state)
{
    struct fixture *f = *state;
    struct net_listener *second = NULL;
    struct diag diag;
    char expected[64];
    assert_int_equal(
        net_listen(f->env->net, "127.0.0.1", f->listener->local.port, &second, &diag), ERR_BUSY);
    snprintf(expected, sizeof expected, "port %u on 127.0.0.1 is in use by process %d (",
             (unsigned)f->listener->local.port, (int)getpid());
    assert_non_null(strstr(diag.text, expected));
}

static void test_foreign_address(void **state)
{
    struct fixture *f = *state;
    struct net_listener *second = NULL;
    struct diag diag;
    assert_int_equal(net_listen(f->env->net, "192.0.2.1", 0, &second, &diag), ERR_INVALID);
    assert_non_null(strstr(diag.text, "has the address 192.0.2.1"));
}

static void test_all_addresses(void **state)
{
    struct fixture *f = *state;
    net_listener_close(f->listener);
    listen_on(f, "");
    int fd = dial(f, 0);
    struct net_conn *conn = accept_one(f);
    assert_string_equal(conn->local.host, "127.0.0.1"); // not ::ffff:127.0.0.1, not ::
    assert_string_equal(conn->remote.host, "127.0.0.1");
    close(fd);
    struct net_conn *client = NULL;
    if (strcmp(f->listener->local.host, "::") == 0 &&
        net_connect(f->env->net, "::1", f->listener->local.port, &client, NULL) == 0) {
        client->user = f;
        client->ready = note;
        conn = accept_one(f);
        assert_string_equal(conn->local.host, "::1");
        net_close(client);
    }
}

static void test_a_paused_listener_accepts_later(void **state)
{
    struct fixture *f = *state;
    f->listener->pause(f->listener, true);
    int fd = dial(f, 0); // the backlog takes it
    for (int i = 0; i < 5; i++)
        os_loop_step(f->loop, false);
    assert_int_equal(f->accepted_count, 0);
    f->listener->pause(f->listener, false);
    accept_one(f);
    close(fd);
}

// What the options ask for, every connection has from its first moment; the system doubles it.
static void test_socket_buffers(void **state)
{
    const struct os_loop_options options = {.socket_send_buffer_bytes = 40000,
                                            .socket_receive_buffer_bytes = 50000};
    struct fixture f = {0};
    assert_int_equal(os_loop_new(&options, &f.loop, NULL), 0);
    f.env = os_loop_env(f.loop);
    listen_on(&f, "127.0.0.1");
    int mine = dial(&f, 0);
    struct net_conn *conn = accept_one(&f);
    int found = 0;
    for (int fd = 3; fd < 64; fd++) {
        struct sockaddr_in a = {0};
        socklen_t size = sizeof a;
        int send_bytes = 0, receive_bytes = 0;
        if (fd == mine || getpeername(fd, (struct sockaddr *)&a, &size) != 0)
            continue;
        socklen_t value_size = sizeof send_bytes;
        getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &send_bytes, &value_size);
        getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_bytes, &value_size);
        assert_int_equal(send_bytes, 2 * 40000);
        assert_int_equal(receive_bytes, 2 * 50000);
        found++;
    }
    assert_int_equal(found, 1);
    net_close(conn);
    net_listener_close(f.listener);
    close(mine);
    os_loop_free(f.loop);
}

// With no descriptor left the loop must not spin, and must accept when there is one again.
static void test_out_of_descriptors(void **state)
{
    struct fixture *f = *state;
    int fd = dial(f, 0);
    int probe = dup(fd);
    close(probe);
    struct rlimit before, low;
    getrlimit(RLIMIT_NOFILE, &before);
    low = (struct rlimit){.rlim_cur = (rlim_t)probe, .rlim_max = before.rlim_max};
    setrlimit(RLIMIT_NOFILE, &low);
    os_loop_step(f->loop, false);
    assert_int_equal(f->accepted_count, 0);
    assert_false(os_loop_step(f->loop, false)); // it sleeps meanwhile
    setrlimit(RLIMIT_NOFILE, &before);
    accept_one(f);
    close(fd);
}

static void count_refused(struct net_listener *listener, int count)
{
    struct fixture *f = listener->user;
    f->refused_count += count;
}

// Connections leave some descriptors to files.
static void test_connections_do_not_take_the_last_descriptors(void **state)
{
    struct fixture *f = *state;
    struct rlimit before, low;
    net_listener_close(f->listener);
    int probe = dup(0);
    close(probe);
    getrlimit(RLIMIT_NOFILE, &before);
    low = (struct rlimit){.rlim_cur = (rlim_t)probe + 3, .rlim_max = before.rlim_max};
    setrlimit(RLIMIT_NOFILE, &low);
    listen_on(f, "127.0.0.1");
    f->listener->refused = count_refused;
    int fd = dial(f, 0);
    os_loop_step(f->loop, false);
    setrlimit(RLIMIT_NOFILE, &before);
    assert_int_equal(f->accepted_count, 0);
    assert_int_equal(f->refused_count, 1);
    char byte;
    assert_int_equal(recv(fd, &byte, 1, 0), 0); // closed, and not left to wait
    close(fd);
}

static void on_accept_detach(struct net_listener *listener, struct net_conn *conn)
{
    on_accept(listener, conn);
    net_detach(conn);
}

// Accepted by one loop, served by another; what was sent meanwhile is told there.
static void test_a_connection_moves_to_another_loop(void **state)
{
    struct fixture *f = *state;
    struct os_loop *other;
    char out[8];
    assert_int_equal(os_loop_new(NULL, &other, NULL), 0);
    f->listener->accept = on_accept_detach;
    for (int early = 0; early < 2; early++) {
        int fd = dial(f, 0);
        struct net_conn *conn = accept_one(f);
        if (early)
            assert_int_equal(send(fd, "hello", 5, 0), 5);
        os_loop_step(f->loop, false); // nothing of it concerns this loop any more
        assert_int_equal(f->call_count, 0);
        assert_int_equal(net_attach(os_loop_env(other)->net, conn), 0);
        net_want(conn, NET_READABLE);
        if (!early)
            assert_int_equal(send(fd, "hello", 5, 0), 5);
        while (f->call_count == 0)
            os_loop_step(other, true);
        assert_int_equal(f->events, NET_READABLE);
        assert_int_equal(net_read(conn, out, sizeof out), 5);
        assert_string_equal(conn->remote.host, "127.0.0.1");
        struct net_slice slice = {.data = (const uint8_t *)"world", .size = 5};
        assert_int_equal(net_write(conn, &slice, 1), 5);
        assert_int_equal(recv(fd, out, sizeof out, 0), 5);
        net_close(conn);
        f->accepted[f->accepted_count - 1] = NULL;
        assert_int_equal(recv(fd, out, sizeof out, 0), 0);
        close(fd);
    }
    os_loop_free(other);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_read_until_the_end),
        TEST(test_only_wanted_events_are_told),
        TEST(test_reset_is_told_to_who_wants_nothing),
        TEST(test_write_memory_and_file_ranges),
        TEST(test_range_past_the_end_of_its_file),
        TEST(test_close_from_a_callback),
        TEST(test_connect),
        TEST(test_connect_refused),
        TEST(test_unknown_host),
        TEST(test_port_in_use_names_its_owner),
        TEST(test_foreign_address),
        TEST(test_all_addresses),
        TEST(test_a_paused_listener_accepts_later),
        TEST(test_a_connection_moves_to_another_loop),
        cmocka_unit_test(test_socket_buffers),
        TEST(test_out_of_descriptors),
        TEST(test_connections_do_not_take_the_last_descriptors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
