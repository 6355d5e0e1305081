# Compares every pooled row of a report bundle with the R package metafor.
#
#   Rscript tests/metafor/check.R BUNDLE [--allow-none]
#
# For each row of estimates.csv with scope "pooled" and a tau2, the rows of meta_input.csv with
# the same key go through metafor::rma (REML, Hartung-Knapp-Sidik-Jonkman with the guard that
# never narrows the interval). Estimate, interval, tau2, I2 and Q must agree to 1e-8.
# Exit code 1 when a row differs, or when there is no pooled row (unless --allow-none).

suppressPackageStartupMessages(library(metafor))

tolerance <- 1e-8
key_columns <- c("model", "comparator", "endpoint", "analysis", "axis", "level", "threshold", "metric")

arguments <- commandArgs(trailingOnly = TRUE)
allow_none <- "--allow-none" %in% arguments
bundle <- setdiff(arguments, "--allow-none")
if (length(bundle) != 1) stop("usage: Rscript check.R BUNDLE [--allow-none]")

# Numbers stay text until asked for, so that an empty threshold equals an empty threshold.
read_table <- function(name) {
  path <- file.path(bundle, name)
  if (!file.exists(path)) stop(path, " does not exist")
  read.csv(path, colClasses = "character", na.strings = character(0), check.names = FALSE)
}

need <- function(table, name, columns) {
  missing <- setdiff(columns, names(table))
  if (length(missing) > 0) stop(name, " lacks the columns ", paste(missing, collapse = ", "))
}

number <- function(text) suppressWarnings(as.numeric(text))

estimates <- read_table("estimates.csv")
inputs <- read_table("meta_input.csv")
need(estimates, "estimates.csv",
     c("scope", "metric", "scale", "estimate", "ci_low", "ci_high", "tau2", "k_sites"))
need(inputs, "meta_input.csv", c("slab", "yi", "vi", "metric", "scale"))
keys <- intersect(key_columns, intersect(names(estimates), names(inputs)))
if (!"metric" %in% keys) stop("no common key columns")

# Sites with another role than external never enter a pool.
if ("role" %in% names(inputs)) inputs <- inputs[inputs$role == "external", ]

natural <- function(scale) switch(scale,
  identity = identity, logit = plogis, log = exp,
  stop("unknown scale: ", scale))

compare_row <- function(row) {
  chosen <- rep(TRUE, nrow(inputs))
  for (key in keys) chosen <- chosen & inputs[[key]] == row[[key]]
  d <- inputs[chosen, ]
  d$yi <- number(d$yi)
  d$vi <- number(d$vi)
  if (nrow(d) < 2 || anyNA(d$yi) || anyNA(d$vi)) return("fewer than two usable input rows")
  if (nrow(d) != number(row$k_sites)) {
    return(sprintf("k_sites is %s, meta_input.csv has %d rows", row$k_sites, nrow(d)))
  }
  fit <- rma(yi, vi, data = d, method = "REML", test = "adhoc",
             control = list(threshold = 1e-14, maxiter = 1000))
  back <- natural(row$scale)
  expected <- c(estimate = back(fit$beta[[1]]), ci_low = back(fit$ci.lb), ci_high = back(fit$ci.ub),
                tau2 = fit$tau2, i2 = fit$I2, q = fit$QE)
  faults <- character(0)
  for (name in intersect(names(expected), names(row))) {
    ours <- number(row[[name]])
    # I2 is written as a fraction or in percent; metafor prints percent.
    theirs <- expected[[name]]
    if (name == "i2" && !is.na(ours) && ours <= 1) theirs <- theirs / 100
    if (is.na(ours) || abs(ours - theirs) > tolerance * max(1, abs(theirs))) {
      faults <- c(faults, sprintf("%s is %s, metafor has %.12g", name, row[[name]], theirs))
    }
  }
  if (length(faults) == 0) NULL else paste(faults, collapse = "; ")
}

pooled <- estimates[estimates$scope == "pooled" & !is.na(number(estimates$tau2)), ]
failed <- 0
for (i in seq_len(nrow(pooled))) {
  row <- as.list(pooled[i, ])
  fault <- compare_row(row)
  label <- paste(unlist(row[keys]), collapse = " ")
  if (is.null(fault)) {
    cat(sprintf("ok      %s\n", label))
  } else {
    failed <- failed + 1
    cat(sprintf("differs %s: %s\n", label, fault))
  }
}
cat(sprintf("metafor: %d passed, %d failed\n", nrow(pooled) - failed, failed))
if (nrow(pooled) == 0 && !allow_none) {
  cat("no pooled row in estimates.csv: nothing was compared\n")
  quit(status = 1)
}
quit(status = if (failed > 0) 1 else 0)
