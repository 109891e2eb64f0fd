/* SPDX-License-Identifier: MIT
 * Reading policies as `run` would, but with nobody's rights but the caller's own. */
#include "review/policy_files.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buffer.h"
#include "base/fd.h"
#include "base/say.h"
#include "rules/presets.h"
#include "tls/digest.h"

#define RESOLV_CONF     "/etc/resolv.conf"
#define POLICY_FILE_MAX (64u << 20)
#define STDIN_NAME      "<stdin>"

struct policy_file {
    struct policy_file *next;
    char *name;
    const char *from; /* the name of the file whose include asked last for this one; or NULL */
    dev_t dev;
    ino_t ino;
    struct buffer data;
};

static void file_free(struct policy_file *file)
{
    if (!file)
        return;
    free(file->name);
    buffer_release(&file->data);
    free(file);
}

void policy_files_release(struct policy_files *f)
{
    while (f->list) {
        struct policy_file *next = f->list->next;
        file_free(f->list);
        f->list = next;
    }
}

static int read_all(int fd, struct buffer *out)
{
    char chunk[65536];
    ssize_t n;
    while ((n = read(fd, chunk, sizeof(chunk))) != 0) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        buffer_add(out, chunk, (size_t)n);
        if (buffer_failed(out))
            return -ENOMEM;
        if (out->len > POLICY_FILE_MAX)
            return -EFBIG;
    }
    return 0;
}

static struct policy_file *find(const struct policy_files *f, const char *name)
{
    for (struct policy_file *file = f->list; file; file = file->next)
        if (file->name && strcmp(file->name, name) == 0)
            return file;
    return NULL;
}

static void give(const struct policy_file *file, const char *name, struct policy_source *out)
{
    *out = (struct policy_source){name, file->data.data ? file->data.data : "", file->data.len};
}

/* Reads an open file and adds it to the list. */
static int add(struct policy_files *f, int fd, const char *name, const char *from,
               struct policy_file **out)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return -errno;
    if (S_ISDIR(st.st_mode))
        return -EISDIR;
    struct policy_file *file = calloc(1, sizeof(*file));
    if (!file)
        return -ENOMEM;
    file->name = strdup(name);
    file->from = from;
    file->dev = st.st_dev;
    file->ino = st.st_ino;
    int result = file->name ? read_all(fd, &file->data) : -ENOMEM;
    if (result < 0) {
        file_free(file);
        return result;
    }
    file->next = f->list;
    f->list = file;
    *out = file;
    return 0;
}

int policy_files_read(struct policy_files *f, const char *path, struct policy_source *out)
{
    struct policy_file *file;
    bool in = strcmp(path, "-") == 0;
    int fd = in ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return -errno;
    int result = add(f, fd, in ? STDIN_NAME : path, NULL, &file);
    if (!in)
        fd_close(&fd);
    if (result == 0)
        give(file, file->name, out);
    return result;
}

/* A machine without that file has no resolvers to allow. */
static int make_resolvers(struct policy_files *f, struct policy_source *out)
{
    CLEANUP_BUFFER struct buffer text = {0};
    struct policy_file *file = find(f, PRESET_RESOLVER_FILE);
    if (!file) {
        CLEANUP_FD int fd = open(RESOLV_CONF, O_RDONLY | O_CLOEXEC | O_NOCTTY);
        int result = fd < 0 ? -errno : read_all(fd, &text);
        if (result < 0 && result != -ENOENT)
            return result;
        file = calloc(1, sizeof(*file));
        if (!file)
            return -ENOMEM;
        file->next = f->list;
        f->list = file;
        file->name = strdup(PRESET_RESOLVER_FILE);
        preset_read_resolv_conf(text.data ? text.data : "", text.len, &file->data);
    }
    if (!file->name || buffer_failed(&file->data))
        return -ENOMEM;
    give(file, file->name, out);
    return 0;
}

int policy_files_preset(struct policy_files *f, const char *name, struct policy_source *out)
{
    return strcmp(name, PRESET_RESOLVER) == 0 ? make_resolvers(f, out) : preset_find(name, out);
}

static void digest_file(struct digest *d, const struct buffer *data, char hex[SHA256_HEX + 1])
{
    uint8_t sum[SHA256_LEN];
    digest_add(d, data->data ? data->data : "", data->len);
    digest_end(d, sum);
    digest_hex(sum, hex);
}

/* The list has the newest first; the last one of it was read first. What was made of resolv.conf is
 * no file. Returns how many there were; hex is the digest of the last one. */
