# Forecasts and 90% intervals of R's forecast package for test_baselines_naive.py.
# Run: Rscript naive_forecasts.R > naive_forecasts.csv
suppressMessages(library(forecast))
y <- ts(c(112, 118, 132, 129, 121, 135, 148, 148, 136, 119, 104, 118, 115, 126, 141, 135, 125, 149,
          170, 170), frequency = 4)
write <- function(name, f) {
  cat(sprintf("%s,%d,%.12g,%.12g,%.12g\n", name, seq_along(f$mean), f$mean, f$lower[, 1],
              f$upper[, 1]), sep = "")
}
cat("model,horizon,mean,lower,upper\n")
write("meanf", meanf(y, h = 6, level = 90))
write("naive", naive(y, h = 6, level = 90))
write("drift", rwf(y, h = 6, drift = TRUE, level = 90))
write("snaive", snaive(y, h = 6, level = 90))
cat(sprintf("# forecast %s, R %s\n", packageVersion("forecast"), getRversion()))
