/* SPDX-License-Identifier: MIT
 * The options of `run` as one table: what reads each, and the line that --help prints. */
#include "keeper/options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "keeper/caller.h"
#include "setup/gate.h"

static int set_flag(void *field, const char *value)
{
    (void)value;
    *(bool *)field = true;
    return 0;
}

static int set_text(void *field, const char *value)
{
    *(const char **)field = value;
    return *value ? 0 : -EINVAL;
}

static int add_item(void *field, const char *value)
{
    struct options_list *list = field;
    if (!*value)
        return -EINVAL;
    if (list->n == OPTIONS_LIST_MAX)
        return -E2BIG;
    list->items[list->n++] = value;
    return 0;
}

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

static int set_log_args(void *field, const char *value)
{
    static const char *const names[] = {
        [LOG_ARGS_REDACTED] = "redacted", [LOG_ARGS_FULL] = "full", [LOG_ARGS_NONE] = "none"};
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        if (strcmp(value, names[i]) == 0) {
            *(enum log_args *)field = (enum log_args)i;
            return 0;
        }
    return -EINVAL;
}

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

static const struct option_row {
    const char *name, *value; /* value NULL: a switch */
    size_t field;
    int (*set)(void *field, const char *value);
    const char *help; /* NULL: not for people */
} rows[] = {
    {"policy", "FILE", FIELD(policies), add_item,
     "rules to judge by; may be repeated (default: ./egress.rules)"},
    {"audit", NULL, FIELD(audit), set_flag, "let everything pass, and record what would be denied"},
    {"log", "FILE", FIELD(log), set_text, "where records are appended (default: ./egress.jsonl)"},
    {"log-args", "HOW", FIELD(log_args), set_log_args,
     "arguments in the log: redacted (default), full or none"},
    {"user", "USER", FIELD(user), set_text, "run as this user (needed when root calls)"},
    {"resolver", "[ZONE=]IP", FIELD(resolvers), add_resolver,
     "ask this DNS server (IP or IP:PORT), for names of ZONE or all (default: the host's)"},
    {"no-name-limits", NULL, FIELD(no_name_limits), set_flag,
     "let any number of names below a wildcard be looked up"},
    {"host-port", "N", FIELD(host_ports), add_host_port,
     "let 127.0.0.1:N reach the host's own; may be repeated"},
    {"share", "PATH", FIELD(shares), add_item,
     "show a socket or directory that is hidden; may be repeated"},
    {"allow-privileges", NULL, FIELD(allow_privileges), set_flag,
     "keep capabilities and setuid programs: root inside can undo the filter"},
    {"context", "HEADER", FIELD(context), set_text,
     "start context of the policy, such as '[cgroup=@host]'"},
    {"repo", "OWNER/REPO", FIELD(repo), set_text,
     "values of {owner} and {repo} (default: GITHUB_REPOSITORY)"},
    {"lenient", NULL, FIELD(lenient), set_flag, "skip allow lines that have errors"},
    {"attach", "WAY", FIELD(attach), set_attach,
     "how processes are told apart: auto (default), cgroup, kprobe or fentry"},
    {"loops", "N", FIELD(loops), set_loops,
     "share the connections among so many processes, 1 (default) to 16"},
    {"fail-on-deny", NULL, FIELD(fail_on_deny), set_flag,
     "exit with 77 when the command succeeds but something was denied"},
    {"quiet", NULL, FIELD(quiet), set_flag, "no table at the end"},
    {"json", NULL, FIELD(json), set_flag, "the table at the end as JSON"},
    {"help", NULL, FIELD(help), set_flag, "this page"},
    {"environment-of", "PID", FIELD(environ_pid), set_pid, NULL},
};

void options_usage(void)
{
    puts("usage: egress-filter run [OPTION…] [--] COMMAND [ARGUMENT…]\n\n"
         "Runs a command that reaches only what a policy allows, and records what it asked for.\n");
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        char left[64];
        if (!rows[i].help)
            continue;
        snprintf(left, sizeof left, "--%s%s%s", rows[i].name, rows[i].value ? " " : "",
                 rows[i].value ? rows[i].value : "");
        printf("  %-22s %s\n", left, rows[i].help);
    }
    puts("\nExit status: the command's; 125 the filter failed, 126 not executable, 127 not found,\n"
         "128+N ended by signal N, 77 see --fail-on-deny. More: man egress-filter");
}

static const struct option_row *find_row(const char *name, size_t len)
{
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        if (strlen(rows[i].name) == len && memcmp(rows[i].name, name, len) == 0)
            return &rows[i];
    return NULL;
}

/* Reads the option at argv[*at] and its value, and moves on. */
static int parse_option(int argc, char **argv, int *at, struct options *out, struct error *error)
{
    const char *name = argv[*at] + 2, *equals = strchr(name, '=');
    const char *value = equals ? equals + 1 : NULL;
    size_t len = equals ? (size_t)(equals - name) : strlen(name);
    const struct option_row *row = find_row(name, len);
    if (!row)
        return error_say(error, -EINVAL, "run has no option '--%.*s'; see egress-filter run --help",
                         (int)len, name);
    if (!row->value && value)
        return error_say(error, -EINVAL, "option '--%s' takes no value", row->name);
    if (row->value && !value) {
        if (*at + 1 >= argc)
            return error_say(error, -EINVAL, "option '--%s' needs a value: --%s %s", row->name,
                             row->name, row->value);
        value = argv[++*at];
    }
    int failed = row->set((char *)out + row->field, value);
    if (failed == -E2BIG)
        return error_say(error, -EINVAL, "option '--%s' is given too often", row->name);
    if (failed)
        return error_say(error, -EINVAL, "option '--%s' cannot be '%s': %s", row->name, value,
                         row->set == add_resolver ? resolver_fault(value)
                         : row->help              ? row->help
                                                  : "a number is meant");
    ++*at;
    return 0;
}

int options_parse(int argc, char **argv, struct options *out, struct error *error)
{
    int at = 1;
    *out = (struct options){.loops = 1};
    while (at < argc && argv[at][0] == '-') {
        if (strcmp(argv[at], "--") == 0) {
            at++;
            break;
        }
        if (strcmp(argv[at], "-h") == 0) {
            out->help = true;
            return 0;
        }
        if (argv[at][1] != '-')
            return error_say(error, -EINVAL,
                             "run has no option '%s'; options are long, see egress-filter run "
                             "--help",
                             argv[at]);
        int failed = parse_option(argc, argv, &at, out, error);
        if (failed || out->help)
            return failed;
    }
    out->command = argv + at;
    if (at >= argc)
        return error_say(error, -EINVAL,
                         "run needs a command: egress-filter run [OPTION…] -- COMMAND "
                         "[ARGUMENT…]");
    return 0;
}
