/* SPDX-License-Identifier: MIT
 * RFC 3339, read strictly: strptime(3) takes blanks and signs, and asks the locale. */
#include "review/event_time.h"

#include <errno.h>
#include <stdbool.h>
#include <time.h>

/* So many digits as a number of at most max, then the character behind them (0: any). */
static bool take(const char **at, int digits, int max, char behind, int *out)
{
    *out = 0;
    for (int i = 0; i < digits; i++, ++*at) {
        if (**at < '0' || **at > '9')
            return false;
        *out = *out * 10 + (**at - '0');
    }
    if (*out > max || (behind && **at != behind))
        return false;
    *at += behind != 0;
    return true;
}

static bool take_offset(const char **at, int64_t *seconds)
{
    int hours, minutes, sign = **at == '-' ? 1 : -1;
    if (**at == 'Z' || **at == 'z') {
        ++*at;
        return true;
    }
    if (**at != '+' && **at != '-')
        return false;
    ++*at;
    if (!take(at, 2, 23, ':', &hours) || !take(at, 2, 59, 0, &minutes))
        return false;
    *seconds += sign * (hours * 3600 + minutes * 60);
    return true;
}

int event_time_parse(const char *text, int64_t *seconds)
{
    struct tm tm = {0};
    if (!take(&text, 4, 9999, '-', &tm.tm_year) || !take(&text, 2, 12, '-', &tm.tm_mon) ||
        !take(&text, 2, 31, 0, &tm.tm_mday) || (*text != 'T' && *text != 't' && *text != ' '))
        return -EINVAL;
    text++;
    if (!take(&text, 2, 23, ':', &tm.tm_hour) || !take(&text, 2, 59, ':', &tm.tm_min) ||
        !take(&text, 2, 60, 0, &tm.tm_sec) || tm.tm_mon == 0 || tm.tm_mday == 0)
        return -EINVAL;
    if (*text == '.') {
        const char *fraction = ++text;
        while (*text >= '0' && *text <= '9')
            text++;
        if (text == fraction)
            return -EINVAL;
    }
    tm.tm_year -= 1900;
    tm.tm_mon -= 1;
    *seconds = (int64_t)timegm(&tm);
    return take_offset(&text, seconds) && *text == '\0' ? 0 : -EINVAL;
}
