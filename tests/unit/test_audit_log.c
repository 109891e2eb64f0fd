/* SPDX-License-Identifier: MIT
 * The log file: what it refuses, how it goes on, and that a failed write leaves nothing behind. */
#include "unit/report.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audit/chain.h"
#include "audit/log.h"
#include "audit/record_fields.h"
#include "audit/record_line.h"
#include "audit/told.h"

static char directory[] = "/tmp/egress-log-XXXXXX";
static char path[128], other[128];

static void put(const char *bytes)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(bytes, f);
    assert_int_equal(fclose(f), 0);
}

static void append_bytes(const char *bytes)
{
    FILE *f = fopen(path, "a");
    assert_non_null(f);
    fputs(bytes, f);
    assert_int_equal(fclose(f), 0);
}

static void slurp(struct buffer *b)
{
    char chunk[4096];
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    buffer_clear(b);
    for (size_t n; (n = fread(chunk, 1, sizeof(chunk), f)) > 0;)
        buffer_add(b, chunk, n);
    fclose(f);
}

static int open_log(struct log **log)
{
    struct error error = {0};
    const struct log_options o = {.path = path, .group = (gid_t)-1};
    *log = NULL;
    int r = log_open(&o, log, &error);
    assert_int_equal(r < 0, error.code != 0 && error.text[0] != '\0');
    if (r < 0)
        assert_non_null(strstr(error.text, path));
    return r;
}

static int add(struct log *log, enum record_event event)
{
    struct record r = {.event = event, .host = text_of("a.example")};
    return log_append(log, &r, NULL);
}

static void fresh(void)
{
    unlink(path);
    unlink(other);
}

/* Reads the file as a reader would: each line a record, numbered from 1, the chain whole. */
static uint64_t check_chain(size_t bad_lines)
{
    CLEANUP_BUFFER struct buffer b = {0};
    struct digest *d = digest_new();
    uint8_t hash[SHA256_LEN] = {0}, want[SHA256_LEN];
    uint64_t seq = 0;
    slurp(&b);
    for (size_t at = 0; at < b.len;) {
        struct line_parts parts;
        ptrdiff_t n = record_line_length(b.data + at, b.len - at);
        assert_true(n > 0);
        if (record_line_parse(b.data + at, (size_t)n - 1, &parts) < 0) {
            assert_true(bad_lines-- > 0);
        } else {
            assert_int_equal(parts.seq, ++seq);
            chain_hash(d, hash, b.data + at, parts.hashed, want);
            assert_memory_equal(want, parts.hash, sizeof(want));
            memcpy(hash, want, sizeof(hash));
        }
        at += (size_t)n;
    }
    assert_int_equal(bad_lines, 0);
    digest_free(d);
    return seq;
}

static void test_log_goes_on(void **state)
{
    (void)state;
    struct log *log;
    char head[LOG_HASH_HEX + 1], again[LOG_HASH_HEX + 1];
    struct stat st;
    fresh();
    assert_int_equal(open_log(&log), 0);
    assert_int_equal(log_head(log, head), 0);
    assert_string_equal(head, "");
    assert_string_equal(log_path(log), path);
    assert_int_equal(add(log, RECORD_START), 0);
    assert_int_equal(add(log, RECORD_CONNECT), 0);
    assert_int_equal(log_head(log, head), 2);
    log_close(log);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0640);
    assert_int_equal(open_log(&log), 0);
    assert_int_equal(log_head(log, again), 2);
    assert_string_equal(head, again);
    assert_int_equal(add(log, RECORD_START), 0);
    log_close(log);
    assert_int_equal(check_chain(0), 3);
    CLEANUP_BUFFER struct buffer b = {0};
    slurp(&b);
    char prev[100];
    snprintf(prev, sizeof(prev), "\"prev\":\"%s\"", head);
    assert_non_null(strstr(b.data, prev));
    assert_non_null(strstr(b.data, "\"prev\":\"00000000"));
}

