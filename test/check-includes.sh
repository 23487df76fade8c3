#!/bin/sh
# The layering rule, as HACKING.md states it: a file includes downward only; each outside library
# has one includer; the library neither prints, nor exits, nor reads the environment.
# check-includes.sh [ROOT]: exit 1 and one line per breach.
cd "${1:-$(dirname "$0")/..}" || exit 1
[ -d lib/base ] || { echo "no lib/base in $PWD"; exit 1; }

{
find lib tools -name '*.[ch]' | sort | xargs awk '
    BEGIN {
        may["base"] = "base"
        may["format"] = "base format"
        may["net"] = "base format net"
        may["engine"] = "base net engine"
        may["run"] = "base format net run"
        may["search"] = "base format net run search"
        may["schedule"] = "base format net run schedule"
        may["tools"] = "base format net engine run search schedule tools"
        # header: files (regular expression) that may include it
        only["jansson.h"] = "^lib/format/json\\.c$"
        only["png.h"] = only["jpeglib.h"] = "^lib/format/image[a-z_]*\\.c$"
        only["xxhash.h"] = only["xxh_x86dispatch.h"] = "^lib/format/safetensors\\.c$"
        only["archive.h"] = only["archive_entry.h"] = "^lib/format/[a-z_]*\\.c$"
        only["zlib.h"] = "^lib/format/[a-z_]*\\.c$"
        only["dlfcn.h"] = "^lib/engine/[a-z_/]*\\.c$"
    }
    function bad(what) { printf "%s:%d: %s\n", FILENAME, FNR, what }
    function dir(path) { sub(/\/[^\/]*$/, "", path); return path }
    FNR == 1 {
        split(FILENAME, part, "/")
        room = part[1] == "lib" ? part[2] : "tools"
        if (!(room in may))
            bad("lib/" room " is a room that check-includes.sh does not know")
    }
    /^[ \t]*#[ \t]*include[ \t]*"/ {
        split($0, quoted, "\"")
        h = quoted[2]
        if (h !~ /\//) {
            # a neighbour in the same folder
            if (system("test -f " dir(FILENAME) "/" h))
                bad("\"" h "\" lies in another room: include it as \"ROOM/" h "\"")
            next
        }
        split(h, step, "/")
        if (index(" " may[room] " ", " " step[1] " ") == 0)
            bad(room " may not include " step[1] " (\"" h "\")")
    }
    /^[ \t]*#[ \t]*include[ \t]*</ {
        h = $0
        sub(/^[^<]*</, "", h)
        sub(/>.*/, "", h)
        if (h in only && FILENAME !~ only[h])
            bad("<" h "> belongs to " only[h])
        if (h ~ /dnnl/ && FILENAME !~ /^lib\/engine\/cpu\//)
            bad("<" h "> belongs to lib/engine/cpu")
        if (h ~ /^(cuda|cudnn|cublas)/ && FILENAME !~ /^lib\/engine\/cuda\/(gpu\/|[a-z_]*\.cu$)/)
            bad("<" h "> belongs to lib/engine/cuda/gpu")
    }
    # hop_bug() in err.c speaks before it aborts: for states that no input can reach
    FILENAME !~ /^tools\/tool\.c$|^lib\/base\/err\.c$/ {
        line = $0
        sub(/\/\*.*/, "", line)
        gsub(/"[^"]*"/, "\"\"", line)
        if (line ~ /(^|[^a-z_])(exit|getenv|printf|puts|putchar|perror)\(/ &&
            line !~ /^[ \t]*\*/ && line !~ /format\(printf/ && room != "tools")
            bad("the library does not print, exit or read the environment")
        if (line ~ /(^|[^a-z_])(stderr|stdout)([^a-z_]|$)/ && line !~ /^[ \t]*\*/ && room != "tools")
            bad("the library has no standard streams")
        if (line ~ /(^|[^a-z_])(exit|getenv)\(/ && room == "tools" && line !~ /^[ \t]*\*/)
            bad("exit and getenv belong to tools/tool.c")
        if (line ~ /(^|[^a-z_])(sprintf|vsprintf|gets|atoi|atof|atol|strtok|rand|srand|tmpnam|mktemp)\(/ &&
            line !~ /^[ \t]*\*/)
            bad("banned: use base/str, snprintf, hop_parse_int, hop_philox, hop_atomic_open")
    }
'
# Every header compiles alone.
: "${CC:=cc}"
for h in $(find lib tools -name '*.h' | sort); do
    case $h in lib/engine/cpu/* | lib/engine/cuda/*) continue ;; esac
    printf '#include "%s"\n' "${h#lib/}" |
        $CC -std=c11 -D_XOPEN_SOURCE=700 -Ilib -I. -Itools -fsyntax-only -x c - 2>/dev/null ||
        echo "$h: does not compile alone"
done
} >"${TMPDIR:-/tmp}/hop-includes.$$"
n=$(grep -c . "${TMPDIR:-/tmp}/hop-includes.$$")
cat "${TMPDIR:-/tmp}/hop-includes.$$"
rm -f "${TMPDIR:-/tmp}/hop-includes.$$"
[ "$n" -eq 0 ] || { echo "check-includes: $n breaches"; exit 1; }
echo "check-includes: ok"
