/* SPDX-License-Identifier: MIT
 * `egress-filter run`: brings everything up, runs the command, tells what happened. */
#include "keeper/run.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/say.h"
#include "keeper/command.h"
#include "keeper/keeper.h"

enum { EXIT_DENIED = 77 };

/* How long connections may take to finish what the command left behind. */
#define DRAIN_MS 3000

static int start_command(struct keeper *k, struct error *error)
{
    const struct options *o = &k->options;
    const char **protect = calloc(k->n_policies + 1, sizeof *protect);
    char root[32];
    size_t n = 0;
    if (!protect)
        return error_set(error, -ENOMEM, "cannot start the command");
    for (size_t i = 0; i < k->n_policies; i++)
        if (k->policies[i].opened >= 0)
            protect[n++] = k->policies[i].name;
    protect[n++] = log_path(k->log);
    const struct command_options command = {.caller = &k->caller,
                                            .gate = &k->gate,
                                            .cgroup = &k->cgroup,
                                            .shares = o->shares.items,
                                            .n_shares = o->shares.n,
                                            .protect = protect,
                                            .n_protect = n,
                                            .resolv_conf = k->resolv_conf,
                                            .directory = k->directory,
                                            .allow_privileges = o->allow_privileges,
                                            .argv = o->command};
    pid_t pid = command_start(&command, error);
    free(protect);
    if (pid < 0)
        return pid;
    k->command = pid;
    k->started = true;
    snprintf(root, sizeof root, "/proc/%d/root", pid);
    k->command_root = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
    digests_set_root(k->digests, k->command_root);
    int failed = keeper_add_ancestry(k, pid);
    return failed ? error_set(error, failed, "cannot read the filter's own ancestors from /proc")
                  : 0;
}

static void record_stop(struct keeper *k)
{
    hooks_consume(k->hooks);
    keeper_sweep_flows(k);
    keeper_flush_folds(k);
    struct summary_totals t = summary_totals(k->summary);
    struct record r = {
        .event = RECORD_STOP, .has_stop_totals = true, .allowed = t.allowed, .denied = t.denied};
    char hash[LOG_HASH_HEX + 1];
    r.records = log_head(k->log, hash) + 1;
    keeper_record(k, &r, NULL);
}

/* The table and the head of the chain, which the reader keeps to check the log against. */
static void tell(struct keeper *k)
{
    char hash[LOG_HASH_HEX + 1];
    char head[32 + LOG_HASH_HEX];
    unsigned long long seq = log_head(k->log, hash);
    snprintf(head, sizeof head, "%llu:%s", seq, hash);
    if (k->options.quiet)
        return;
    if (k->options.json) {
        summary_json(k->summary, log_path(k->log), head, stderr);
        return;
    }
    summary_print(k->summary, stderr, say_width(stderr), say_colour(stderr));
    fprintf(stderr, "log %s, verify with --head %s\n", log_path(k->log), head);
}

/* What a run that failed has seen is told too. Returns what failed, the suggestions last. */
static int tell_all(struct keeper *k, int failed, int *status, struct error *error)
{
    struct error unwritten = {0};
    tell(k);
    if (!keeper_write_suggestions(k, &unwritten))
        return failed;
    *status = RUN_FAILED;
    if (failed)
        say_error("%s", unwritten.text);
    else
        *error = unwritten;
    return unwritten.code;
}

static void record_cut_short(struct keeper *k)
{
    struct record r = {.event = RECORD_GAP,
                       .detail = text_of("connections or look-ups were still open at the end")};
    keeper_record(k, &r, NULL);
}

static int run_to_end(struct keeper *k, struct error *error)
{
    int failed = start_command(k, error);
    if (failed)
        return failed;
    keeper_loop(k, &k->command_ended, 0);
    if (!k->failed) {
        keeper_drain(k);
        keeper_loop(k, &k->drained, DRAIN_MS);
        if (!k->drained)
            record_cut_short(k);
    }
    k->drained = true;
    if (k->failed)
        *error = k->failure;
    return k->failed ? error->code : 0;
}

static int exit_status(const struct keeper *k)
{
    if (k->command_status == 0 && k->options.fail_on_deny && summary_totals(k->summary).denied)
        return EXIT_DENIED;
    return k->command_status;
}

int run_main(int argc, char **argv)
{
    struct error error = {0};
    struct keeper *k = calloc(1, sizeof *k);
    if (!k)
        return RUN_FAILED;
    int status = options_parse(argc, argv, &k->options);
    if (status != CLI_GO) {
        free(k);
        return status;
    }
    status = RUN_FAILED;
    int failed = cgroup_check_outside(&error);
    if (!failed && geteuid() != 0) {
        failed = caller_become_root(argc, argv, &error); /* returns on failure only */
    } else if (!failed) {
        failed = keeper_bring_up(k, &error);
        bool up = !failed;
        if (up)
            failed = run_to_end(k, &error);
        if (!failed)
            failed = keeper_check_places(k, &error);
        if (up)
            record_stop(k);
        if (!failed)
            status = exit_status(k);
        if (k->started)
            failed = tell_all(k, failed, &status, &error);
        keeper_take_down(k);
    }
    if (failed)
        say_error("%s", error.text);
    free(k);
    return status;
}
