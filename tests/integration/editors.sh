#!/bin/bash
# SPDX-License-Identifier: MIT
# The editors' files know every word of the language: the lists are asked of the program itself. The
# patterns of the grammar compile, and Vim, where it is installed, colours what it should.
# shellcheck disable=SC2016 # what stands in single quotes is for others
. "$(dirname "$0")/../lab/report.sh"
cd "$(dirname "$0")/../.." || exit 1
egress=$PWD/${BUILD:-build}/egress-filter
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
vim_file=editors/vim/syntax/egressrules.vim
grammar=editors/textmate/egress-rules.tmLanguage.json
injection=editors/textmate/egress-rules.workflow.tmLanguage.json

# listed POLICY: the words that the program names in its error for a bad one.
listed()
{
    "$egress" check - <<<"$1" 2>&1 | sed -nE '1s/.*; write (one of |a path from its [^@]*, )?//p' |
        grep -oE '@?[A-Za-z0-9]+(-[a-z0-9]+)*' | grep -vxE 'or|one|a|rule|line|and|NAME|VALUE|N|joined|with' | sort -u
}

# knows KIND WORD…: each stands as a whole word in both files.
knows()
{
    local kind=$1 word missing=()
    shift
    for word in "$@"; do
        grep -qE -- "(^|[^A-Za-z0-9])${word#@}([^A-Za-z0-9]|$)" "$vim_file" ||
            missing+=("$word in $vim_file")
        # The backslashes of a JSON text are its own.
        jq -r '.. | strings' "$grammar" | grep -qE -- "(^|[^A-Za-z0-9])${word#@}([^A-Za-z0-9]|$)" ||
            missing+=("$word in $grammar")
    done
    if [ $# -gt 2 ] && [ ${#missing[@]} -eq 0 ]; then
        ok - "the editors know every $kind"
    else
        not_ok - "the editors know every $kind" "$# words: $*" "missing: ${missing[*]}"
    fi
}

mapfile -t keywords < <(listed 'x.org nosuch')
mapfile -t selectors < <(listed 'x.org nosuch=x')
mapfile -t methods < <(listed 'FETCH https://x.org/')
mapfile -t groups < <(listed 'x.org cgroup=nosuch')
mapfile -t presets < <("$egress" presets | awk '/^@/ { print $1 }')
knows keyword "${keywords[@]}"
knows selector "${selectors[@]}"
knows method "${methods[@]}"
knows "group of cgroups" "${groups[@]}"
knows preset "${presets[@]}"
check_equal - "of each kind as many as there are" "5 13 7 6 16" \
    "${#keywords[@]} ${#selectors[@]} ${#methods[@]} ${#groups[@]} ${#presets[@]}"

# A reference to what another pattern took can only be had where that is.
bad=$(jq -r '.. | objects | .match, .begin, .end, .while | strings' "$grammar" "$injection" |
    sed 's/\\1/ */g' | while IFS= read -r pattern; do
    status=0
    grep -qP -- "$pattern" /dev/null || status=$?
    [ "$status" -lt 2 ] || printf '%s\n' "$pattern"
done)
check_equal - "the patterns of the grammar compile" "" "$bad"
begin=$(jq -r '.patterns[0].begin' "$injection")
check - "a workflow's policy begins where the injection says" grep -qP -- "$begin" \
    <<<'          policy: |'
check - "and nothing else does" ! grep -qP -- "$begin" <<<'          policy: one line'

if ! command -v vim >/dev/null || ! vim --version | grep -q '+syntax'; then
    skip - "Vim colours a policy" "no vim with +syntax is installed"
    exit "$((LAB_FAILED > 0))"
fi
cat >"$work/egress.rules" <<'RULES'
[:80|443 exe=/usr/bin/curl]
deny *.x.org expected  # why
include @npm exe=/usr/bin/node
POST https://x.org/{owner}/* websocket arg[1]="a b"
y.org:22 cgroup=@host private
#? deny tls z.org
RULES
cp "$work/egress.rules" "$work/other.rules"
printf 'SUBSYSTEM=="net", ACTION=="add"\n' >"$work/70-net.rules"
# The group at the first place of a text in a line.
cat >"$work/ask.vim" <<'VIM'
function! Ask(line, text)
  let column = stridx(getline(a:line), a:text) + 1
  return a:text . ' ' . synIDattr(synID(a:line, column, 1), 'name')
endfunction
let asked = [[1, ':80'], [1, 'exe'], [1, '/usr'], [2, 'deny'], [2, 'x.org'], [2, 'expected'],
  \ [2, '# why'], [3, 'include'], [3, '@npm'], [3, 'exe'], [4, 'POST'], [4, 'https'], [4, '{owner}'],
  \ [4, 'websocket'], [4, 'arg'], [4, '"a b"'], [5, 'y.org'], [5, ':22'], [5, '@host'],
  \ [5, 'private'], [6, '#?'], [6, 'deny']]
call writefile([&filetype] + map(asked, 'Ask(v:val[0], v:val[1])'), $OUT)
VIM
# vim_run FILE: opens it with the editor's files, and nothing of the user's.
vim_run()
{
    OUT=$work/out HOME=$work timeout 20 vim -N -u NONE -i NONE -n -es \
        --cmd "set runtimepath^=$PWD/editors/vim" -c 'filetype on' -c 'syntax on' \
        -c "edit $1" -c "source $work/ask.vim" -c 'qa!' >"$work/said" 2>&1 </dev/null
}
check - "Vim loads its files without an error" vim_run "$work/egress.rules"
check_equal - "and says nothing" "" "$(tr -d '\r\n' <"$work/said")"
check_equal - "Vim colours a policy" "egressrules
:80 egressHeaderPort
exe egressSelector
/usr egressValue
deny egressVeto
x.org egressVetoTarget
expected egressKeyword
# why egressComment
include egressInclude
@npm egressPreset
exe egressSelector
POST egressMethod
https egressScheme
{owner} egressPlaceholder
websocket egressKeyword
arg egressSelector
\"a b\" egressLiteral
y.org egressTarget
:22 egressPort
@host egressGroup
private egressKeyword
#? egressTest
deny egressVerdict" "$(cat "$work/out")"
vim_run "$work/other.rules"
check_equal - "a policy of another name is known by its lines" egressrules "$(head -n 1 "$work/out")"
vim_run "$work/70-net.rules"
check - "other rules are not taken for one" test "$(head -n 1 "$work/out")" != egressrules
exit "$((LAB_FAILED > 0))"
