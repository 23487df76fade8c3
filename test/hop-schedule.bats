# hop-schedule: plans, what is left out, scripts, bad input.
load lib
load tiny

setup_file()
{
    load lib
    load tiny
    cd "$BATS_FILE_TMPDIR"
    tiny_data 3
    tiny_data 1 single
    hop-shard -q -n 3 --label label -o noval table.csv >/dev/null
}

local_setup()
{
    cp -R "$BATS_FILE_TMPDIR"/data "$BATS_FILE_TMPDIR"/single "$BATS_FILE_TMPDIR"/noval .
    tiny_net
    for id in c1 c2 c3 c4; do tiny_config $id; done >configs.jsonl
}

schedule()
{
    hop-schedule -q --data data "$@"
}

# orders < plan: each config's shards, in the order of its visits
orders()
{
    jq -rs '[.[] | select(.hop == "visit/1" and .task == null)] | group_by(.id)[] |
        "\(.[0].id) \([.[] | .shard[6:]] | join(" "))"'
}

@test "a plan: plan/1 first, then births, then visits with all their keys" {
    schedule --workers 3 <configs.jsonl >plan
    [ "$(head -n 1 plan | jq -c '[.hop,.policy,.order,.workers,.configs,.visits,.evals,.subepochs,.costs]')" = \
        '["plan/1","auto","cyclic",3,4,24,16,16,"nominal"]' ]
    head -n 1 plan | jq -e '.lower_bound_s > 0 and .makespan_s >= .lower_bound_s and .idle_frac >= 0 and .idle_frac < 1 and .flops_per_s > 0'
    [ "$(jq -c 'select(.task == "init") | [.id,.visit,.subepoch]' plan | wc -l)" -eq 4 ]
    [ "$(sed -n 6p plan | jq -c 'keys_unsorted')" = '["hop","id","visit","iteration","subepoch","shard","worker","start_s","expect_s"]' ]
    orders <plan >got
    cat >want <<'END'
c1 000 001 002 000 001 002
c2 001 002 000 001 002 000
c3 002 000 001 002 000 001
c4 000 001 002 000 001 002
END
    diff want got
}

@test "the order of a config's shards does not depend on the number of workers" {
    schedule --workers 1 <configs.jsonl | orders >want
    for n in 2 3 4 9; do
        schedule --workers $n <configs.jsonl | orders | diff want -
    done
}

@test "the place of a config is its line in RUN/configs.jsonl, others follow" {
    hop-visit --run run --add-configs <configs.jsonl
    { tiny_config new; tail -n 1 configs.jsonl; } >batch
    schedule --workers 3 --run run <batch | orders >got
    cat >want <<'END'
c4 000 001 002 000 001 002
new 001 002 000 001 002 000
END
    diff want got
}

@test "evaluation: every N iterations and after the last; on train too; on train without val" {
    evals() { jq -c 'select(.task == "eval" and .id == "c1") | [.visit,.shard]' | sort | xargs; }
    [ "$(schedule --workers 1 --iterations 3 --eval-every 2 <configs.jsonl | evals)" = "[6,val-000] [6,val-001] [9,val-000] [9,val-001]" ]
    [ "$(schedule --workers 1 --iterations 1 --eval-train <configs.jsonl | evals)" = "[3,train-000] [3,train-001] [3,train-002] [3,val-000] [3,val-001]" ]
    [ "$(schedule --workers 1 --iterations 1 --eval-every 0 <configs.jsonl | evals)" = "" ]
    [ "$(hop-schedule -q --data noval --workers 2 --iterations 1 <configs.jsonl | evals)" = "[3,train-000] [3,train-001] [3,train-002]" ]
}

@test "one shard" {
    [ "$(hop-schedule -q --data single --workers 2 <configs.jsonl | orders | head -n 1)" = "c1 000 000" ]
}

@test "what model files say is done is left out, whatever the log says" {
    schedule --workers 2 --policy round-robin --run run --device ref --as sh <configs.jsonl >all.sh
    # the script up to and with its fifth sub-epoch, as if it had been ended there
    awk '/^subepoch 6 / { exit } { print }' all.sh >part.sh
    sh part.sh
    rm run/log.jsonl
    schedule --workers 2 --run run <configs.jsonl >rest
    [ "$(jq -c 'select(.task == "init")' rest | wc -l)" -eq 0 ]
    [ "$(head -n 1 rest | jq '.visits')" -eq $((24 - $(jq -r 'select(.subepoch != null and .subepoch > 0 and .subepoch < 6) | .id' <(schedule --policy round-robin --workers 2 <configs.jsonl) | wc -l))) ]
    [ "$(head -n 1 rest | jq -r .costs)" = measured ]
    sh all.sh
    schedule --workers 2 --run run <configs.jsonl >rest
    [ "$(wc -l <rest)" -eq 1 ]
    [ "$(jq -c '[.configs,.visits,.evals]' rest)" = "[0,0,0]" ]
    # more iterations: the rotation goes on
    schedule --workers 2 --run run --iterations 3 <configs.jsonl | orders >got
    printf 'c1 000 001 002\nc2 001 002 000\nc3 002 000 001\nc4 000 001 002\n' | diff - got
}

