/* SPDX-License-Identifier: MIT
 * What a record of the log costs on its way: packed by the proxy, read by the keeper, made a line,
 * chained, written to a file. Processor time of this process for each record, the median of many
 * batches; figures, never a verdict about them.
 *
 *     bench_record [--json] [--quick]       the file is made, and removed, in TMPDIR (/tmp) */
#include <signal.h>
#include <unistd.h>

#include "attribution/process.h"
#include "audit/chain.h"
#include "audit/log.h"
#include "audit/told.h"
#include "bench/figures.h"

enum { BATCH = 256, BATCHES = 60, BATCHES_QUICK = 8, PROCESSES = 16, GROUP = 32 };

struct bench {
    struct process *processes[PROCESSES];
    struct record records[BATCH];
    struct buffer packed[BATCH], lines[BATCH];
    struct told *told;
    struct log *log;
    struct digest *digest;
    uint8_t hash[SHA256_LEN];
};

static char directory[4096], path[4096 + 8];

static void remove_files(void)
{
    unlink(path);
    rmdir(directory);
}

static void on_signal(int number)
{
    remove_files();
    _exit(128 + number);
}

static void give_up(const char *what)
{
    fprintf(stderr, "bench_record: %s\n", what);
    exit(1);
}

/* A package manager's, below a shell and a runner. */
static struct process *make_process(unsigned i)
{
    char job[32];
    snprintf(job, sizeof job, "--cache=/tmp/cache-%u", i);
    const char *const args[] = {"node", "/usr/bin/npm", "install", "--no-audit", job, "left-pad"};
    const struct process_ancestor ancestors[] = {{.pid = 4200, .exe = "/usr/bin/bash"},
                                                 {.pid = 4100, .exe = "/opt/runner/bin/worker"},
                                                 {.pid = 1, .exe = "/usr/lib/systemd/systemd"}};
    const struct process p = {
        .key = {.pid = 4300 + i, .exec_id = 1, .start_ns = 1000000 + i},
        .known = FACT_EXE | FACT_ARGS | FACT_PARENTS | FACT_USER | FACT_CGROUP,
        .uid = 1000,
        .exe = "/usr/bin/node",
        .cwd = "/home/runner/work/project",
        .user = "runner",
        .cgroup = "/system.slice/runner.service/egress-1234",
        .args = args,
        .n_args = ARRAY_SIZE(args),
        .args_total = 96,
        .ancestors = ancestors,
        .n_ancestors = ARRAY_SIZE(ancestors),
    };
    return process_copy(&p);
}

/* Of each connection one at its beginning, one at its end. */
static struct record make_record(const struct bench *b, unsigned i)
{
    struct record r = {
        .ts_us = UINT64_C(1700000000000000) + i,
        .event = RECORD_CONNECT,
        .type = RECORD_HTTPS,
        .conn = 1 + i / 2,
        .policy = RECORD_POLICY_ALLOW,
        .outcome = RECORD_ALLOWED,
        .file = text_of("/etc/egress-filter/policy.rules"),
        .rule = text_of("registry.example passthrough exe=/usr/bin/node"),
        .line = 12,
        .has_src = true,
        .has_dst = true,
        .src_ip = 0x0a630102,
        .dst_ip = 0x5db8d822,
        .dialed_ip = 0x5db8d822,
        .src_port = (uint16_t)(20000 + i),
        .dst_port = 443,
        .proto = text_of("tcp"),
        .host = text_of("registry.example"),
        .name_from = RECORD_NAME_SNI,
        .has_opened = true,
        .passthrough = true,
        .process = b->processes[i / 2 % PROCESSES]->key,
    };
    if (i % 2) {
        r.event = RECORD_CLOSE;
        r.has_totals = true;
        r.bytes_up = 812;
        r.bytes_down = 48211;
        r.duration_ms = 131;
    }
    return r;
}

static struct process *process_of(struct bench *b, size_t i)
{
    return b->processes[i / 2 % PROCESSES];
}

/* ---- a batch of each step ---- */

static void pack(struct bench *b)
{
    for (size_t i = 0; i < BATCH; i++) {
        buffer_clear(&b->packed[i]);
        record_pack(&b->records[i], &b->packed[i]);
    }
}