static void test_log_refuses(void **state)
{
    (void)state;
    struct log *log, *second;
    fresh();
    assert_int_equal(open_log(&log), 0);
    assert_int_equal(open_log(&second), -EWOULDBLOCK);
    log_close(log);

    fresh();
    assert_int_equal(symlink(other, path), 0);
    assert_int_equal(open_log(&log), -ELOOP);
    fresh();
    put("");
    assert_int_equal(link(path, other), 0);
    assert_int_equal(open_log(&log), -EMLINK);
    fresh();
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(open_log(&log), -EINVAL);
    fresh();
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(open_log(&log), -EISDIR);
    assert_int_equal(rmdir(path), 0);

    static const char *const strangers[] = {
        "hello\n", "hello", "\n", "{}\n", "{\"ts\":1}\n", "[1,2,3]\n{\"a\":1}\n",
    };
    for (size_t i = 0; i < ARRAY_SIZE(strangers); i++) {
        CLEANUP_BUFFER struct buffer b = {0};
        put(strangers[i]);
        assert_int_equal(open_log(&log), -EBADMSG);
        slurp(&b);
        assert_string_equal(b.data, strangers[i]);
    }
}

/* Whatever part of the last record a crash left, the next run goes on behind the last whole one. */
static void test_log_torn(void **state)
{
    (void)state;
    CLEANUP_BUFFER struct buffer whole = {0};
    struct log *log;
    fresh();
    assert_int_equal(open_log(&log), 0);
    assert_int_equal(add(log, RECORD_START), 0);
    assert_int_equal(add(log, RECORD_CONNECT), 0);
    log_close(log);
    slurp(&whole);
    size_t first = (size_t)(strchr(whole.data, '\n') - whole.data) + 1;
    for (size_t len = 0; len <= whole.len; len++) {
        /* A record that lacks only its newline is whole. */
        uint64_t before = (uint64_t)(len >= first - 1) + (len >= whole.len - 1);
        bool torn = len && len != first - 1 && len != first && len < whole.len - 1;
        put(whole.data);
        assert_int_equal(truncate(path, (off_t)len), 0);
        assert_int_equal(open_log(&log), 0);
        char hash[LOG_HASH_HEX + 1];
        assert_int_equal(log_head(log, hash), before);
        assert_int_equal(add(log, RECORD_START), 0);
        log_close(log);
        assert_int_equal(check_chain(torn), before + 1);
    }
}

/* A crash between the newline that ends a torn line and the record behind it. */
static void test_log_torn_twice(void **state)
{
    (void)state;
    struct log *log;
    fresh();
    assert_int_equal(open_log(&log), 0);
    assert_int_equal(add(log, RECORD_START), 0);
    log_close(log);
    append_bytes("{\"ts\":\"2026-11\n{\"ts\"");
    assert_int_equal(open_log(&log), 0);
    assert_int_equal(add(log, RECORD_START), 0);
    /* Somebody else writes into it meanwhile: his bytes stay a line of their own. */
    append_bytes("{\"ts\":\"");
    assert_int_equal(add(log, RECORD_STOP), 0);
    log_close(log);
    assert_int_equal(check_chain(3), 3);
}

/* R06: the file can grow no more. Nothing of the record stays, and the next one fits again. */
static void test_log_full(void **state)
{
    (void)state;
    struct log *log;
    struct rlimit old, small;
    struct stat before, after;
    fresh();
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    assert_int_equal(open_log(&log), 0);
    assert_int_equal(add(log, RECORD_START), 0);
    assert_int_equal(stat(path, &before), 0);
    for (rlim_t room = 0; room < 60; room += 20) {
        small = old;
        small.rlim_cur = (rlim_t)before.st_size + room;
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
        int r = add(log, RECORD_CONNECT);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
        assert_int_equal(r, -EFBIG);
        assert_int_equal(stat(path, &after), 0);
        assert_int_equal(after.st_size, before.st_size);
    }
    assert_int_equal(add(log, RECORD_STOP), 0);
    log_close(log);
    assert_int_equal(check_chain(0), 2);
}

