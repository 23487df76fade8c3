# overfit.gp - each config's last accuracy on train against that on val. Below the dashed line it
# overfits: more than `gap` is lost on the way.
# gnuplot -e "last='FILE'; nets='FILE'; gap=0.05; title_text='...'; out='x.png'" overfit.gp
set terminal pngcairo size 800,700 noenhanced font 'sans,11'
set output out
names = system("cat " . nets)
n = words(names)
set linetype 1 lc rgb '#d62728'
set linetype 2 lc rgb '#1f77b4'
set linetype 3 lc rgb '#2ca02c'
set linetype 4 lc rgb '#9467bd'
set linetype 5 lc rgb '#ff7f0e'
set title title_text font ',14'
set grid xtics ytics lt 1 lw 1 lc rgb '#dddddd'
set border lc rgb '#888888'
set xlabel 'accuracy on train'
set ylabel 'accuracy on val'
set xrange [0:1]
set yrange [0:1]
set size square
set key top left
plot x with lines lc rgb '#888888' title 'train = val', \
     x - gap with lines dt 2 lc rgb '#888888' title sprintf('gap %g', gap), \
     last using 1:2:3 with points pt 7 ps 1 lc variable notitle, \
     for [i = 1:n] NaN with points pt 7 ps 1 lc i title word(names, i)
