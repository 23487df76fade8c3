# points.awk - from a log to lines for gnuplot: `awk -v part=val -f points.awk log.jsonl`, or
# `-v want_last=1` for the last evaluation of each config only.
#
# One line per whole evaluation: iteration, loss, accuracy, number of the net; a blank line between
# configs. want_last: accuracy on train, on val, number of the net, rank on val. Names of the nets go
# to the file `nets`, if that is set, in the order of their numbers.

function text(key) # "key":"value"
{
    return match($0, "\"" key "\":\"[^\"]*\"") ? substr($0, RSTART + length(key) + 4, RLENGTH - length(key) - 5) : ""
}

function number(key) # "key":value
{
    return match($0, "\"" key "\":[-0-9.e+]+") ? substr($0, RSTART + length(key) + 3, RLENGTH - length(key) - 3) : "NaN"
}

/^\{"hop":"config\/1"/ {
    id = text("id")
    if (!(id in net_of)) {
        net = text("model")
        sub(/.*\//, "", net)
        sub(/\.json$/, "", net)
        if (!(net in number_of)) {
            number_of[net] = ++n_nets
            name[n_nets] = net
        }
        net_of[id] = number_of[net]
        ids[++n_ids] = id
    }
}

/^\{"hop":"eval\/1"/ && !/"shard":/ {
    id = text("id")
    where = text("split")
    at = number("iteration") + 0
    loss[id, where, at] = number("loss")
    accuracy[id, where, at] = number("accuracy")
    if (at > last[id])
        last[id] = at
}

END {
    for (i = 1; i <= n_ids; i++) {
        id = ids[i]
        if (want_last && last[id]) {
            print accuracy[id, "train", last[id]] + 0, accuracy[id, "val", last[id]] + 0, net_of[id], id
            continue
        }
        for (at = 1; at <= last[id]; at++)
            if ((id, part, at) in loss)
                print at, loss[id, part, at], accuracy[id, part, at], net_of[id]
        if (!want_last)
            print ""
    }
    for (i = 1; nets && i <= n_nets; i++)
        print name[i] >nets
}
