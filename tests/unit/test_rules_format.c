/* SPDX-License-Identifier: MIT
 * Formatting: how lines come out, that a second time changes nothing, and that the rules are the
 * same before and after, for random policies and for every one that the tests keep. */
#include <dirent.h>

#include "base/buffer.h"
#include "review/dump_rules.h"
#include "rules/format.h"
#include "rules/presets.h"
#include "rules/rule.h"
#include "unit/oracle_make.h"
#include "unit/rules_help.h"

static void formatted(const char *text, size_t len, struct buffer *out)
{
    struct format_map map = {0};
    buffer_clear(out);
    assert_int_equal(policy_format(text, len, out, &map), 0);
    size_t lines = 0, kept = 0, newlines = 0;
    for (; lines < map.n; lines++)
        kept += !map.lines[lines].dropped;
    for (size_t i = 0; i < out->len; i++)
        newlines += out->data[i] == '\n';
    assert_int_equal(kept, newlines);
    format_map_release(&map);
}

static void test_lines(void **state)
{
    (void)state;
    static const struct {
        const char *in, *out;
    } rows[] = {
        {"", ""},
        {"\n \n\t\n", ""},
        {"a.org", "a.org\n"},
        {"\xef\xbb\xbf  a.org \t\r\n", "a.org\n"},
        {"\n\na.org\n\n \n\nb.org\n\n", "a.org\n\nb.org\n"},
        {" \xef\xbb\xbf"
         "a.org",
         "\xef\xbb\xbf\xef\xbb\xbf"
         "a.org\n"},
        {"a.org\texe=/a", "a.org exe=/a\n"},
        {"a.org exe=/a\nbb.org:80   private\nc.org",
         "a.org     exe=/a\nbb.org:80 private\nc.org\n"},
        {"a.org exe=/a\n\nbb.org:80 private", "a.org exe=/a\n\nbb.org:80 private\n"},
        {"a.org exe=/a\n# x\nbb.org:80 private", "a.org exe=/a\n# x\nbb.org:80 private\n"},
        {"a.org exe=/a # 1\nb.org # 2\n#3", "a.org exe=/a  # 1\nb.org         # 2\n#3\n"},
        {"  # x  \t\r\n   #y", "# x\n#y\n"},
        {"[ ]\n[\texe=/a   get|Post  *:80 ]\t # c", "[]\n[exe=/a GET|POST *:80]  # c\n"},
        {"[ exe=/a ]   # c", "[exe=/a]  # c\n"},
        {"get https://a.org/x\nDeny", "GET https://a.org/x\nDeny\n"},
        {"deny  post   https://a.org/x   expected", "deny POST https://a.org/x expected\n"},
        {"get exe=/a", "get exe=/a\n"},
        {"a.org exe=\"/a  b\"   arg=`x  #  y`  # c", "a.org exe=\"/a  b\" arg=`x  #  y`  # c\n"},
        {"include   @npm    exe=/a", "include @npm exe=/a\n"},
        {"  a.org   arg=${{ x   y }}  # c", "a.org   arg=${{ x   y }}  # c\n"},
        {"#?  allow   tls a.org", "#?  allow   tls a.org\n"},
        {"b\xc3\xbc.org exe=/a\nabcd.org exe=/b", "b\xc3\xbc.org   exe=/a\nabcd.org exe=/b\n"},
        {"a.org exe=/a\n"
         "a-name-that-is-much-longer-than-what-columns-are-made-for.example.org exe=/a",
         "a.org exe=/a\n"
         "a-name-that-is-much-longer-than-what-columns-are-made-for.example.org exe=/a\n"},
    };
    CLEANUP_BUFFER struct buffer out = {0}, again = {0};
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        formatted(rows[i].in, strlen(rows[i].in), &out);
        if (strcmp(out.data, rows[i].out) != 0)
            fail_msg("'%s': want '%s', got '%s'", rows[i].in, rows[i].out, out.data);
        formatted(out.data, out.len, &again);
        assert_string_equal(out.data, again.data);
    }
}

