# Compares every pooled row of a report bundle with the R package metafor.
#
#   Rscript tests/metafor/check.R BUNDLE [--allow-none]
#
# For each row of estimates.csv with scope "pooled" and a tau2, the rows of meta_input.csv with
# the same key go through metafor::rma by the estimator and the interval that the row names (REML
# and guarded Hartung-Knapp-Sidik-Jonkman where it names none). Estimate, interval, tau2, I2 and
# Q must agree to 1e-8. A row pooled by counts goes through the binomial-normal likelihood written
# out below, to 1e-4. Each row of robustness.csv goes through the same call without a site, for
# the first sites, by another estimator, or through influence() and blup(), to 1e-6; each
# normal-normal row of summary_points.csv off the boundary through rma.mv, to 1e-4.
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

# Sites with another role than external never enter a pool, nor do those withheld.
if ("role" %in% names(inputs)) inputs <- inputs[inputs$role == "external", ]
released <- inputs
if ("in_pool" %in% names(inputs)) inputs <- inputs[inputs$in_pool == "true", ]

natural <- function(scale) switch(scale,
  identity = identity, logit = plogis, log = exp,
  stop("unknown scale: ", scale))

# The estimator and the test of metafor behind a row's method; NULL for a pool of counts.
call_of <- function(row) {
  method <- if (is.null(row$method)) "random-effects REML, HKSJ guarded" else row$method
  if (startsWith(method, "binomial-normal")) return(NULL)
  words <- regmatches(method, regexec("^random-effects ([A-Z]+), (.*)$", method))[[1]]
  if (length(words) != 3) stop("unknown method: ", method)
  test <- c("HKSJ guarded" = "adhoc", "HKSJ" = "knha", "normal interval" = "z")[[words[3]]]
  list(method = words[2], test = test)
}

# Fisher scoring at a threshold of 1e-14 may swing between two neighbouring numbers for ever; then
# a looser one, still far below what is compared, ends it.
thresholds <- c(1e-14, 1e-12, 1e-10)

fit_at <- function(d, how, threshold) suppressWarnings(
  rma(d$yi, d$vi, method = how$method, test = how$test,
      control = if (how$method %in% c("REML", "ML", "PM", "EB"))
        list(threshold = threshold, maxiter = 100000, tol = threshold) else list()))

fit_rma <- function(d, how) {
  for (threshold in thresholds) {
    found <- tryCatch(fit_at(d, how, threshold), error = function(e) e)
    if (!inherits(found, "error")) return(found)
  }
  stop(conditionMessage(found))
}

# Fits without each site that do not end are NA; all of them end at one of the thresholds.
influence_of <- function(d, how) {
  for (threshold in thresholds) {
    found <- tryCatch(influence(fit_at(d, how, threshold)), error = function(e) e)
    if (!inherits(found, "error") && !anyNA(found$inf$rstudent)) return(found)
  }
  stop("influence() does not converge")
}

# Events and cases of a proportion, from the 2x2 tables.
counts_of <- function(d, metric) {
  cell <- lapply(d[c("tp", "fp", "fn", "tn")], number)
  hits <- switch(metric, sensitivity = cell$tp, specificity = cell$tn, ppv = cell$tp,
                 npv = cell$tn, `selection-rate` = cell$tp + cell$fp, prevalence = cell$tp + cell$fn)
  miss <- switch(metric, sensitivity = cell$fn, specificity = cell$fp, ppv = cell$fp,
                 npv = cell$fn, `selection-rate` = cell$fn + cell$tn, prevalence = cell$fp + cell$tn)
  list(x = hits, n = hits + miss)
}

# The binomial-normal likelihood by a plain sum over the site's logit.
fit_counts <- function(x, n, law) {
  z <- seq(-9, 9, length.out = 4001)
  w <- dnorm(z) * (z[2] - z[1])
  loss <- function(p) -sum(mapply(function(x, n)
    log(sum(w * exp(dbinom(x, n, plogis(p[1] + p[2] * z), log = TRUE)))), x, n))
  best <- optim(c(qlogis(sum(x) / sum(n)), 0.5), loss, method = "BFGS",
                control = list(reltol = 1e-14, maxit = 1000))
  curve <- optimHess(best$par, loss)
  se <- if (abs(best$par[2]) < 1e-3) sqrt(1 / curve[1, 1]) else sqrt(solve(curve)[1, 1])
  half <- se * if (law == "z") qnorm(0.975) else qt(0.975, length(x) - 1)
  list(mu = best$par[1], tau2 = best$par[2]^2, low = best$par[1] - half, high = best$par[1] + half)
}

differences <- function(row, expected, limit) {
  faults <- character(0)
  for (name in intersect(names(expected), names(row))) {
    ours <- number(row[[name]])
    # I2 is written as a fraction or in percent; metafor prints percent.
    theirs <- expected[[name]]
    if (is.na(theirs)) {
      faults <- c(faults, sprintf("%s is %s, metafor has none", name, row[[name]]))
      next
    }
    if (name == "i2" && limit == tolerance && !is.na(ours) && ours <= 1) theirs <- theirs / 100
    if (is.na(ours) || abs(ours - theirs) > limit * max(1, abs(theirs))) {
      faults <- c(faults, sprintf("%s is %s, metafor has %.12g", name, row[[name]], theirs))
    }
  }
  if (length(faults) == 0) NULL else paste(faults, collapse = "; ")
}

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
  back <- natural(row$scale)
  how <- call_of(row)
  if (is.null(how)) {
    counts <- counts_of(d, row$metric)
    law <- if (grepl("normal interval$", row$method)) "z" else "t"
    fit <- fit_counts(counts$x, counts$n, law)
    return(differences(row, c(estimate = back(fit$mu), ci_low = back(fit$low),
                              ci_high = back(fit$high), tau2 = fit$tau2), 1e-4))
  }
  fit <- fit_rma(d, how)
  differences(row, c(estimate = back(fit$beta[[1]]), ci_low = back(fit$ci.lb),
                     ci_high = back(fit$ci.ub), tau2 = fit$tau2, i2 = fit$I2, q = fit$QE),
              tolerance)
}

