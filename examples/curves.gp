# curves.gp - accuracy and loss of every config, on train and on val: one line each, coloured by net.
# gnuplot -e "train='FILE'; val='FILE'; nets='FILE'; title_text='...'; out='x.png'" curves.gp
set terminal pngcairo size 1200,900 noenhanced font 'sans,11'
set output out
names = system("cat " . nets)
n = words(names)
set linetype 1 lc rgb '#d62728'
set linetype 2 lc rgb '#1f77b4'
set linetype 3 lc rgb '#2ca02c'
set grid lc rgb '#dddddd'
set multiplot layout 2,2 title title_text font ',14'
set xlabel 'iteration'
set xtics 1,1
stats val using 1 nooutput
if (STATS_max > 12) { set xtics autofreq }
set xrange [0.8:STATS_max + 0.2]
set style line 10 lw 1
set key bottom right samplen 2
set ylabel 'accuracy'
set yrange [0:1]
set title 'train'
plot train using 1:3:4 with linespoints pt 7 ps 0.4 lw 1 lc variable notitle, \
     for [i = 1:n] NaN with lines lw 3 lc i title word(names, i)
set title 'val'
plot val using 1:3:4 with linespoints pt 7 ps 0.4 lw 1 lc variable notitle, \
     for [i = 1:n] NaN with lines lw 3 lc i title word(names, i)
set ylabel 'loss'
set key top right
set yrange [0:3]
set title 'train'
plot train using 1:2:4 with linespoints pt 7 ps 0.4 lw 1 lc variable notitle, \
     for [i = 1:n] NaN with lines lw 3 lc i title word(names, i)
set title 'val'
plot val using 1:2:4 with linespoints pt 7 ps 0.4 lw 1 lc variable notitle, \
     for [i = 1:n] NaN with lines lw 3 lc i title word(names, i)
unset multiplot
