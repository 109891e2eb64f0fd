/* SPDX-License-Identifier: MIT
 * Completion of shells, written from the tables of commands: a few lines of each shell's own
 * language walk the words, and all that they know stands in the rows that are printed here. */
#include <errno.h>
#include <string.h>

#include "base/cli.h"

struct table {
    const struct cli_command *const *rows;
    size_t n;
    FILE *out;
};

/* Within quotes of the shell: what of `special` it has gets a backslash. */
static void put_escaped(FILE *out, const char *text, const char *special)
{
    for (; *text; text++) {
        if (strchr(special, *text))
            putc('\\', out);
        putc(*text, out);
    }
}

static void put_words(FILE *out, const char *const *words)
{
    for (size_t i = 0; words && words[i]; i++)
        fprintf(out, "%s%s", i ? " " : "", words[i]);
}

static void put_commands(const struct table *t)
{
    const char *blank = "";
    for (size_t i = 0; i < t->n; i++) {
        if (!t->rows[i]->summary)
            continue;
        fprintf(t->out, "%s%s", blank, t->rows[i]->name);
        blank = " ";
    }
}

/* The command's names as a pattern of `case`. */
static void put_names(FILE *out, const struct cli_command *c, const char *between)
{
    fputs(c->name, out);
    if (c->also)
        fprintf(out, "%s%s", between, c->also);
}

/* Bash: one function says what a command takes, one completes by that. */
static const char bash_walk[] =
    "# $1: a kind, $2: the words of it, $3: what is there of the word.\n"
    "_egress_filter_values()\n"
    "{\n"
    "    case $1 in\n"
    "    file) compopt -o filenames 2>/dev/null; compgen -f -- \"$3\" ;;\n"
    "    user) compgen -u -- \"$3\" ;;\n"
    "    word) compgen -W \"$2\" -- \"$3\" ;;\n"
    "    policy)\n"
    "        if [[ $3 == @* ]]; then\n"
    "            compgen -W \"$(egress-filter presets 2>/dev/null | cut -d' ' -f1)\" -- \"$3\"\n"
    "        else\n"
    "            compopt -o filenames 2>/dev/null; compgen -f -- \"$3\"\n"
    "        fi ;;\n"
    "    preset)\n"
    "        compgen -W \"$(egress-filter presets 2>/dev/null | cut -d' ' -f1 | tr -d @)\" "
    "-- \"$3\" ;;\n"
    "    command) compgen -c -- \"$3\" ;;\n"
    "    esac\n"
    "}\n"
    "\n"
    "_egress_filter()\n"
    "{\n"
    "    local cur=${COMP_WORDS[COMP_CWORD]} command=${COMP_WORDS[1]} i word pending=''\n"
    "    local options=--help takes='' words='' kind=''\n"
    "    COMPREPLY=()\n"
    "    if [ \"$COMP_CWORD\" -eq 1 ]; then\n"
    "        mapfile -t COMPREPLY < <(compgen -W \"$_egress_filter_commands\" -- \"$cur\")\n"
    "        return\n"
    "    fi\n"
    "    _egress_filter_row \"$command\"\n"
    "    # A value behind = is a word of its own here, and so is the sign.\n"
    "    for ((i = 2; i < COMP_CWORD; i++)); do\n"
    "        word=${COMP_WORDS[i]}\n"
    "        if [ -n \"$pending\" ]; then\n"
    "            [ \"$word\" = = ] || pending=\n"
    "        elif [ \"$word\" = -- ]; then\n"
    "            options=\n"
    "            if [ \"$takes\" = command ]; then i=$((i + 1)); break; fi\n"
    "        elif [[ $word == -* ]]; then\n"
    "            kind=\n"
    "            _egress_filter_option \"$command\" \"$word\"\n"
    "            [ -z \"$kind\" ] || pending=$word\n"
    "        elif [ \"$takes\" = command ]; then\n"
    "            break\n"
    "        fi\n"
    "    done\n"
    "    [ \"$cur\" != = ] || cur=\n"
    "    # So is an @ in front, which readline leaves with the word.\n"
    "    [ \"${COMP_WORDS[COMP_CWORD - 1]}\" != @ ] || cur=@$cur\n"
    "    if [ -n \"$pending\" ]; then\n"
    "        _egress_filter_option \"$command\" \"$pending\"\n"
    "        mapfile -t COMPREPLY < <(_egress_filter_values \"$kind\" \"$words\" \"$cur\")\n"
    "        [ \"$kind\" != file ] || compopt -o filenames 2>/dev/null\n"
    "    elif [ \"$takes\" = command ] && ((i < COMP_CWORD)) && declare -F _command_offset "
    ">/dev/null; then\n"
    "        _command_offset \"$i\"\n"
    "    elif [ \"$takes\" = command ] && ((i < COMP_CWORD)); then\n"
    "        compopt -o filenames 2>/dev/null\n"
    "        mapfile -t COMPREPLY < <(compgen -f -- \"$cur\")\n"
    "    elif [[ $cur == -* ]]; then\n"
    "        mapfile -t COMPREPLY < <(compgen -W \"$options\" -- \"$cur\")\n"
    "    else\n"
    "        mapfile -t COMPREPLY < <(_egress_filter_values \"$takes\" \"$words\" \"$cur\")\n"
    "        [[ $takes != file && $takes != policy ]] || compopt -o filenames 2>/dev/null\n"
    "    fi\n"
    "}\n"
    "complete -F _egress_filter egress-filter\n";

