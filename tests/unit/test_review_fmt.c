/* SPDX-License-Identifier: MIT
 * `fmt` as its author calls it: what it writes, what it leaves alone, and what of a file stays. */
#include <errno.h>
#include <sys/stat.h>

#include "review/file_replace.h"
#include "review/fmt.h"
#include "unit/review_run.h"

static void check_run(const char *words, const char *input, int code, const char *out,
                      const char *err)
{
    CLEANUP_BUFFER struct buffer got = {0}, said = {0};
    int status = review_run(fmt_main, words, input, &got, &said);
    if (status != code || strcmp(got.data, out) != 0 || strncmp(said.data, err, strlen(err)) != 0 ||
        !err[0] != !said.data[0])
        fail_msg("%s: %d '%s' '%s'", words, status, got.data, said.data);
}

static void check_file(const char *name, const char *want)
{
    CLEANUP_BUFFER struct buffer got = {0};
    int fd = open(name, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    review_read(fd, &got);
    assert_string_equal(got.data, want);
}

static void files(void **state)
{
    (void)state;
    struct stat before, after;
    review_write("good.rules", "a.org\n");
    review_write("odd.rules", "a.org   exe=/a\n\n\nb.org");
    review_write("bad.rules", "a.org   exe=/a\ngithub.*\n");
    check_run("fmt --check good.rules odd.rules", "", FMT_DIFFERS, "odd.rules\n", "");
    check_run("fmt --check good.rules", "", FMT_GOOD, "", "");
    check_run("fmt --diff odd.rules good.rules", "", FMT_GOOD,
              "--- odd.rules\n+++ odd.rules\n@@ -1,4 +1,3 @@\n-a.org   exe=/a\n-\n+a.org exe=/a\n"
              " \n-b.org\n\\ No newline at end of file\n+b.org\n",
              "");
    check_run("fmt --check --diff good.rules", "", FMT_GOOD, "", "");
    check_file("odd.rules", "a.org   exe=/a\n\n\nb.org");
    assert_int_equal(chmod("odd.rules", 0640), 0);
    check_run("fmt bad.rules odd.rules good.rules", "", FMT_BAD, "odd.rules\n",
              "bad.rules:2:8: error: ");
    check_file("odd.rules", "a.org exe=/a\n\nb.org\n");
    check_file("bad.rules", "a.org   exe=/a\ngithub.*\n");
    assert_int_equal(stat("odd.rules", &before), 0);
    assert_int_equal(before.st_mode & 07777, 0640);
    check_run("fmt odd.rules", "", FMT_GOOD, "", "");
    assert_int_equal(stat("odd.rules", &after), 0);
    assert_true(before.st_ino == after.st_ino); /* not written where nothing changes */
    check_run("fmt nosuch", "", FMT_BAD, "", "egress-filter: error: cannot read 'nosuch'");
}

static void streams_and_contexts(void **state)
{
    (void)state;
    check_run("fmt -", " a.org", FMT_GOOD, "a.org\n", "");
    check_run("fmt --check -", " a.org", FMT_DIFFERS, "<stdin>\n", "");
    check_run("fmt -", "/x", FMT_BAD, "", "<stdin>:1:1: error: a path needs a base URL");
    check_run("fmt --context [https://a.org] -", " /x", FMT_GOOD, "/x\n", "");
    check_run("fmt -", "include nosuch.rules  exe=/a", FMT_GOOD, "include nosuch.rules exe=/a\n",
              "");
}

static void links_and_owners(void **state)
{
    (void)state;
    struct stat st;
    struct error error;
    review_write("odd.rules", " a.org");
    assert_int_equal(symlink("odd.rules", "link.rules"), 0);
    if (geteuid() == 0)
        assert_int_equal(chown("odd.rules", 12345, 54321), 0);
    check_run("fmt link.rules", "", FMT_GOOD, "link.rules\n", "");
    check_file("odd.rules", "a.org\n");
    assert_int_equal(lstat("link.rules", &st), 0);
    assert_true(S_ISLNK(st.st_mode));
    assert_int_equal(stat("odd.rules", &st), 0);
    if (geteuid() == 0)
        assert_true(st.st_uid == 12345 && st.st_gid == 54321);
    /* One that was written meanwhile is left alone. */
    struct stat was = st;
    was.st_mtim.tv_nsec ^= 1;
    assert_int_equal(file_replace("odd.rules", &was, "x", 1, &error), -EAGAIN);
    check_file("odd.rules", "a.org\n");
    assert_int_equal(mkfifo("pipe", 0600), 0);
    assert_int_equal(stat("pipe", &was), 0);
    assert_int_equal(file_replace("pipe", &was, "x", 1, &error), -EINVAL);
}

static void command_line(void **state)
{
    (void)state;
    CLEANUP_BUFFER struct buffer out = {0}, err = {0};
    check_run("fmt", "", FMT_BAD, "", "egress-filter: fmt needs a file");
    check_run("fmt --nosuch", "", FMT_BAD, "", "egress-filter: fmt has no option '--nosuch'");
    assert_int_equal(review_run(fmt_main, "fmt --help", "", &out, &err), FMT_GOOD);
    assert_non_null(strstr(out.data, "--check"));
}

/* Nothing but what the tests wrote is there: no temporary file stays. */
static void clean_up(void **state)
{
    (void)state;
    static const char *const names[] = {"good.rules", "odd.rules", "bad.rules", "link.rules",
                                        "pipe"};
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        assert_int_equal(unlink(names[i]), 0);
    assert_int_equal(chdir("/") == 0 ? rmdir(review_directory) : -1, 0);
}

int main(void)
{
    static const struct unit_test tests[] = {
        REPORT("-", files),
        REPORT("-", streams_and_contexts),
        REPORT("-", links_and_owners),
        REPORT("-", command_line),
        REPORT("-", clean_up),
    };
    return review_enter(NULL) < 0 || unit_run(tests, ARRAY_SIZE(tests));
}