@test "half an evaluation is finished, not begun again; complete but unmerged parts are merged" {
    head -n 1 configs.jsonl >one
    schedule --workers 1 --policy round-robin --run run --device ref --as sh --iterations 1 <one >all.sh
    awk '/^subepoch 5 / { exit } { print }' all.sh >part.sh
    sh part.sh
    [ "$(schedule --workers 1 --run run --iterations 1 <one | jq -c 'select(.hop == "visit/1") | [.task,.shard]' | xargs)" = "[eval,val-001]" ]
    cp run/models/c1.safetensors before
    sh all.sh
    cp before run/models/c1.safetensors # the merging is lost, the parts are in the log
    sed -i '/"eval\/1".*"split":"val","loss"/d' run/log.jsonl
    [ "$(grep -c eval/1 run/log.jsonl)" -eq 2 ]
    schedule --workers 1 --run run --iterations 1 <one >rest
    [ "$(jq -c 'select(.hop == "visit/1") | .task' rest | wc -l)" -eq 1 ]
    schedule --workers 1 --run run --device ref --as sh --iterations 1 <one | sh
    [ "$(jq -c 'select(.hop == "eval/1" and .shard == null)' run/log.jsonl | wc -l)" -eq 1 ]
}

@test "visit lines in: the same script as from configs; what is done is left out" {
    hop-visit --run run --add-configs <configs.jsonl
    for policy in auto round-robin; do
        schedule --workers 2 --policy $policy --run run --device ref --as sh <configs.jsonl >direct.sh
        schedule --workers 2 --policy $policy --run run <configs.jsonl >plan
        schedule --workers 2 --run run --device ref --as sh <plan >replayed.sh
        diff direct.sh replayed.sh
    done
    awk '/^subepoch 4 / { exit } { print }' direct.sh | sh
    schedule --workers 2 --run run <plan >left
    jq -c 'select(.task == null and .hop == "visit/1") | [.id,.visit,.shard,.worker,.subepoch]' plan | sort >a
    jq -c 'select(.task == null and .hop == "visit/1") | [.id,.visit,.shard,.worker,.subepoch]' left | sort >b
    [ "$(comm -13 a b | wc -l)" -eq 0 ]
    [ "$(comm -23 a b | wc -l)" -eq 5 ] || { comm -23 a b; false; }
}

@test "visit lines that break the rules are refused" {
    hop-visit --run run --add-configs <configs.jsonl
    schedule --workers 2 --policy round-robin --run run <configs.jsonl | grep -v init >plan
    sed 's/"worker":"w1"/"worker":"w0"/' plan >bad
    run_err 1 'its worker has two visits' schedule --workers 2 --run run <bad
    # without barriers that is no error: they come one after the other
    sed 's/"worker":"w1"/"worker":"w0"/; s/"barriers":true,//' plan >slow
    schedule --workers 2 --run run <slow >got
    [ "$(head -n 1 got | jq '.makespan_s > 1.6 * '"$(head -n 1 plan | jq .makespan_s)")" = true ]
    sed '/"c1","visit":2,/d' plan >bad
    run_err 1 'c1: visit 3 .*out of order' schedule --workers 2 --run run <bad
    sed '/"c1","visit":2,/s/train-001/train-000/' plan >bad
    run_err 1 'c1: visit 2 on train-000 .*it was on this shard in this iteration' schedule --workers 2 --run run <bad
    sed 's/"worker":"w1"/"worker":"w7"/' plan >bad
    run_err 1 'there is no worker "w7"' schedule --workers 2 --run run <bad
    sed 's/"train-001"/"train-009"/' plan >bad
    run_err 1 'no shard "train-009"' schedule --workers 2 --run run <bad
    run_err 1 'no config has the id "c1"' schedule --workers 2 <plan
    run_err 1 'config lines and visit lines are mixed' schedule --workers 2 --run run < <(cat plan configs.jsonl)
}

@test "a diverged config is left out, and nothing else stops" {
    sed '2s/adam/sgd/; 2s/0\.01/1e6/' configs.jsonl >some
    schedule --workers 2 --run run --device ref --as sh <some | sh
    [ "$(jq -r 'select(.status == "diverged") | .id' run/log.jsonl | sort -u)" = c2 ]
    [ "$(jq -r 'select(.hop == "eval/1" and .shard == null) | .id' run/log.jsonl | sort | uniq -c | xargs)" = "2 c1 2 c3 2 c4" ]
    [ "$(schedule --workers 2 --run run <some | wc -l)" -eq 1 ]
}

@test "the script: shellcheck is content" {
    command -v shellcheck >/dev/null || skip "shellcheck is not installed"
    schedule --workers 2 --run run --device ref --as sh <configs.jsonl >script.sh
    shellcheck script.sh
    # and with the one for Slurm, and with what that submits
    schedule --workers 2 --run run --device ref --as slurm <configs.jsonl >script.slurm
    shellcheck script.slurm
    sed -n '/^cat >"$HOP_DIR\/pilot.sh"/,/^HOP_TEXT/p' script.slurm | sed '1d;$d' >pilot.sh
    [ -s pilot.sh ]
    shellcheck --exclude SC2317 pilot.sh
}

# cells < lines: "N ID STAGE WORKER" of each command
cells()
{
    awk '{
        id = visit = stage = worker = ""
        for (i = 1; i <= NF && $i != "--"; i++) {
            if ($i == "--id") id = $(i + 1)
            if ($i == "--visit") stage += 2 * $(i + 1)
            if ($i == "--eval") stage++
            if ($i == "--worker") worker = $(i + 1)
        }
        print NR, id, stage + 0, worker
    }'
}

