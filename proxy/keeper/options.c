/* SPDX-License-Identifier: MIT
 * The command `run` and its options as one table: what reads each, and what --help says of it. */
#include "keeper/options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "keeper/run.h"
#include "setup/gate.h"

static int read_number(const char *text, unsigned long max, unsigned long *out)
{
    char *end;
    if (*text < '0' || *text > '9')
        return -EINVAL;
    errno = 0;
    *out = strtoul(text, &end, 10);
    return errno || *end || *out == 0 || *out > max ? -EINVAL : 0;
}

static int add_host_port(void *field, const char *value)
{
    struct options *o = (struct options *)((char *)field - offsetof(struct options, host_ports));
    unsigned long port;
    if (read_number(value, 65535, &port))
        return -EINVAL;
    if (o->n_host_ports == OPTIONS_LIST_MAX)
        return -E2BIG;
    o->host_ports[o->n_host_ports++] = (uint16_t)port;
    return 0;
}

static int add_resolver(void *field, const char *value)
{
    struct options *o = (struct options *)((char *)field - offsetof(struct options, resolvers));
    if (o->n_resolvers == RESOLVERS_MAX)
        return -E2BIG;
    int failed = resolver_parse(value, &o->resolvers[o->n_resolvers], NULL);
    if (!failed)
        o->n_resolvers++;
    return failed;
}

/* What is wrong with it, of the several parts that it has. */
static const char *resolver_fault(const char *value)
{
    struct resolver scrap;
    const char *why = NULL;
    return resolver_parse(value, &scrap, &why) ? why : NULL;
}

static int set_repo(void *field, const char *value)
{
    const char *slash = strchr(value, '/');
    bool good =
        slash && slash != value && slash[1] && !strchr(slash + 1, '/') && strlen(value) < 512;
    return good ? cli_text(field, value) : -EINVAL;
}

static const char *const log_args_words[] = {
    [LOG_ARGS_REDACTED] = "redacted", [LOG_ARGS_FULL] = "full", [LOG_ARGS_NONE] = "none", NULL};

static int set_log_args(void *field, const char *value)
{
    for (size_t i = 0; log_args_words[i]; i++)
        if (strcmp(value, log_args_words[i]) == 0) {
            *(enum log_args *)field = (enum log_args)i;
            return 0;
        }
    return -EINVAL;
}

/* As attach_way_name() has them. */
static const char *const attach_words[] = {"auto", "cgroup", "kprobe", "fentry", NULL};

static int set_attach(void *field, const char *value)
{
    for (enum attach_way way = ATTACH_AUTO; way <= ATTACH_CGROUP; way++)
        if (strcmp(value, attach_way_name(way)) == 0) {
            *(enum attach_way *)field = way;
            return 0;
        }
    return -EINVAL;
}

static int set_pid(void *field, const char *value)
{
    unsigned long pid;
    if (read_number(value, 1ul << 30, &pid))
        return -EINVAL;
    *(pid_t *)field = (pid_t)pid;
    return 0;
}

static int set_loops(void *field, const char *value)
{
    unsigned long loops;
    if (read_number(value, GATE_LOOPS_MAX, &loops))
        return -EINVAL;
    *(unsigned *)field = (unsigned)loops;
    return 0;
}

#define FIELD(name) offsetof(struct options, name)

