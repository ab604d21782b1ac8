# R's residual diagnostics; run in this folder with
#   Rscript specification_tests.R > specification_tests.json
suppressMessages({library(jsonlite); library(lmtest); library(strucchange)})
set.seed(3)
n <- 120
x <- round(cbind(rnorm(n), rnorm(n)), 12)
y <- round(1 + x[, 1] - x[, 2] + 0.4 * x[, 1] * (1:n > 70) + (0.5 + 0.4 * abs(x[, 2])) * as.numeric(arima.sim(list(ar = 0.3), n)), 12)
fit <- lm(y ~ x)
case <- function(test) list(statistic = unname(test$statistic), df = as.numeric(test$parameter), pvalue = unname(test$p.value))
out <- list(R = R.version.string, lmtest = as.character(packageVersion("lmtest")),
            strucchange = as.character(packageVersion("strucchange")), x = x, y = y)
out$breusch_godfrey <- list(chi2 = case(bgtest(fit, order = 4)), F = case(bgtest(fit, order = 4, type = "F")))
out$ljung_box <- case(Box.test(residuals(fit), lag = 6, type = "Ljung-Box", fitdf = 1))
out$breusch_pagan <- case(bptest(fit))
out$white <- case(bptest(fit, ~ x[, 1] * x[, 2] + I(x[, 1]^2) + I(x[, 2]^2)))
out$cusum <- case(sctest(efp(y ~ x, type = "OLS-CUSUM")))
out$chow <- case(sctest(y ~ x, type = "Chow", point = 70))
stats <- Fstats(y ~ x, from = 0.15)
out$sup_f <- list(statistic = unname(sctest(stats)$statistic), pvalue = unname(sctest(stats)$p.value),
                  point = stats$breakpoint)
# the same with equal variances
out$y_equal <- round(1 + x[, 1] - x[, 2] + 0.8 * x[, 1] * (1:n > 70) + rnorm(n), 12)
stats <- Fstats(out$y_equal ~ x, from = 0.15)
out$sup_f_equal <- list(statistic = unname(sctest(stats)$statistic), pvalue = unname(sctest(stats)$p.value))
cat(toJSON(out, auto_unbox = TRUE, digits = 14), "\n")