@test "make: each target needs all of its config's stage before, and the one before in its slot; no more at a time than slots" {
    printf '%s\n' '{"name":"w0","slots":2,"shards":["train-000","train-001","val-000"]}' '{"name":"w1","shards":["train-002","val-001"]}' >workers
    schedule --workers workers --run run --device ref --as lines <configs.jsonl | cells >cells
    schedule --workers workers --run run --device ref --as make <configs.jsonl >Makefile
    n=$(wc -l <cells)
    [ "$n" -eq $((4 + 4 * 2 * 3 + 4 * 2 * 2)) ]
    [ "$(grep -c '^v[0-9]*: begin' Makefile)" -eq "$n" ]
    grep '^v[0-9]*: begin' Makefile | awk '
        FILENAME == "cells" { id[$1] = $2; stage[$1] = $3; worker[$1] = $4; if (!(($2, $3) in last)) stages[$2] = stages[$2] " " $3; last[$2, $3] = $1; next }
        {
            n = substr($1, 2) + 0
            for (i = 3; i <= NF; i++) {
                k = substr($i, 2) + 0
                needs[n, k] = 1
                if (k >= n) bad("v" n " needs v" k " which is not before it")
                if (id[k] != id[n]) follows[n] = k
            }
        }
        function bad(what) { print what; failed = 1 }
        END {
            for (n in id) {
                before = -1
                n_stages = split(stages[id[n]], list, " ")
                for (i = 1; i <= n_stages; i++)
                    if (list[i] < stage[n] && list[i] > before) before = list[i]
                for (k in id)
                    if (id[k] == id[n] && stage[k] == before && !((n, k) in needs)) bad("v" n " does not need v" k)
            }
            # what nobody of the same worker comes before begins a slot
            for (n in id) if (worker[n] != "") {
                n_firsts[worker[n]] += 0
                is_first = 1
                for (k in id) if ((n, k) in needs && (worker[k] == worker[n] || stage[k] == 0)) is_first = 0
                if (is_first) n_firsts[worker[n]]++
            }
            if (n_firsts["w0"] > 2 || n_firsts["w1"] > 1) bad("more at a time than slots")
            exit failed
        }' cells -
    # and in the doing: three at most, two of w0, one of w1
    mkdir bin
    cat >bin/hop-visit <<'END'
#!/bin/sh
case " $* " in
*" --worker w0 "*) w=w0 ;;
*" --worker w1 "*) w=w1 ;;
*) w=none ;;
esac
echo "begin $w" >>trace
sleep 0.02
echo "end $w" >>trace
END
    chmod +x bin/hop-visit
    mkdir -p run/jobs
    PATH=$PWD/bin:$PATH env -u MAKEFLAGS -u MFLAGS make -s -j -f Makefile
    awk '$1 == "begin" { n[$2]++; if (n[$2] > most[$2]) most[$2] = n[$2] } $1 == "end" { n[$2]-- }
        END { print most["w0"], most["w1"]; exit most["w0"] > 2 || most["w1"] > 1 }' trace
}

@test "make: many configs, in lines that a kernel takes" {
    for i in $(seq 1500); do tiny_config "c$i-with-quite-a-long-name-so-that-many-of-them-are-too-long-for-one-argument"; done >many
    schedule --workers 2 --run run --device ref --iterations 1 --eval-every 0 --as make <many >Makefile
    [ "$(grep -c 'configs ' Makefile)" -gt 2 ]
    awk '/^\t/ && length($0) > 120000 { print NR ": " length($0); bad = 1 } END { exit bad }' Makefile
    env -u MAKEFLAGS -u MFLAGS make -n --no-print-directory -j -f Makefile begin >dry
    [[ $(head -n 1 dry) == *begin* ]] # not by pipes: the line is longer than one takes, and grep -q leaves early
    env -u MAKEFLAGS -u MFLAGS make -s -j -f Makefile begin
    [ "$(wc -l <run/configs.jsonl)" -eq 1500 ]
}

@test "commands as lines: run one by one they are the run" {
    schedule --workers 2 --run a --device ref --as lines <configs.jsonl >lines
    hop-visit --run a --add-configs <configs.jsonl
    sh lines
    schedule --workers 3 --run b --device ref --as sh <configs.jsonl | sh
    same_tensors a b
    run_err 2 'run: is missing: --as lines needs it' schedule --workers 2 --as lines <configs.jsonl
    run_err 2 'halt: "later" is unknown \(known: never, soon, now\)' schedule --workers 2 --halt later <configs.jsonl
}

