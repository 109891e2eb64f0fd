/* SPDX-License-Identifier: MIT
 * Walks jobs.*.steps and runs.steps of the document that libyaml composed. Nodes that aliases
 * repeat are looked at once, so a file costs no more than its size. */
#include "review/workflow.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <yaml.h>

enum { DEPTH_MAX = 100, ANCHORS_MAX = 1000 };

struct search {
    const char *data;
    size_t len;
    struct workflow *out;
    struct workflow_fault *fault;
    yaml_document_t document;
    uint8_t *seen; /* by number of the node */
    /* libyaml counts characters; the last place that was asked for. */
    size_t character, byte;
    int result;
};

void workflow_release(struct workflow *w)
{
    for (size_t i = 0; i < w->n_steps; i++) {
        struct workflow_text *texts[] = {&w->steps[i].policy, &w->steps[i].context};
        for (size_t k = 0; k < ARRAY_SIZE(texts); k++) {
            free(texts[k]->data);
            scalar_map_release(&texts[k]->map);
        }
    }
    free(w->steps);
    free(w->lines);
    *w = (struct workflow){0};
}

static int count_lines(struct workflow *w, const char *data, size_t len)
{
    size_t n = 1;
    for (size_t i = 0; i < len; i++)
        n += data[i] == '\n';
    w->lines = calloc(n, sizeof(*w->lines));
    if (!w->lines)
        return -ENOMEM;
    for (size_t i = 0; i < len; i++)
        if (data[i] == '\n')
            w->lines[++w->n_lines] = i + 1;
    w->n_lines = n;
    return 0;
}

static void place_of(const struct workflow *w, size_t offset, size_t *line, size_t *column)
{
    size_t low = 0, high = w->n_lines;
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (w->lines[middle] <= offset)
            low = middle;
        else
            high = middle;
    }
    *line = low + 1;
    *column = offset - w->lines[low] + 1;
}

void workflow_place(const struct workflow *w, const struct workflow_text *t, size_t *line,
                    size_t *column)
{
    size_t at = 0;
    for (size_t n = 1; n < *line && at < t->len; n++) {
        const char *end = memchr(t->data + at, '\n', t->len - at);
        at = end ? (size_t)(end - t->data) + 1 : t->len;
    }
    at += MIN(*column > 0 ? *column - 1 : 0, t->len - at);
    place_of(w, t->map.at[at], line, column);
}

/* The byte at which a character stands. */
static size_t byte_of(struct search *s, size_t character)
{
    if (character < s->character)
        s->character = s->byte = 0;
    while (s->character < character && s->byte < s->len) {
        s->byte++;
        while (s->byte < s->len && ((unsigned char)s->data[s->byte] & 0xc0) == 0x80)
            s->byte++;
        s->character++;
    }
    return s->byte;
}

static void tell(struct search *s, size_t offset, const char *text)
{
    if (s->result)
        return;
    s->result = -EINVAL;
    place_of(s->out, offset, &s->fault->line, &s->fault->column);
    snprintf(s->fault->text, sizeof(s->fault->text), "%s", text);
}

static yaml_node_t *node(struct search *s, int number)
{
    return yaml_document_get_node(&s->document, number);
}

static bool scalar_is(const yaml_node_t *n, const char *text)
{
    return n && n->type == YAML_SCALAR_NODE && n->data.scalar.length == strlen(text) &&
           memcmp(n->data.scalar.value, text, n->data.scalar.length) == 0;
}

/* The value of a key; NULL where there is none, or no mapping. */
static yaml_node_t *value_of(struct search *s, yaml_node_t *mapping, const char *key)
{
    if (!mapping || mapping->type != YAML_MAPPING_NODE)
        return NULL;
    for (yaml_node_pair_t *p = mapping->data.mapping.pairs.start;
         p < mapping->data.mapping.pairs.top; p++)
        if (scalar_is(node(s, p->key), key))
            return node(s, p->value);
    return NULL;
}

