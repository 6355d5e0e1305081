# metafor's side of S7 and pROC's of S2: medians in milliseconds of processor time, one line
# each; a package that is not installed is named and skipped.
arguments <- commandArgs(trailingOnly = TRUE)
timed <- function(name, call, calls) {
    once <- function() { t <- proc.time(); for (i in seq_len(calls)) call(); sum((proc.time() - t)[1:2]) / calls }
    cat(name, "\t", 1000 * median(replicate(5, once())), "\n", sep = "")
}
if (requireNamespace("metafor", quietly = TRUE)) {
    for (file in list.files(arguments[1], "^sites-[0-9]+\\.csv$", full.names = TRUE)) {
        d <- read.csv(file)
        timed(paste0("metafor rma + confint + predict/", nrow(d)), function() {
            fit <- metafor::rma(d$yi, d$vi, method = "REML", test = "adhoc")
            metafor::confint.rma.uni(fit); predict(fit)
        }, 20)
    }
} else cat("SKIPPED metafor is not installed\n", file = stderr())
if (requireNamespace("pROC", quietly = TRUE)) {
    d <- read.csv(file.path(arguments[1], "scores-100000.csv"))
    timed("pROC roc + ci/100000", function() {
        pROC::ci.auc(pROC::roc(d$y, d$s, levels = c(0, 1), direction = "<", quiet = TRUE))
    }, 1)
} else cat("SKIPPED pROC is not installed\n", file = stderr())