@test "the script: every word is quoted" {
    mkdir "odd \$(touch pwned) 'dir'"
    mv data "odd \$(touch pwned) 'dir'/"
    hop-schedule -q --data "odd \$(touch pwned) 'dir'/data" --workers 2 --run "run \"a\`b\`" --device ref --as sh --iterations 1 <configs.jsonl >script.sh
    sh script.sh
    [ ! -e pwned ]
    [ "$(jq -r 'select(.hop == "eval/1" and .shard == null) | .id' 'run "a`b`/log.jsonl' | sort | xargs)" = "c1 c2 c3 c4" ]
}

@test "the script: a failing visit lets the others end, then stops, names itself and what to do" {
    schedule --workers 3 --policy round-robin --run run --device ref --as sh <configs.jsonl >script.sh
    mv data/train-001.safetensors away
    run --separate-stderr -1 env HOP_AGAIN='sh script.sh' sh script.sh
    [[ $stderr == *"failed: hop-visit --run run --id c2 --visit 1 --shard train-001 --worker w1 (exit 1)"* ]]
    [[ $stderr == *"to go on: sh script.sh"* ]]
    [ "$(jq -c 'select(.hop == "train/1") | [.id,.visit]' run/log.jsonl | sort | xargs)" = "[c1,1] [c3,1]" ]
    mv away data/train-001.safetensors
    sh script.sh
    [ "$(schedule --workers 3 --run run <configs.jsonl | wc -l)" -eq 1 ]
}

@test "the script: exit 75 is tried again, a few times" {
    # a hop-train that is refused its device twice
    mkdir bin
    cat >bin/hop-train <<END
#!/bin/sh
case " \$* " in *" --init "*) exec "$HOP_BUILD/bin/hop-train" "\$@" ;; esac
echo x >>tries
[ "\$(wc -l <tries)" -gt 2 ] || exit 75
exec "$HOP_BUILD/bin/hop-train" "\$@"
END
    chmod +x bin/hop-train
    head -n 1 configs.jsonl >one
    schedule --workers 1 --run run --device ref --iterations 1 --as sh <one >script.sh
    PATH=$PWD/bin:$PATH sh script.sh
    [ "$(wc -l <tries)" -eq 5 ] # two refusals, three visits
    rm -r run tries
    schedule --workers 1 --run run --device ref --iterations 1 --as sh --retries 1 <one >script.sh
    run --separate-stderr -75 env PATH="$PWD/bin:$PATH" sh script.sh
    [[ $stderr == *"try again: hop-visit --run run --id c1"* ]]
}

@test "the script: TERM and INT end the visits and then the script" {
    schedule --workers 2 --run run --device ref --as sh <configs.jsonl | sed 's/hop-train --shard/sleep 30; &/; s/-- sleep 30;/-- .\/slow/' >script.sh
    printf '#!/bin/sh\necho $$ >>slow.pids\nexec sleep 30\n' >slow
    chmod +x slow
    for signal in TERM:143 INT:130; do
        rm -f slow.pids
        perl -e '$SIG{INT} = "DEFAULT"; exec @ARGV' sh script.sh 2>err 3>&- &
        pid=$!
        until [ -s slow.pids ] && [ "$(wc -l <slow.pids)" -ge 2 ]; do sleep 0.05; done
        kill -"${signal%:*}" $pid
        status=0
        wait $pid || status=$?
        [ "$status" -eq "${signal#*:}" ] || { echo "$status"; cat err; false; }
        for p in $(cat slow.pids); do run -1 kill -0 "$p"; done
        grep -q 'ended by signal' err
        no_leftovers run
    done
}

@test "the script: progress when asked, silence otherwise" {
    head -n 2 configs.jsonl >two
    schedule --workers 2 --run run --device ref --iterations 1 --as sh <two >script.sh
    run --separate-stderr -0 env HOP_PROGRESS=1 sh script.sh
    [[ $stderr == *"visits 1/10, 0:00:"*" elapsed, 0:"*" to go"* ]]
    [ "$(printf '%s\n' "$stderr" | tail -n 1 | grep -c 'visits 10/10')" -eq 1 ]
    run --separate-stderr -0 sh script.sh
    [ -z "$stderr" ]
    [ -z "$output" ]
    schedule --workers 2 --policy round-robin --run other --device ref --iterations 1 --as sh <two >script.sh
    run --separate-stderr -0 env HOP_PROGRESS=1 sh script.sh
    [[ $stderr == *"sub-epoch 1/"*", visits 2/10, 0:00:"*" elapsed, 0:"*" to go"* ]]
}

@test "the script without barriers: a failing visit is the last to begin; what ran beside it ends" {
    schedule --workers 3 --run run --device ref --as sh <configs.jsonl >script.sh
    mv data/train-001.safetensors away
    run --separate-stderr -1 env HOP_AGAIN='sh script.sh' sh script.sh
    [[ $stderr == *"failed: hop-visit --run run --id c"*" --shard train-001 --worker w1 (exit 1)"* ]]
    [[ $stderr == *"to go on: sh script.sh"* ]]
    no_leftovers run
    mv away data/train-001.safetensors
    sh script.sh
    [ "$(schedule --workers 3 --run run <configs.jsonl | wc -l)" -eq 1 ]
}

@test "the script without barriers: a visit whose shell is killed is tried again" {
    # hop-train kills the shell that hop-visit's shell is, once
    mkdir bin
    cat >bin/hop-visit <<END
#!/bin/sh
case "\$* " in
*"--id c1 --visit 2 --shard train"*) [ -e killed ] || { touch killed; kill -9 \$PPID; exit 1; } ;;
esac
exec "$HOP_BUILD/bin/hop-visit" "\$@"
END
    chmod +x bin/hop-visit
    schedule --workers 2 --run run --device ref --iterations 1 --as sh <configs.jsonl >script.sh
    PATH=$PWD/bin:$PATH sh script.sh
    [ -e killed ]
    [ "$(schedule --workers 2 --run run --iterations 1 <configs.jsonl | wc -l)" -eq 1 ]
}

@test "both scripts leave the same models" {
    schedule --workers 2 --run a --device ref --as sh <configs.jsonl | sh
    schedule --workers 3 --policy round-robin --run b --device ref --as sh <configs.jsonl | sh
    same_tensors a b
    for policy in random longest-first; do
        rm -r b
        schedule --workers 3 --policy $policy --run b --device ref --as sh <configs.jsonl | sh
        same_tensors a b
    done
}