# One row of robustness.csv against the call it stands for.
compare_robustness <- function(row) {
  d <- inputs[inputs$analysis == row$analysis, ]
  d$yi <- number(d$yi)
  d$vi <- number(d$vi)
  how <- list(method = row$tau2_method, test = row$test)
  back <- natural(row$scale)
  at <- match(row$site, d$site)
  if (row$site != "" && is.na(at)) return("its site is not in the pool")
  means <- function(fit) c(estimate = back(fit$beta[[1]]), ci_low = back(fit$ci.lb),
                           ci_high = back(fit$ci.ub), tau2 = fit$tau2, i2 = fit$I2)
  expected <- switch(row$part,
    `leave-one-out` = { fit <- fit_rma(d[-at, ], how); c(means(fit), q = fit$QE) },
    cumulative = if (at == 1) c(estimate = back(d$yi[1])) else means(fit_rma(d[1:at, ], how)),
    influence = , `influence-flagged` = {
      found <- influence_of(d, how)
      c(rstudent = found$inf$rstudent[at], dffits = found$inf$dffits[at],
        cook_d = found$inf$cook.d[at], cov_r = found$inf$cov.r[at], hat = found$inf$hat[at],
        dfbetas = found$dfbs[[1]][at], tau2 = found$inf$tau2.del[at], q = found$inf$QE.del[at],
        q_residual = rstandard(rma(d$yi, d$vi, method = "FE"))$z[at])
    },
    shrunken = {
      drawn <- blup(fit_rma(d, how))
      c(estimate = back(drawn$pred[at]), ci_low = back(drawn$pi.lb[at]),
        ci_high = back(drawn$pi.ub[at]))
    },
    chosen = , `other-model` = if (row$model == "binomial-normal") {
      counts <- counts_of(d, row$metric)
      fit <- fit_counts(counts$x, counts$n, row$test)
      return(differences(row, c(estimate = back(fit$mu), ci_low = back(fit$low),
                                ci_high = back(fit$high), tau2 = fit$tau2), 1e-4))
    } else means(fit_rma(d, how)),
    stop("unknown part: ", row$part))
  differences(row, expected, 1e-6)
}

# A summary point of logits against rma.mv; one on the boundary has no stable covariance.
compare_point <- function(row) {
  sites <- strsplit(row$sites, " ")[[1]]
  d <- released[released$metric == "sensitivity" & released$model == row$model &
                released$endpoint == row$endpoint & released$threshold == row$threshold &
                released$axis == "overall" & released$site %in% sites, ]
  cell <- as.matrix(sapply(d[c("tp", "fn", "fp", "tn")], number))
  if (any(cell == 0)) cell <- cell + 0.5
  k <- nrow(cell)
  long <- data.frame(
    yi = c(rbind(log(cell[, 1] / cell[, 2]), log(cell[, 3] / cell[, 4]))),
    vi = c(rbind(1 / cell[, 1] + 1 / cell[, 2], 1 / cell[, 3] + 1 / cell[, 4])),
    out = factor(rep(c("sens", "fpr"), k), c("sens", "fpr")), id = rep(seq_len(k), each = 2))
  fit <- suppressWarnings(rma.mv(yi, vi, mods = ~ 0 + out, random = ~ out | id, struct = "UN",
                                 data = long, method = "REML",
                                 control = list(optimizer = "optim", optmethod = "BFGS",
                                                reltol = 1e-15, maxit = 5000)))
  differences(row, c(logit_sensitivity = fit$beta[[1]], logit_fpr = fit$beta[[2]],
                     tau2_sensitivity = fit$tau2[[1]], tau2_fpr = fit$tau2[[2]]), 1e-4)
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
compared <- nrow(pooled)

# A file of later bundles, row by row; older bundles lack it.
compare_file <- function(name, keep, compare, label) {
  if (!file.exists(file.path(bundle, name))) return(invisible())
  table <- read_table(name)
  table <- table[keep(table), ]
  for (i in seq_len(nrow(table))) {
    row <- as.list(table[i, ])
    compared <<- compared + 1
    fault <- compare(row)
    if (!is.null(fault)) {
      failed <<- failed + 1
      cat(sprintf("differs %s %s: %s\n", name, label(row), fault))
    }
  }
  cat(sprintf("read    %s: %d rows\n", name, nrow(table)))
}
if ("site" %in% names(inputs)) {
  compare_file("robustness.csv", function(t) rep(TRUE, nrow(t)), compare_robustness,
               function(row) paste(row$analysis, row$part, row$site, row$tau2_method, row$test))
  compare_file("summary_points.csv",
               function(t) t$fit == "normal-normal" & t$boundary == "false", compare_point,
               function(row) paste(row$model, row$endpoint, row$threshold))
}

cat(sprintf("metafor: %d passed, %d failed\n", compared - failed, failed))
if (nrow(pooled) == 0 && !allow_none) {
  cat("no pooled row in estimates.csv: nothing was compared\n")
  quit(status = 1)
}
quit(status = if (failed > 0) 1 else 0)
