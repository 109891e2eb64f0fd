/* SPDX-License-Identifier: MIT
 * The command line of `doctor`: looks at everything in one order, and tells what it found. */
#include "keeper/doctor.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "audit/json.h"
#include "base/buffer.h"
#include "base/fd.h"
#include "base/say.h"
#include "keeper/doctor_parts.h"

struct request {
    const char *user, *log, *attach;
    struct cli_list resolvers;
    bool json;
};

static const struct {
    const char *name;
    void (*look)(const struct doctor *d, struct finding *f);
} parts[] = {
    {"kernel", doctor_kernel},     {"rights", doctor_rights}, {"cgroup", doctor_cgroup},
    {"btf", doctor_btf},           {"hooks", doctor_hooks},   {"frames", doctor_frames},
    {"iptables", doctor_iptables}, {"gate", doctor_gate},     {"namespaces", doctor_namespaces},
    {"limits", doctor_limits},     {"users", doctor_users},   {"resolver", doctor_resolver},
    {"log", doctor_log},           {"run", doctor_run},
};

static const char *const levels[] = {
    [DOCTOR_OK] = "ok", [DOCTOR_WARN] = "warn", [DOCTOR_BAD] = "bad", [DOCTOR_UNSEEN] = "unseen"};

void finding_add(struct finding *f, const char *format, ...)
{
    size_t len = strlen(f->seen);
    va_list args;
    va_start(args, format);
    vsnprintf(f->seen + len, sizeof f->seen - len, format, args);
    va_end(args);
}

void finding_set(struct finding *f, enum doctor_level level, const char *format, ...)
{
    va_list args;
    f->level = level;
    va_start(args, format);
    vsnprintf(f->seen, sizeof f->seen, format, args);
    va_end(args);
}

void finding_unseen(struct finding *f)
{
    finding_set(f, DOCTOR_UNSEEN, "not looked at: that takes root");
}

int doctor_apart(int (*look)(const void *context, struct error *error), const void *context,
                 struct error *error)
{
    int pair[2];
    if (pipe2(pair, O_CLOEXEC) < 0)
        return error_set(error, -errno, "cannot make a pipe");
    CLEANUP_FD int in = pair[0];
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        struct error own = {0};
        own.code = look(context, &own);
        _exit(write(pair[1], &own, sizeof own) == (ssize_t)sizeof own ? 0 : 1);
    }
    const int failed = pid < 0 ? -errno : 0;
    close(pair[1]);
    if (failed)
        return error_set(error, failed, "cannot start a process to look");
    ssize_t n = read(in, error, sizeof *error);
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
    if (n != (ssize_t)sizeof *error)
        return error_say(error, -EIO, "the process that looked did not answer");
    return error->code;
}

static void print(const char *name, const struct finding *f, bool colour)
{
    static const char *const colours[] = {[DOCTOR_OK] = "\033[32m",
                                          [DOCTOR_WARN] = "\033[1;33m",
                                          [DOCTOR_BAD] = "\033[1;31m",
                                          [DOCTOR_UNSEEN] = "\033[2m"};
    const char *const more[] = {f->means, f->todo};
    static const char *const begins[] = {"", "do: "};
    printf("%s%-6s%s  %-10s  ", colour ? colours[f->level] : "", levels[f->level],
           colour ? "\033[0m" : "", name);
    say_safely(stdout, f->seen, strlen(f->seen));
    putchar('\n');
    for (size_t i = 0; i < ARRAY_SIZE(more); i++)
        if (more[i])
            printf("%20s%s%s\n", "", begins[i], more[i]);
    fflush(stdout);
}

static void put(struct buffer *out, const char *name, const struct finding *f)
{
    json_put_comma(out);
    buffer_add_char(out, '{');
    json_put_word(out, "check", name);
    json_put_word(out, "level", levels[f->level]);
    json_put_text_or_null(out, "seen", f->seen);
    json_put_text_or_null(out, "means", f->means);
    json_put_text_or_null(out, "todo", f->todo);
    buffer_add_char(out, '}');
}

static int status_of(const size_t counts[])
{
    return counts[DOCTOR_BAD] ? DOCTOR_LACKING : counts[DOCTOR_UNSEEN] ? DOCTOR_PARTLY : DOCTOR_FIT;
}

static const char *sum_up(int status, bool warned)
{
    return status == DOCTOR_FIT
               ? warned ? "`run` works here; mind what is marked warn." : "`run` works here."
           : status == DOCTOR_LACKING
               ? "`run` fails here as it is."
               : "Nothing that can be seen without root is lacking; sudo egress-filter doctor "
                 "sees the rest.";
}

/* What is made to look at something is taken away again before a signal ends us. */
static void look_at(size_t part, const struct doctor *d, struct finding *f)
{
    static const int ends[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM};
    sigset_t wait, before;
    sigemptyset(&wait);
    for (size_t i = 0; i < ARRAY_SIZE(ends); i++)
        sigaddset(&wait, ends[i]);
    sigprocmask(SIG_BLOCK, &wait, &before);
    parts[part].look(d, f);
    sigprocmask(SIG_SETMASK, &before, NULL);
}

