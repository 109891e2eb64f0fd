#!/bin/bash
# SPDX-License-Identifier: MIT
# Programs that people use, against servers that people use: each gets through by its rule, and not
# one packet of its goes where it has none. What is not installed is skipped by name.
# shellcheck disable=SC2016 # what stands in single quotes is for the shell inside
. "$(dirname "$0")/../lab/lab.sh"
# shellcheck source=tests/lab/behind.sh
. "$LAB_DIR/behind.sh"

W=$LAB/www # the unprivileged user reads there
in_net_answers() { in_net connect_once 127.0.0.1 "$1"; }
# has ID NAME PROGRAM: whether it is there; skipped aloud where not.
has()
{
    command -v "$3" >/dev/null && return 0
    skip "$1" "$2" "$3 is not installed"
    return 1
}
# both NAME WANT COMMAND…: what it prints by the policy that stands; and that without a rule it
# prints something else, and nothing arrives.
both()
{
    local name=$1 want=$2 syns
    shift 2
    behind -- "$@"
    check_equal - "$name" "$want allowed" \
        "$(tail -n 1 "$OUT") $(record_field '.event == "connect"' .outcome)"
    mv "$POLICY" "$LAB/work/allowing"
    policy nothing.example dns:allowed.example
    syns=$(lab_syns "$ALLOWED_IP")
    behind -- "$@"
    check_equal - "$name: refused without a rule" "differs 0 denied" "$([ "$(tail -n 1 "$OUT")" != \
        "$want" ] && echo differs) $(($(lab_syns "$ALLOWED_IP") - syns)) $(record_field \
        '.event == "connect"' .outcome)"
    mv "$LAB/work/allowing" "$POLICY"
}

policy allowed.example
get=(curl -sS -m 20 -o /dev/null -w '%{http_code} %{ssl_verify_result} %{http_version}\n')
both "curl, TLS 1.2" "200 0 2" "${get[@]}" --tls-max 1.2 https://allowed.example/small
both "curl, TLS 1.3" "200 0 2" "${get[@]}" --tlsv1.3 https://allowed.example/small
both "curl, HTTP/1.1" "200 0 1.1" "${get[@]}" --http1.1 https://allowed.example/small
if has - "wget" wget; then
    both "wget" "1024" sh -c 'wget -q -t 1 -T 20 --ca-certificate="$0" -O - \
        https://allowed.example/small | wc -c' "$LAB/ca/root.crt"
fi
printf 'HEAD / HTTP/1.0\r\n\r\n' >"$W/request"
cat >"$LAB/bin/ask_tls" <<'SCRIPT'
#!/bin/bash
# ask_tls NAME OPTION…: a request by openssl s_client; which key was agreed on, and the answer.
exec openssl s_client -connect "$1:443" -servername "$1" "${@:2}" -ign_eof 2>&1 </srv/www/request |
    sed -n 's/^Server Temp Key: \([^,]*\).*/\1/p; s/\r$//; /^HTTP\//p' | paste -sd' '
SCRIPT
chmod +x "$LAB/bin/ask_tls"
for group in X25519 P-256 P-521 X25519MLKEM768; do
    if [[ $(openssl s_client -groups "$group" -connect 127.0.0.1:9 2>&1 </dev/null) == \
        *SSL_CONF_cmd* ]]; then
        skip - "openssl, $group" "this build of openssl does not have it"
        continue
    fi
    [ "$group" = X25519 ] && key=X25519 || key=ECDH
    both "openssl, $group" "$key HTTP/1.1 200 OK" ask_tls allowed.example -groups "$group"
done

# SSH speaks first on both sides.
cat >"$LAB/bin/ssh_here" <<'SCRIPT'
#!/bin/sh
exec ssh -F /dev/null -i /srv/home/key -p 2200 -o BatchMode=yes -o ConnectTimeout=20 \
    -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR "$@"
