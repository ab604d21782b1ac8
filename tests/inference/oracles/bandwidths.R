# Bandwidths of the R package sandwich for one series of scores; writes bandwidths.csv.
# Rscript bandwidths.R
library(sandwich)
set.seed(1)
rows <- NULL
for (rho in c(0, 0.5, 0.9)) {
  for (n in c(60, 250)) {
    x <- as.numeric(arima.sim(list(ar = rho + 1e-9), n))
    e <- as.numeric(arima.sim(list(ar = rho + 1e-9), n))
    fit <- lm(e ~ x - 1)
    score <- as.numeric(estfun(fit))
    for (kernel in c("Bartlett", "Parzen", "Quadratic Spectral")) {
      rows <- rbind(rows, data.frame(
        rho = rho, n = n, kernel = tolower(sub(" ", "-", kernel)),
        newey_west = bwNeweyWest(fit, kernel = kernel, prewhite = 0),
        andrews = bwAndrews(fit, kernel = kernel, approx = "AR(1)", prewhite = 0),
        scores = paste(format(score, digits = 17), collapse = ";")))
    }
  }
}
write.csv(rows, "bandwidths.csv", row.names = FALSE)
cat(R.version.string, "sandwich", as.character(packageVersion("sandwich")), "\n")
