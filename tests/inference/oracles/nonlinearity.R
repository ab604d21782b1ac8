# R's tests of neglected nonlinearity; run in this folder with
#   Rscript nonlinearity.R > nonlinearity.json
suppressMessages({library(jsonlite); library(tseries); library(lmtest)})
set.seed(2)
out <- list(R = R.version.string, tseries = as.character(packageVersion("tseries")),
            lmtest = as.character(packageVersion("lmtest")))
star <- numeric(250)
for (t in 3:250)
  star[t] <- 0.4 * star[t - 1] - 0.6 * star[t - 1] / (1 + exp(-3 * star[t - 2])) + rnorm(1)
series <- list(log_lynx = log10(as.numeric(lynx)), sunspots = as.numeric(sunspot.year),
               star = round(star[51:250], 12))
x <- round(matrix(rnorm(150 * 3), 150), 12)
x <- cbind(x[, 1], 0.6 * x[, 1] + x[, 2], x[, 3])
y <- round(x[, 1] - x[, 2] + 0.25 * x[, 1] * x[, 3] + rnorm(150), 12)
out$series <- series; out$x <- x; out$y <- y
out$terasvirta <- list()
for (name in names(series)) for (lag in 1:3) for (type in c("Chisq", "F")) for (scale in c(TRUE, FALSE)) {
  test <- terasvirta.test(ts(series[[name]]), lag = lag, type = type, scale = scale)
  out$terasvirta[[length(out$terasvirta) + 1]] <- list(series = name, lag = lag, type = type,
    scale = scale, statistic = unname(test$statistic), df = as.numeric(test$parameter),
    pvalue = unname(test$p.value))
}
out$regression <- list()
for (type in c("Chisq", "F")) {
  test <- terasvirta.test(x, y, type = type)
  out$regression[[length(out$regression) + 1]] <- list(type = type,
    statistic = unname(test$statistic), df = as.numeric(test$parameter), pvalue = unname(test$p.value))
}
test <- resettest(y ~ x, power = 2:3)
out$reset <- list(statistic = unname(test$statistic), df = as.numeric(test$parameter), pvalue = unname(test$p.value))
# White's test draws its units: rejections at 5% under the null, by 4,000 samples
for (type in c("Chisq", "F")) {
  p <- replicate(4000, { x <- matrix(rnorm(200), 100); white.test(x, x %*% c(1, -1) + rnorm(100), type = type)$p.value })
  out$white_size[[type]] <- mean(p < 0.05)
}
# and its power where the mean bends
p <- replicate(1000, { x <- matrix(rnorm(200), 100); white.test(x, sin(2 * x[, 1]) + x[, 2] + rnorm(100), type = "F")$p.value })
out$white_power <- mean(p < 0.05)
cat(toJSON(out, auto_unbox = TRUE, digits = 14), "\n")