SCRIPT
chmod +x "$LAB/bin/ssh_here"
sshd=$(PATH=$PATH:/usr/sbin command -v sshd)
if has - "ssh" ssh && has - "ssh" "${sshd:-sshd}"; then
    ssh-keygen -q -t ed25519 -N '' -f "$LAB/home/key"
    ssh-keygen -q -t ed25519 -N '' -f "$LAB/conf/host_key"
    chown "$TESTER_UID" "$LAB/home/key"
    cp "$LAB/home/key.pub" "$LAB/conf/authorized"
    chmod 644 "$LAB/conf/authorized"
    printf '%s\n' 'Port 2200' "HostKey $LAB/conf/host_key" 'UsePAM no' 'StrictModes no' \
        "AuthorizedKeysFile $LAB/conf/authorized" 'PasswordAuthentication no' 'PidFile none' \
        >"$LAB/conf/sshd_config"
    # It wants a directory in /run, which is not ours to write to.
    lab_start sshd nsenter --net="$LAB/net" -- unshare --mount -- sh -c 'mount -t tmpfs run /run &&
        mkdir /run/sshd && exec "$0" -D -e -f "$1"' "$sshd" "$LAB/conf/sshd_config"
    wait_for 10 in_net_answers 2200
    policy allowed.example:2200
    both "ssh" "$TESTER" ssh_here "$TESTER@allowed.example" id -un
    if has - "git over ssh" git; then
        export GIT_CONFIG_GLOBAL=$LAB/conf/gitconfig GIT_CONFIG_NOSYSTEM=1 GIT_SSH=ssh_here
        printf '[user]\n name = lab\n email = lab@allowed.example\n[safe]\n directory = *\n' \
            >"$GIT_CONFIG_GLOBAL"
        git init -q "$LAB/work/origin"
        head -c 3000000 /dev/urandom >"$LAB/work/origin/file"
        git -C "$LAB/work/origin" add file && git -C "$LAB/work/origin" commit -q -m one
        chown -R "$TESTER_UID" "$LAB/work/origin"
        both "git over ssh" "$(sha256sum <"$LAB/work/origin/file")" sh -c 'rm -rf "$TMPDIR/clone"
            git clone -q "ssh://$0@allowed.example:2200/srv/work/origin" "$TMPDIR/clone" &&
            sha256sum <"$TMPDIR/clone/file"' "$TESTER"
    fi
fi

