#!/bin/sh
# fetch.sh URL FILE SHA256 - a file from the network, whole and as it should be, or not at all.
set -u
url=$1
file=$2
want=$3

die() { echo "fetch.sh: $*" >&2; rm -f "$part"; exit 1; }

part=$file.part
trap 'rm -f "$part"; exit 1' HUP INT TERM
echo "fetching $url" >&2
mkdir -p "$(dirname "$file")" || exit 1
case $url in
file://*) cp "${url#file://}" "$part" ;;
*)
    if command -v curl >/dev/null; then
        curl -fsSL -o "$part" "$url"
    else
        wget -q -O "$part" "$url"
    fi
    ;;
esac || die "$url: cannot be fetched (without a network, name the file that you have: make help)"
got=$(sha256sum <"$part")
got=${got%% *}
[ "$got" = "$want" ] || die "$url: is not what it was: SHA-256 $got, should be $want"
mv "$part" "$file"