@test "--order free: the orders are in plan and model files; what is left after a crash; replay" {
    tiny_config c5 | sed 's/"until":2/"until":2,"passes":9/' >>configs.jsonl
    schedule --workers 3 --order free --run a <configs.jsonl >plan
    [ "$(head -n 1 plan | jq -r .order)" = free ]
    hop-visit --run a --add-configs <configs.jsonl
    # every shard once in each iteration
    [ "$(jq -r 'select(.shard != null and .task == null) | "\(.id) \(.iteration) \(.shard)"' plan | sort | uniq -c | awk '{ print $1 }' | sort | uniq -c | xargs)" = "30 1" ]
    schedule --workers 3 --run a --device ref --as sh <plan >a.sh
    # ended in the middle
    sh a.sh & pid=$!
    until [ "$(grep -c train/1 a/log.jsonl 2>/dev/null)" -ge 10 ]; do sleep 0.02; done
    kill -TERM $pid || true
    wait $pid || true
    schedule --workers 3 --order free --run a <configs.jsonl >rest
    hop-visit --run a --restore
    n=$(grep -c train/1 a/log.jsonl)
    [ "$(head -n 1 rest | jq .visits)" -eq $((30 - n)) ]
    { jq -r 'select(.hop == "train/1") | "\(.id) \(.iteration) \(.shard)"' a/log.jsonl
      jq -r 'select(.shard != null and .task == null) | "\(.id) \(.iteration) \(.shard)"' rest; } | sort | uniq -c | awk '$1 != 1' >twice
    [ ! -s twice ]
    # the same plan goes on, and its log replays to the same bytes on other workers, by any policy
    schedule --workers 3 --run a --device ref --as sh <plan | sh
    jq -r 'select(.shard != null and .task == null) | "\(.id) \(.visit) \(.shard)"' plan | sort >want
    jq -r 'select(.hop == "train/1") | "\(.id) \(.visit) \(.shard)"' a/log.jsonl | sort | diff want -
    for how in "--workers 1 --replay a/log.jsonl" "--workers 2 --policy round-robin --replay plan" "--workers 3 --order free --policy plan"; do
        rm -rf b
        # shellcheck disable=SC2086
        schedule $how --run b --device ref --as sh <configs.jsonl | sh
        same_tensors a b
    done
}

@test "--simulate: invented workers, nothing needed and nothing touched" {
    hop-schedule -q --simulate --workers 40 <configs.jsonl >plan
    [ "$(head -n 1 plan | jq -c '[.workers,.configs,.visits,.evals]')" = "[40,4,320,0]" ]
    [ "$(jq -r 'select(.shard) | .shard' plan | sort -u | wc -l)" -eq 40 ]
    hop-schedule -q --simulate --workers 40 --as plan <configs.jsonl | diff - <(head -n 1 plan)
    hop-schedule -q --simulate --workers 40 --examples 100000 --as plan <configs.jsonl >more
    [ "$(jq -n --slurpfile a plan --slurpfile b more '$b[0].makespan_s > $a[0].makespan_s')" = true ]
    # with data: their examples, and evaluation
    hop-schedule -q --simulate --data data --workers 40 --as plan <configs.jsonl >with
    [ "$(jq -c '[.visits,.evals]' with)" = "[320,320]" ]
    hop-schedule -q --simulate --workers 10000 --iterations 1 --as plan <configs.jsonl >large
    [ "$(jq .visits large)" -eq 40000 ]
    [ "$(ls)" = "$(printf '%s\n' configs.jsonl data large more net.json noval plan single with)" ]
}

@test "notes: what too few configs waste, how much faster free order would be" {
    run --separate-stderr -0 hop-schedule --simulate --workers 16 --as plan <configs.jsonl
    [[ $stderr == *"4 configs cannot keep 16 workers busy: 75 of 100 parts idle; up to 12 more configs cost no time, or take 4 shards and workers"* ]]
    [ "${#stderr_lines[@]}" -eq 1 ]
    run --separate-stderr -0 hop-schedule --simulate --workers 10000 --as plan <configs.jsonl
    [[ $stderr == *"4 configs cannot keep 10000 workers busy: "*" of 100 parts idle; up to 9996 more configs cost no time"* ]]
    # the last config would have to wait for its first shard, where the others are, with every hop
    for i in 1 2 3 4 5 6 7 8; do tiny_config "d$i" | sed "s/\"until\":2/\"until\":1,\"passes\":$((i % 4 == 1 ? 31111 : 1))/"; done >uneven
    run --separate-stderr -0 hop-schedule --simulate --workers 4 --as plan <uneven
    [[ $stderr =~ order\ free\ --policy\ auto\ would\ take\ ([0-9.]*)\ s\ instead\ of\ ([0-9.]*)\ s ]]
    free=$(hop-schedule -q --simulate --workers 4 --order free --as plan <uneven | jq .makespan_s)
    cyclic=$(hop-schedule -q --simulate --workers 4 --as plan <uneven | jq .makespan_s)
    [ "$(printf '%.1f %.1f' "$free" "$cyclic")" = "${BASH_REMATCH[1]} ${BASH_REMATCH[2]}" ]
    run --separate-stderr -0 hop-schedule -q --simulate --workers 16 --as plan <configs.jsonl
    [ -z "$stderr" ]
}

