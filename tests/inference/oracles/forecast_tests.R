# R's answers for the tests of forecasts and of specification; run in this folder with
#   Rscript forecast_tests.R > forecast_tests.json
suppressMessages({library(jsonlite); library(forecast)})
set.seed(1)
n <- 90
e1 <- as.numeric(arima.sim(list(ma = c(0.6, 0.3)), n))
e2 <- 0.7 * e1 + 0.8 * as.numeric(arima.sim(list(ma = c(0.4, 0.2)), n))
out <- list(R = R.version.string, forecast = as.character(packageVersion("forecast")))
out$errors <- round(cbind(e1, e2), 12)
e1 <- out$errors[, 1]; e2 <- out$errors[, 2]
case <- function(test) list(statistic = unname(test$statistic), pvalue = unname(test$p.value))
out$diebold_mariano <- list()
for (h in c(1, 3)) for (estimator in c("acf", "bartlett")) for (side in c("two.sided", "less")) {
  if (h == 1 && estimator == "bartlett") next   # dm.test recycles an empty lag there
  test <- dm.test(e1, e2, alternative = side, h = h, power = 2, varestimator = estimator)
  out$diebold_mariano[[length(out$diebold_mariano) + 1]] <-
    c(list(h = h, estimator = estimator, alternative = side), case(test))
}
# encompassing: the same test on (e1 - e2) e1, handed to dm.test as a difference of absolute values
d <- (e1 - e2) * e1
shift <- 2 * max(abs(d))
for (h in c(1, 3)) {
  test <- dm.test(d + shift, rep(shift, n), alternative = "greater", h = h, power = 1)
  out$encompassing[[length(out$encompassing) + 1]] <- c(list(h = h), case(test))
}
cat(toJSON(out, auto_unbox = TRUE, digits = 14, pretty = TRUE), "\n")
