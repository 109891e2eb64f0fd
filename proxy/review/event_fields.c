/* SPDX-License-Identifier: MIT
 * Members by type. What the member held is not quoted: it may be anything. */
#include "review/event_fields.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void fields_bad(struct fields *f, const char *format, ...)
{
    va_list args;
    if (f->error->code)
        return;
    va_start(args, format);
    vsnprintf(f->error->text, sizeof(f->error->text), format, args);
    va_end(args);
    f->error->code = -EBADMSG;
}

static json_t *get(struct fields *f, const char *name)
{
    json_t *value = json_object_get(f->object, name);
    return json_is_null(value) ? NULL : value;
}

const char *value_text(json_t *value)
{
    const char *text = json_string_value(value);
    return text && strlen(text) == json_string_length(value) ? text : NULL;
}

const char *fields_text(struct fields *f, const char *name)
{
    json_t *value = get(f, name);
    const char *text = value_text(value);
    if (value && !text)
        fields_bad(f, "'%s' is no text; write a string%s", name,
                   json_is_string(value) ? " without a NUL" : "");
    return text;
}

bool fields_number(struct fields *f, const char *name, uint64_t max, uint64_t *out)
{
    json_t *value = get(f, name);
    if (!value)
        return false;
    if (!json_is_integer(value) || json_integer_value(value) < 0 ||
        (uint64_t)json_integer_value(value) > max) {
        fields_bad(f, "'%s' is no whole number up to %" PRIu64, name, max);
        return false;
    }
    *out = (uint64_t)json_integer_value(value);
    return true;
}

bool fields_flag(struct fields *f, const char *name)
{
    json_t *value = get(f, name);
    if (value && !json_is_boolean(value))
        fields_bad(f, "'%s' is neither true nor false", name);
    return json_is_true(value);
}

json_t *fields_list(struct fields *f, const char *name)
{
    json_t *value = get(f, name);
    if (value && !json_is_array(value)) {
        fields_bad(f, "'%s' is no list", name);
        return NULL;
    }
    return value;
}

bool fields_is_null(struct fields *f, const char *name)
{
    return json_is_null(json_object_get(f->object, name));
}