static size_t digest_lines(struct digest *d, const struct policy_file *file, struct buffer *lines,
                           char hex[SHA256_HEX + 1])
{
    if (!file)
        return 0;
    size_t before = digest_lines(d, file->next, lines, hex);
    if (strcmp(file->name, PRESET_RESOLVER_FILE) == 0)
        return before;
    digest_file(d, &file->data, hex);
    buffer_printf(lines, "%s  %s\n", hex, file->name);
    return before + 1;
}

void policy_files_digest(const struct policy_files *f, char hex[SHA256_HEX + 1])
{
    CLEANUP_BUFFER struct buffer lines = {0};
    struct digest *d = digest_new();
    hex[0] = '\0';
    if (!d)
        return;
    if (digest_lines(d, f->list, &lines, hex) != 1)
        digest_file(d, &lines, hex);
    if (buffer_failed(&lines))
        hex[0] = '\0';
    digest_free(d);
}

/* Relative to the directory of the file that holds the line, without the detours that change
 * nothing: `./` and doubled slashes. `..` stays, a link may lead elsewhere. */
static int include_path(const char *from, const char *what, char out[PATH_MAX])
{
    const char *slash = strrchr(from, '/');
    size_t dir = what[0] == '/' || !slash ? 0 : (size_t)(slash - from + 1), n = dir;
    if (dir >= PATH_MAX)
        return -ENAMETOOLONG;
    memcpy(out, from, dir);
    for (bool first = true; *what; what++, first = false) {
        bool begins = n == 0 || out[n - 1] == '/';
        if (begins && !first && *what == '/')
            continue;
        if (begins && what[0] == '.' && what[1] == '/') {
            what++;
            continue;
        }
        if (n + 1 >= PATH_MAX)
            return -ENAMETOOLONG;
        out[n++] = *what;
    }
    out[n] = '\0';
    return 0;
}

/* The same file further up is a cycle, whatever its name: the parser, which compares names, hears
 * the one that it knows. */
static const struct policy_file *find_above(const struct policy_files *f,
                                            const struct policy_file *file, const char *from)
{
    for (const struct policy_file *up = find(f, from); up; up = up->from ? find(f, up->from) : NULL)
        if (up->dev == file->dev && up->ino == file->ino)
            return up;
    return NULL;
}

int policy_files_load(void *context, const char *from, const char *what, bool preset,
                      struct policy_source *source)
{
    struct policy_files *f = context;
    char path[PATH_MAX];
    if (preset)
        return policy_files_preset(f, what, source);
    int result = include_path(from, what, path);
    if (result < 0)
        return result;
    const struct policy_file *includer = find(f, from);
    struct policy_file *file = find(f, path);
    if (!file) {
        CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
        if (fd < 0)
            return -errno;
        result = add(f, fd, path, includer ? includer->name : NULL, &file);
        if (result < 0)
            return result;
    }
    const struct policy_file *above = find_above(f, file, from);
    /* Files are read depth first: until this one ends, who asked last is who holds it. */
    if (!above)
        file->from = includer ? includer->name : NULL;
    give(file, above ? above->name : file->name, source);
    return 0;
}

int policy_files_load_inline(void *context, const char *from, const char *what, bool preset,
                             struct policy_source *source)
{
    (void)from;
    return preset ? policy_files_preset(context, what, source) : -EPERM;
}

void policy_say(const struct diagnostic *d)
{
    char place[64];
    snprintf(place, sizeof(place), ":%zu:%zu: %s: ", d->line, d->column,
             d->kind == DIAGNOSTIC_ERROR ? "error" : "warning");
    say_safely(stderr, d->file, strlen(d->file));
    fputs(place, stderr);
    say_safely(stderr, d->text, strlen(d->text));
    putc('\n', stderr);
}

static bool split(const char *text, char room[REPO_ROOM], struct policy_options *o)
{
    const char *slash = strchr(text, '/');
    size_t len = strlen(text);
    if (!slash || slash == text || !slash[1] || strchr(slash + 1, '/') || len >= REPO_ROOM)
        return false;
    memcpy(room, text, len + 1);
    room[slash - text] = '\0';
    o->owner = room;
    o->repo = room + (slash - text) + 1;
    return true;
}

bool policy_set_repo(const char *repo, char room[REPO_ROOM], struct policy_options *o)
{
    const char *environment = getenv("GITHUB_REPOSITORY");
    if (repo && !split(repo, room, o)) {
        say_error("cannot read --repo '%s': it is OWNER/REPO", repo);
        return false;
    }
    if (!repo && environment)
        (void)split(environment, room, o);
    return true;
}