static const struct cli_option rows[] = {
    {.name = "policy",
     .value = "FILE",
     .kind = CLI_FILE,
     .set = cli_add,
     .field = FIELD(policies),
     .help = "rules to judge by; may be repeated (default: ./egress.rules)"},
    {.name = "audit",
     .set = cli_flag,
     .field = FIELD(audit),
     .help = "let everything pass, and record what would be denied"},
    {.name = "log",
     .value = "FILE",
     .kind = CLI_FILE,
     .set = cli_path,
     .field = FIELD(log),
     .must = "it is a file, which records are appended to; one of that name is ./-",
     .help = "where records are appended (default: ./egress.jsonl)"},
    {.name = "suggest",
     .value = "FILE",
     .kind = CLI_FILE,
     .set = cli_path,
     .field = FIELD(suggest),
     .must = "it is a new file; one of that name is ./-",
     .help = "write what was denied as a policy, with comments, to this new file"},
    {.name = "log-args",
     .value = "HOW",
     .kind = CLI_WORD,
     .words = log_args_words,
     .set = set_log_args,
     .field = FIELD(log_args),
     .help = "arguments in the log: redacted (default), full or none"},
    {.name = "user",
     .value = "USER",
     .kind = CLI_USER,
     .set = cli_text,
     .field = FIELD(user),
     .help = "run as this user (needed when root calls)"},
    {.name = "resolver",
     .value = "[ZONE=]IP",
     .fault = resolver_fault,
     .set = add_resolver,
     .field = FIELD(resolvers),
     .help = "ask this DNS server (IP or IP:PORT), for names of ZONE or all (default: the host's)"},
    {.name = "no-name-limits",
     .set = cli_flag,
     .field = FIELD(no_name_limits),
     .help = "let any number of names below a wildcard be looked up"},
    {.name = "host-port",
     .value = "N",
     .must = "it is a port, 1 to 65535",
     .set = add_host_port,
     .field = FIELD(host_ports),
     .help = "let 127.0.0.1:N reach the host's own; may be repeated"},
    {.name = "share",
     .value = "PATH",
     .kind = CLI_FILE,
     .set = cli_add,
     .field = FIELD(shares),
     .help = "show a socket or directory that is hidden; may be repeated"},
    {.name = "allow-privileges",
     .set = cli_flag,
     .field = FIELD(allow_privileges),
     .help = "keep capabilities and setuid programs: root inside can undo the filter"},
    {.name = "context",
     .value = "HEADER",
     .set = cli_text,
     .field = FIELD(context),
     .help = "start context of the policy, such as '[cgroup=@host]'"},
    {.name = "repo",
     .value = "OWNER/REPO",
     .set = set_repo,
     .field = FIELD(repo),
     .must = "it is OWNER/REPO",
     .help = "values of {owner} and {repo} (default: GITHUB_REPOSITORY)"},
    {.name = "lenient",
     .set = cli_flag,
     .field = FIELD(lenient),
     .help = "skip allow lines that have errors"},
    {.name = "attach",
     .value = "WAY",
     .kind = CLI_WORD,
     .words = attach_words,
     .set = set_attach,
     .field = FIELD(attach),
     .help = "how processes are told apart: auto (default), cgroup, kprobe or fentry"},
    {.name = "loops",
     .value = "N",
     .must = "it is a number from 1 to 16",
     .set = set_loops,
     .field = FIELD(loops),
     .help = "share the connections among so many processes, 1 (default) to 16"},
    {.name = "fail-on-deny",
     .set = cli_flag,
     .field = FIELD(fail_on_deny),
     .help = "exit with 77 when the command succeeds but something was denied"},
    {.name = "quiet", .set = cli_flag, .field = FIELD(quiet), .help = "no table at the end"},
    {.name = "json", .set = cli_flag, .field = FIELD(json), .help = "the table at the end as JSON"},
    {.name = "environment-of",
     .value = "PID",
     .must = "it is a number",
     .set = set_pid,
     .field = FIELD(environ_pid)},
};

const struct cli_command run_command = {
    .name = "run",
    .summary = "run a command that reaches only what a policy allows",
    .usage = "[OPTION…] [--] COMMAND [ARGUMENT…]",
    .about =
        "Runs a command that reaches only what a policy allows, and records what it asked for.\n",
    .status =
        "Exit status: the command's; 125 the filter failed, 126 not executable, 127 not found,\n"
        "128+N ended by signal N, 77 see --fail-on-deny. More: man egress-filter-run\n",
    .options = rows,
    .n_options = ARRAY_SIZE(rows),
    .takes = CLI_COMMAND,
    .least = 1,
    .most = -1,
    .needs = "needs a command: egress-filter run [OPTION…] -- COMMAND [ARGUMENT…]",
    .misuse = RUN_FAILED,
    .main = run_main,
};

int options_parse(int argc, char **argv, struct options *out)
{
    struct cli_rest rest;
    *out = (struct options){.loops = 1};
    int code = cli_parse(&run_command, argc, argv, out, &rest);
    if (code == CLI_GO)
        out->command = rest.list;
    return code;
}
