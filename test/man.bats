# The manual: pages are clean mdoc, name the options that the tools have, and their examples run.
#
# In a page, comments before a block of EXAMPLES steer its test:
#   .\" setup: COMMAND    run COMMAND first (in a folder with pictures/ and space.json)
#   .\" not run: REASON   leave this block out
# Blocks of one page run in one folder, one after the other, with sh -eu.
load lib

setup_file()
{
    export PICTURES=$BATS_FILE_TMPDIR/pictures
}

pictures()
{
    [ -d "$PICTURES" ] || "$HOP_BUILD/examples/shapes" -o "$PICTURES" -n 12 --seed 1
}

# options_of_help TOOL: "--name" and "-n", one a line.
options_of_help()
{
    "$1" --help | sed -n 's/^  \(-[A-Za-z0-9]\), \(--[a-z0-9-]*\).*/\1\n\2/p; s/^      \(--[a-z0-9-]*\).*/\1/p' | sort -u
}

# options_of_page PAGE: what its .It lines name.
options_of_page()
{
    grep '^\.It.* Fl \|^\.It Fl ' "$1" | grep -oE 'Fl -?[A-Za-z0-9][A-Za-z0-9-]*' |
        sed 's/^Fl /-/' | sort -u
}

# blocks PAGE: its EXAMPLES as a shell script, roff escapes undone.
blocks()
{
    awk '
        /^\.Sh / { in_examples = $2 == "EXAMPLES"; next }
        !in_examples { next }
        sub(/^\.\\" setup: /, "") { print; next }
        /^\.\\" not run: ./ { is_left_out = 1; next }
        /^\.Bd -literal/ { in_block = 1; next }
        /^\.Ed/ { in_block = is_left_out = 0; next }
        in_block && !is_left_out {
            gsub(/\\&/, ""); gsub(/\\e/, "\\"); gsub(/\\-/, "-"); gsub(/\\(dq)/, "\""); gsub(/\\\(aq/, "\047")
            gsub(/\\\(dq/, "\""); gsub(/\\\(ga/, "`"); gsub(/\\\(ha/, "^"); gsub(/\\\(ti/, "~")
            print
        }
    ' "$1"
}

# examples TOOL: run the blocks of its page in a fresh folder.
examples()
{
    pictures
    cp -R "$PICTURES" pictures
    cp "$ROOT/share/spaces/shapes.json" space.json
    blocks "$ROOT/man/$1.1" >blocks.sh
    [ -s blocks.sh ] || { echo "$1.1 has no example that can be run"; return 1; }
    sh -eu blocks.sh >out 2>err </dev/null || {
        cat out err
        sh -eux blocks.sh 2>&1 </dev/null | tail -n 5
        return 1
    }
}

@test "every page is clean mdoc" {
    command -v mandoc >/dev/null || skip "mandoc is not here"
    for page in "$ROOT"/man/*.[1-9]; do
        run -0 mandoc -T lint -W warning "$page"
        [ -z "$output" ] || { echo "$output"; false; }
    done
}

@test "groff finds nothing wrong with the pages either" {
    [ -n "$(find /usr/share/groff -name doc.tmac 2>/dev/null)" ] || skip "groff's mdoc is not here"
    for page in "$ROOT"/man/*.[1-9]; do
        run -0 groff -mdoc -ww -z -Tascii "$page"
        [ -z "$output" ] || { echo "$page: $output"; false; }
    done
}

@test "pages have their sections" {
    for page in "$ROOT"/man/*.1; do
        for section in NAME SYNOPSIS DESCRIPTION OPTIONS '"\?EXIT STATUS"\?' EXAMPLES '"\?SEE ALSO"\?'; do
            grep -q "^\.Sh $section\$" "$page" || { echo "$page: no section $section"; false; }
        done
    done
}

@test "the options of --help are the options of the page" {
    for page in "$ROOT"/man/hop-*.1; do
        tool=$(basename "$page" .1)
        options_of_help "$tool" >help
        options_of_page "$page" >page
        [ "$(wc -l <help)" -ge 5 ]
        diff help page || { echo "$tool: < only in --help, > only in $page"; false; }
    done
}

@test "pages that are referred to exist" {
    for name in $(sed -n 's/^\.Xr \(hop[a-z-]*\) \([0-9]\).*/\1.\2/p' "$ROOT"/man/*.[1-9] | sort -u); do
        [ -e "$ROOT/man/$name" ] || { echo "no page $name"; false; }
    done
}

@test "examples of hop-shard run" { examples hop-shard; }
@test "examples of hop-search run" { examples hop-search; }
@test "examples of hop-schedule run" { examples hop-schedule; }
@test "examples of hop-visit run" { examples hop-visit; }
@test "examples of hop-train run" { examples hop-train; }
@test "examples of hop-eval run" { examples hop-eval; }
@test "examples of hop-verify run" { examples hop-verify; }
@test "examples of hop-run run" { examples hop-run; }
