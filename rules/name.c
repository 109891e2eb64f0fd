/* SPDX-License-Identifier: MIT
 * Host names in the one form that is compared. Labels are taken one by one and only those beyond
 * ASCII go through IDNA, which would refuse or change ASCII names that are in daily use
 * (underscores, `r3---sn`). */
#include "rules/name.h"

#include <errno.h>
#include <idn2.h>
#include <stdbool.h>
#include <string.h>

#include "rules/policy.h"

/* Longer is no label in any encoding; it keeps IDNA's quadratic parts away from hostile text. */
enum { LABEL_BYTES_MAX = 256 };

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

enum label_problem label_check(const char *label, size_t len, bool wildcards, size_t *where)
{
    *where = 0;
    if (len == 0)
        return LABEL_EMPTY;
    if (len > LABEL_MAX_LEN)
        return LABEL_LONG;
    for (size_t i = 0; i < len; i++) {
        char c = label[i];
        *where = i;
        if (!is_letter(c) && !(c >= '0' && c <= '9') && c != '-' && c != '_' &&
            !(wildcards && c == '*'))
            return LABEL_CHARACTER;
        if (c == '-' && (i == 0 || i == len - 1))
            return LABEL_HYPHEN;
    }
    return LABEL_GOOD;
}

enum label_problem label_check_last(const char *label, size_t len, size_t *where)
{
    *where = 0;
    if (len == 0 || !is_letter(label[0]))
        return LABEL_LAST;
    for (size_t i = 0; i < len; i++) {
        *where = i;
        if (label[i] == '_')
            return LABEL_UNDERSCORE;
    }
    return LABEL_GOOD;
}

bool label_is_ascii(const char *label, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)label[i] >= 0x80)
            return false;
    return true;
}

static int label_from_unicode(const char *label, size_t len, char *out, size_t *out_len)
{
    char in[LABEL_BYTES_MAX + 1];
    char *ascii = NULL;
    size_t where;
    if (len > LABEL_BYTES_MAX || memchr(label, '\0', len))
        return -EINVAL;
    memcpy(in, label, len);
    in[len] = '\0';
    if (idn2_lookup_u8((const uint8_t *)in, (uint8_t **)&ascii,
                       IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL) != IDN2_OK)
        return -EINVAL;
    /* The mapping can make dots and other ASCII out of look-alikes: check what came out. */
    size_t n = strlen(ascii);
    int result = -EINVAL;
    if (label_check(ascii, n, false, &where) == LABEL_GOOD) {
        memcpy(out, ascii, n);
        *out_len = n;
        result = 0;
    }
    idn2_free(ascii);
    return result;
}

int label_normalize(const char *label, size_t len, char *out, size_t *out_len)
{
    size_t where;
    if (!label_is_ascii(label, len)) {
        if (label_from_unicode(label, len, out, out_len) < 0)
            return -EINVAL;
    } else {
        if (label_check(label, len, false, &where) != LABEL_GOOD)
            return -EINVAL;
        memcpy(out, label, len);
        *out_len = len;
    }
    for (size_t i = 0; i < *out_len; i++)
        out[i] = lower(out[i]);
    return 0;
}

/* As most names are: ASCII, with nothing to look at twice but hyphens. Returns the length, or 0
 * where it is no name or has to be looked at label by label. */
static size_t normalize_plain(const char *name, size_t len, char *out)
{
    size_t start = 0;
    if (len == 0 || len > NAME_MAX_LEN)
        return 0;
    for (size_t i = 0; i < len; i++) {
        char c = lower(name[i]);
        bool edge = i == start || i + 1 == len || name[i + 1] == '.';
        if (c == '.' ? i == start
                     : !((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' ||
                         (c == '-' && !edge)))
            return 0;
        out[i] = c;
        if (c == '.')
            start = i + 1;
        else if (i - start >= LABEL_MAX_LEN)
            return 0;
    }
    size_t where;
    if (label_check_last(out + start, len - start, &where) != LABEL_GOOD)
        return 0;
    out[len] = '\0';
    return len;
}

int name_normalize(const char *name, size_t len, char *out)
{
    size_t used = 0, start = 0, last = 0, where;
    char label[LABEL_MAX_LEN];
    out[0] = '\0';
    if (len > 0 && name[len - 1] == '.')
        len--;
    if (normalize_plain(name, len, out) > 0)
        return 0;
    for (size_t i = 0; i <= len; i++) {
        size_t n;
        if (i < len && name[i] != '.')
            continue;
        if (label_normalize(name + start, i - start, label, &n) < 0 ||
            used + n + (used > 0) > NAME_MAX_LEN)
            goto bad;
        if (used > 0)
            out[used++] = '.';
        last = used;
        memcpy(out + used, label, n);
        used += n;
        start = i + 1;
    }
    if (label_check_last(out + last, used - last, &where) != LABEL_GOOD)
        goto bad;
    out[used] = '\0';
    return 0;
bad:
    out[0] = '\0';
    return -EINVAL;
}
