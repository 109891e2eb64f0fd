/* SPDX-License-Identifier: MIT
 * Command lines, and what is left of them in a log. Tokens here are made up. */
#include "unit/report.h"

#include <stdlib.h>
#include <string.h>

#include "audit/redact.h"

/* Arguments are separated by | in both columns. */
static const struct {
    const char *in, *out;
} cases[] = {
    /* nothing to hide */
    {"node|postinstall.js", "node|postinstall.js"},
    {"git|commit|--author=A <a@b>|--no-verify", "git|commit|--author=A <a@b>|--no-verify"},
    {"gpg|--keyring|x.gpg|--keyserver=hkps://k.example",
     "gpg|--keyring|x.gpg|--keyserver=hkps://k.example"},
    {"ssh|git@github.com|-p|22", "ssh|git@github.com|-p|22"},
    {"docker|run|keycloak:1.2|auth:latest", "docker|run|keycloak:1.2|auth:latest"},
    {"task-force-of-many-words-here", "task-force-of-many-words-here"},
    {"npm_config_registry_is_long_enough", "npm_config_registry_is_long_enough"},
    {"https://h:8080/path@v1?x=1", "https://h:8080/path@v1?x=1"},
    {"eyJhb.notlong", "eyJhb.notlong"},
    {"--token", "--token"},
    {"--token=", "--token="},
    {"--key|--verbose|x", "--key|--verbose|x"},
    {"--key|-v|x", "--key|-v|x"},
    /* options */
    {"--token=abc", "--token=***"},
    {"--token=a b&c\"d", "--token=***"},
    {"--token|abc", "--token|***"},
    {"--TOKEN|abc|def", "--TOKEN|***|def"},
    {"--api-key|abc", "--api-key|***"},
    {"--password|-abc", "--password|***"},
    {"-passin|pass:x", "-passin|***"},
    {"--use-key|-token|abc", "--use-key|***|***"},
    {"--use-key|--token|abc", "--use-key|--token|***"},
    {"-Dspring.password=x y", "-Dspring.password=***"},
    {"--authToken|abc", "--authToken|***"},
    /* assignments */
    {"env|NPM_TOKEN=abc|npm", "env|NPM_TOKEN=***|npm"},
    {"docker|run|-eDB_PASSWORD=a b", "docker|run|-eDB_PASSWORD=***"},
    {"kubectl|--from-literal=password=xyz", "kubectl|--from-literal=password=***"},
    {"//registry.example/:_authToken=abc", "//registry.example/:_authToken=***"},
    {"https://h/x?token=abc&y=z", "https://h/x?token=***&y=z"},
    {"-d|{\"password\":\"a b\",\"u\":1}", "-d|{\"password\":\"***\",\"u\":1}"},
    {"{\\\"password\\\":\\\"x\\\"}", "{\\\"password\\\":\\\"***\\\"}"},
    /* headers */
    {"curl|-H|Authorization: Bearer abc", "curl|-H|Authorization: ***"},
    {"curl|-H|authorization:abc", "curl|-H|authorization:***"},
    {"curl|-HAuthorization:abc", "curl|-HAuthorization:***"},
    {"curl|--header=PRIVATE-TOKEN:abc", "curl|--header=PRIVATE-TOKEN:***"},
    {"curl|-H|X-My-Key:abc|x", "curl|-H|X-My-Key:***|x"},
    {"curl|-H|Cookie: a=b; c=d", "curl|-H|Cookie: ***"},
    {"curl|-H|Accept: text/html", "curl|-H|Accept: text/html"},
    {"curl|-u|me:pw|x", "curl|-u|me:***|x"},
    {"sudo|-u|me|id", "sudo|-u|me|id"},
    /* scripts in one argument */
    {"sh|-c|curl -H 'Authorization: Bearer abc' https://h",
     "sh|-c|curl -H 'Authorization: ***' https://h"},
    {"sh|-c|x --token abc --quiet", "sh|-c|x --token *** --quiet"},
    {"sh|-c|x --token 'a b' y", "sh|-c|x --token '***' y"},
    {"sh|-c|export A_SECRET=abc; run", "sh|-c|export A_SECRET=***; run"},
    /* URLs */
    {"https://u:p@h/x", "https://***@h/x"},
    {"git|clone|https://x-access-token:abc@github.com/a/b", "git|clone|https://***@github.com/a/b"},
    {"--url=https://u@h", "--url=https://***@h"},
    {"postgres://u:p/w@db/x", "postgres://***@db/x"},
    {"a://b://u:p@h", "a://***@h"},
    /* well-known shapes, wherever they stand */
    {"ghp_0123456789abcdefghijABCDEFGHIJ012345", "***"},
    {"x=gho_0123456789abcdefghijABCDEFGHIJ012345.", "x=***."},
    {"ghs_0123456789abcdefghijABCDEFGHIJ012345", "***"},
    {"github_pat_0123456789abcdefghij_ABCDEF", "***"},
    {"npm_0123456789abcdefghijABCDEFGHIJ012345", "***"},
    {"pypi-AgEIcHlwaS5vcmcCJDAwMDAwMDAw", "***"},
    {"glpat-0123456789abcdefghij", "***"},
    {"xoxb-012345678901-abcdef", "***"},
    {"AKIAIOSFODNN7EXAMPLE", "***"},
    {"sk-0123456789abcdefghij", "***"},
    {"my,eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc_-9,end", "my,***,end"},
};

static void run_case(const char *in, struct buffer *line, struct buffer *indices)
{
    struct redact redact = {0};
    char *copy = strdup(in), *rest = copy;
    assert_non_null(copy);
    for (size_t i = 0; rest; i++) {
        const char *arg = strsep(&rest, "|");
        if (i)
            buffer_add_char(line, '|');
        size_t start = line->len;
        bool hidden = redact_arg(&redact, arg, line);
        const char *now = line->data ? line->data + start : "";
        assert_int_equal(hidden, strcmp(arg, now) != 0);
        if (hidden)
            buffer_printf(indices, "%zu ", i);
    }
    free(copy);
}

static void test_redact_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        CLEANUP_BUFFER struct buffer line = {0}, indices = {0};
        run_case(cases[i].in, &line, &indices);
        assert_string_equal(line.data, cases[i].out);
    }
}

static void test_redact_indices(void **state)
{
    (void)state;
    CLEANUP_BUFFER struct buffer line = {0}, indices = {0};
    run_case("a|--token|x|b|https://u@h|--key=1", &line, &indices);
    assert_string_equal(indices.data, "2 4 5 ");
}

/* Every cut of every line: no reading behind the end (the sanitizer says so), and what was hidden
 * in full is not brought out by a cut behind it. */
static void test_redact_cuts(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        for (size_t len = 0; len <= strlen(cases[i].in); len++) {
            char *cut = strndup(cases[i].in, len);
            CLEANUP_BUFFER struct buffer line = {0}, indices = {0};
            assert_non_null(cut);
            run_case(cut, &line, &indices);
            free(cut);
        }
    }
}

int main(void)
{
    static const struct unit_test tests[] = {
        REPORT("-", test_redact_table),
        REPORT("-", test_redact_indices),
        REPORT("-", test_redact_cuts),
    };
    return unit_run(tests, ARRAY_SIZE(tests));
}
