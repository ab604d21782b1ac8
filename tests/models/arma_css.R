# ARMA(1,1) by conditional sum of squares: Rscript arma_css.R > arma_css.csv
# One row a series and quantity, 15 digits; the series themselves are in the rows "data".
series <- list(nile = as.numeric(Nile), sunspots = as.numeric(sunspot.year))
cat("series,quantity,value\n")
for (name in names(series)) {
  x <- series[[name]]
  p <- as.numeric(coef(arima(x, order = c(1, 0, 1), method = "CSS")))
  # optim stops early: the same sum of squares, minimised to the last digits
  errors <- function(p) {
    w <- x - p[3]
    z <- c(0, w[-1] - p[1] * w[-length(w)])
    as.numeric(stats::filter(z, -p[2], method = "recursive"))
  }
  scale <- abs(p)
  for (i in 1:20) {
    fit <- optim(p / scale, function(q) sum(errors(q * scale)^2) / var(x), method = "BFGS",
                 control = list(reltol = 0, maxit = 500, ndeps = rep(1e-5, 3)))
    p <- fit$par * scale
  }
  # Newton on the residuals' derivatives
  for (i in 1:50) {
    h <- 1e-6 * scale
    e <- errors(p)
    J <- sapply(1:3, function(j) {
      d <- replace(rep(0, 3), j, h[j])
      (errors(p + d) - errors(p - d)) / (2 * h[j])
    })
    p <- p - as.numeric(solve(crossprod(J), crossprod(J, e)))
  }
  final <- arima(x, order = c(1, 0, 1), method = "CSS", fixed = p, transform.pars = FALSE)
  cat(sprintf("%s,ar,%.15g\n%s,ma,%.15g\n%s,mean,%.15g\n", name, p[1], name, p[2], name, p[3]))
  cat(sprintf("%s,sse,%.15g\n", name, sum(residuals(final)^2)))
  pred <- as.numeric(predict(final, n.ahead = 5)$pred)
  for (h in seq_along(pred)) cat(sprintf("%s,forecast,%.15g\n", name, pred[h]))
  for (v in x) cat(sprintf("%s,data,%.15g\n", name, v))
}
