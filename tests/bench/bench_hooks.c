/* SPDX-License-Identifier: MIT
 * What the programs in the kernel cost: a client that connects, or sends datagrams, in a loop, with
 * the hooks of each way that this kernel accepts and without any, in turns; CPU time of the client
 * alone, in whose calls they run. And the run time of each program, as the kernel counts it.
 *
 *     bench_hooks [--json] [ROUNDS [CONNECTS [DATAGRAMS]]]     5 rounds of 100,000 and 400,000
 */
#include "bench/figures.h"
#include "bench/hooked.h"

#include <bpf/bpf.h>

enum { ROUNDS_MAX = 99, WAYS = 4, WORKS = 2 };

struct work {
    const char *name, *verb;
    int n;
};

/* ---- the client: the same program below the cgroup ---- */

static int tell(double from, int n)
{
    const double each = (cpu_ns() - from) / n;
    return write(HELPER_REPORT_FD, &each, sizeof each) != sizeof each;
}

/* Each to one of a thousand addresses, so that source ports suffice; ended by a reset. */
static int client_connect(const char *port, int n)
{
    const struct linger at_once = {1, 0};
    struct sockaddr_in to = helper_v4(helper_port(port));
    const double from = cpu_ns();
    for (int i = 0; i < n; i++) {
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        to.sin_addr.s_addr = htonl(0x7f010001u + (uint32_t)(i % 1000));
        if (connect(fd, (const struct sockaddr *)&to, sizeof to) ||
            setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once))
            return 1;
        close(fd);
    }
    return tell(from, n);
}

static int client_send(const char *port, int n)
{
    const struct sockaddr_in to = helper_v4(helper_port(port));
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    const double from = cpu_ns();
    for (int i = 0; i < n; i++)
        if (sendto(fd, "x", 1, 0, (const struct sockaddr *)&to, sizeof to) != 1)
            return 1;
    return tell(from, n);
}

/* Takes connections and drops them, so that the backlog never fills. */
static pid_t serve_all(char port[8])
{
    struct sockaddr_in any = {.sin_family = AF_INET};
    socklen_t len = sizeof any;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(fd, (struct sockaddr *)&any, sizeof any) || listen(fd, 4096) ||
        getsockname(fd, (struct sockaddr *)&any, &len))
        return -1;
    snprintf(port, 8, "%u", ntohs(any.sin_port));
    pid_t child = fork();
    if (child == 0) {
        signal(SIGINT, SIG_DFL);
        signal(SIGTERM, SIG_DFL);
    }
    while (child == 0)
        close(accept(fd, NULL, NULL));
    close(fd);
    return child;
}

/* ---- the measure ---- */

static double once(const struct work *w, const char *port)
{
    double each = 0;
    int report[2];
    char n[16];
    snprintf(n, sizeof n, "%d", w->n);
    const char *const arg[] = {w->verb, port, n, NULL};
    if (pipe2(report, O_CLOEXEC) || run_reporting(arg, report[1]) ||
        read(report[0], &each, sizeof each) != sizeof each)
        exit(1);
    close(report[0]);
    close(report[1]);
    return each;
}

static __u32 newest_program(void)
{
    __u32 id = 0;
    while (!bpf_prog_get_next_id(id, &id))
        ;
    return id;
}

/* Of the programs that were loaded after that one: each is printed, where that is wanted. Returns
 * the time that all have run. */
static double programs_ns(const char *way, __u32 after, bool print)
{
    double sum = 0;
    for (__u32 id = after; !bpf_prog_get_next_id(id, &id);) {
        struct bpf_prog_info info = {0};
        __u32 len = sizeof info;
        int fd = bpf_prog_get_fd_by_id(id);
        if (fd < 0)
            continue;
        if (!bpf_obj_get_info_by_fd(fd, &info, &len) && info.run_cnt) {
            sum += (double)info.run_time_ns;
            if (print)
                printf("| %s | %s | %llu | %.0f |\n", way, info.name,
                       (unsigned long long)info.run_cnt,
                       (double)info.run_time_ns / (double)info.run_cnt);
        }
        close(fd);
    }
    return sum;
}

static bool attach(enum attach_way way)
{
    struct error error;
    const struct hooks_options o = {
        .way = way,
        .cgroup_fd = open(f.cgroup, O_RDONLY | O_DIRECTORY | O_CLOEXEC),
        .settings = {.cgroup_id = f.cgroup_id, .cgroup_level = 1, .netns_cookie = f.cookie},
        .event = on_event,
    };
    f.hooks = hooks_attach(&o, &error);
    close(o.cgroup_fd);
    return f.hooks;
}

