#!/bin/bash
# SPDX-License-Identifier: MIT
# The policies of rules/examples at work: each job of docs/guides is really run, with the programs and
# the names of the real world, against the lab's registries. By its policy it gets what it came for,
# and what a stranger put into it reaches nobody; the log kept beside each policy is what such a run
# writes, and the policy says of it what is expected.
# shellcheck disable=SC2016 # what stands in single quotes is for the shell inside
. "$(dirname "$0")/../lab/lab.sh"
# shellcheck source=tests/lab/behind.sh
. "$LAB_DIR/behind.sh"
# shellcheck source=tests/lab/registries.sh
. "$LAB_DIR/registries.sh"
registries || lab_fail "cannot start the registries"

examples=$LAB_ROOT/rules/examples
# With a directory here, the logs and what is expected of them are written anew into it.
keep=${EXAMPLES_KEEP:-}
export PIP_CERT=$LAB/ca/root.crt CARGO_HTTP_CAINFO=$LAB/ca/root.crt PIP_DISABLE_PIP_VERSION_CHECK=1
export APT_CONFIG=$LAB/home/apt/apt.conf PIP_NO_CACHE_DIR=1
GOT=$LAB/home/got
cd "$LAB/home" || exit 1
stranger="curl -sS -m 10 -o /dev/null https://$COLLECTOR/"

