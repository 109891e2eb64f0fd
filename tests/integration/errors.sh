#!/bin/bash
# SPDX-License-Identifier: MIT
# Every error that the program can tell: errors.tsv provokes it, or errors.unprovoked says why that
# cannot be done here. A sentence of the source that neither knows is a failure, and so is a row of
# the second table that is said after all, or that stands in the source no more.
. "$(dirname "$0")/../lab/report.sh"
cd "$(dirname "$0")/../.." || exit 1
here=$PWD
PATH=$PWD/${BUILD:-build}:/usr/sbin:/sbin:$PATH
messages=$PWD/${BUILD:-build}/tools/messages
table=$PWD/tests/integration/errors.tsv
unprovoked=$PWD/tests/integration/errors.unprovoked
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
export PATH LC_ALL=C
unset GITHUB_REPOSITORY GITHUB_ACTIONS SUDO_UID SUDO_GID SUDO_USER
if [ "$(id -u)" -ne 0 ]; then
    skip - "every error is provoked" "root is needed"
    exit 0
fi

# What the rows find where they run: a directory that the command's user may enter.
chmod 755 "$work"
mkdir "$work/here" "$work/here/ro"
cd "$work/here" || exit 1
printf 'a.org\n' >good.rules
printf 'a..org\n' >bad.rules
printf 'https://a.org/{owner}/\n' >open.rules
printf 'b.org\n#? allow tls b.org\n' >tested.rules
printf 'a.org     exe=/b\nb.example.org exe=/c\n' >odd.rules

number=0
while IFS=$'\t' read -r want line words; do
    [[ $want != '#'* ]] || continue
    number=$((number + 1))
    status=0
    if [[ $line == =* ]]; then
        printf '%b\n' "${line#=}" | timeout 20 egress-filter check - >out 2>err || status=$?
    else
        # In a shell of its own, whose arguments the line may use.
        timeout 60 bash -c "$line" >out 2>err </dev/null || status=$?
    fi
    tr -d '\000' <err >>"$work/said"
    if [ "$status" = "$want" ] && grep -qF -e "$words" err; then
        ok - "error $number: ${words:0:70}"
    else
        not_ok - "error $number: ${words:0:70}" "$line" "exit status $status, expected $want" "$(head -c 2000 err)"
    fi
done <"$table"

# pattern MESSAGE: a regular expression for what printf makes of it.
pattern()
{
    sed -E 's/[][\.*^$+?(){}|]/\\&/g; s/%(\\\.\\\*|\\\.[0-9]+)?(zu|[a-z]+)/.*/g; s/%%/%/g' <<<"$1"
}

# Words of the tables above are no errors.
(cd "$here" && find proxy rules setup -name '*.c' ! -name 'cli_complete.c' -exec "$messages" {} +) |
    awk -F'\t' 'length($2) > 5 && $2 ~ / / && $2 !~ /^(usage:|::error|log %s, verify)/' | sort -t$'\t' -k2 -u >"$work/messages"
grep -v '^#' "$unprovoked" >"$work/known"
new=() told=()
while IFS=$'\t' read -r where text; do
    regex=$(pattern "$text")
    listed=
    grep -qxF -e "$text" "$work/known" && listed=1
    if grep -qE -e "$regex" "$work/said"; then
        # What is little but places for values matches what others say.
        fixed=$(sed -E 's/%[.*0-9]*(zu|[a-z]+)//g; s/[^a-z]//g' <<<"$text")
        [ -z "$listed" ] || [ ${#fixed} -lt 12 ] || told+=("$where: $text")
    elif [ -z "$listed" ]; then
        new+=("$where: $text")
    fi
done <"$work/messages"
check_equal - "the source has sentences" 1 "$(($(wc -l <"$work/messages") > 100))"
check_equal - "every error is provoked, or said why not" "" "$(printf '%s\n' "${new[@]}")"
check_equal - "what is not provoked is not said" "" "$(printf '%s\n' "${told[@]}")"
check_equal - "what is not provoked is in the source" "" \
    "$(grep -vxF -f <(cut -f2 "$work/messages") "$work/known")"
exit "$((LAB_FAILED > 0))"
