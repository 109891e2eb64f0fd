#!/bin/bash
# SPDX-License-Identifier: MIT
# What may be told by names below a wildcard: what a build asks for passes, what would carry data out
# is cut off, however many processes do it; counted at the resolver.
# shellcheck disable=SC2016 # what stands in single quotes is for the shell inside
. "$(dirname "$0")/../lab/lab.sh"
# shellcheck source=tests/lab/behind.sh
. "$LAB_DIR/behind.sh"
export RESOLVER_IP

# arrived REGEX: how many questions for such names came to a resolver, and how many such names.
arrived()
{
    lab_settle
    awk -v re="$1" '$(NF - 2) ~ re { n++; if (!seen[$(NF - 2)]++) names++ }
        END { print n + 0, names + 0 }' "$LAB/log/queries.log"
}
limited()
{
    jq -s "map(select(.event == \"query\" and .reason == \"name-limit\" and .outcome == \"$1\") |
        .count // 1) | add // 0" "$AUDIT"
}

# Random labels of 50 characters hold up to 258 bits each. The budget of a process is 32768 bits.
policy '*.wild.example'
behind -- dns_names "$RESOLVER_IP" 0 400 '%s.a1.wild.example'
read -r n names < <(arrived '\.a1\.wild\.example\.$')
check D06 "of 400 random names of a process some pass, and most do not" \
    test "$n" -gt 30 -a "$n" -lt 130 -a "$n" -eq "$names"
check_equal D06 "the others are refused at once" "NOERROR $n REFUSED $((400 - n))" "$(cat "$OUT")"
check_equal D06 "and recorded, allowed by the policy, with the wildcard's rule" \
    "$((400 - n)) allow *.wild.example REFUSED /srv/bin/dns_names" "$(limited denied) $(record_field \
        '.reason == "name-limit"' '"\(.policy) \(.rule) \(.rcode) \(.exe)"')"
check D06 "the table at the end says why" grep -q 'too much was asked below a wildcard' "$ERR"
behind -- sh -c 'dig +tries=1 +time=10 "$1" | grep -o "status: [A-Z]*\|EDE: 15.*"' - \
    "$(printf 'x%.0s' {1..60}).$(printf 'y%.0s' {1..60}).$(printf 'z%.0s' {1..60}).a2.wild.example"
check_equal D06 "a front longer than any honest one is refused, the first time" \
    "status: REFUSED EDE: 15 (Blocked): (too much asked below a wildcard (egress-filter)) 0" \
    "$(paste -sd' ' "$OUT") $(arrived '\.a2\.wild\.example\.$' | cut -d' ' -f1)"

# A process for each question: the budget of all that runs holds, 131072 bits.
behind -- dns_names "$RESOLVER_IP" 1000 1200 '%s.a3.wild.example' forks
read -r n names < <(arrived '\.a3\.wild\.example\.$')
check D06 "with a process for each name the run's own budget holds" \
    test "$n" -gt 200 -a "$n" -lt 520 -a "$n" -eq "$names"
check_equal D06 "of that, too, all is recorded" "$((1200 - n))" "$(limited denied)"

# Asking again says little, and is answered without asking while an answer counts.
behind -- sh -c 'for i in 1 2 3 4 5; do dns_names "$RESOLVER_IP" 0 40 "n%n.a4.wild.example"; done'
check_equal D06 "names that were asked for before are answered from what is kept" \
    "5 NOERROR 40 40 40" \
    "$(sort "$OUT" | uniq -c | awk '{ print $1, $2, $3 }') $(arrived '\.a4\.wild\.example\.$')"
check_equal D06 "each with its records" "200 200" "$(records '.event == "query"') $(records \
    '.event == "answer" and .rcode == "NOERROR" and (.answers | length) == 1')"
behind -- sh -c 'dig +noall +answer N7.a5.wild.example; dig +noall +answer n7.A5.wild.example'
check_equal D06 "in the letters of whoever asks" \
    "N7.a5.wild.example. $ALLOWED_IP n7.A5.wild.example. $ALLOWED_IP 1 1" \
    "$(awk '{ print $1, $NF }' "$OUT" | paste -sd' ') $(arrived '\.a5\.wild\.example\.$')"

# Letter case of an allowed name, which nobody limits, tells nothing: the resolver sees none.
policy allowed.example
before=$(lab_queries allowed.example)
behind -- sh -c 'for n in allowed.example ALLOWED.example aLLoWeD.eXaMpLe; do dig +short $n; done'
lab_settle
check_equal D06 "letter case does not leave" "3 3 0" "$(grep -c "^$ALLOWED_IP$" "$OUT") $(($(lab_queries \
    allowed.example) - before)) $(grep -ci 'a[a-z]*\.example' <(grep '[A-Z][a-z]*\.[a-zA-Z]*\. A IN$' \
    "$LAB/log/queries.log"))"

# Names that a rule names exactly are not limited, nor is anything where the option says so.
mapfile -t exact < <(for ((i = 0; i < 300; i++)); do
    echo "dns:n$i-0123456789abcdef0123456789abcdef0123456789abcdef.a6.wild.example"
done)
policy '*.wild.example' "${exact[@]}"
behind -- dns_names "$RESOLVER_IP" 0 300 'n%n-0123456789abcdef0123456789abcdef0123456789abcdef.a6.wild.example'
check_equal D06 "names that a rule names exactly are not limited" "NOERROR 300 300 300 0" \
    "$(cat "$OUT") $(arrived '\.a6\.wild\.example\.$') $(limited denied)"
policy '*.wild.example'
behind --no-name-limits -- dns_names "$RESOLVER_IP" 0 400 '%s.a7.wild.example'
check_equal D06 "--no-name-limits: nothing is limited" "NOERROR 400 400 400" \
    "$(cat "$OUT") $(arrived '\.a7\.wild\.example\.$')"
behind --audit -- dns_names "$RESOLVER_IP" 0 400 '%s.a8.wild.example'
check_equal D06 "--audit: all pass" "NOERROR 400 400 400" \
    "$(cat "$OUT") $(arrived '\.a8\.wild\.example\.$')"
check D06 "and those that would be denied are recorded so" test "$(limited allowed)" -gt 250

# A budget is its wildcard's: another one is not touched by it.
policy '*.a9.wild.example' '*.b9.wild.example'
behind -- sh -c 'dns_names "$RESOLVER_IP" 0 400 "%s.a9.wild.example" >/dev/null
    dns_names "$RESOLVER_IP" 0 20 "www%n.b9.wild.example"'
check_equal D06 "another wildcard is not touched" "NOERROR 20" "$(cat "$OUT")"

# The name of a ClientHello is looked up by the filter: that is a question like any other.
policy '*.wild.example'
behind -- bash -c 'for ((i = 0; i < 200; i++)); do
    printf -v name "%029d" "$i"
    name=${name//0/q7}
    openssl s_client -connect "$1:443" -servername "$name.$name.a10.wild.example" </dev/null
done >/dev/null 2>&1' - "$THIRD_IP"
read -r n names < <(arrived '\.a10\.wild\.example\.$')
check D06 "names in TLS are counted too" test "$n" -lt 200 -a "$(records \
    '.event == "connect" and .reason == "name-limit" and .outcome == "denied"')" -gt 0
check D06 "the first of them were looked up" test "$n" -gt 50

replayed
