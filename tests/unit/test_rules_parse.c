/* SPDX-License-Identifier: MIT
 * What the parser says to a line, exactly: place and text. An empty answer is silence. The file is
 * called `t`; ` | ` stands for the end of a line. */
#include "unit/rules_help.h"

static const struct {
    const char *policy, *said; /* without the name of the file */
} lines[] = {
    {"github.*", "1:8: error: a wildcard needs a fixed label behind it; write each name out, "
                 "such as github.com\n"},
    {"api.derp*.x.com", "1:9: error: a wildcard stands in the first label only; write "
                        "*.example.com, or each name out\n"},
    {"*", "1:1: error: a lone * would be every name; write *.example.com, or 0.0.0.0/0 for "
          "every address\n"},
    {"**", "1:1: error: ** is no wildcard; write a single *, such as *.example.com\n"},
    {"*.**.x.com", "1:3: error: ** is no wildcard; write a single *, such as *.example.com\n"},
    {"*.*.x.com", "1:3: error: only one *. may stand in front; write *.example.com, which is "
                  "any number of labels\n"},
    {"github.com.", "1:11: error: a name takes no trailing dot; write 'github.com'\n"},
    {".github.com", "1:1: error: a label of the name is empty; write one dot between labels\n"},
    {"a..b.com", "1:3: error: a label of the name is empty; write one dot between labels\n"},
    {"-a.com", "1:1: error: a label neither begins nor ends with a hyphen; take the hyphen away\n"},
    {"a-.com", "1:2: error: a label neither begins nor ends with a hyphen; take the hyphen away\n"},
    {"1.2.3", "1:1: error: '1.2.3' is no IPv4 address; write four numbers from 0 to 255 "
              "without leading zeros, such as 8.8.8.8\n"},
    {"github_com", "1:7: error: the last label of a name holds no underscore; write a name "
                   "such as github.com\n"},
    {"a.b_c", "1:4: error: the last label of a name holds no underscore; write a name such as "
              "github.com\n"},
    {"8.8.8", "1:1: error: '8.8.8' is no IPv4 address; write four numbers from 0 to 255 "
              "without leading zeros, such as 8.8.8.8\n"},
    {"8.8.8.256", "1:1: error: '8.8.8.256' is no IPv4 address; write four numbers from 0 to "
                  "255 without leading zeros, such as 8.8.8.8\n"},
    {"8.8.8.08", "1:1: error: '8.8.8.08' is no IPv4 address; write four numbers from 0 to 255 "
                 "without leading zeros, such as 8.8.8.8\n"},
    {"1.2.3.4.5", "1:1: error: '1.2.3.4.5' is no IPv4 address; write four numbers from 0 to "
                  "255 without leading zeros, such as 8.8.8.8\n"},
    {"10.0.0.0/33", "1:10: error: '33' is no prefix length; write a number from 0 to 32, such "
                    "as 10.0.0.0/8\n"},
    {"10.0.0.0/x", "1:9: error: only a URL has a path; write https://10.0.0.0/x, or /tcp or "
                   "/udp where a protocol was meant\n"},
    {"10.1.2.3/8",
     "1:1: warning: bits of the address outside its prefix are masked off; write 10.0.0.0/8\n"},
    {"::1", "1:1: error: IPv6 targets cannot be allowed, IPv6 egress is closed; write a name "
            "or an IPv4 address\n"},
    {"2001:db8::1", "1:1: error: IPv6 targets cannot be allowed, IPv6 egress is closed; write "
                    "a name or an IPv4 address\n"},
    {"[::1]:443", "1:1: error: IPv6 targets cannot be allowed, IPv6 egress is closed; write a "
                  "name or an IPv4 address\n"},
    {"https://[::1]/x", "1:9: error: IPv6 targets cannot be allowed, IPv6 egress is closed; "
                        "write a name or an IPv4 address\n"},
    {"github.com/foo", "1:11: error: only a URL has a path; write https://github.com/foo, or "
                       "/tcp or /udp where a protocol was meant\n"},
    {"github.com:443/foo", "1:16: error: 'foo' is no protocol; write /tcp or /udp, or begin "
                           "with https:// where a path was meant\n"},
    {"8.8.8.8/udp", "1:8: error: /udp needs a port; write it in front, such as :53/udp\n"},
    {"8.8.8.8:53/udp", ""},
    {"8.8.8.8/udp:53", "1:9: error: the protocol stands behind the port; write :PORT/udp\n"},
    {"github.com:0", "1:12: error: '0' is no port; write a number from 1 to 65535\n"},
    {"github.com:65536", "1:12: error: '65536' is no port; write a number from 1 to 65535\n"},
    {"github.com:", "1:12: error: a port is missing; write a number from 1 to 65535\n"},
    {"github.com:80|", "1:15: error: a port is missing; write a number from 1 to 65535\n"},
    {"github.com:80|*", "1:15: error: * stands alone as a port; write :* for every port\n"},
    {"github.com:90-80", "1:12: error: the range of ports runs backwards; write 80-90\n"},
    {"github.com:a", "1:12: error: 'a' is no port; write a number from 1 to 65535\n"},
    {"https://x.org",
     "1:14: error: a URL rule needs a path; write / for the root alone or /* for everything\n"},
    {"https://x.org?q",
     "1:14: error: a URL rule needs a path; write / for the root alone or /* for everything\n"},
    {"https://x.org/?q",
     "1:15: error: a query takes no part in matching; leave it away from the `?` on\n"},
    {"https://x.org/#f",
     "1:15: error: a fragment never leaves the client; leave it away from the `#` on\n"},
    {"https://u:p@x.org/",
     "1:9: error: a URL rule takes no user name or password; leave them away up to the @\n"},
    {"ftp://x.org/", "1:1: error: 'ftp' is no scheme of a URL rule; write https:// or http://\n"},
    {"https://x.org:80|443/",
     "1:15: error: '80|443' is no port of a URL; write one number from 1 to 65535\n"},
    {"https://x.org:*/",
     "1:15: error: '*' is no port of a URL; write one number from 1 to 65535\n"},
    {"https:///a", "1:9: error: a name is missing; write one such as github.com\n"},
    {"https://x.org/a/**",
     "1:17: error: ** is no wildcard; write /*, which as the last segment matches the rest\n"},
    {"https://x.org/a b",
     "1:17: error: 'b' is no keyword and no selector; write one of passthrough, insecure, "
     "private, websocket, expected, or NAME=VALUE, and one rule a line\n"},
    {"https://x.org/a\"b",
     "1:16: error: this character may not stand in a path; write it percent-encoded\n"},
    {"https://x.org/%",
     "1:15: error: a % begins an escape; write two hexadecimal digits behind it, or %25\n"},
    {"https://x.org/%4",
     "1:15: error: a % begins an escape; write two hexadecimal digits behind it, or %25\n"},
    {"https://x.org/%00", "1:14: error: the path climbs out of its root, hides a dot segment, "
                          "or escapes a control character; write it in its plain form\n"},
    {"https://x.org/..", "1:14: error: the path climbs out of its root, hides a dot segment, "
                         "or escapes a control character; write it in its plain form\n"},
    {"https://x.org/a/..%2fb",
     "1:14: error: the path climbs out of its root, hides a dot segment, or escapes a control "
     "character; write it in its plain form\n"},
    {"/a", "1:1: error: a path needs a base URL in the header above; write [https://HOST] over "
           "it, or the whole URL\n"},
    {"[https://x.org] | /a", ""},
    {"GET github.com", "1:1: error: methods stand in front of a URL or a path only; write "
                       "https://github.com/*, or leave them away\n"},
    {"FOO https://x.org/", "1:1: error: 'FOO' is no method; write GET, HEAD, POST, PUT, "
                           "DELETE, PATCH or OPTIONS, joined with |, or *\n"},
    {"GET|FOO /x", "1:1: error: 'GET|FOO' is no method; write GET, HEAD, POST, PUT, DELETE, "
                   "PATCH or OPTIONS, joined with |, or *\n"
                   "1:9: error: a path needs a base URL in the header above; write "
                   "[https://HOST] over it, or the whole URL\n"},
    {"passthrough github.com",
     "1:1: error: a rule begins with its target; write 'passthrough' behind it\n"
     "1:13: error: 'github.com' is no keyword and no selector; write one of passthrough, "
     "insecure, private, websocket, expected, or NAME=VALUE, and one rule a line\n"},
    {"exe=/bin/sh github.com",
     "1:1: error: a rule begins with its target; write 'exe=/bin/sh' behind it\n"
     "1:13: error: 'github.com' is no keyword and no selector; write one of passthrough, "
     "insecure, private, websocket, expected, or NAME=VALUE, and one rule a line\n"},
    {"github.com exe=/bin/sh exe=/bin/ls", "1:24: error: exe= stands twice; write it once, "
                                           "with a * where several values were meant\n"},
    {"github.com arg=a arg=b arg[1]=c", ""},
    {"github.com arg[1]=c arg[1]=d", "1:21: error: arg= stands twice; write it once, with a * "
                                     "where several values were meant\n"},
    {"github.com arg[x]=c",
     "1:15: error: no number of an argument; write arg[1]=, where arg[0]= is the program\n"},
    {"github.com foo=bar",
     "1:12: error: 'foo' is no selector; write one of exe, arg, arg[N], parent, sha256, user, "
     "cgroup, container, image, pod, mntns, netns, step, action\n"},
    {"github.com foo",
     "1:12: error: 'foo' is no keyword and no selector; write one of passthrough, insecure, "
     "private, websocket, expected, or NAME=VALUE, and one rule a line\n"},
    {"github.com gitlab.com",
     "1:12: error: 'gitlab.com' is no keyword and no selector; write one of passthrough, "
     "insecure, private, websocket, expected, or NAME=VALUE, and one rule a line\n"},
    {"github.com exe=", "1:16: error: the value is empty; write one, or leave the selector away\n"},
    {"github.com exe=\"\"",
     "1:17: error: the value is empty; write one, or leave the selector away\n"},
    {"github.com exe=\"/a b\"", ""},
    {"github.com exe=\"/a b\"c", "1:22: error: text stands right behind a closing quote; write "
                                 "a blank between, or take it into the quotes\n"},
    {"github.com exe=\"/a b", "1:16: error: the quote is not closed; write \" at its end\n"},
    {"github.com exe=`/a *`", ""},
    {"github.com exe=curl",
     "1:16: error: 'curl' is no absolute path; write one such as /usr/bin/curl\n"},
    {"github.com exe=*/curl", "1:16: warning: a path that begins with * can be had anywhere, "
                              "/tmp too; write it from its / on\n"},
    {"github.com exe=/a?b", "1:18: warning: only * is a wildcard, this character stands for "
                            "itself; write the value in double quotes where that was meant\n"},
    {"github.com exe=/a[b", "1:18: warning: only * is a wildcard, this character stands for "
                            "itself; write the value in double quotes where that was meant\n"},
    {"github.com sha256=abc",
     "1:19: error: sha256= takes a digest; write its 64 hexadecimal digits\n"},
    {"github.com user=007",
     "1:17: error: '007' is no user id; write a number without leading zeros, or a name\n"},
    {"github.com user=root", ""},
    {"github.com cgroup=docker",
     "1:19: error: 'docker' is no cgroup; write a path from its / on, or, without quotes, "
     "@docker, @podman, @kubernetes, @container, @host or @rootless\n"},
    {"github.com cgroup=@docker", ""},
    {"github.com cgroup=\"@docker\"",
     "1:20: error: '@docker' is no cgroup; write a path from its / on, or, without quotes, "
     "@docker, @podman, @kubernetes, @container, @host or @rootless\n"},
    {"github.com cgroup=@foo",
     "1:19: error: '@foo' is no cgroup; write a path from its / on, or, without quotes, "
     "@docker, @podman, @kubernetes, @container, @host or @rootless\n"},
    {"github.com pod=x", "1:16: error: 'x' is no pod; write NAMESPACE/NAME, such as default/x\n"},
    {"github.com mntns=x", "1:18: error: 'x' is no namespace; write its inode number, as "
                           "readlink /proc/PID/ns/mnt shows it in brackets\n"},
    {"github.com passthrough passthrough",
     "1:24: error: passthrough stands twice; write it once\n"},
    {"github.com passthrough insecure",
     "1:24: error: passthrough and insecure exclude each other; write one of them\n"},
    {"8.8.8.8 passthrough", "1:9: error: passthrough belongs to an allow rule for a name; "
                            "write the name alone, or leave it away\n"},
    {"https://x.org/ passthrough", "1:16: error: passthrough belongs to an allow rule for a "
                                   "name; write the name alone, or leave it away\n"},
    {"dns:x.org insecure",
     "1:11: error: insecure belongs to an allow rule that is not dns:; leave it away\n"},
    {"8.8.8.8 private",
     "1:9: error: private belongs to an allow rule with a name; leave it away\n"},
    {"github.com websocket", "1:12: error: websocket belongs to a URL or path rule; leave it "
                             "away, a host rule allows it anyway\n"},
    {"github.com expected",
     "1:12: error: expected belongs to a deny line; write deny in front, or leave it away\n"},
    {"deny github.com passthrough", "1:17: error: passthrough belongs to an allow rule for a "
                                    "name; write the name alone, or leave it away\n"},
    {"deny", "1:5: error: deny needs a target; write one such as deny *.example.com\n"},
    {"deny expected", ""},
    {"Deny x.org", "1:1: error: 'Deny' is written in small letters; write deny\n"},
    {"include", "1:8: error: include needs a file or preset; write one such as include @npm\n"},
    {"include foo",
     "1:9: error: cannot include 'foo': includes cannot be used here; write the rules out\n"},
    {"include @npm",
     "1:9: error: cannot include '@npm': includes cannot be used here; write the rules out\n"},
    {"[", "1:2: error: the header is not closed; write ] at the end of the line\n"},
    {"[]", ""},
    {"[foo]", "1:2: error: 'foo' cannot stand in a header; write methods, :PORTS, a base URL, "
              "a keyword or NAME=VALUE, and close with ]\n"},
    {"[:443", "1:6: error: the header is not closed; write ] at the end of the line\n"},
    {"[:443 :80]", "1:7: error: the header has ports twice; write one header for each\n"},
    {"[/udp]", "1:2: error: '/udp' cannot stand in a header; write methods, :PORTS, a base "
               "URL, a keyword or NAME=VALUE, and close with ]\n"},
    {"[https://x.org https://y.org/a] | /b",
     "1:16: error: the header has a base URL twice; write one header for each\n"},
    {"[exe=/a exe=/b]", "1:9: error: exe= stands twice; write it once, with a * where several "
                        "values were meant\n"},
    {"[expected]", "1:2: error: expected cannot stand in a header; write it on deny lines\n"},
    {"[passthrough] | 8.8.8.8", "2:1: error: the header's passthrough cannot reach this rule; "
                                "write the rule under another header, such as []\n"},
    {"[passthrough] | https://x.org/a",
     "2:1: error: the header's passthrough cannot reach this rule; write the rule under "
     "another header, such as []\n"},
    {"[passthrough] | x.org insecure",
     "2:7: error: passthrough and insecure exclude each other; write one of them\n"},
    {"[passthrough insecure]",
     "1:1: error: passthrough and insecure exclude each other; write one of them\n"},
    {"[GET] | x.org", "2:1: warning: the header's methods are left aside for a rule of type "
                      "host; write such rules under another header\n"},
    {"[:22] | https://x.org/a | dns:x.org",
     "2:1: warning: the header's ports are left aside for a rule of type url; write such rules "
     "under another header\n"},
    {"[https://x.org] | y.org", "2:1: warning: the header's base URL is left aside for a rule "
                                "of type host; write such rules under another header\n"},
    {"[foo] | /a | deny /b", "1:2: error: 'foo' cannot stand in a header; write methods, "
                             ":PORTS, a base URL, a keyword or NAME=VALUE, and close with ]\n"},
    {"dns:x.org:53", "1:10: error: a dns: rule takes no port and no protocol; write dns:x.org\n"},
    {"dns:8.8.8.8", "1:5: error: a dns: rule takes a name; write the address without dns:\n"},
    {"dns:*", "1:5: error: a lone * would be every name; write *.example.com, or 0.0.0.0/0 for "
              "every address\n"},
    {"dns:", "1:5: error: a name is missing; write one such as github.com\n"},
    {"*.com", "1:1: warning: anyone can register a name under com, a public suffix; write the "
              "names that are meant\n"},
    {"*.github.io", "1:1: warning: anyone can register a name under github.io, a public "
                    "suffix; write the names that are meant\n"
                    "1:1: warning: *.github.io does not match github.io itself; write a rule "
                    "for that too, if it is meant\n"},
    {"*.x.org", "1:1: warning: *.x.org does not match x.org itself; write a rule for that too, "
                "if it is meant\n"},
    {"x.org | x.org", "2:1: warning: the rule stands already at t:1; take one of them away\n"},
    {"*.x.org | a.x.org | x.org", "2:1: warning: the rule at t:1 covers this one, which adds "
                                  "nothing; take one of them away\n"},
    {"deny *.x.org | a.x.org",
     "2:1: warning: the veto at t:1 covers this rule entirely; take one of them away\n"},
    {"x.org passthrough | https://x.org/a",
     "2:1: warning: t:1 passes the TLS of this host through, so its requests are not judged by "
     "this rule; take one of them away\n"},
    {"x.org | deny https://x.org/a",
     "2:1: warning: this veto makes the filter open the TLS of its host, which t:1 allows; the "
     "host is then judged request by request\n"},
    {"https://x.org/a insecure", "1:1: warning: insecure is judged before the path is known "
                                 "and covers the whole host; write the path as /* to say so\n"},
    {"x.org:53/udp", "1:1: warning: a name opens no UDP, only its lookup; write the address "
                     "for UDP, or dns:x.org\n"},
    {"10.0.0.0/8 | deny y.org", "1:1: warning: a connection by address without a name goes by "
                                "this rule, also to what t:2 vetoes; veto its addresses too\n"},
    {"github.com # comment", ""},
    {"github.com exe=\"/a # b\" # c", ""},
    {"x.org ${{ inputs.a }}",
     "1:7: warning: what GitHub puts in place of ${{ }} is not known here, this line is not "
     "checked; write the value, or {owner} and {repo}\n"},
    {"https://github.com/{owner}/{repo}/*", ""},
    {"{owner}.x.org", ""},
    {"{foo}.x.org", "1:1: error: a name holds letters, digits, hyphens and underscores; write "
                    "it as it stands in DNS\n"},
    {"bücher.de", ""},
    {"bü*.de", "1:1: error: a label with a wildcard must be ASCII; write its xn-- form, or a * "
               "for the whole label\n"},
    {"日本", ""},
    {"x.org '", "1:7: error: ''' is no keyword and no selector; write one of passthrough, "
                "insecure, private, websocket, expected, or NAME=VALUE, and one rule a line\n"},
    {"https://x.org/ü",
     "1:15: error: this character may not stand in a path; write it percent-encoded\n"},
    {"b", ""},
    {"[2001:db8::1]:443", "1:1: error: IPv6 targets cannot be allowed, IPv6 egress is closed; "
                          "write a name or an IPv4 address\n"},
    {"deny *.org | x.org",
     "2:1: warning: the veto at t:1 covers this rule entirely; take one of them away\n"},
    {"deny x.org:22 | x.org", ""},
    {"x.org exe=/a | x.org", "1:1: warning: the rule at t:2 covers this one, which adds "
                             "nothing; take one of them away\n"},
    {"x.org | x.org exe=/a", "2:1: warning: the rule at t:1 covers this one, which adds "
                             "nothing; take one of them away\n"},
    {"x.org:443|80 | x.org", "2:1: warning: the rule at t:1 covers this one, which adds "
                             "nothing; take one of them away\n"},
    {"10.0.0.0/8 | 10.1.0.0/16", "2:1: warning: the rule at t:1 covers this one, which adds "
                                 "nothing; take one of them away\n"},
    {"https://x.org/* | https://x.org/a", "2:1: warning: the rule at t:1 covers this one, "
                                          "which adds nothing; take one of them away\n"},
    {"https://x.org/a | https://x.org/a/",
     "2:1: warning: the rule stands already at t:1; take one of them away\n"},
    {"deny x.org | dns:x.org",
     "2:1: warning: the veto at t:1 covers this rule entirely; take one of them away\n"},
    {"x.org passthrough | deny https://x.org/a",
     "2:1: warning: this veto makes the filter open the TLS of its host, which t:1 allows; the "
     "host is then judged request by request\n"},
    {"http://1.2.3.4/a | deny http://1.2.3.4/a",
     "1:1: warning: the veto at t:2 covers this rule entirely; take one of them away\n"},
    {"x.org; y.org",
     "1:6: error: names are not listed; write one rule a line\n"
     "1:8: error: 'y.org' is no keyword and no selector; write one of passthrough, insecure, "
     "private, websocket, expected, or NAME=VALUE, and one rule a line\n"},
    {"x.org,y.org", "1:6: error: names are not listed; write one rule a line\n"},
    {"x.org@443", "1:1: error: a target holds no @; write a name such as github.com\n"},
    {"x.org:443/sctp", "1:11: error: 'sctp' is no protocol; write /tcp or /udp, or begin with "
                       "https:// where a path was meant\n"},
    {"x.org/8", "1:6: error: only a URL has a path; write https://x.org/8, or /tcp or /udp "
                "where a protocol was meant\n"},
    {"x.org exe='/a'",
     "1:11: warning: single quotes are part of the value; write double quotes for a literal\n"
     "1:11: error: ''/a'' is no absolute path; write one such as /usr/bin/curl\n"},
    {"x.org user=4294967296", "1:12: error: '4294967296' is no user id; write a number without "
                              "leading zeros, or a name\n"},
    {"x.org pod=*", ""},
    {"x.org container=",
     "1:17: error: the value is empty; write one, or leave the selector away\n"},
    {"x.org arg=\"--x\" arg=\"y z\"", ""},
    {"x.org EXE=/a",
     "1:7: error: 'EXE' is no selector; write one of exe, arg, arg[N], parent, sha256, user, "
     "cgroup, container, image, pod, mntns, netns, step, action\n"},
    {"x.org =a",
     "1:7: error: '=a' is no keyword and no selector; write one of passthrough, insecure, "
     "private, websocket, expected, or NAME=VALUE, and one rule a line\n"},
    {"x.org image=a\"b", ""},
    {"GET|HEAD|POST https://x.org/a", ""},
    {"get https://x.org/a", ""},
    {"* https://x.org/a", ""},
    {"get", ""},
    {"get exe=/a", ""},
    {"get|post", "1:4: error: a name holds letters, digits, hyphens and underscores; write it "
                 "as it stands in DNS\n"},
    {"deny GET https://x.org/a", ""},
    {"deny get", ""},
    {"deny x.org exe=", "1:16: error: the value is empty; write one, or leave the selector away\n"},
    {"deny [", "1:6: error: IPv6 targets cannot be allowed, IPv6 egress is closed; write a "
               "name or an IPv4 address\n"},
    {"include @npm exe=/a passthrough",
     "1:21: error: 'passthrough' cannot stand on an include line; write selectors only, "
     "NAME=VALUE\n"
     "1:9: error: cannot include '@npm': includes cannot be used here; write the rules out\n"},
    {"[*]", ""},
    {"[:*]", ""},
    {"[:443 exe=/usr/bin/a cgroup=@host private]", ""},
    {"[exe=\"a]", "1:6: error: the quote is not closed; write \" at its end\n"},
    {"[exe=\"/a b\"]", ""},
    {"[arg[1]=x]", ""},
    {"[https://x.org?a]",
     "1:15: error: a query takes no part in matching; leave it away from the `?` on\n"},
    {"[https://x.org/..]", "1:15: error: the path climbs out of its root, hides a dot segment, "
                           "or escapes a control character; write it in its plain form\n"},
    {"[https://x.org/a] | /../b",
     "2:1: error: the path climbs out of its root, hides a dot segment, or escapes a control "
     "character; write it in its plain form\n"},
    {"[https://x.org] | /a insecure",
     "2:1: warning: insecure is judged before the path is known and covers the whole host; "
     "write the path as /* to say so\n"},
    {"[https://x.org GET|POST :80 exe=/a insecure]", ""},
    {"[:80 https://x.org] | /a | y.org",
     "2:1: warning: the header's ports are left aside for a rule of type path; write such "
     "rules under another header\n"
     "3:1: warning: the header's base URL is left aside for a rule of type host; write such "
     "rules under another header\n"},
};