static const char *const kinds[] = {
    [CLI_TEXT] = "text",       [CLI_FILE] = "file",     [CLI_USER] = "user",
    [CLI_WORD] = "word",       [CLI_POLICY] = "policy", [CLI_PRESET] = "preset",
    [CLI_COMMAND] = "command", [CLI_SELF] = "word",
};

static void bash_row(const struct table *t, const struct cli_command *c)
{
    fputs("    ", t->out);
    put_names(t->out, c, "|");
    fputs(") options='", t->out);
    for (size_t i = 0; i < c->n_options; i++)
        if (c->options[i].help)
            fprintf(t->out, "--%s ", c->options[i].name);
    fprintf(t->out, "--help' takes='%s' words='", c->most == 0 ? "" : kinds[c->takes]);
    if (c->takes == CLI_SELF)
        put_commands(t);
    put_words(t->out, c->words);
    fputs("' ;;\n", t->out);
}

static void bash(const struct table *t)
{
    fputs("# bash completion for egress-filter, printed by `egress-filter completion bash`\n"
          "_egress_filter_commands='",
          t->out);
    put_commands(t);
    fputs("'\n\n# What a command takes.\n_egress_filter_row()\n{\n    case $1 in\n", t->out);
    for (size_t i = 0; i < t->n; i++)
        if (t->rows[i]->summary)
            bash_row(t, t->rows[i]);
    fputs("    esac\n}\n\n# What the value of a command's option is; nothing for a switch.\n"
          "_egress_filter_option()\n{\n    case $1:$2 in\n",
          t->out);
    for (size_t i = 0; i < t->n; i++) {
        const struct cli_command *c = t->rows[i];
        for (size_t k = 0; c->summary && k < c->n_options; k++) {
            const struct cli_option *o = &c->options[k];
            if (!o->value || !o->help)
                continue;
            fprintf(t->out, "    %s:--%s%s%s%s%s) kind=%s words='", c->name, o->name,
                    c->also ? " | " : "", c->also ? c->also : "", c->also ? ":--" : "",
                    c->also ? o->name : "", kinds[o->kind]);
            put_words(t->out, o->words);
            fputs("' ;;\n", t->out);
        }
    }
    fputs("    esac\n}\n\n", t->out);
    fputs(bash_walk, t->out);
}

/* Zsh: _arguments(1) does the walking. */
static const char zsh_head[] =
    "#compdef egress-filter\n"
    "# zsh completion for egress-filter, printed by `egress-filter completion zsh`\n"
    "\n"
    "_egress-filter_presets()\n"
    "{\n"
    "    local -a names\n"
    "    names=(${${(f)\"$(egress-filter presets 2>/dev/null)\"}%% *})\n"
    "    compadd -- ${names#$1}\n"
    "}\n"
    "\n"
    "_egress-filter_policies()\n"
    "{\n"
    "    if [[ $PREFIX == @* ]]; then _egress-filter_presets ''; else _files; fi\n"
    "}\n"
    "\n"
    "_egress-filter()\n"
    "{\n"
    "    local -a known\n"
    "    known=(\n";