@test "slots, replicas, speeds, links" {
    cat >workers <<'END'
{"name":"big","slots":2,"shards":["train-000","train-001","val-000"]}
{"name":"slow","speed":0.25,"shards":["train-001","train-002","val-001"]}
END
    schedule --workers workers --order free <configs.jsonl >plan
    # big has two visits at a time, never three, slots are named; shards with replicas use both
    jq -rs '[.[] | select(.worker == "big")] | [.[] | .slot] | unique | @csv' plan | grep -qx 0,1
    jq -es '[.[] | select(.start_s)] as $v | all($v[]; . as $x | ([$v[] | select(.worker == $x.worker and .start_s <= $x.start_s and .start_s + .expect_s > $x.start_s + 1e-6)] | length) <= (if $x.worker == "big" then 2 else 1 end))' plan
    [ "$(jq -r 'select(.shard == "train-002") | .worker' plan | sort -u)" = slow ]
    # the link: 2 MB/s for a model of 59 weights adds little, 20 bytes/s adds much
    sed 's/"slots":2/"slots":2,"bytes_per_s":2e6/' workers >quick
    sed 's/"slots":2/"slots":2,"bytes_per_s":20/' workers >sluggish
    a=$(schedule --workers quick --as plan <configs.jsonl | jq .makespan_s)
    b=$(schedule --workers sluggish --as plan <configs.jsonl | jq .makespan_s)
    [ "$(jq -n "$b > 10 * $a")" = true ]
    sed 's/"speed":0.25/"speed":0/' workers >bad
    run_err 1 'bad:2: "speed" 0 is out of range' schedule --workers bad <configs.jsonl
    sed 's/"slots":2/"slots":65/' workers >bad
    run_err 1 'bad:1: "slots" 65 is out of range' schedule --workers bad <configs.jsonl
}

@test "workers files: who has what, where" {
    mkdir far
    cp data/train-002.safetensors data/val-* far/
    cat >workers <<END
{"name":"near","shards":["train-000","train-001"],"device":"ref"}
{"name":"far away","folder":"$PWD/far","shards":["train-002","val-000","val-001"],"path":"$HOP_BUILD/bin"}
{"name":"ssh","ssh":["-p","2222","me@host"],"folder":"/my data","path":"/opt/hop","shards":[]}
END
    schedule --workers workers --iterations 1 <configs.jsonl | jq -r 'select(.shard) | "\(.shard) \(.worker)"' | sort -u >got
    printf '%s\n' "train-000 near" "train-001 near" "train-002 far away" "val-000 far away" "val-001 far away" | diff - got
    sed 's/"shards":\["train-000",/"shards":[/; s/"shards":\[\]/"shards":["train-000"]/' workers >remote
    schedule --workers remote --iterations 1 --run run --device cpu --as sh <configs.jsonl >script.sh
    grep -qF -- "--worker ssh -- ssh -o BatchMode=yes -o ServerAliveInterval=15 \${HOP_SSH:+-o \"ControlPath=\$HOP_SSH\"} '-p' 2222 me@host '/opt/hop/hop-train --shard '\\''/my data/train-000.safetensors'\\'' --device cpu --worker ssh --turn " script.sh
    grep -qF -- "-- $HOP_BUILD/bin/hop-train --shard $PWD/far/train-002.safetensors --device cpu --worker 'far away'" script.sh
    grep -qF -- "-- hop-train --shard data/train-001.safetensors --device ref --worker near" script.sh
}

@test "--send-ahead: over ssh by default, with a turn for each run and worker; not with barriers" {
    cat >workers <<END
{"name":"here","shards":["train-001","train-002","val-000","val-001"]}
{"name":"it's there","ssh":"host","slots":2,"shards":["train-000"]}
END
    # turns: which workers' commands have one, for how many
    turns() { sed -n "s/.* --worker \([^ ]*\) .*--turn [0-9a-f]\{32\}:\([0-9]*\).*/\1 \2/p" | sort -u | xargs -d '\n'; }
    make() { schedule --workers workers --iterations 1 --run "$run" --device cpu "$@" <configs.jsonl; }
    run=run
    make --as lines >lines
    grep -v ' ssh ' lines >local_lines
    [ "$(grep -c turn local_lines)" -eq 0 ]
    [ "$(grep -c ' ssh ' lines)" -eq "$(grep -c ':2' lines)" ]
    # another run's are others
    run=other
    make --as lines | grep -o 'turn [0-9a-f:]*' | sort -u >others
    grep -o 'turn [0-9a-f:]*' lines | sort -u >own
    [ "$(cat own others | sort -u | wc -l)" -eq 2 ]
    run=run
    for more in "--send-ahead 0" "--policy round-robin"; do
        make --as sh $more >script
        [ "$(grep -c -- --turn script)" -eq 0 ]
    done
    make --as sh --send-ahead 1 >script
    grep -qx "worker 0 1 1 ' .*' here" script
    grep -q "^worker 1 2 2 ' .*' 'it'" script
    sed 's/"slots":2/&,"send_ahead":3/' workers >more && mv more workers
    make --as sh >script
    grep -qx "worker 0 1 0 ' ' here" script
    grep -q "^worker 1 2 6 ' .*' 'it'" script
    # make: what follows in a slot needs the one before the one before
    sed -i 's/,"slots":2,"send_ahead":3//; s/"ssh":"host",//' workers
    for n in 0 1; do make --as make --send-ahead $n >make.$n; done
    firsts() { grep -c '^v[0-9]*: begin$' "$1"; }
    [ "$(firsts make.1)" -ge "$(firsts make.0)" ]
    [ "$(grep -o '^v[0-9]*:.*' make.1 | wc -w)" -lt "$(grep -o '^v[0-9]*:.*' make.0 | wc -w)" ]
    run_err 2 'send-ahead' schedule --workers workers --send-ahead 9
    bad_workers 'workers:1: "send_ahead" 9 is out of range' '{"name":"a","send_ahead":9}'
}

