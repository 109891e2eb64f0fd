#!/bin/bash
# SPDX-License-Identifier: MIT
# The manual pages hold what the program has: a page for each command, in it every option that --help
# tells and no other; every page that another names is there, and formatters find nothing to say.
. "$(dirname "$0")/../lab/report.sh"
cd "$(dirname "$0")/../.." || exit 1
egress=$PWD/${BUILD:-build}/egress-filter
pages=(docs/*.[158])

# options_of COMMAND: NAME for a switch, NAME= for one that takes a value.
options_of()
{
    "$egress" "$1" --help | sed -nE 's/^  --([a-z0-9-]+)( [^ ]+)?(  .*|$)/\1\2/p' | sed 's/ .*/=/' | sort
}

# The same of a page's lists; one entry may tell several that are alike.
items_of()
{
    grep '^\.It Fl' "$1" | sed 's/ , Fl /\nFl /g; s/^\.It //' |
        sed -nE 's/^Fl -([a-z0-9-]+)( .*)?$/\1\2/p' | sed 's/ .*/=/' | sort
}

summaries=$("$egress" help | sed -nE 's/^  ([a-z]+) +(.*)/\1 \2/p')
while read -r command summary; do
    case $command in
    version | help)
        check - "$command is told of in the overview" grep -qx "\.It Cm $command" docs/egress-filter.8
        continue
        ;;
    esac
    page=$(echo docs/egress-filter-"$command".[18])
    check - "$command has a page" test -r "$page"
    check_equal - "$page has the options of $command" "$(options_of "$command")" "$(items_of "$page")"
    # The first line of options is what stands for all of them where there are many.
    if ! grep -q '^\.Op Ar option' "$page"; then
        check_equal - "and its synopsis too" "$(options_of "$command" | grep -vx help)" \
            "$(sed -n '/^\.Sh SYNOPSIS/,/^\.Sh DESCRIPTION/s/^\.Op Fl -\([a-z-]*\)\( .*\)\{0,1\}$/\1\2/p' "$page" |
                sed 's/ .*/=/' | sort)"
    fi
    check - "the overview leads to it" \
        grep -q "^\.It Xr egress-filter-$command ${page##*.}$" docs/egress-filter.8
    check_equal - "it is summed up as help does" "$summary" "$(sed -n 's/^\.Nd //p' "$page")"
done <<<"$summaries"

# No page is of a command that is none.
for page in docs/egress-filter-*.[18]; do
    command=${page##*/egress-filter-}
    check - "$page is of a command" grep -q "^${command%.*} " <<<"$summaries"
done

# Links between the pages, and to parts of a page.
missing=$(grep -ohE '^\.Xr egress-filter[a-z.-]* [0-9]' "${pages[@]}" | sort -u |
    while read -r _ name section; do [ -r "docs/$name.$section" ] || echo "$name($section)"; done)
check_equal - "pages that are named are there" "" "$missing"
missing=$(for page in "${pages[@]}"; do
    sed -nE 's/^\.Sx "?([^)"]*[A-Za-z])"?( .*)?$/\1/p' "$page" | while read -r name; do
        grep -qxE "\.S[hs] \"?$name\"?" "$page" || echo "$page: $name"
    done
done)
check_equal - "parts that are named are there" "" "$missing"

if command -v mandoc >/dev/null; then
    check_equal - "mandoc has nothing to say" "" "$(mandoc -T lint -W warning "${pages[@]}" 2>&1)"
else
    skip - "mandoc has nothing to say" "mandoc is not installed"
fi
if command -v man >/dev/null && command -v groff >/dev/null; then
    check_equal - "man has nothing to say" "" "$(for page in "${pages[@]}"; do
        LC_ALL=C.UTF-8 MANROFFSEQ='' MANWIDTH=80 man --warnings -E UTF-8 -l -Tutf8 -Z "$page" 2>&1 >/dev/null
    done)"
else
    skip - "man has nothing to say" "man-db and groff are not installed"
fi
exit "$((LAB_FAILED > 0))"