static enum scalar_style style_of(const yaml_node_t *n)
{
    switch (n->data.scalar.style) {
    case YAML_SINGLE_QUOTED_SCALAR_STYLE:
        return SCALAR_SINGLE;
    case YAML_DOUBLE_QUOTED_SCALAR_STYLE:
        return SCALAR_DOUBLE;
    case YAML_LITERAL_SCALAR_STYLE:
    case YAML_FOLDED_SCALAR_STYLE:
        return SCALAR_BLOCK;
    default:
        return SCALAR_PLAIN;
    }
}

static void take_text(struct search *s, const yaml_node_t *n, const char *what,
                      struct workflow_text *out)
{
    char text[128];
    size_t start = byte_of(s, n->start_mark.index);
    if (n->type != YAML_SCALAR_NODE) {
        snprintf(text, sizeof(text), "the step's '%s' is no text; write it as a block, %s: |", what,
                 what);
        tell(s, start, text);
        return;
    }
    size_t end = byte_of(s, n->end_mark.index);
    out->len = n->data.scalar.length;
    out->data = malloc(out->len + 1);
    if (!out->data || scalar_map_init(&out->map, s->data, start, end, style_of(n),
                                      (const char *)n->data.scalar.value, out->len) < 0) {
        s->result = -ENOMEM;
        return;
    }
    memcpy(out->data, n->data.scalar.value, out->len);
    out->data[out->len] = '\0';
    place_of(s->out, out->map.at[0], &out->line, &out->column);
}

/* `OWNER/egress-filter@REF`, or the checkout itself. */
static bool names_filter(const yaml_node_t *uses)
{
    static const char name[] = "/egress-filter";
    const size_t n = sizeof(name) - 1;
    if (!uses || uses->type != YAML_SCALAR_NODE)
        return false;
    const char *text = (const char *)uses->data.scalar.value;
    const char *at = memchr(text, '@', uses->data.scalar.length);
    return scalar_is(uses, "./") ||
           (at && (size_t)(at - text) > n && at[1] != '\0' && strncasecmp(at - n, name, n) == 0);
}

static void take_step(struct search *s, yaml_node_t *step)
{
    yaml_node_t *uses = value_of(s, step, "uses"), *with = value_of(s, step, "with");
    size_t column;
    if (!names_filter(uses))
        return;
    struct workflow *w = s->out;
    struct workflow_step *steps = reallocarray(w->steps, w->n_steps + 1, sizeof(*steps));
    if (!steps) {
        s->result = -ENOMEM;
        return;
    }
    w->steps = steps;
    struct workflow_step *one = &steps[w->n_steps++];
    *one = (struct workflow_step){0};
    place_of(w, byte_of(s, uses->start_mark.index), &one->line, &column);
    yaml_node_t *policy = value_of(s, with, "policy"), *context = value_of(s, with, "context");
    if (policy)
        take_text(s, policy, "policy", &one->policy);
    if (context)
        take_text(s, context, "context", &one->context);
    one->lenient = scalar_is(value_of(s, with, "lenient"), "true");
}

static bool first_visit(struct search *s, int number)
{
    uint8_t *byte = &s->seen[number / 8], bit = (uint8_t)(1u << number % 8);
    bool first = !(*byte & bit);
    *byte |= bit;
    return first;
}

static void take_steps(struct search *s, yaml_node_t *steps)
{
    if (!steps || steps->type != YAML_SEQUENCE_NODE ||
        !first_visit(s, (int)(steps - s->document.nodes.start)))
        return;
    for (yaml_node_item_t *i = steps->data.sequence.items.start;
         i < steps->data.sequence.items.top && !s->result; i++)
        if (first_visit(s, *i - 1))
            take_step(s, node(s, *i));
}

