# Forecasts of forecast::nnetar at its default settings from rolling origins, with 90% intervals from
# 500 simulated paths; run in this folder with
#   Rscript nnetar.R
# It writes nnetar_series.csv, the two series, and nnetar_forecasts.csv.
suppressMessages(library(forecast))
options(digits = 10)

series <- list(sunspots = sunspot.year, co2 = co2)
# number of observations known at each origin: every second year from 1908, every six months from
# December 1979
origins <- list(sunspots = seq(209, 287, by = 2), co2 = seq(252, 456, by = 6))
horizons <- c(sunspots = 8, co2 = 12)

observed <- do.call(rbind, lapply(names(series), function(name) {
  data.frame(series = name, position = seq_along(series[[name]]), value = as.numeric(series[[name]]))
}))
write.csv(observed, "nnetar_series.csv", row.names = FALSE, quote = FALSE)

found <- list()
for (name in names(series)) {
  y <- series[[name]]
  for (origin in origins[[name]]) {
    set.seed(origin)
    known <- ts(y[seq_len(origin)], start = start(y), frequency = frequency(y))
    fit <- nnetar(known)
    ahead <- forecast(fit, h = horizons[[name]], PI = TRUE, npaths = 500, level = 90)
    found[[length(found) + 1]] <- data.frame(
      series = name, model = fit$method, origin = origin, horizon = seq_len(horizons[[name]]),
      mean = round(as.numeric(ahead$mean), 4), lower = round(as.numeric(ahead$lower), 4),
      upper = round(as.numeric(ahead$upper), 4)
    )
  }
}
found <- do.call(rbind, found)
found$model <- gsub(",", ";", found$model)
write.csv(found, "nnetar_forecasts.csv", row.names = FALSE, quote = FALSE)
cat(R.version.string, ", forecast ", as.character(packageVersion("forecast")), "\n", sep = "")
