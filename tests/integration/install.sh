#!/bin/bash
# SPDX-License-Identifier: MIT
# What is installed, and that it goes away again: by make below a directory, and by dpkg into a root of
# its own, in which the packaged program checks a policy.
. "$(dirname "$0")/../lab/report.sh"
cd "$(dirname "$0")/../.." || exit 1
build=${BUILD:-build}
egress=$PWD/$build/egress-filter
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT

# files_below DIRECTORY: each file's path in it, without .gz.
files_below()
{
    (cd "$1" && find . -type f) | sed 's/^\.\///; s/\.gz$//' | sort
}

by_make()
{
    make --no-print-directory -s "$1" BUILD="$build" DESTDIR="$work/tree" PREFIX=/usr
}
check - "make install" by_make install
for file in bin/egress-filter share/man/man8/egress-filter.8 share/man/man1/egress-filter-check.1 \
    share/man/man5/egress-filter.rules.5 share/doc/egress-filter/audit-log.md \
    share/bash-completion/completions/egress-filter share/zsh/site-functions/_egress-filter \
    share/fish/vendor_completions.d/egress-filter.fish share/vim/vimfiles/syntax/egressrules.vim; do
    check - "it installs $file" test -s "$work/tree/usr/$file"
done
check_equal - "what is installed is the program" "$("$egress" version)" \
    "$("$work/tree/usr/bin/egress-filter" version)"
for page in docs/*.[158]; do
    check - "it installs ${page##*/}" \
        test -r "$work/tree/usr/share/man/man${page##*.}/${page##*/}"
done
for shell in bash:bash-completion/completions/egress-filter zsh:zsh/site-functions/_egress-filter \
    fish:fish/vendor_completions.d/egress-filter.fish; do
    check - "and the completion of ${shell%%:*} as it is" \
        cmp "$work/tree/usr/share/${shell#*:}" <("$egress" completion "${shell%%:*}")
done
mkdir -p "$work/tree/usr/share/man/man1"
: >"$work/tree/usr/share/man/man1/other.1"
mkdir "$work/tree/usr/share/other"
files_below "$work/tree" >"$work/by-make"
check - "make uninstall" by_make uninstall
check_equal - "it leaves what is others', and nothing else" \
    "usr usr/share usr/share/man usr/share/man/man1 usr/share/man/man1/other.1 usr/share/other" \
    "$(find "$work/tree" -mindepth 1 -printf '%P\n' | sort | tr '\n' ' ' | sed 's/ $//')"
rm -r "$work/tree"
by_make install
by_make uninstall
check_equal - "where there was nothing it leaves nothing" "" "$(find "$work/tree" -mindepth 1)"

if ! command -v dpkg-shlibdeps >/dev/null || [ "$(id -u)" -ne 0 ]; then
    skip - "the Debian package" "dpkg-dev and root are needed"
    exit "$((LAB_FAILED > 0))"
fi
package=$(make --no-print-directory -s deb BUILD="$build" 2>"$work/said")
check - "make deb" test -s "$package"
cp "$package" "$work/first.deb"
make --no-print-directory -s deb BUILD="$build" >/dev/null
check - "the same tree gives the same package" cmp "$package" "$work/first.deb"

# A root with nothing but the libraries that the program is linked with.
root=$work/root
mkdir -p "$root/var/lib/dpkg/updates" "$root/var/lib/dpkg/info" "$root/var/log" "$root/etc"
: >"$root/var/lib/dpkg/status"
: >"$root/var/lib/dpkg/available"
ldd "$egress" | grep -o '/[^ ]*' | xargs -I{} cp -L --parents {} "$root"
printf 'registry.npmjs.org exe=/usr/bin/node\ninclude @debian\n' >"$root/good.rules"
printf 'registry.npmjs.org exe=\n' >"$root/bad.rules"
by_dpkg()
{
    # Dependencies are for another place to have; path checks look for tools of the machine.
    dpkg --root="$root" --force-depends --force-not-root --log=/dev/null "$@"
}
by_dpkg --configure -a 2>/dev/null # makes what dpkg keeps for itself
find "$root" | sort >"$work/before"
check - "the package is installed" by_dpkg -i "$package"
check - "it checks a good policy there" chroot "$root" /usr/bin/egress-filter check /good.rules
check - "it refuses a bad one" ! chroot "$root" /usr/bin/egress-filter check /bad.rules
check_equal - "its presets are in it" "$("$egress" presets | wc -l)" \
    "$(chroot "$root" /usr/bin/egress-filter presets | wc -l)"
check_equal - "it brings what make install does, and what packages have beside it" \
    "usr/share/doc/egress-filter/NEWS.md usr/share/doc/egress-filter/changelog usr/share/doc/egress-filter/copyright" \
    "$(dpkg-deb --fsys-tarfile "$package" | tar t | sed -n 's/^\.\///; s/\.gz$//; /[^/]$/p' | sort |
        comm -23 - <(sed 's/zsh\/site-functions/zsh\/vendor-completions/' "$work/by-make" | sort) |
        tr '\n' ' ' | sed 's/ $//')"
check_equal - "no script of it runs" "control md5sums" \
    "$(dpkg-deb --ctrl-tarfile "$package" | tar t | sed 's/^\.\///' | grep . | sort | tr '\n' ' ' | sed 's/ $//')"
check - "what it installed is unchanged" sh -c "cd '$root' && md5sum --quiet -c var/lib/dpkg/info/egress-filter.md5sums"
check - "the package is purged" by_dpkg --purge egress-filter
find "$root" | sort >"$work/after"
check_equal - "nothing of it stays" "" "$(diff "$work/before" "$work/after" | grep '^[<>]' | grep -vE 'var/lib/dpkg/(status|available|lock|triggers|info)')"
exit "$((LAB_FAILED > 0))"