static void take_document(struct search *s)
{
    yaml_node_t *root = yaml_document_get_root_node(&s->document);
    yaml_node_t *jobs = value_of(s, root, "jobs");
    size_t n = (size_t)(s->document.nodes.top - s->document.nodes.start);
    s->seen = calloc(n / 8 + 1, 1);
    if (!s->seen) {
        s->result = -ENOMEM;
        return;
    }
    take_steps(s, value_of(s, value_of(s, root, "runs"), "steps"));
    if (jobs && jobs->type == YAML_MAPPING_NODE)
        for (yaml_node_pair_t *p = jobs->data.mapping.pairs.start;
             p < jobs->data.mapping.pairs.top && !s->result; p++)
            if (first_visit(s, p->value - 1))
                take_steps(s, value_of(s, node(s, p->value), "steps"));
    free(s->seen);
    s->seen = NULL;
}

static void tell_yaml(struct search *s, const yaml_parser_t *parser)
{
    char text[128];
    if (parser->error == YAML_MEMORY_ERROR) {
        s->result = -ENOMEM;
        return;
    }
    bool reader = parser->error == YAML_READER_ERROR;
    snprintf(text, sizeof(text), "this is no YAML: %s; mend it, GitHub could not read it either",
             parser->problem ? parser->problem : "it cannot be read");
    tell(s, reader ? MIN(parser->problem_offset, s->len) : byte_of(s, parser->problem_mark.index),
         text);
}

static bool begin(struct search *s, yaml_parser_t *parser)
{
    if (!yaml_parser_initialize(parser)) {
        s->result = -ENOMEM;
        return false;
    }
    yaml_parser_set_encoding(parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(parser, (const unsigned char *)s->data, s->len);
    return true;
}

static bool has_anchor(const yaml_event_t *e)
{
    return (e->type == YAML_SCALAR_EVENT && e->data.scalar.anchor) ||
           (e->type == YAML_SEQUENCE_START_EVENT && e->data.sequence_start.anchor) ||
           (e->type == YAML_MAPPING_START_EVENT && e->data.mapping_start.anchor);
}

/* libyaml looks at every open bracket for each token, and at every anchor for each anchor: a file
 * of nothing else would keep it busy for hours. */
static void check_limits(struct search *s)
{
    yaml_parser_t parser;
    yaml_event_t e;
    size_t depth = 0, anchors = 0;
    bool more = true;
    if (!begin(s, &parser))
        return;
    while (more && !s->result && yaml_parser_parse(&parser, &e)) {
        depth += e.type == YAML_SEQUENCE_START_EVENT || e.type == YAML_MAPPING_START_EVENT;
        depth -= e.type == YAML_SEQUENCE_END_EVENT || e.type == YAML_MAPPING_END_EVENT;
        anchors += has_anchor(&e);
        if (depth > DEPTH_MAX || anchors > ANCHORS_MAX)
            tell(s, byte_of(s, e.start_mark.index),
                 depth > DEPTH_MAX ? "this is nested deeper than any workflow; write it flatter"
                                   : "there are more than 1,000 anchors; write fewer");
        more = e.type != YAML_STREAM_END_EVENT;
        yaml_event_delete(&e);
    }
    /* What is wrong otherwise the next pass says. */
    yaml_parser_delete(&parser);
}

static void search(struct search *s)
{
    yaml_parser_t parser;
    if (!begin(s, &parser))
        return;
    while (!s->result) {
        if (!yaml_parser_load(&parser, &s->document)) {
            tell_yaml(s, &parser);
            break;
        }
        bool more = yaml_document_get_root_node(&s->document) != NULL;
        if (more)
            take_document(s);
        yaml_document_delete(&s->document);
        if (!more)
            break;
    }
    yaml_parser_delete(&parser);
}

int workflow_parse(const char *data, size_t len, struct workflow *out, struct workflow_fault *fault)
{
    struct search s = {.data = data, .len = len, .out = out, .fault = fault};
    *out = (struct workflow){0};
    if (len > WORKFLOW_MAX)
        return -EFBIG;
    if (len == 0)
        return 0;
    int result = count_lines(out, data, len);
    if (result < 0)
        return result;
    check_limits(&s);
    if (!s.result)
        search(&s);
    return s.result;
}