static void unpack(struct bench *b)
{
    struct record r;
    for (size_t i = 0; i < BATCH; i++)
        if (record_unpack(b->packed[i].data, b->packed[i].len, &r))
            give_up("a record cannot be read back");
}

static void write_json(struct bench *b, bool known)
{
    for (size_t i = 0; i < BATCH; i++) {
        struct process *p = process_of(b, i);
        const struct record_line line = {
            .seq = i + 1, .process = p, .told = known ? told_of(b->told, p) : NULL};
        buffer_clear(&b->lines[i]);
        record_json(&b->records[i], &line, &b->lines[i]);
    }
}

static void json_first(struct bench *b)
{
    write_json(b, false);
}

static void json(struct bench *b)
{
    write_json(b, true);
}

static void chain(struct bench *b)
{
    for (size_t i = 0; i < BATCH; i++)
        chain_hash(b->digest, b->hash, b->lines[i].data, b->lines[i].len, b->hash);
}

static void write_groups(struct bench *b, size_t group)
{
    for (size_t i = 0; i < BATCH; i++) {
        b->records[i].ts_us = 0; /* the writer's clock, as in the keeper */
        if (log_put(b->log, &b->records[i], process_of(b, i)) ||
            ((i + 1) % group == 0 && log_commit(b->log)))
            give_up("the log cannot be written");
    }
}

static void write_each(struct bench *b)
{
    write_groups(b, 1);
}

static void write_grouped(struct bench *b)
{
    write_groups(b, GROUP);
}

static void whole_way(struct bench *b)
{
    pack(b);
    unpack(b);
    write_each(b);
}

/* Each leaves what the next one reads. */
static const struct step {
    const char *name;
    void (*batch)(struct bench *b);
} steps[] = {
    {"packed", pack},
    {"read back", unpack},
    {"a line of JSON, its process new to the log", json_first},
    {"a line of JSON", json},
    {"chained by SHA-256", chain},
    {"a line, chained, written, 32 a write", write_grouped},
    {"a line, chained, written, one a write", write_each},
    {"packed, read back, written, one a write", whole_way},
};

static void set_up(struct bench *b)
{
    const char *at = getenv("TMPDIR");
    struct error error;
    snprintf(directory, sizeof directory, "%s/bench-record-XXXXXX", at && *at ? at : "/tmp");
    if (!mkdtemp(directory))
        give_up("cannot make a directory for the file");
    snprintf(path, sizeof path, "%s/log", directory);
    atexit(remove_files);
    signal(SIGINT, on_signal);
    signal(SIGTERM, on_signal);
    const struct log_options o = {.path = path, .group = (gid_t)-1};
    if (log_open(&o, &b->log, &error))
        give_up(error.text);
    b->told = told_new(LOG_ARGS_REDACTED);
    b->digest = digest_new();
    for (unsigned i = 0; i < PROCESSES; i++)
        if (!(b->processes[i] = make_process(i)))
            give_up("memory ran out");
    if (!b->told || !b->digest)
        give_up("memory ran out");
    for (unsigned i = 0; i < BATCH; i++)
        b->records[i] = make_record(b, i);
}

static void take_down(struct bench *b)
{
    for (size_t i = 0; i < BATCH; i++) {
        buffer_release(&b->packed[i]);
        buffer_release(&b->lines[i]);
    }
    told_free(b->told);
    digest_free(b->digest);
    log_close(b->log);
    for (unsigned i = 0; i < PROCESSES; i++)
        process_unref(b->processes[i]);
}

int main(int argc, char **argv)
{
    static struct bench b;
    double times[BATCHES];
    const size_t batches = figures_asked(argc, argv, "--quick") ? BATCHES_QUICK : BATCHES;
    set_up(&b);
    for (size_t s = 0; s < ARRAY_SIZE(steps); s++) {
        steps[s].batch(&b);
        for (size_t i = 0; i < batches; i++) {
            const double from = cpu_ns();
            steps[s].batch(&b);
            times[i] = (cpu_ns() - from) / BATCH;
        }
        figures_print(figures_asked(argc, argv, "--json"), steps[s].name,
                      spread_of(times, batches).p50, 0);
    }
    take_down(&b);
    return 0;
}
