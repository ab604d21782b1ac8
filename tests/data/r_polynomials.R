# Values that tests/data/test_data_r_formulas.py compares with: Rscript r_polynomials.R > r_polynomials.csv
x <- (1:12)^1.5
basis <- poly(x, 3)
new <- predict(basis, c(2.5, 50))
out <- rbind(cbind(x, basis), cbind(c(2.5, 50), new))
colnames(out) <- c("x", "first", "second", "third")
write.csv(format(out, digits = 16), row.names = FALSE, quote = FALSE)