static int look_at_all(const struct doctor *d, bool json)
{
    CLEANUP_BUFFER struct buffer out = {0};
    const bool colour = say_colour(stdout);
    size_t counts[ARRAY_SIZE(levels)] = {0};
    buffer_add_string(&out, "{\"checks\":[");
    for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
        struct finding f = {0};
        look_at(i, d, &f);
        counts[f.level]++;
        if (json)
            put(&out, parts[i].name, &f);
        else
            print(parts[i].name, &f, colour);
    }
    int status = status_of(counts);
    buffer_add_char(&out, ']');
    json_put_number(&out, "status", (uint64_t)status);
    buffer_add_string(&out, "}\n");
    if (!json)
        printf("\n%s\n", sum_up(status, counts[DOCTOR_WARN] > 0));
    else if (buffer_failed(&out))
        say_error("cannot tell what was found: out of memory");
    else
        fwrite(out.data, 1, out.len, stdout);
    if (fflush(stdout) != 0 || ferror(stdout) || buffer_failed(&out)) {
        say_error("cannot write what was found");
        return DOCTOR_USAGE;
    }
    return status;
}

/* The options as `run` itself reads them, so that what is wrong with one is said in its words. */
static bool read_options(const struct request *r, struct options *out)
{
    static char run[] = "run", dashes[] = "--", command[] = "true";
    const struct {
        const char *name, *value;
    } given[] = {{"--user", r->user}, {"--log", r->log}, {"--attach", r->attach}};
    char *argv[2 * ARRAY_SIZE(given) + 2 * CLI_LIST_MAX + 4];
    int argc = 0;
    argv[argc++] = run;
    for (size_t i = 0; i < ARRAY_SIZE(given); i++) {
        if (!given[i].value)
            continue;
        argv[argc++] = (char *)given[i].name;
        argv[argc++] = (char *)given[i].value;
    }
    for (size_t i = 0; i < r->resolvers.n; i++) {
        argv[argc++] = (char *)"--resolver";
        argv[argc++] = (char *)r->resolvers.items[i];
    }
    argv[argc++] = dashes;
    argv[argc++] = command;
    argv[argc] = NULL;
    return options_parse(argc, argv, out) == CLI_GO;
}

static const char *const ways[] = {"auto", "cgroup", "kprobe", "fentry", NULL};

static const struct cli_option options[] = {
    {.name = "user",
     .value = "USER",
     .kind = CLI_USER,
     .set = cli_text,
     .field = offsetof(struct request, user),
     .help = "as run will be called: whom the command runs as"},
    {.name = "log",
     .value = "FILE",
     .kind = CLI_FILE,
     .set = cli_path,
     .field = offsetof(struct request, log),
     .must = "it is a file, which records are appended to; one of that name is ./-",
     .help = "the same: where records are appended (default: ./egress.jsonl)"},
    {.name = "resolver",
     .value = "[ZONE=]IP",
     .set = cli_add,
     .field = offsetof(struct request, resolvers),
     .help = "the same: the DNS servers (default: the host's)"},
    {.name = "attach",
     .value = "WAY",
     .kind = CLI_WORD,
     .words = ways,
     .set = cli_text,
     .field = offsetof(struct request, attach),
     .help = "the same: auto (default), cgroup, kprobe or fentry"},
    {.name = "json",
     .set = cli_flag,
     .field = offsetof(struct request, json),
     .help = "what was found as one JSON object"},
};

const struct cli_command doctor_command = {
    .name = "doctor",
    .summary = "say whether run works on this machine, and what to do where not",
    .usage = "[OPTION…]",
    .about =
        "Looks at everything that run needs, by doing what run does and taking it away again:\n"
        "kernel, hooks, cgroup, netfilter, namespaces, resolver, users, log; last it runs\n"
        "`true` behind the filter. Nothing stays, and no packet leaves this machine. Without\n"
        "root it says what it cannot see.\n",
    .status =
        "Exit status: 0 run works, 1 something is lacking, 2 wrong command line, 3 nothing is\n"
        "lacking that can be seen without root.\n",
    .example = "Example:\n  sudo egress-filter doctor\n",
    .options = options,
    .n_options = ARRAY_SIZE(options),
    .needs = "takes no arguments; see egress-filter doctor --help",
    .main = doctor_main,
};

int doctor_main(int argc, char **argv)
{
    struct request request = {0};
    struct doctor d = {.root = geteuid() == 0};
    struct cli_rest rest;
    int code = cli_parse(&doctor_command, argc, argv, &request, &rest);
    if (code != CLI_GO)
        return code;
    if (!read_options(&request, &d.options))
        return DOCTOR_USAGE;
    return look_at_all(&d, request.json);
}
