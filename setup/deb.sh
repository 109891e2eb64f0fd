#!/bin/sh
# SPDX-License-Identifier: MIT
# Makes a Debian package of what was built, for `make deb`: what `make install` puts below /usr, the
# libraries that the program is linked with as dependencies, and no script, so that nothing runs at
# installation and nothing stays after removal. The same tree gives the same bytes.
#
#     sh setup/deb.sh BUILD VERSION     prints the package's path

set -eu
umask 022
export LC_ALL=C

build=$1 version=$2
work=$build/deb
root=$work/root
arch=$(dpkg --print-architecture)
package=$work/egress-filter_${version}_$arch.deb
doc=$root/usr/share/doc/egress-filter

rm -rf "$work"
mkdir -p "$root/DEBIAN" "$work/debian"
make --no-print-directory -s install BUILD="$build" DESTDIR="$root" PREFIX=/usr \
    ZSH_DIR=share/zsh/vendor-completions >/dev/null

strip --strip-unneeded --remove-section=.comment --remove-section=.note "$root/usr/bin/egress-filter"
find "$root/usr/share/man" -type f -exec gzip -9n {} +
cp setup/deb/copyright "$doc/copyright"
cp CHANGELOG.md "$doc/NEWS.md"
gzip -9nc setup/deb/changelog >"$doc/changelog.gz"
grep -q "^egress-filter ($version) " setup/deb/changelog || {
    echo "deb: setup/deb/changelog does not begin with version $version of the Makefile" >&2
    exit 1
}

# dpkg-shlibdeps reads the name of the package from here.
printf 'Source: egress-filter\n\nPackage: egress-filter\nArchitecture: any\n' >"$work/debian/control"
program=$(realpath "$root/usr/bin/egress-filter")
depends=$(cd "$work" && dpkg-shlibdeps -O "$program" | sed -n 's/^shlibs:Depends=//p')
size=$(du -sk --apparent-size "$root/usr" | cut -f1)
sed -e "s/@VERSION@/$version/" -e "s/@ARCH@/$arch/" -e "s/@SIZE@/$size/" \
    -e "s/@DEPENDS@/$depends/" setup/deb/control >"$root/DEBIAN/control"
(cd "$root" && find usr -type f -exec md5sum {} + | sort -k 2) >"$root/DEBIAN/md5sums"

SOURCE_DATE_EPOCH=$(dpkg-parsechangelog -l setup/deb/changelog -S Timestamp)
export SOURCE_DATE_EPOCH
find "$root" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
dpkg-deb --root-owner-group -Zxz --build "$root" "$package" >/dev/null
echo "$package"
