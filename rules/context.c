/* SPDX-License-Identifier: MIT
 * Headers: `[GET|POST https://api.github.com exe=/usr/bin/gh]`. */
#include "rules/context.h"

#include <string.h>

#include "rules/path.h"
#include "rules/selector.h"
#include "rules/target.h"
#include "rules/word.h"

struct header {
    struct reporter *r;
    struct arena *arena;
    struct context *context;
    struct extras extras;
    unsigned seen; /* enum context_part */
    size_t at;
};

static bool once(struct header *h, enum context_part part, struct span word, const char *what)
{
    if (h->seen & part) {
        reporter_error(h->r, word.at, "the header has %s twice; write one header for each", what);
        return false;
    }
    h->seen |= part;
    return true;
}

static bool add_service(struct header *h, struct span word)
{
    return once(h, PART_SERVICE, word, "ports") &&
           service_parse(h->r, h->arena, word, &h->context->service);
}

static bool add_base(struct header *h, struct span word)
{
    struct context *c = h->context;
    struct span path;
    if (!once(h, PART_BASE, word, "a base URL") ||
        !url_base_parse(h->r, h->arena, word, &c->base, &path))
        return false;
    c->base_path = NULL;
    if (path.len > 0) {
        c->base_path = path_pattern_parse(h->r, h->arena, NULL, path);
        if (!c->base_path)
            return false;
    }
    c->base_text = reporter_typed(h->r, h->arena, word);
    c->has_base = c->base_text != NULL;
    return c->has_base;
}

static bool add_methods(struct header *h, struct span word)
{
    h->context->methods = methods_parse(word);
    return once(h, PART_METHODS, word, "methods");
}

static bool add_word(struct header *h, struct span word)
{
    if (selector_is(word))
        return extras_add(&h->extras, h->r, h->arena, word);
    if (word.text[0] == ':' && !(word.len > 1 && word.text[1] == ':'))
        return add_service(h, word);
    if (span_is_url(word))
        return add_base(h, word);
    if (methods_parse(word) != 0)
        return add_methods(h, word);
    if (span_is(word, "expected")) {
        reporter_error(h->r, word.at, "expected cannot stand in a header; write it on deny lines");
        return false;
    }
    if (keyword_find(word) != 0)
        return extras_add(&h->extras, h->r, h->arena, word);
    reporter_error(h->r, word.at,
                   "'%.*s' cannot stand in a header; write methods, :PORTS, a base URL, a keyword "
                   "or NAME=VALUE, and close with ]",
                   SPAN(word));
    return false;
}

bool selectors_merge(struct arena *arena, const struct selector *own, size_t n_own,
                     const struct selector *inherited, size_t n_inherited,
                     const struct selector *added, size_t n_added, const struct selector **out,
                     size_t *n_out)
{
    /* Lists are not changed any more: where one is all there is, it is shared. */
    if (n_added == 0 && (n_own == 0 || n_inherited == 0)) {
        *out = n_own > 0 ? own : inherited;
        *n_out = n_own + n_inherited;
        return true;
    }
    struct selector *list = arena_array(arena, n_own + n_inherited + n_added, sizeof(*list));
    size_t n = 0;
    if (!list)
        return false;
    for (size_t i = 0; i < n_own; i++)
        list[n++] = own[i];
    for (size_t i = 0; i < n_inherited; i++) {
        bool overridden = false;
        for (size_t j = 0; j < n_own && !overridden; j++)
            overridden = selector_same(&own[j], &inherited[i]);
        if (!overridden)
            list[n++] = inherited[i];
    }
    for (size_t i = 0; i < n_added; i++)
        list[n++] = added[i];
    *out = list;
    *n_out = n;
    return true;
}

static bool lay_over(struct header *h, const struct context *start)
{
    struct context *c = h->context;
    c->keywords |= h->extras.keywords;
    c->unsaid = h->seen | (h->extras.n_selectors > 0 ? PART_WHO : 0u);
    if ((c->keywords & KEYWORD_PASSTHROUGH) && (c->keywords & KEYWORD_INSECURE)) {
        reporter_error(h->r, h->at,
                       "passthrough and insecure exclude each other; write one of them");
        return false;
    }
    return selectors_merge(h->arena, h->extras.selectors, h->extras.n_selectors, start->selectors,
                           start->n_selectors, NULL, 0, &c->selectors, &c->n_selectors);
}

bool context_parse(struct reporter *r, struct arena *arena, const struct context *start,
                   struct span header, struct words *words, struct context *out)
{
    struct header h = {.r = r, .arena = arena, .context = out, .at = header.at};
    *out = *start;
    out->unsaid = 0;
    if (span_has(header, "[::", 3) || span_has(header, "]:", 2)) {
        reporter_error(r, header.at,
                       "IPv6 targets cannot be allowed, IPv6 egress is closed; write a name or an "
                       "IPv4 address");
        return false;
    }
    if (header.len < 2 || header.text[header.len - 1] != ']') {
        reporter_error(r, header.at + header.len,
                       "the header is not closed; write ] at the end of the line");
        return false;
    }
    if (!words_split(r, span_cut(header, 1, header.len - 2), words) ||
        !extras_init(&h.extras, arena, words))
        return false;
    bool good = true;
    for (size_t i = 0; i < words->n; i++)
        good = add_word(&h, words->list[i]) && good;
    return lay_over(&h, start) && good;
}