/* R06: moved away, the file still takes records; with its last name gone it takes none. */
static void test_log_moved(void **state)
{
    (void)state;
    struct log *log;
    fresh();
    assert_int_equal(open_log(&log), 0);
    assert_int_equal(add(log, RECORD_START), 0);
    assert_int_equal(rename(path, other), 0);
    assert_int_equal(add(log, RECORD_CONNECT), 0);
    assert_int_equal(unlink(other), 0);
    assert_int_equal(add(log, RECORD_CONNECT), -ENOENT);
    log_close(log);
    log_close(NULL);
}

static void test_log_big_record(void **state)
{
    (void)state;
    static const char *const args[] = {"x"};
    struct log *log;
    size_t len = RECORD_LINE_MAX;
    char *big = malloc(len + 1);
    assert_non_null(big);
    memset(big, '\x01', len);
    big[len] = '\0';
    struct process p = {.exe = big, .args = args, .n_args = 1};
    struct record r = {.event = RECORD_CONNECT};
    fresh();
    assert_int_equal(open_log(&log), 0);
    assert_int_equal(log_append(log, &r, &p), -EMSGSIZE);
    assert_int_equal(add(log, RECORD_START), 0);
    /* The longest that goes in is found again. */
    struct process q = {.exe = big + len - (RECORD_LINE_MAX - 300) / 6};
    assert_int_equal(log_append(log, &r, &q), 0);
    append_bytes("{\"ts\":\"2026");
    log_close(log);
    assert_int_equal(open_log(&log), 0);
    assert_int_equal(add(log, RECORD_STOP), 0);
    log_close(log);
    assert_int_equal(check_chain(1), 3);
    free(big);
}

static int put_one(struct log *log, enum record_event event)
{
    struct record r = {.event = event, .host = text_of("a.example")};
    return log_put(log, &r, NULL);
}

static off_t size_now(void)
{
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    return st.st_size;
}

/* Records that wait are one write, in one chain; what was written meanwhile by another is not
 * joined to them. */
static void test_log_group(void **state)
{
    (void)state;
    struct log *log;
    char head[LOG_HASH_HEX + 1];
    fresh();
    assert_int_equal(open_log(&log), 0);
    assert_int_equal(log_commit(log), 0);
    assert_int_equal(size_now(), 0);
    assert_int_equal(put_one(log, RECORD_START), 0);
    assert_int_equal(put_one(log, RECORD_CONNECT), 0);
    assert_true(log_waiting(log) > 0);
    assert_int_equal(size_now(), 0);
    assert_int_equal(log_head(log, head), 0); /* nothing is told of what is not written */
    append_bytes("{\"ts\":\"");
    assert_int_equal(log_commit(log), 0);
    assert_int_equal(log_waiting(log), 0);
    assert_int_equal(log_head(log, head), 2);
    assert_int_equal(check_chain(1), 2);
    assert_int_equal(put_one(log, RECORD_CLOSE), 0);
    assert_int_equal(add(log, RECORD_STOP), 0); /* takes along what waits */
    assert_int_equal(log_waiting(log), 0);
    log_close(log);
    assert_int_equal(check_chain(1), 4);
}

/* A record that cannot be put leaves those before and behind it whole. */
static void test_log_group_without_one(void **state)
{
    (void)state;
    struct log *log;
    char *big = malloc(RECORD_LINE_MAX);
    assert_non_null(big);
    memset(big, 'x', RECORD_LINE_MAX);
    struct record r = {.event = RECORD_CONNECT, .host = {big, RECORD_LINE_MAX}};
    fresh();
    assert_int_equal(open_log(&log), 0);
    assert_int_equal(put_one(log, RECORD_START), 0);
    assert_int_equal(log_put(log, &r, NULL), -EMSGSIZE);
    assert_int_equal(put_one(log, RECORD_STOP), 0);
    assert_int_equal(log_commit(log), 0);
    log_close(log);
    assert_int_equal(check_chain(0), 2);
    free(big);
}