static const char zsh_middle[] = "    )\n"
                                 "    if ((CURRENT == 2)); then\n"
                                 "        _describe -t commands command known\n"
                                 "        return\n"
                                 "    fi\n"
                                 "    local name=$words[2]\n"
                                 "    shift words\n"
                                 "    ((CURRENT--))\n"
                                 "    local curcontext=\"${curcontext%:*}-$name:\"\n"
                                 "    case $name in\n";

static const char zsh_tail[] = "    esac\n"
                               "}\n"
                               "\n"
                               "if [[ $funcstack[1] == _egress-filter ]]; then\n"
                               "    _egress-filter \"$@\"\n"
                               "else\n"
                               "    compdef _egress-filter egress-filter\n"
                               "fi\n";

static void zsh_text(FILE *out, const char *text)
{
    for (; *text; text++)
        if (*text == '\'')
            fputs("'\\''", out);
        else if (strchr("[]:\\", *text))
            fprintf(out, "\\%c", *text);
        else
            putc(*text, out);
}

static void zsh_values(const struct table *t, enum cli_kind kind, const char *const *words)
{
    static const char *const actions[] = {
        [CLI_TEXT] = " ",
        [CLI_FILE] = "_files",
        [CLI_USER] = "_users",
        [CLI_POLICY] = "_egress-filter_policies",
        [CLI_PRESET] = " _egress-filter_presets @",
        [CLI_COMMAND] = "{ _command_names -e }",
    };
    if (kind != CLI_WORD && kind != CLI_SELF) {
        fputs(actions[kind], t->out);
        return;
    }
    putc('(', t->out);
    if (kind == CLI_SELF)
        put_commands(t);
    put_words(t->out, words);
    putc(')', t->out);
}

static void zsh_row(const struct table *t, const struct cli_command *c)
{
    fputs("    ", t->out);
    put_names(t->out, c, "|");
    fputs(")\n        _arguments -S : \\\n", t->out);
    for (size_t i = 0; i < c->n_options; i++) {
        const struct cli_option *o = &c->options[i];
        if (!o->help)
            continue;
        fprintf(t->out, "            '%s--%s%s[", o->value ? "*" : "", o->name,
                o->value ? "=" : "");
        zsh_text(t->out, o->help);
        putc(']', t->out);
        if (o->value) {
            putc(':', t->out);
            zsh_text(t->out, o->value);
            putc(':', t->out);
            zsh_values(t, o->kind, o->words);
        }
        fputs("' \\\n", t->out);
    }
    fputs("            '(-)--help[say what there is]'", t->out);
    if (c->most != 0) {
        fprintf(t->out, " \\\n            '%s:%s:",
                c->takes == CLI_COMMAND ? "(-)1"
                : c->most == 1          ? "1"
                                        : "*",
                kinds[c->takes]);
        zsh_values(t, c->takes, c->words);
        fputs(c->takes == CLI_COMMAND ? "' \\\n            '*::argument:{ _normal }'" : "'",
              t->out);
    }
    fputs(" ;;\n", t->out);
}

static void zsh(const struct table *t)
{
    fputs(zsh_head, t->out);
    for (size_t i = 0; i < t->n; i++) {
        if (!t->rows[i]->summary)
            continue;
        fprintf(t->out, "        '%s:", t->rows[i]->name);
        zsh_text(t->out, t->rows[i]->summary);
        fputs("'\n", t->out);
    }
    fputs(zsh_middle, t->out);
    for (size_t i = 0; i < t->n; i++)
        if (t->rows[i]->summary)
            zsh_row(t, t->rows[i]);
    fputs(zsh_tail, t->out);
}

/* Fish: each option is a line, with the command that it belongs to as a condition. */
static const char fish_head[] =
    "# fish completion for egress-filter, printed by `egress-filter completion fish`\n"
    "function __egress_filter_is\n"
    "    set -l words (commandline -opc)\n"
    "    test (count $words) -ge 2; and contains -- $words[2] $argv\n"
    "end\n"
    "\n"
    "# Where the words begin that are another command's; nothing where they have not begun.\n"
    "function __egress_filter_inner\n"
    "    set -l words (commandline -opc)\n"
    "    set -l i 3\n"
    "    while test $i -le (count $words)\n"
    "        if test $words[$i] = --\n"
    "            math $i + 1\n"
    "            return\n"
    "        else if contains -- $words[$i] $__egress_filter_valued\n"
    "            set i (math $i + 2)\n"
    "        else if string match -q -- '-*' $words[$i]\n"
    "            set i (math $i + 1)\n"
    "        else\n"
    "            echo $i\n"
    "            return\n"
    "        end\n"
    "    end\n"
    "    return 1\n"
    "end\n"
    "\n"
    "function __egress_filter_command\n"
    "    set -l words (commandline -opc)\n"
    "    set -l at (__egress_filter_inner)\n"
    "    set -l line\n"
    "    if test -n \"$at\"; and test $at -le (count $words)\n"
    "        set line (string escape -- $words[$at..-1])\n"
    "    end\n"
    "    complete --do-complete=(string join ' ' -- $line (commandline -ct))\n"
    "end\n"
    "\n"
    "function __egress_filter_presets\n"
    "    egress-filter presets 2>/dev/null | string replace -r ' +' \\t\n"
    "end\n"
    "\n"
    "complete -c egress-filter -f\n";