static int load_nothing(void *context, const char *from, const char *what, bool preset,
                        struct policy_source *source)
{
    (void)context, (void)from, (void)preset;
    *source = (struct policy_source){what, "", 0};
    return 0;
}

/* False where the text is refused. */
static bool dumped(const char *text, size_t len, const char *context, struct buffer *out)
{
    const struct policy_options options = {.context = context, .load = load_nothing};
    struct policy *p = parse_bytes(text, len, &options);
    buffer_clear(out);
    buffer_add_string(out, "");
    for (size_t i = 0; p && i < policy_rule_count(p); i++)
        dump_rule(policy_rule(p, i), 0, out);
    policy_unref(p);
    return p != NULL;
}

/* Whether it was a policy at all. */
static bool keeps_meaning(const char *text, size_t len, const char *context)
{
    CLEANUP_BUFFER struct buffer out = {0}, again = {0}, before = {0}, after = {0};
    bool good = dumped(text, len, context, &before);
    formatted(text, len, &out);
    formatted(out.data, out.len, &again);
    if (!good)
        return false;
    if (out.len != again.len || memcmp(out.data, again.data, out.len) != 0)
        fail_msg("'%.*s' becomes '%s', and then '%s'", (int)len, text, out.data, again.data);
    if (!dumped(out.data, out.len, context, &after) || strcmp(before.data, after.data) != 0)
        fail_msg("'%.*s' is not '%s'", (int)len, text, out.data);
    return true;
}

static void test_random_policies(void **state)
{
    (void)state;
    static struct make_policy made;
    struct make_random r = {.state = 7};
    size_t n = 0;
    for (int i = 0; i < 4000; i++) {
        make_write(&r, &made);
        for (size_t f = 0; f < MAKE_FILES; f++)
            n += keeps_meaning(made.text[f], strlen(made.text[f]), made.context);
    }
    assert_true(n > 8000);
}

/* Bytes put in and taken out: what is still a policy keeps its meaning. */
static void test_mangled_policies(void **state)
{
    (void)state;
    static const char bytes[] = " \t\r\n#\"`=[]{}:*/|a";
    static struct make_policy made;
    struct make_random r = {.state = 11};
    size_t n = 0;
    for (int i = 0; i < 8000; i++) {
        make_write(&r, &made);
        char *text = made.text[0];
        size_t len = strlen(text);
        for (size_t k = make_below(&r, 4); k > 0 && len > 0; k--)
            text[make_below(&r, len)] = bytes[make_below(&r, sizeof(bytes) - 1)];
        n += keeps_meaning(text, len, made.context);
    }
    assert_true(n > 1000);
}

static void test_kept_policies(void **state)
{
    (void)state;
    static const char directory[] = "tests/fuzz/corpus/policy";
    static char text[1 << 20];
    size_t n = 0;
    DIR *dir = opendir(directory);
    assert_non_null(dir); /* the tests run from the top of the tree */
    for (struct dirent *e; (e = readdir(dir));) {
        char path[512];
        snprintf(path, sizeof(path), "%s/%s", directory, e->d_name);
        FILE *f = e->d_name[0] == '.' ? NULL : fopen(path, "r");
        if (!f)
            continue;
        size_t len = fread(text, 1, sizeof(text), f);
        fclose(f);
        n += keeps_meaning(text, len, NULL);
    }
    closedir(dir);
    assert_true(n > 0);
}

static void test_presets_are_formatted(void **state)
{
    (void)state;
    CLEANUP_BUFFER struct buffer out = {0};
    for (size_t i = 0; i < preset_count(); i++) {
        struct policy_source source;
        assert_int_equal(preset_find(preset_name(i), &source), 0);
        formatted(source.data, source.len, &out);
        assert_string_equal(out.data, source.data);
    }
}

int main(void)
{
    static const struct unit_test tests[] = {
        REPORT("-", test_lines),
        REPORT("-", test_random_policies),
        REPORT("-", test_mangled_policies),
        REPORT("-", test_kept_policies),
        REPORT("-", test_presets_are_formatted),
    };
    return unit_run(tests, ARRAY_SIZE(tests));
}