/* R06: a group that does not fit as a whole is not there at all, and its numbers are given anew. */
static void test_log_group_full(void **state)
{
    (void)state;
    struct log *log;
    struct rlimit old, small;
    fresh();
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    assert_int_equal(open_log(&log), 0);
    assert_int_equal(add(log, RECORD_START), 0);
    const off_t before = size_now();
    for (rlim_t room = 0; room <= 300; room += 75) {
        assert_int_equal(put_one(log, RECORD_CONNECT), 0);
        assert_int_equal(put_one(log, RECORD_CONNECT), 0);
        assert_int_equal(put_one(log, RECORD_CLOSE), 0);
        assert_true(log_waiting(log) > 300);
        small = old;
        small.rlim_cur = (rlim_t)before + room;
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
        int r = log_commit(log);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
        assert_int_equal(r, -EFBIG);
        assert_int_equal(size_now(), before);
        assert_int_equal(log_waiting(log), 0);
    }
    assert_int_equal(put_one(log, RECORD_CONNECT), 0);
    assert_int_equal(add(log, RECORD_STOP), 0);
    log_close(log);
    assert_int_equal(check_chain(0), 3);
}

/* More processes than there are places, each of several records in turn: the lines say of each what
 * they would say without the store, and a record that was freed is not taken for its successor. */
static void test_log_tells_each(void **state)
{
    (void)state;
    enum { PROCESSES = 3 * TOLD_PLACES, HELD = 40 };
    static const char *const args[] = {"curl", "-H", "Authorization: Bearer x"};
    CLEANUP_BUFFER struct buffer want = {0};
    struct process *held[HELD] = {0};
    const size_t memory = process_memory();
    struct told *told = told_new(LOG_ARGS_REDACTED);
    assert_non_null(told);
    for (unsigned i = 0; i < PROCESSES; i++) {
        char exe[32];
        snprintf(exe, sizeof(exe), "/bin/%u", i);
        const struct process p = {.key = {.pid = i + 1},
                                  .exe = exe,
                                  .args = i % 2 ? args : NULL,
                                  .n_args = i % 2 ? 3 : 0};
        process_unref(held[i % HELD]);
        held[i % HELD] = process_copy(&p);
        for (unsigned k = 0; k < HELD; k += 7) {
            struct process *q = held[(i + k) % HELD];
            if (!q)
                continue;
            buffer_clear(&want);
            record_process_json(q, LOG_ARGS_REDACTED, &want);
            const struct buffer *said = told_of(told, q);
            assert_non_null(said);
            assert_string_equal(said->data, want.data);
        }
    }
    for (size_t i = 0; i < HELD; i++)
        process_unref(held[i]);
    told_free(told);
    told_free(NULL);
    assert_int_equal(process_memory(), memory);
}

/* What would take too much memory is not kept, nor is the process held for it. */
static void test_log_keeps_little(void **state)
{
    (void)state;
    char exe[TOLD_MAX + 1];
    memset(exe, 'x', sizeof(exe) - 1);
    exe[sizeof(exe) - 1] = '\0';
    const struct process p = {.exe = exe};
    struct process *big = process_copy(&p);
    struct told *told = told_new(LOG_ARGS_FULL);
    assert_null(told_of(told, big));
    assert_int_equal(big->count, 1);
    process_unref(big);
    told_free(told);
}

int main(void)
{
    static const struct unit_test tests[] = {
        REPORT("-", test_log_goes_on),
        REPORT("-", test_log_refuses),
        REPORT("-", test_log_torn),
        REPORT("-", test_log_torn_twice),
        REPORT("R06", test_log_full),
        REPORT("R06", test_log_moved),
        REPORT("-", test_log_big_record),
        REPORT("-", test_log_group),
        REPORT("-", test_log_group_without_one),
        REPORT("R06", test_log_group_full),
        REPORT("-", test_log_tells_each),
        REPORT("-", test_log_keeps_little),
    };
    if (!mkdtemp(directory))
        return 1;
    snprintf(path, sizeof(path), "%s/log.jsonl", directory);
    snprintf(other, sizeof(other), "%s/other", directory);
    int failed = unit_run(tests, ARRAY_SIZE(tests));
    fresh();
    rmdir(directory);
    return failed;
}