# decisions NAME LOG: what the policy NAME says to each thing that was asked for in LOG, once each;
# without the version of Python, which goes with the distribution.
decisions()
{
    paste -d' ' <("$EGRESS" match --policy "$examples/$1.rules" "$2" | jq -r .policy) \
        <(jq -r 'select(.event == "connect" or .event == "query" or .event == "datagram") |
            "\(.event) \(.host // .name // .dst_ip) \(.exe)"' "$2") | sed 's/python3\.[0-9]*$/python3/' | sort -u
}

# trimmed LOG: what match needs, without what only this machine has.
trimmed()
{
    jq -c 'select(.event != "start" and .event != "stop") |
        del(.prev, .hash, .ancestors, .cgroup, .mntns, .netns, .start_ns, .pid, .ns_pid)' "$1"
}

# The policies themselves, and the pages that show them.
for file in "$examples"/*.rules; do
    name=$(basename "$file" .rules)
    check - "$name.rules is clean" "$EGRESS" check --strict "$file"
    check - "$name.rules is in the one form" "$EGRESS" fmt --check "$file"
    check - "$name.rules passes its tests" "$EGRESS" test "$file"
    check - "docs/guides/$name.md shows it as it is" cmp "$file" \
        <(awk '/^```$/ { on = 0 } on; /^```rules$/ { on = 1 }' "$LAB_ROOT/docs/guides/$name.md")
    [ -z "$keep" ] || continue
    check_equal - "of its kept log it says what is expected" "$(cat "$examples/$name.expected")" \
        "$(decisions "$name" "$examples/$name.jsonl")"
done

# example NAME HOST PRODUCT COMMAND…: once only recorded, once by its policy. The product is a file
# that the job leaves below $GOT; HOST is where it comes from.
example()
{
    local name=$1 host=$2 product=$GOT/$3 syns queries audited requests
    shift 3
    rm -rf "$GOT" && mkdir "$GOT" && chown "$TESTER_UID" "$GOT"
    # Nothing is allowed, so that each decision is as it is without a policy.
    policy '# nothing'
    syns=$(lab_syns "$COLLECTOR_IP")
    behind --audit -- "$@"
    audited=$AUDIT
    check - "$name, only recorded: the job gets what it came for" test -s "$product"
    check - "$name, only recorded: the stranger is told" test "$(lab_syns "$COLLECTOR_IP")" -gt "$syns"
    if [ -n "$keep" ]; then
        trimmed "$audited" >"$keep/$name.jsonl"
        decisions "$name" "$keep/$name.jsonl" >"$keep/$name.expected"
    fi
    check_equal - "$name: the kept log is what the job does" "$(cat "$examples/$name.expected")" \
        "$(decisions "$name" "$audited")"

    rm -rf "$GOT" && mkdir "$GOT" && chown "$TESTER_UID" "$GOT"
    cp "$examples/$name.rules" "$POLICY"
    syns=$(lab_syns "$COLLECTOR_IP") queries=$(lab_queries "$COLLECTOR")
    requests=$(lab_requests "$host")
    behind -- "$@"
    check - "$name, by its policy: the job gets what it came for" test -s "$product"
    check - "$name: it came from $host" test "$(lab_requests "$host")" -gt "$requests"
    check_equal D01 "$name: nobody else is asked or told" "0 0" \
        "$(($(lab_syns "$COLLECTOR_IP") - syns)) $(($(lab_queries "$COLLECTOR") - queries))"
    check_equal - "$name: the record says who tried" "$COLLECTOR $CURL" \
        "$(record_field ".policy == \"deny\" and .name == \"$COLLECTOR\"" '"\(.name) \(.exe)"')"
}

# has NAME PATH: whether a program lies where the policy says; skipped aloud where not.
has()
{
    if [ "$(realpath -q "$2")" = "$2" ] || [ "$1" = pip ]; then
        [ -x "$2" ] && return 0
    fi
    skip - "$1" "$2 is not there, or is a link to elsewhere"
    return 1
}

node_job='cp -r ~/app ~/got/ && cd ~/got/app && npm ci --cache ~/got/cache'
git_job='git clone -q https://github.com/example/tool.git ~/got/tool'
pip_job='/usr/bin/python3 -m pip -q download --no-deps -d ~/got lab-tool'
ran=0
if has npm /usr/bin/node && [ -e /usr/bin/npm ]; then
    registry_npm || lab_fail "cannot make the npm registry"
    example npm registry.npmjs.org app/node_modules/pad-left/index.js sh -c "$node_job"
    ran=$((ran + 1))
fi
if has pip /usr/bin/python3; then
    if /usr/bin/python3 -m pip --version >/dev/null 2>&1 && registry_pip; then
        example pip files.pythonhosted.org lab_tool-1.0-py3-none-any.whl sh -c "$pip_job; $stranger"
        ran=$((ran + 1))
    else
        skip - pip "the system's Python has no pip"
    fi
fi
if has cargo /usr/bin/cargo; then
    registry_cargo || lab_fail "cannot make the registry of crates"
    example cargo static.crates.io lab-tool-1.0.0.crate sh -c "cd ~/crate && rm -f Cargo.lock &&
        CARGO_HOME=~/got/cargo cargo -q fetch && cp ~/got/cargo/registry/cache/*/*.crate ~/got/
        $stranger"
    ran=$((ran + 1))
fi
if has apt /usr/lib/apt/methods/http && command -v dpkg-scanpackages >/dev/null; then
    registry_apt || lab_fail "cannot make the archive of packages"
    example apt deb.debian.org lab-tool_1.0_all.deb sh -c "apt-get -qq update &&
        cd ~/got && apt-get -qq download lab-tool; $stranger"
    ran=$((ran + 1))
    # As the page has it: root within, who becomes _apt in order to fetch.
    apt=$LAB/home/apt
    rm -rf "$apt"/lists && mkdir -p "$apt/lists/partial" && chown -R root "$apt" &&
        chown _apt "$apt"/{lists,cache/archives}/partial && sed -i '/^APT::Sandbox/d' "$apt/apt.conf"
    behind_begin
    "$EGRESS" run "${RUN_OPTIONS[@]}" --policy "$POLICY" --user root --allow-privileges \
        --fail-on-deny --log "$AUDIT" -- apt-get -qq update >"$OUT" 2>"$ERR"
    check_equal - "apt, as root within: what it denies is expected" 0 "$?"
    check - "apt: the list is there" sh -c "grep -q lab-tool $apt/lists/deb.debian.org_*"
    check_equal - "apt: _apt fetched it" "allowed _apt" \
        "$(record_field '.event == "connect"' '"\(.outcome) \(.user)"')"
fi
if has git /usr/lib/git-core/git-remote-http; then
    registry_git || lab_fail "cannot make the repository"
    example git github.com tool/README sh -c "$git_job; $stranger"
    ran=$((ran + 1))
fi
if [ -e "$LAB/home/app" ] && [ -e "$LAB/home/.gitconfig" ] && [ -d "$R/pypi.org" ]; then
    # A place of its own for the agent, which is curl by another name.
    mount -t tmpfs -o mode=0755 agent /opt && mkdir -p /opt/agent/bin "$R/model.example.org" &&
        cp "$CURL" /opt/agent/bin/agent && printf 'do it\n' >"$R/model.example.org/answer.json"
    example agent model.example.org answer sh -c "agent=/opt/agent/bin/agent
        $node_job; $git_job; $pip_job
        curl -sS -m 10 -o ~/got/stolen https://model.example.org/answer
        \$agent -sS -m 10 -o ~/got/answer https://model.example.org/answer; $stranger"
    check - "agent: each tool got what it came for" sh -c "cd $GOT && test -s tool/README &&
        test -s app/node_modules/pad-left/index.js && test -s lab_tool-1.0-py3-none-any.whl"
    check - "agent: another program does not reach the model" test ! -e "$GOT/stolen"
else
    skip - agent "the shell needs npm, pip and git, of which one is missing"
fi
check - "one of the jobs was run" test "$ran" -gt 0
replayed