# bad_workers PATTERN LINE...
bad_workers()
{
    local pattern=$1
    shift
    printf '%s\n' "$@" >workers
    run_err 1 "$pattern" schedule --workers workers <configs.jsonl
}

@test "bad workers: one line, exit 1" {
    bad_workers 'workers:2: two workers are called "a"' '{"name":"a"}' '{"name":"a"}'
    bad_workers 'workers:1: unknown key "shard" \(known: name, ssh' '{"name":"a","shard":["train-000"]}'
    bad_workers 'workers:1: "name" is missing' '{"device":"ref"}'
    bad_workers 'workers:1: "name" is a whole number' '{"name":1}'
    bad_workers 'workers:1: "shards" is a string' '{"name":"a","shards":"train-000"}'
    bad_workers 'workers:1: "shards" is an array, should' '{"name":"a","shards":[0]}'
    bad_workers 'workers:1: "ssh" "-oProxyCommand=x" is no host' '{"name":"a","ssh":"-oProxyCommand=x"}'
    bad_workers 'a: the data have no shard "train-009"' '{"name":"a","shards":["train-009"]}'
    bad_workers 'train-001: this shard lies on no worker' '{"name":"a","shards":["train-000","train-002"]}'
    bad_workers 'nowhere/train-000.safetensors: worker a cannot read this shard' '{"name":"a","folder":"nowhere"}'
    bad_workers 'workers: no workers in it' ''
    bad_workers 'workers:1: not valid JSON' 'a'
    run_err 1 'nix: cannot open' schedule --workers nix <configs.jsonl
    run_err 2 'workers: "0" is out of range' schedule --workers 0 <configs.jsonl
}

@test "a manifest that has fewer shards than there are is refused" {
    cp data/manifest.json full
    jq -c '.splits.train.shards |= .[:2]' full >data/manifest.json
    run_err 1 'data/train-000.safetensors: this is one of 3 train shards, the manifest has 2 ' schedule --workers 2 <configs.jsonl
    jq -c '.splits.val.shards |= .[:1]' full >data/manifest.json
    run_err 1 'data/val-000.safetensors: this is one of 2 val shards, the manifest has 1 ' schedule --workers 2 <configs.jsonl
    # of workers elsewhere, the shards that are here are looked at
    jq -c '.splits.train.shards |= .[:2]' full >data/manifest.json
    echo '{"name":"a","ssh":"nowhere"}' >workers
    run_err 1 'data/train-000.safetensors: this is one of 3 train shards, the manifest has 2 ' schedule --workers workers <configs.jsonl
    cp full data/manifest.json
    cp data/train-000.safetensors data/train-001.safetensors
    run_err 1 'data/train-001.safetensors: this is the shard train-000' schedule --workers 2 <configs.jsonl
}

@test "bad input: one line, the right exit" {
    rm data/train-001.safetensors
    run_err 1 'data/train-001.safetensors: .*cannot read this shard: No such file' schedule --workers 2 <configs.jsonl
    run_err 1 'nix/manifest.json: cannot open' hop-schedule --data nix <configs.jsonl
    run_err 1 'stdin:1: .*should be config/1' hop-schedule --data single <<<'{"hop":"eval/1","id":"a"}'
    run_err 1 'stdin:1: not valid JSON' hop-schedule --data single <<<'x'
    run_err 1 'cannot be used as a file name' hop-schedule --data single <<<'{"hop":"config/1","id":"a/b"}'
    run_err 1 'nix.json: cannot open' hop-schedule --data single < <(sed 's/net.json/nix.json/' configs.jsonl)
    run_err 2 'order: unknown order "nix" \(known: cyclic, free\)' hop-schedule --data single --order nix <configs.jsonl
    run_err 2 'policy: unknown policy "best" \(known: auto, round-robin, random, longest-first, FILE\)' hop-schedule --data single --policy best <configs.jsonl
    run_err 2 'as: unknown form "pbs" \(known: json, plan, lines, sh, make, slurm, more\)' hop-schedule --data single --as pbs <configs.jsonl
    run_err 2 'run: --as sh is missing|run: is missing' hop-schedule --data single --as sh <configs.jsonl
    run_err 2 'data: is missing' hop-schedule <configs.jsonl
    run_err 2 'simulate: goes with --workers' hop-schedule --simulate <configs.jsonl
    run_err 2 'simulate: goes with --workers, not with --run' hop-schedule --simulate --workers 2 --run run <configs.jsonl
    run_err 2 'simulate: makes no commands' hop-schedule --simulate --workers 2 --as sh <configs.jsonl
    run_err 1 'nix: cannot open' hop-schedule --data single --replay nix <configs.jsonl
    echo '{"hop":"train/1","id":"c1","visit":1,"shard":"train-007"}' >log
    run_err 1 'log:1: the data have no train shard "train-007"' hop-schedule --data single --replay log <configs.jsonl
    run_err 2 'replay: and a file as --policy exclude' hop-schedule --data single --policy log --replay log <configs.jsonl
    run_err 1 'stdout: cannot write' bash -c 'hop-schedule --data single <configs.jsonl >/dev/full'
    hop-visit --run run --add-configs <configs.jsonl
    run_err 1 'id "c1" is in run/configs.jsonl with another "lr"' hop-schedule --data single --run run < <(sed 's/0\.01/0.02/' configs.jsonl)
}