static void detach(void)
{
    hooks_free(STEAL(f.hooks));
}

/* rows[work][way][round]; way 0 is without hooks. */
static void measure(const struct work works[WORKS], const char *const ports[WORKS], int rounds,
                    const bool ways[WAYS], double rows[WORKS][WAYS][ROUNDS_MAX])
{
    for (int round = 0; round < rounds; round++) {
        for (int way = 0; way < WAYS; way++) {
            if (!ways[way] || (way && !attach((enum attach_way)way)))
                continue;
            for (int i = 0; i < WORKS; i++)
                rows[i][way][round] = once(&works[i], ports[i]);
            detach();
        }
    }
}

static void print_rows(const struct work works[WORKS], int rounds, const bool ways[WAYS],
                       double rows[WORKS][WAYS][ROUNDS_MAX], bool json)
{
    if (!json)
        puts("| work | hooks | CPU each, ns | more, ns | least and most |\n|---|---|---|---|---|");
    for (int i = 0; i < WORKS; i++) {
        for (int way = 0; way < WAYS; way++) {
            double *r = rows[i][way];
            const char *name = way ? attach_way_name((enum attach_way)way) : "none";
            if (!ways[way])
                continue;
            qsort(r, (size_t)rounds, sizeof *r, figures_compare);
            const double more = r[rounds / 2] - rows[i][0][rounds / 2];
            if (!json)
                printf("| %s | %s | %.0f | %.0f | %.0f–%.0f |\n", works[i].name, name,
                       r[rounds / 2], more, r[0], r[rounds - 1]);
            else if (way)
                printf("{\"part\":\"%s, %s: more for the client\",\"ns\":%.0f}\n", works[i].name,
                       name, more);
        }
    }
}

/* Apart from the rounds: counting costs as much as the smallest program. */
static void print_run_times(const struct work works[WORKS], const char *const ports[WORKS],
                            const bool ways[WAYS], bool json)
{
    int stats = bpf_enable_stats(BPF_STATS_RUN_TIME);
    if (!json)
        puts("\n| way | program | runs | ns each |\n|---|---|---|---|");
    for (int way = 1; way < WAYS; way++) {
        const __u32 before = newest_program();
        const char *name = attach_way_name((enum attach_way)way);
        double ns = 0;
        if (!ways[way] || !attach((enum attach_way)way))
            continue;
        for (int i = 0; i < WORKS; i++) {
            once(&works[i], ports[i]);
            const double all = programs_ns(name, before, !json && i == WORKS - 1);
            if (json)
                printf("{\"part\":\"%s, %s: as the kernel counts\",\"ns\":%.0f}\n", works[i].name,
                       name, (all - ns) / works[i].n);
            ns = all;
        }
        detach();
    }
    close(stats);
}

int main(int argc, char **argv)
{
    static double rows[WORKS][WAYS][ROUNDS_MAX];
    if (argc == 4 && !strcmp(argv[1], "connects"))
        return client_connect(argv[2], atoi(argv[3]));
    if (argc == 4 && !strcmp(argv[1], "sends"))
        return client_send(argv[2], atoi(argv[3]));
    const bool json = argc > 1 && !strcmp(argv[1], "--json");
    argc -= json;
    argv += json;
    const int rounds = MIN(argc > 1 ? MAX(atoi(argv[1]), 1) : 5, ROUNDS_MAX);
    const struct work works[WORKS] = {
        {"connect and close", "connects", argc > 2 ? atoi(argv[2]) : 100000},
        {"send a datagram", "sends", argc > 3 ? atoi(argv[3]) : 400000}};
    bool ways[WAYS] = {true};
    struct error error;
    char port[8];
    const char *reason = hooked_begin();
    if (reason) {
        printf("not measured: %s\n", reason);
        return 0;
    }
    for (int way = 1; way < WAYS; way++) {
        ways[way] = !hooks_probe((enum attach_way)way, &error);
        if (!ways[way])
            printf("%s: %s\n", attach_way_name((enum attach_way)way), error.text);
    }
    f.table = process_table_new(&(struct process_table_options){0});
    hooked_server = serve_all(port);
    if (hooked_server < 0) {
        puts("not measured: no server to be had");
        return 0;
    }
    const char *const ports[WORKS] = {port, f.udp_port};
    measure(works, ports, rounds, ways, rows);
    print_rows(works, rounds, ways, rows, json);
    print_run_times(works, ports, ways, json);
    return 0;
}