static void fish_text(FILE *out, const char *text)
{
    putc('\'', out);
    put_escaped(out, text, "'\\");
    putc('\'', out);
}

static void fish_values(const struct table *t, enum cli_kind kind, const char *const *words)
{
    static const char *const actions[] = {
        [CLI_TEXT] = "-x",
        [CLI_FILE] = "-r -F",
        [CLI_USER] = "-x -a '(__fish_complete_users)'",
        [CLI_POLICY] = "-F -a '(__egress_filter_presets)'",
        [CLI_PRESET] = "-f -a '(__egress_filter_presets | string replace @ \"\")'",
        [CLI_COMMAND] = "-f -a '(__egress_filter_command)'",
    };
    if (kind != CLI_WORD && kind != CLI_SELF) {
        fprintf(t->out, " %s", actions[kind]);
        return;
    }
    fputs(" -x -a '", t->out);
    if (kind == CLI_SELF)
        put_commands(t);
    put_words(t->out, words);
    putc('\'', t->out);
}

static void fish_row(const struct table *t, const struct cli_command *c)
{
    const char *before =
        c->takes == CLI_COMMAND ? "; and not __egress_filter_inner >/dev/null" : "";
    fputs("complete -c egress-filter -n 'test (count (commandline -opc)) -eq 1' -a ", t->out);
    fprintf(t->out, "%s -d ", c->name);
    fish_text(t->out, c->summary);
    putc('\n', t->out);
    for (size_t i = 0; i < c->n_options; i++) {
        const struct cli_option *o = &c->options[i];
        if (!o->help)
            continue;
        fputs("complete -c egress-filter -n '__egress_filter_is ", t->out);
        put_names(t->out, c, " ");
        fprintf(t->out, "%s' -l %s", before, o->name);
        if (o->value)
            fish_values(t, o->kind, o->words);
        fputs(" -d ", t->out);
        fish_text(t->out, o->help);
        putc('\n', t->out);
    }
    fputs("complete -c egress-filter -n '__egress_filter_is ", t->out);
    put_names(t->out, c, " ");
    fprintf(t->out, "%s' -l help -d 'say what there is'\n", before);
    if (c->most == 0)
        return;
    fputs("complete -c egress-filter -n '__egress_filter_is ", t->out);
    put_names(t->out, c, " ");
    putc('\'', t->out);
    if (c->takes == CLI_FILE)
        fputs(" -F", t->out);
    else
        fish_values(t, c->takes, c->words);
    putc('\n', t->out);
}

static void fish(const struct table *t)
{
    fputs(fish_head, t->out);
    fputs("set -g __egress_filter_valued", t->out);
    for (size_t i = 0; i < t->n; i++)
        for (size_t k = 0; t->rows[i]->takes == CLI_COMMAND && k < t->rows[i]->n_options; k++)
            if (t->rows[i]->options[k].value)
                fprintf(t->out, " --%s", t->rows[i]->options[k].name);
    putc('\n', t->out);
    for (size_t i = 0; i < t->n; i++)
        if (t->rows[i]->summary)
            fish_row(t, t->rows[i]);
}

const char *const cli_shells[] = {"bash", "zsh", "fish", NULL};

int cli_complete(const char *shell, const struct cli_command *const *table, size_t n, FILE *out)
{
    static void (*const writers[])(const struct table *t) = {bash, zsh, fish};
    for (size_t i = 0; cli_shells[i]; i++)
        if (strcmp(shell, cli_shells[i]) == 0) {
            writers[i](&(struct table){table, n, out});
            return 0;
        }
    return -EINVAL;
}