static void test_lines(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
        char text[1024], want[4096];
        struct said said = {0};
        const struct policy_options options = {.diagnose = said_add, .diagnose_context = &said};
        size_t n = 0;
        snprintf(text, sizeof(text), "%s", lines[i].policy);
        lines_split(text);
        want[0] = '\0';
        for (const char *line = lines[i].said; *line; line = strchr(line, '\n') + 1)
            n += (size_t)snprintf(want + n, sizeof(want) - n, "t:%.*s\n", (int)strcspn(line, "\n"),
                                  line);
        struct policy *p = parse_text(text, &options);
        if (strcmp(said.text, want) != 0)
            fail_msg("'%s': want '%s', got '%s'", lines[i].policy, want, said.text);
        if ((p == NULL) != (said.errors > 0))
            fail_msg("'%s' is %s", lines[i].policy, p ? "accepted" : "refused");
        policy_unref(p);
    }
}

/* What is said of the first lines of a long policy is said of the last ones. */
static void test_warnings_of_long_policies(void **state)
{
    (void)state;
    static char text[90000 * 20 + 64];
    struct said said = {0};
    const struct policy_options options = {.diagnose = said_add, .diagnose_context = &said};
    size_t n = 0;
    for (unsigned i = 0; i < 90000; i++)
        n += (size_t)snprintf(text + n, sizeof(text) - n, "%u.%u.%u.1\n", 1 + i % 100,
                              i / 100 % 250, i / 25000);
    snprintf(text + n, sizeof(text) - n, "x.org\nx.org\n");
    struct policy *p = parse_text(text, &options);
    assert_non_null(p);
    assert_string_equal(said.text, "t:90002:1: warning: the rule stands already at t:90001; take "
                                   "one of them away\n");
    policy_unref(p);
}

int main(void)
{
    static const struct unit_test tests[] = {
        REPORT("-", test_lines),
        REPORT("-", test_warnings_of_long_policies),
    };
    return unit_run(tests, ARRAY_SIZE(tests));
}
