/* SPDX-License-Identifier: MIT
 * The command line of `presets`: lists them with the first sentence of each, or prints one. */
#include "review/presets.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/say.h"
#include "review/policy_files.h"
#include "rules/presets.h"

/* Its first comment, up to the end of the sentence or line. */
static void print_summary(const char *name, const struct policy_source *source)
{
    const char *text = source->data;
    text += strspn(text, "# ");
    size_t len = strcspn(text, "\n");
    const char *stop = memmem(text, len, ". ", 2);
    if (stop)
        len = (size_t)(stop - text) + 1;
    printf("@%-16s %.*s\n", name, (int)len, text);
}

static bool take(struct policy_files *files, const char *name, bool whole)
{
    struct policy_source source;
    int result = policy_files_preset(files, name, &source);
    if (result < 0) {
        if (result == -ENOENT)
            say_error("there is no preset '%s'; egress-filter presets lists those there are", name);
        else
            say_error("cannot make the preset '%s': %s", name, strerror(-result));
        return false;
    }
    if (whole)
        fwrite(source.data, 1, source.len, stdout);
    else
        print_summary(name, &source);
    return true;
}

const struct cli_command presets_command = {
    .name = "presets",
    .summary = "list the rule sets that come with the program, or print one",
    .usage = "[NAME…]",
    .about =
        "Lists the rule sets that come with this release, or prints some of them. A policy takes\n"
        "one in with the line `include @NAME`, and narrows all its rules with selectors behind\n"
        "that: include @npm exe=/usr/bin/node. Each says where its names come from, and holds\n"
        "its own tests: egress-filter test @NAME.\n",
    .status = "Exit status: 0 done, 2 there is no such preset.\n",
    .takes = CLI_PRESET,
    .most = -1,
    .main = presets_main,
};

int presets_main(int argc, char **argv)
{
    struct policy_files files = {0};
    struct cli_rest names;
    bool good = true;
    int code = cli_parse(&presets_command, argc, argv, NULL, &names);
    if (code != CLI_GO)
        return code;
    for (int i = 0; i < names.n; i++)
        good = take(&files, names.list[i] + (names.list[i][0] == '@'), true) && good;
    for (size_t i = 0; names.n == 0 && i < preset_count(); i++)
        good = take(&files, preset_name(i), false) && good;
    if (names.n == 0)
        good = take(&files, PRESET_RESOLVER, false) && good;
    policy_files_release(&files);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        say_error("cannot write the presets: %s", strerror(errno));
        return PRESETS_BAD;
    }
    return good ? PRESETS_GOOD : PRESETS_BAD;
}
