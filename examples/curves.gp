# curves.gp - accuracy and loss of every config, on train and on val: one line each, coloured by net.
# gnuplot -e "train='FILE'; val='FILE'; nets='FILE'; title_text='...'; out='x.png'" curves.gp
set terminal pngcairo size 1200,900 noenhanced font 'sans,11'
set output out
names = system("cat " . nets)
n = words(names)
set linetype 1 lc rgb '#d62728'
set linetype 2 lc rgb '#1f77b4'
set linetype 3 lc rgb '#2ca02c'
set linetype 4 lc rgb '#9467bd'
set linetype 5 lc rgb '#ff7f0e'
stats val using 1 nooutput name 'I'
stats val using 2 nooutput name 'L'
set xrange [I_min - 0.05 * (I_max - I_min) - 0.1 : I_max + 0.05 * (I_max - I_min) + 0.1]
if (I_max <= 12) { set xtics 1 } else { set xtics autofreq }
top_loss = L_max < 3 ? L_max * 1.05 : 3
set multiplot layout 2,2 title title_text font ',14' margins 0.07,0.97,0.07,0.88 spacing 0.09,0.12
set xlabel 'iteration'
set grid xtics ytics lt 1 lw 1 lc rgb '#dddddd'
set border lc rgb '#888888'
set tics textcolor rgb 'black'
do for [what in "accuracy loss"] {
    set ylabel what
    if (what eq "accuracy") { set yrange [0:1]; column = 3 } else { set yrange [0:top_loss]; column = 2 }
    set key at graph 0.5, graph 1.12 center top horizontal samplen 2 width 1
    do for [part in "train val"] {
        set label 1 part at graph 0.02, graph 0.06 font ',13'
        plot (part eq "train" ? train : val) using 1:column:4 \
                 with linespoints pt 7 ps 0.4 lw 1 lc variable notitle, \
             for [i = 1:n] NaN with lines lw 3 lc i title word(names, i)
    }
}
unset multiplot
