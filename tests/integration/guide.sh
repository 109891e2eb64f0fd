#!/bin/bash
# SPDX-License-Identifier: MIT
# Every policy that docs/writing-policies.md shows is what the page says it is: clean, with its tests
# passing; accepted with a warning; or refused.
. "$(dirname "$0")/../lab/report.sh"
cd "$(dirname "$0")/../.." || exit 1
egress=$PWD/${BUILD:-build}/egress-filter
page=docs/writing-policies.md
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT

# Blocks into files, NUMBER.LINE.KIND: what stands between ```KIND and ```, its indentation away.
awk -v work="$work" '
    /^ *```/ && file { close(file); file = ""; next }
    /^ *```/ {
        indent = match($0, /`/) - 1
        kind = substr($0, indent + 4)
        gsub(/ /, "-", kind)
        file = work "/" sprintf("%02d", ++n) "." NR "." kind
        next
    }
    file { print substr($0, indent + 1) > file }
    END { if (file) print "not closed" > (work "/99.0.open") }' "$page"

# status ARGUMENT…: the program's, with a repository for the placeholders.
status()
{
    GITHUB_REPOSITORY=me/it "$egress" "$@" >"$work/said" 2>&1
    echo $?
}

found=
for file in "$work"/[0-9]*; do
    name=${file##*/}
    line=${name#*.}
    line=${line%%.*}
    kind=${name#*.*.}
    found+="$kind "
    case $kind in
    rules | yaml)
        [ "$kind" = rules ] || mv "$file" "${file%.yaml}.yml"
        [ "$kind" = rules ] || file=${file%.yaml}.yml
        check_equal - "the $kind on line $line is clean" 0 "$(status check --strict "$file")"
        if grep -q '#?' "$file"; then
            check_equal - "and passes its tests" 0 "$(status test "$file")"
        else
            not_ok - "the $kind on line $line has tests"
        fi
        ;;
    rules-warned)
        check_equal - "the policy on line $line is warned about" "0 1" \
            "$(status check "$file") $(status check --strict "$file")"
        ;;
    rules-refused)
        check_equal - "the policy on line $line is refused" 2 "$(status check "$file")"
        ;;
    sh)
        # Commands and options that there are.
        while read -r word; do
            check - "line $line: $word is a command" "$egress" "$word" --help
        done < <(grep -oE 'egress-filter [a-z]+' "$file" | awk '{ print $2 }')
        ;;
    *) not_ok - "the block on line $line is of a kind that is looked at" "$kind" ;;
    esac
done
for kind in rules yaml rules-warned rules-refused sh; do
    check - "the page has a block of $kind" test "${found/"$kind "/}" != "$found"
done
exit "$((LAB_FAILED > 0))"