# PostgreSQL, its TLS too.
initdb=$(find /usr/lib/postgresql -name initdb 2>/dev/null | sort -V | tail -n 1)
postgres()
{
    local bin=${initdb%/*} data=$LAB/home/pg
    as_tester "$initdb" -D "$data" -A trust -U "$TESTER" --no-sync >"$LAB/log/initdb.log" 2>&1 ||
        return 1
    install -m 600 -o "$TESTER_UID" "$LAB/ca/good.key" "$data/server.key"
    install -m 644 -o "$TESTER_UID" "$LAB/ca/good.crt" "$data/server.crt"
    printf 'hostssl all all 0.0.0.0/0 trust\n' >"$data/pg_hba.conf"
    lab_start postgres nsenter --net="$LAB/net" -- setpriv --reuid "$TESTER_UID" --regid \
        "$TESTER_UID" --clear-groups -- "$bin/postgres" -D "$data" -p 5432 -k "$LAB/tmp" \
        -c listen_addresses='*' -c ssl=on -c fsync=off
    wait_for 30 in_net_answers 5432
}
if has - "psql" psql; then
    if [ -z "$initdb" ] || ! postgres; then
        skip - "psql" "no PostgreSQL server is installed, or it does not start"
    else
        policy allowed.example:5432
        as_psql=(psql -X -A -t -w -c 'select ssl, version from pg_stat_ssl where pid = pg_backend_pid()')
        both "psql, verified" "t|TLSv1.3" "${as_psql[@]}" "host=allowed.example user=$TESTER \
            dbname=postgres sslmode=verify-full sslrootcert=$LAB/ca/root.crt gssencmode=disable"
        behind -- "${as_psql[@]}" "host=allowed.example user=$TESTER dbname=postgres sslmode=require"
        check_equal - "psql: its ClientHello is in the log" "https allowed.example sni" "$(jq -r \
            'select(.event == "connect" and .type == "https") |
                "\(.type) \(.host) \(.name_from)"' "$AUDIT")"
        lab_stop postgres INT
    fi
fi

if has - "node" node; then
    policy allowed.example
    both "node, https.get" "200" env NODE_EXTRA_CA_CERTS="$LAB/ca/root.crt" node -e \
        'require("https").get("https://allowed.example/small", r => { console.log(r.statusCode); r.resume() })
            .on("error", e => console.log(e.code))'
fi
if ! has - "Java" java; then
    :
elif ! java --list-modules 2>/dev/null | grep -q '^jdk.compiler'; then
    skip - "Java" "this runtime has no compiler"
else
    cat >"$W/Ask.java" <<'JAVA'
import java.io.*;
import java.net.*;
import java.security.*;
import java.security.cert.*;
import javax.net.ssl.*;

public class Ask {
    public static void main(String[] args) throws Exception {
        if (args[0].equals("plain")) {
            try (Socket s = new Socket("allowed.example", 80)) {
                s.getOutputStream().write("GET /small HTTP/1.0\r\n\r\n".getBytes());
                System.out.println(
                    new BufferedReader(new InputStreamReader(s.getInputStream())).readLine());
            }
            return;
        }
        KeyStore trusted = KeyStore.getInstance(KeyStore.getDefaultType());
        trusted.load(null, null);
        try (InputStream in = new FileInputStream(args[1])) {
            trusted.setCertificateEntry(
                "lab", CertificateFactory.getInstance("X.509").generateCertificate(in));
        }
        TrustManagerFactory trust =
            TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        trust.init(trusted);
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(null, trust.getTrustManagers(), null);
        HttpsURLConnection c =
            (HttpsURLConnection) new URL("https://allowed.example/small").openConnection();
        c.setSSLSocketFactory(context.getSocketFactory());
        System.out.println(c.getResponseCode());
    }
}
JAVA
    policy allowed.example
    both "Java, HttpsURLConnection" "200" java "$W/Ask.java" https "$LAB/ca/root.crt"
    policy allowed.example:80
    both "Java, plain socket" "HTTP/1.1 200 OK" java "$W/Ask.java" plain
fi
if has - "Go" go; then
    cat >"$W/ask.go" <<'GO'
package main

import (
	"fmt"
	"net/http"
)

func main() {
	r, err := http.Get("https://allowed.example/small")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(r.StatusCode)
}
GO
    policy allowed.example
    if GOFLAGS=-mod=mod GOTOOLCHAIN=local GOPROXY=off GOCACHE=$LAB/tmp/go go build -o "$LAB/bin/ask_go" \
        "$W/ask.go" >"$LAB/log/go.log" 2>&1; then
        both "Go, http.Get" "200" ask_go
    else
        skip - "Go" "this one cannot build a program: $(tail -n 1 "$LAB/log/go.log")"
    fi
fi

# DNS over TLS: TLS like any other, by address where no name is said.
if has D05 "kdig, DNS over TLS" kdig; then
    dot=(kdig "@$RESOLVER_IP" +tls +short +retry=0 +timeout=10 allowed.example)
    policy "$RESOLVER_IP:853"
    behind -- "${dot[@]}"
    check_equal - "kdig, DNS over TLS, by an address rule" "$ALLOWED_IP allowed" \
        "$(cat "$OUT") $(record_field '.event == "connect" and .type == "https"' .outcome)"
    policy allowed.example "$RESOLVER_IP:53" "$RESOLVER_IP:53/udp"
    syns=$(lab_syns "$RESOLVER_IP")
    behind -- "${dot[@]}"
    check_equal D05 "kdig, DNS over TLS: refused without a rule" "0 denied" \
        "$(($(lab_syns "$RESOLVER_IP") - syns)) $(record_field '.event == "connect"' .outcome)"
fi

# HTTP/3. curl has none here; this one is of GnuTLS and ngtcp2.
server=$(PATH=$PATH:/usr/sbin command -v gtlsserver)
if has - "a QUIC client" gtlsclient && has - "a QUIC client" "${server:-gtlsserver}"; then
    lab_start quic nsenter --net="$LAB/net" -- "$server" -q -d "$W" "$THIRD_IP" 4433 \
        "$LAB/ca/good.key" "$LAB/ca/good.crt"
    listens() { in_net ss -Hlun "src $THIRD_IP:4433" | grep -q 4433; }
    wait_for 10 listens
    h3=(sh -c 'rm -rf "$TMPDIR/h3" && mkdir "$TMPDIR/h3" && timeout 20 gtlsclient -q \
        --exit-on-all-streams-close --download="$TMPDIR/h3" --timeout=10s third.example 4433 \
        https://third.example:4433/small >/dev/null 2>&1; wc -c <"$TMPDIR/h3/small"')
    policy dns:third.example "$THIRD_IP:4433/udp"
    behind -- "${h3[@]}"
    check_equal - "a QUIC client, by an address rule" "1024 udp allowed third.example" \
        "$(cat "$OUT") $(record_field '.event == "connect"' '"\(.proto) \(.outcome) \(.host)"')"
    policy dns:third.example third.example:4433
    before=$(lab_packets "$THIRD_IP" udp)
    behind -- "${h3[@]}"
    check_equal - "a QUIC client: refused where the rule is for TCP" "0 udp denied" \
        "$(($(lab_packets "$THIRD_IP" udp) - before)) $(record_field '.event == "datagram"' \
            '"\(.proto) \(.outcome)"')"
    lab_stop quic
fi
replayed
