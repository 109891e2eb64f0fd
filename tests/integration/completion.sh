#!/bin/bash
# SPDX-License-Identifier: MIT
# Completion as a person at a shell meets it: bash, zsh and fish complete lines with what the program
# prints for them, and every command and option that --help tells is among what they offer.
. "$(dirname "$0")/../lab/report.sh"
cd "$(dirname "$0")/../.." || exit 1
PATH=$PWD/${BUILD:-build}:$PATH
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
export PATH HOME=$work XDG_CONFIG_HOME=$work XDG_DATA_HOME=$work TERM=dumb
cd "$work" || exit 1
: >one.rules
mkdir two.d
egress-filter help | sed -n 's/^  \([a-z]*\) .*/\1/p' >commands

# In the shells of people the line's last word is completed to all that there is, and the program is
# a function that prints its words.
cat >bashrc <<'END'
eval "$(command egress-filter completion bash)"
bind '"\e*": insert-completions'
egress-filter() { [ "$*" != presets ] || { command egress-filter presets; return; }; printf '<%s>' "$@"; echo; }
END
cat >zshrc <<'END'
autoload -Uz compinit
compinit -u -D
eval "$(command egress-filter completion zsh)"
zle -C all-matches complete-word _generic
bindkey '^[*' all-matches
zstyle ':completion:all-matches::::' completer _all_matches _complete
zstyle ':completion:all-matches:*' insert true
egress-filter() { [[ $* != presets ]] || { command egress-filter presets; return; }; printf '<%s>' "$@"; echo; }
END
cat >fishrc <<'END'
egress-filter completion fish | source
while read -l line
    string match -qr '^(?<before>.*) (?<word>\S*)$' -- $line
    set -l found (complete --do-complete=$line | string replace -r '\t.*' '' | sort)
    echo (string join '' -- '<'(string split -n ' ' -- $before)[2..]'>' '<'$found'>')
end
END

# complete SHELL <LINES: what each line becomes.
complete_lines()
{
    sed 's/$/'$'\e''*/' >lines
    case $1 in
    bash) { echo '. ./bashrc' && cat lines && echo exit; } | timeout 60 bash --norc -i 2>said ;;
    zsh)
        { echo '. ./zshrc' && cat lines && echo exit; } >typed
        timeout 60 script -qec 'zsh -f -i' /dev/null <typed 2>said
        ;;
    fish) sed 's/..$//' lines | timeout 60 fish fishrc 2>said ;;
    esac | tr -d '\r' | grep '^<'
}

# Each line, and what it becomes.
cat >table <<'END'
egress-filter ver|<verify><version>
egress-filter run --att|<run><--attach>
egress-filter run --attach |<run><--attach><auto><cgroup><fentry><kprobe>
egress-filter run --attach=c|<run><--attach=cgroup>
egress-filter run --log-args |<run><--log-args><full><none><redacted>
egress-filter run --policy on|<run><--policy><one.rules>
egress-filter run --user roo|<run><--user><root>
egress-filter run --policy x --qui|<run><--policy><x><--quiet>
egress-filter run --quiet -- mktem|<run><--quiet><--><mktemp>
egress-filter run mktem|<run><mktemp>
egress-filter run -- cat on|<run><--><cat><one.rules>
egress-filter run --user root cat on|<run><--user><root><cat><one.rules>
egress-filter check on|<check><one.rules>
egress-filter validate --dump|<validate><--dump-rules>
egress-filter test @np|<test><@npm>
egress-filter test on|<test><one.rules>
egress-filter diff x @cargo|<diff><x><@cargo>
egress-filter presets np|<presets><npm>
egress-filter help ver|<help><verify><version>
egress-filter completion |<completion><bash><fish><zsh>
END

for shell in bash zsh fish; do
    if ! command -v "$shell" >/dev/null; then
        skip - "$shell completes" "it is not installed"
        continue
    fi
    cut -d'|' -f1 table | complete_lines "$shell" >became
    number=0
    while IFS='|' read -r line want; do
        number=$((number + 1))
        check_equal - "$shell completes: $line" "$want" "$(sed -n "${number}p" became)"
    done <table
    # Every command, and every option of each.
    {
        echo '<'
        while read -r command; do
            egress-filter "$command" --help | sed -n 's/^  \(--[a-z-]*\).*/\1/p' | sort | sed 's/.*/<&>/' |
                tr -d '\n' | sed "s/^/<$command>/"
            echo
        done <commands
    } | sed "1s/.*/$(sort commands | sed 's/.*/<&>/' | tr -d '\n')/" >want
    { echo 'egress-filter ' && sed 's/.*/egress-filter & --/' commands; } |
        complete_lines "$shell" >became
    check_equal - "$shell offers every command and option" "$(cat want)" "$(cat became)"
    check_equal - "$shell has no fault to find" "" \
        "$(grep -iE 'not found|error|unknown|syntax|invalid' said | head -n 5)"
done

# With the package bash-completion the command behind run is completed in its own way.
if [ -r /usr/share/bash-completion/bash_completion ]; then
    echo '. /usr/share/bash-completion/bash_completion' >>bashrc
    check_equal - "bash completes the command's own options" "<run><--><egress-filter><verify><version>" \
        "$(echo 'egress-filter run -- egress-filter ver' | complete_lines bash)"
else
    skip - "bash completes the command's own options" "bash-completion is not installed"
fi
exit "$((LAB_FAILED > 0))"