@test "workers whose numbers differ in their bits: said, or refused" {
    gpu='"probe":{"fingerprint":"cuda exact 1","fast":"cuda fast sm_90 132 cudnn 9.19.0"}'
    old='"probe":{"fingerprint":"cuda exact 1","fast":"cuda fast sm_80 108 cudnn 9.19.0"}'
    cpu='"probe":{"fingerprint":"cpu onednn-2.6.3 avx2 t1"}'
    plan() { hop-schedule --data data --workers w --as plan "$@" <configs.jsonl; }
    quiet() { run --separate-stderr -0 plan "$@"; [ -z "$stderr" ] || { echo "$stderr"; false; }; }
    # GPUs in float32 are alike, and like ref; in fewer bits they are not
    printf '{"name":"%s",%s}\n' a "$gpu" b "$old" c '"device":"ref"' >w
    quiet --same-fingerprint
    quiet --same-fingerprint --precision fp32
    sed -i 3d w
    run --separate-stderr -0 plan --precision bf16
    [[ $stderr == *"between 2 kinds of numbers"*"cuda fast sm_90 132 cudnn 9.19.0 bf16 (a); cuda fast sm_80 108 cudnn 9.19.0 bf16 (b)"* ]]
    quiet -q --precision bf16
    run_err 1 '^hop-schedule: --same-fingerprint: configs would hop between 2 kinds of numbers: cuda fast sm_90' plan --same-fingerprint --precision bf16
    printf '{"name":"%s",%s}\n' a "$gpu" b "$gpu" >w
    quiet --same-fingerprint --precision bf16
    # a worker's own precision comes first
    printf '{"name":"%s",%s}\n' a "$gpu" b "\"precision\":\"bf16\",$gpu" >w
    run_err 1 'exact .a.; cuda fast sm_90 132 cudnn 9.19.0 bf16 .b.' plan --same-fingerprint
    # workers of a number are alike; what is not known is no reason to warn, but to refuse
    hop-schedule --data data --workers 3 --as plan --same-fingerprint <configs.jsonl >/dev/null
    printf '{"name":"%s",%s}\n' a "$cpu" b '"speed":2' >w
    quiet
    run_err 1 'worker "b": which numbers it makes is not known .hop-schedule probe' plan --same-fingerprint
    # what models have seen counts, too
    mkdir -p run/models
    cp configs.jsonl run/
    head -n 1 configs.jsonl | hop-train -q --init -d ref --worker w9 --shard data/train-000.safetensors >run/models/c1.safetensors
    printf '{"name":"%s",%s}\n' w0 "$cpu" >w
    run_err 1 'exact .w9.; cpu onednn-2.6.3 avx2 t1 .w0.' plan --run run --same-fingerprint
}

@test "precision: for hop-train and hop-eval, of the worker or for all" {
    printf '{"name":"%s",%s}\n' a '"precision":"bf16"' b '"slots":1' >w
    mkdir run
    hop-schedule -q --data data --workers w --run run --precision tf32 --as sh <configs.jsonl >job.sh
    grep -c 'hop-train --shard [^ ]* --precision bf16 --worker a' job.sh
    grep -c 'hop-train --shard [^ ]* --precision tf32 --worker b' job.sh
    grep -c 'hop-eval --shard [^ ]* --precision tf32' job.sh
}

@test "--as more: a script takes more to do while it runs; not of other workers; HOP_MORE may fail" {
    tiny_config c1 >one
    tiny_config c2 >two
    schedule --workers 2 --run run --device ref --as sh <one >script.sh
    cat >more.sh <<'SH'
cat >>ids
[ -e was_here ] || schedule --workers $N --run run --device ref --as more <two || exit
[ -e was_here ] || hop-visit -q --run run --add-configs <two
: >was_here
SH
    sed -i "s/schedule /hop-schedule -q --data data /" more.sh
    N=2 HOP_MORE='. ./more.sh' sh script.sh
    [ "$(meta run/models/c1.safetensors progress | jq .iteration)" -eq 2 ]
    [ "$(meta run/models/c2.safetensors progress | jq .iteration)" -eq 2 ]
    [ "$(jq -s '[.[]|select(.hop=="eval/1" and .id=="c2" and (.shard|not))]|length' run/log.jsonl)" -eq 2 ]
    # asked when c1 had ended and when c2 had: nobody else was there
    [ ! -s ids ]
    # the same bytes as without
    { cat one two; } | schedule --workers 2 --run plain --device ref --as sh | sh
    same_tensors run plain
    for more in '. ./more.sh' 'exit 3' 'kill -KILL $$' 'true'; do
        rm -rf run was_here
        N=3 HOP_MORE=$more sh script.sh
        [ "$(ls run/models)" = c1.safetensors ]
    done
    run_err 2 '--as: more: the policy round-robin has barriers' hop-schedule -q --data data --workers 2 --run run --policy round-robin --as more <two
}
