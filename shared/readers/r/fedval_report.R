# Reads a report bundle of Fedval, with base R (4.1 or newer) alone. It reads files and does
# nothing else.
#
#   source("fedval_report.R")
#   bundle <- open_bundle("target/report")       # the folder of a report
#   verify(bundle)                               # no row when the bundle is whole
#   estimates(bundle, metric = "auc", scope = "pooled")
#   forest(bundle, metric = "auc", model = "p_b")$pool
#
#   Rscript fedval_report.R verify BUNDLE        # exit code 0: whole, 1: not, 2: wrong command
#   Rscript fedval_report.R dump BUNDLE          # every row and forest plot as plain text
#
# Every column has its type; what is missing is NA, never 0. Whole numbers are doubles, exact up
# to 2^53. What a bundle says about paths is not trusted: nothing outside of it is read and no
# link is followed. The Python package `fedval_report` has the same functions.

.known_major <- 1
.max_bytes <- 2^30

.types <- list(
  real = c("threshold", "prevalence", "estimate", "se", "ci_low", "ci_high", "ci_level", "pi_low",
           "pi_high", "tau2", "tau2_low", "tau2_high", "i2", "q", "q_p", "weight", "p_value",
           "p_adjusted", "bound_low", "bound_high", "x", "x_high", "y", "y_low", "y_high"),
  whole = c("q_df", "k_sites", "n", "n_events", "n_clusters", "n_missing", "count", "count_low",
            "count_high", "n_analysed", "n_patients", "n_non_events"),
  flag = c("suppressed", "clustered"))

.key_columns <- c("metric", "model", "endpoint", "threshold", "comparator", "axis", "level",
                 "prevalence", "sensitivity", "analysis")
# What a column stands for when it is not named.
.whole_analysis <- list(axis = "overall", level = "overall", comparator = NA, prevalence = NA,
                       sensitivity = NA)
.site_columns <- c("estimate", "ci_low", "ci_high", "ci_level", "weight", "n", "n_events", "state",
                  "suppressed", "reason")
.pool_columns <- c("estimate", "se", "ci_low", "ci_high", "ci_level", "pi_low", "pi_high", "tau2",
                  "tau2_low", "tau2_high", "i2", "q", "q_df", "q_p", "k_sites", "n", "n_events",
                  "method", "withheld_sites", "bound_low", "bound_high")

# Opens a bundle: the folder of a report. Stops when there is none, or when a later version of
# Fedval wrote it in a form that these readers don't know.
open_bundle <- function(path) {
  if (file.exists(path) && !dir.exists(path)) {
    .refuse(paste(path, "is no folder"), "R reads bundles from folders",
           "unpack the .zip with unzip(), then open the folder")
  }
  if (!dir.exists(path)) {
    .refuse(paste(path, "is not there"), "no folder has this name",
           "give the folder that holds report.html and manifest.json")
  }
  bundle <- structure(list(path = path), class = "fedval_bundle")
  bundle$manifest <- .read_manifest(.read_bytes(bundle, "manifest.json"))
  if ("report.json" %in% .entries(bundle)$file) {
    text <- rawToChar(.read_bytes(bundle, "report.json"))
    found <- regmatches(text, gregexpr('"schema"\\s*:\\s*"fedval\\.report/[0-9]+', text,
                                       perl = TRUE, useBytes = TRUE))[[1]]
    for (schema in sub('.*"', "", found)) .check_major(schema, "report.json", "report")
  }
  bundle
}

# Rows of estimates.csv: one metric of one model at one site, or pooled. Filters are columns by
# name; a vector means any of its values, NA means missing.
estimates <- function(bundle, ...) {
  rows <- .read_table(bundle, "estimates.csv")
  for (schema in unique(rows$schema_version)) .check_major(schema, "estimates.csv", "estimates")
  .choose_rows("estimates.csv", rows, list(...))
}

# Rows of curves.csv: one point of a curve, or one block of a distribution.
curves <- function(bundle, ...) {
  .choose_rows("curves.csv", .read_table(bundle, "curves.csv"), list(...))
}

# Rows of counts.csv: one count after disclosure control.
counts <- function(bundle, ...) {
  .choose_rows("counts.csv", .read_table(bundle, "counts.csv"), list(...))
}

# Rows of sites.csv: one invited site and what it did.
sites <- function(bundle, ...) {
  .choose_rows("sites.csv", .read_table(bundle, "sites.csv"), list(...))
}

# One analysis as a forest plot has it: `sites` with every invited site (weight NA: not in the
# pool), `pool` with the prediction interval in pi_low and pi_high, or NULL and a `reason`, and
# `key`, which says what is estimated. Name columns of estimates.csv: metric, model, endpoint,
# threshold, comparator, axis, level, prevalence, sensitivity, analysis. Without any it is the
# primary analysis. A column that is not named stands for all patients, no comparator and the
# primary analysis set, where there is such an analysis.
forest <- function(bundle, ...) {
  .forest_of(estimates(bundle), sites(bundle), list(...))
}

# What is not as manifest.json says: a data frame of `file` and `problem`, without a row when the
# bundle is whole. Every file of the manifest must be there with its SHA-256, and no other file.
# This says that nothing changed since the manifest was written, not who wrote it.
verify <- function(bundle) {
  found <- .entries(bundle)
  listed <- bundle$manifest
  unlisted <- setdiff(found$file, c(listed$file, "manifest.json"))
  problems <- setNames(rep("added: not listed in manifest.json", length(unlisted)), unlisted)
  for (i in seq_len(nrow(listed))) {
    name <- listed$file[i]
    at <- match(name, found$file)
    if (!.is_inside(name)) {
      problems[[name]] <- "refused: its path leaves the bundle"
    } else if (is.na(at)) {
      problems[[name]] <- "missing: listed in manifest.json, not in the bundle"
    } else if (is.na(found$fault[at]) && (found$size[at] != listed$bytes[i] ||
               .sha256(file.path(bundle$path, name)) != listed$sha256[i])) {
      problems[[name]] <- "changed: its SHA-256 is not the one in manifest.json"
    }
  }
  refused <- found[!is.na(found$fault), ]
  problems[refused$file] <- refused$fault
  problems <- problems[order(names(problems), method = "radix")]
  data.frame(file = as.character(names(problems)), problem = as.character(problems))
}

# ---- errors ----

# Control characters of a bundle's text are spelled out, so that none steers a terminal.
.escaped <- function(text) {
  if (!any(grepl("[\\x01-\\x1f\\x7f-\\x9f]", text, perl = TRUE))) return(text)
  for (code in c(1:31, 127:159)) {
    text <- gsub(intToUtf8(code), sprintf("\\u%04x", code), text, fixed = TRUE)
  }
  text
}

.refuse <- function(what, why, fix) {
  parts <- .escaped(enc2utf8(c(what, why, fix)))
  message <- sprintf("%s\n  why: %s\n  fix: %s", parts[1], parts[2], parts[3])
  stop(structure(class = c("fedval_error", "error", "condition"),
                 list(message = message, call = NULL)))
}

.broken <- function(name, why) {
  .refuse(paste(name, "is not as Fedval writes it"), why,
         "take the file from the bundle again; a spreadsheet may have changed it")
}

.check_major <- function(schema, name, kind) {
  form <- sprintf("^fedval\\.%s/([0-9]+)(\\..*)?$", kind)
  if (is.na(schema) || !grepl(form, schema)) .broken(name, paste("its schema is", schema))
  if (as.numeric(sub(form, "\\1", schema)) != .known_major) {
    .refuse(paste("the bundle is in the form", schema),
            paste("these readers know version", .known_major),
            "install the readers of the Fedval that wrote the bundle")
  }
}

# ---- files ----

# Whether a path with `/` between its parts stays inside a bundle, on every system.
.is_inside <- function(name) {
  parts <- strsplit(paste0(name, "/"), "/", fixed = TRUE)[[1]]
  !grepl("[\\\\:\x01-\x1f\x7f]", name) && nzchar(name) && !endsWith(name, "/") &&
    !any(parts %in% c("", ".", ".."))
}

# Every file below the folder with its size; links are listed and not followed.
.entries <- function(bundle) {
  found <- character(0)
  open <- ""
  while (length(open) > 0) {
    below <- open[1]
    open <- open[-1]
    names <- list.files(file.path(bundle$path, below), all.files = TRUE, no.. = TRUE)
    names <- paste0(below, names, recycle0 = TRUE)
    paths <- file.path(bundle$path, names)
    folder <- dir.exists(paths) & !.is_link(paths)
    found <- c(found, names[!folder])
    open <- c(open, paste0(names[folder], "/", recycle0 = TRUE))
  }
  paths <- file.path(bundle$path, found)
  size <- file.size(paths)
  fault <- ifelse(.is_link(paths), "refused: it is a symbolic link",
           ifelse(!is.na(size) & size > .max_bytes,
                  sprintf("refused: it has more than %.0f bytes", .max_bytes), NA_character_))
  data.frame(file = found, size = size, fault = as.character(fault))
}

# On Windows, where links are rare and need a right of their own, R sees none.
.is_link <- function(paths) {
  target <- Sys.readlink(paths)
  !is.na(target) & nzchar(target)
}

.read_bytes <- function(bundle, name) {
  found <- .entries(bundle)
  at <- match(name, found$file)
  if (is.na(at)) {
    .refuse(paste(name, "is missing"), paste(bundle$path, "holds no such file"),
           "copy the whole bundle again; `verify` lists what else is missing")
  }
  if (!is.na(found$fault[at])) {
    .refuse(paste(name, "is not read"), found$fault[at],
           "ask whoever gave you the bundle for the files themselves")
  }
  readBin(file.path(bundle$path, name), "raw", found$size[at])
}

# Base R has SHA-256 from 4.5 on; before, a command of the system has.
.sha256 <- function(path) {
  if (exists("sha256sum", envir = asNamespace("tools"), inherits = FALSE)) {
    return(unname(get("sha256sum", envir = asNamespace("tools"))(path)))
  }
  commands <- list(sha256sum = character(0), shasum = c("-a", "256"),
                   openssl = c("dgst", "-sha256"))
  for (program in names(commands)) {
    if (nzchar(Sys.which(program))) {
      said <- system2(program, commands[[program]], stdin = path, stdout = TRUE)
      digest <- regmatches(said, regexpr("[0-9a-f]{64}", said))
      if (length(digest) == 1) return(digest)
    }
  }
  .refuse("SHA-256 cannot be computed here",
         "this R is older than 4.5, and there is no sha256sum, shasum or openssl command",
         "install R 4.5 or newer, or verify with Python: python -m fedval_report verify BUNDLE")
}

# ---- JSON, for manifest.json ----

.json_token <- paste0('"(?:[^"\\\\\\x00-\\x1f]|\\\\.)*+"|-?[0-9]+(?:\\.[0-9]+)?',
                     "(?:[eE][-+]?[0-9]+)?|true|false|null|[][{}:,]")

# Objects become lists with names, arrays lists without, null NULL.
.read_json <- function(text) {
  tokens <- regmatches(text, gregexpr(.json_token, text, perl = TRUE))[[1]]
  plain <- gsub("[ \t\r\n]", "", text)
  if (gsub("[ \t\r\n]", "", paste(tokens, collapse = "")) != plain) stop("it is no JSON")
  at <- 0
  take <- function() {
    at <<- at + 1
    if (at > length(tokens)) stop("it ends early")
    tokens[at]
  }
  value <- function(depth) {
    if (depth > 20) stop("it is nested too deeply")
    token <- take()
    switch(substr(token, 1, 1),
           "{" = object(depth), "[" = array(depth), "\"" = .json_string(token),
           t = TRUE, f = FALSE, n = NULL,
           if (grepl("^[-0-9]", token)) as.numeric(token) else stop("a value is missing"))
  }
  # Members up to the closing sign; `member` reads one.
  members <- function(close, member) {
    if (at < length(tokens) && tokens[at + 1] == close) return(take())
    repeat {
      member()
      sign <- take()
      if (sign == close) return(sign)
      if (sign != ",") stop("a comma is missing")
    }
  }
  object <- function(depth) {
    out <- list()
    members("}", function() {
      name <- take()
      if (substr(name, 1, 1) != "\"" || take() != ":") stop("a name is missing")
      name <- .json_string(name)
      if (name %in% names(out)) stop("a name stands twice")
      out[name] <<- list(value(depth + 1))
    })
    out
  }
  array <- function(depth) {
    out <- list()
    members("]", function() out[length(out) + 1] <<- list(value(depth + 1)))
    out
  }
  found <- value(0)
  if (at != length(tokens)) stop("something follows its end")
  found
}

.json_string <- function(token) {
  text <- substr(token, 2, nchar(token) - 1)
  if (!grepl("\\", text, fixed = TRUE)) return(text)
  pieces <- regmatches(text, gregexpr("\\\\u[0-9a-fA-F]{4}|\\\\.|[^\\\\]+", text, perl = TRUE))[[1]]
  plain <- c("\\\"" = "\"", "\\\\" = "\\", "\\/" = "/", "\\b" = "\b", "\\f" = "\f", "\\n" = "\n",
             "\\r" = "\r", "\\t" = "\t")
  for (i in which(startsWith(pieces, "\\"))) {
    pieces[i] <- if (pieces[i] %in% names(plain)) plain[[pieces[i]]]
      else if (nchar(pieces[i]) == 6) intToUtf8(strtoi(substr(pieces[i], 3, 6), 16L))
      else stop("an escape is not known")
    if (is.na(pieces[i]) || pieces[i] == "") stop("a character is not allowed")
  }
  paste(pieces, collapse = "")
}

# Files with size and SHA-256.
.read_manifest <- function(bytes) {
  wrong <- function(e) {
    if (inherits(e, "fedval_error")) stop(e)
    .refuse("manifest.json is not as Fedval writes it", conditionMessage(e),
           "copy the bundle again from where it was made")
  }
  tryCatch({
    text <- .text_of("manifest.json", bytes)
    document <- .read_json(text)
    schema <- document[["schema"]]
    if (!is.character(schema)) stop("it has no schema")
    .check_major(schema, "manifest.json", "manifest")
    files <- document[["files"]]
    if (!is.list(files) || length(files) > 0 && is.null(names(files))) stop("it lists no files")
    whole <- vapply(files, function(one) is.list(one) && is.numeric(one[["bytes"]]) &&
                      is.character(one[["sha256"]]) &&
                      grepl("^[0-9a-f]{64}$", one[["sha256"]]), TRUE)
    if (!all(whole)) stop(names(files)[!whole][1], " has no size or no SHA-256")
    data.frame(file = as.character(names(files)),
               bytes = vapply(files, function(one) one[["bytes"]], 0),
               sha256 = vapply(files, function(one) one[["sha256"]], ""), row.names = NULL)
  }, error = wrong)
}

# ---- tables ----

.text_of <- function(name, bytes) {
  if (length(bytes) >= 3 && all(bytes[1:3] == as.raw(c(0xef, 0xbb, 0xbf)))) bytes <- bytes[-(1:3)]
  if (any(bytes == as.raw(0))) .broken(name, "it holds a zero byte")
  text <- rawToChar(bytes)
  Encoding(text) <- "UTF-8"
  if (!validUTF8(text)) .broken(name, "it is not UTF-8")
  text
}

# The fields of RFC 4180, row by row. A comma or line end is one where an even number of quotes
# precedes it; these become a byte that UTF-8 never has, at which the text is cut.
.fields_of <- function(name, bytes) {
  bytes <- charToRaw(.text_of(name, bytes))
  if (length(bytes) > 0 && bytes[length(bytes)] != as.raw(10)) bytes <- c(bytes, as.raw(10))
  outside <- cumsum(bytes == charToRaw("\"")) %% 2 == 0
  follows <- c(bytes[-1], as.raw(0))
  bytes_kept <- !(outside & bytes == as.raw(13) & follows == as.raw(10))
  bytes <- bytes[bytes_kept]
  outside <- outside[bytes_kept]
  line_end <- outside & bytes == as.raw(10)
  cut <- line_end | outside & bytes == charToRaw(",")
  if (length(bytes) == 0) .broken(name, "it is empty")
  if (!outside[length(bytes)]) .broken(name, "a quote is not closed")
  width <- diff(c(0, which(line_end[cut])))
  bytes[cut] <- as.raw(0xff)
  text <- rawToChar(bytes)
  fields <- strsplit(text, rawToChar(as.raw(0xff)), fixed = TRUE, useBytes = TRUE)[[1]]
  Encoding(fields) <- "UTF-8"
  in_quotes <- startsWith(fields, "\"")
  inner <- substr(fields[in_quotes], 2, nchar(fields[in_quotes]) - 1)
  fields[in_quotes] <- gsub("\"\"", "\"", inner, fixed = TRUE)
  if (any(grepl("\"", fields[!in_quotes], fixed = TRUE)) ||
      any(grepl("\"", gsub("\"\"", "", inner, fixed = TRUE), fixed = TRUE))) {
    .broken(name, "a quote stands inside a field")
  }
  if (any(width != width[1])) {
    row <- which(width != width[1])[1]
    .broken(name, sprintf("row %d has %d fields, the head %d", row - 1, width[row], width[1]))
  }
  matrix(fields, ncol = width[1], byrow = TRUE)
}

.read_table <- function(bundle, name) {
  fields <- .fields_of(name, .read_bytes(bundle, name))
  head <- fields[1, ]
  if (anyDuplicated(head) || any(head == "")) {
    .broken(name, "its first line does not name columns, each once")
  }
  fields <- fields[-1, , drop = FALSE]
  columns <- lapply(seq_along(head), function(i) .typed(name, head[i], fields[, i]))
  names(columns) <- head
  structure(columns, class = "data.frame", row.names = seq_len(nrow(fields)))
}

.typed <- function(name, column, text) {
  text[text == ""] <- NA
  form <- if (column %in% .types$real) "^-?([0-9]+(\\.[0-9]+)?([eE][-+]?[0-9]+)?|inf)$"
    else if (column %in% .types$whole) "^-?[0-9]+$"
    else if (column %in% .types$flag) "^(true|false)$"
  # A spreadsheet would run text that starts so; the writer puts an apostrophe before it.
  if (is.null(form)) return(sub("^'([=+@\t\r-])", "\\1", text))
  wrong <- which(!is.na(text) & !grepl(form, text))
  if (length(wrong) > 0) {
    .broken(name, sprintf("row %d: '%s' is no value of the column %s", wrong[1],
                         substr(text[wrong[1]], 1, 40), column))
  }
  if (column %in% .types$flag) text == "true" else .as_real(text)
}

# R's own conversion may be one unit in the last place off, above all on processors without
# extended precision. Of a number and its two neighbours the one nearest to the text is right.
.as_real <- function(text) .nearest(suppressWarnings(as.numeric(text)), text)

.nearest <- function(value, text) {
  digits <- function(text, count) {
    found <- sub("^0+", "", gsub("[eE].*$|[-.]", "", text))
    substr(paste0(found, strrep("0", count)), 1, count)
  }
  at <- which(is.finite(value) & abs(value) > 1e-290)
  # 17 digits tell doubles apart; where they are the text's, there is nothing to compare.
  at <- at[digits(sprintf("%.16e", value[at]), 17) != digits(text[at], 17)]
  if (length(at) == 0) return(value)
  # 21 digits in three parts, since one double holds 15.
  parts <- function(text) {
    found <- digits(text, 21)
    lapply(c(1, 8, 15), function(from) as.numeric(substr(found, from, from + 6)))
  }
  wanted <- parts(text[at])
  distance <- function(x) {
    found <- parts(sprintf("%.20e", x))
    far <- abs(1e14 * (found[[1]] - wanted[[1]]) + 1e7 * (found[[2]] - wanted[[2]]) +
                 (found[[3]] - wanted[[3]]))
    ifelse(digits(sprintf("%.16e", x), 17) == digits(text[at], 17), -1, far)
  }
  first <- best <- value[at]
  unit <- 2^(floor(log2(abs(first))) - 52)
  for (near in list(first - unit, first + unit)) {
    best <- ifelse(distance(near) < distance(best), near, best)
  }
  value[at] <- best
  value
}

.choose_rows <- function(name, rows, filters) {
  if (length(filters) > 0 && (is.null(names(filters)) || any(names(filters) == ""))) {
    .refuse("a filter has no name", "filters are columns of the table", "write column = value")
  }
  for (column in names(filters)) {
    wanted <- filters[[column]]
    if (!column %in% names(rows)) {
      .refuse(sprintf("%s has no column %s", name, column),
             paste("its columns are", paste(names(rows), collapse = ", ")),
             "filter by one of these names")
    }
    holds <- if (column %in% .types$flag) "true and false"
      else if (column %in% c(.types$real, .types$whole)) "numbers" else "text"
    fits <- switch(holds, numbers = is.numeric(wanted), text = is.character(wanted),
                   is.logical(wanted))
    if (!fits && !all(is.na(wanted))) {
      .refuse(sprintf("the column %s of %s is never %s", column, name,
                     paste(deparse(wanted), collapse = "")),
             paste("it holds", holds), "give a value of that kind, or NA for what is missing")
    }
    rows <- rows[rows[[column]] %in% wanted, , drop = FALSE]
  }
  row.names(rows) <- NULL
  rows
}

# ---- forest plots ----

.forest_of <- function(estimates, sites, key) {
  for (column in setdiff(names(key), .key_columns)) {
    .refuse(paste("forest does not know", column),
           paste("an analysis is named by", paste(.key_columns, collapse = ", ")),
           "use these names")
  }
  rows <- .one_analysis(estimates, key)
  pool <- rows[rows$scope == "pooled", ]
  if (nrow(pool) != 1) {
    .broken("estimates.csv", sprintf("the analysis %s has %d pooled rows", rows$analysis[1],
                                    nrow(pool)))
  }
  row.names(pool) <- NULL
  there_is <- pool$state == "number"
  list(key = pool[c(.key_columns, "scale", "role")],
       sites = .forest_sites(rows[rows$scope != "pooled", ], sites),
       pool = if (there_is) pool[.pool_columns],
       reason = if (there_is) NA_character_ else pool$reason)
}

.one_analysis <- function(estimates, key) {
  rows <- .choose_rows("estimates.csv", estimates,
                      if (length(key) > 0) key else list(role = "primary"))
  if (nrow(rows) == 0) {
    asked <- paste(names(key), unlist(key), collapse = ", ")
    .refuse(paste("there is no analysis with", if (nzchar(asked)) asked else "the role primary"),
           "no row of estimates.csv has all of these values",
           "look at the values with `estimates(bundle, scope = \"pooled\")`")
  }
  if (!"analysis" %in% names(key)) {
    for (column in setdiff(names(.whole_analysis), names(key))) {
      whole <- rows[[column]] %in% .whole_analysis[[column]]
      if (any(whole)) rows <- rows[whole, ]
    }
  }
  analyses <- unique(rows$analysis)
  if (length(analyses) > 1) {
    keys <- setdiff(.key_columns, "analysis")
    differ <- keys[vapply(keys, function(column) length(unique(rows[[column]])) > 1, TRUE)]
    .refuse(paste(length(analyses), "analyses are meant"),
           paste("they differ in",
                 if (length(differ) > 0) paste(differ, collapse = ", ") else "analysis"),
           paste("name one more column, or one analysis:",
                 paste(utils::head(analyses, 6), collapse = ", ")))
  }
  rows
}

# A row per invited site; those without an estimate say why.
.forest_sites <- function(estimates, sites) {
  sites <- sites[!duplicated(sites$site), ]
  at <- match(sites$site, estimates$site)
  out <- cbind(sites[c("site", "display_name", "site_role")], estimates[at, .site_columns])
  absent <- is.na(at)
  released <- sites$outcome == "released"
  out$state[absent] <- ifelse(released, "not-computed", "not-released")[absent]
  out$suppressed[absent] <- FALSE
  out$reason[absent] <- ifelse(released, "not in its release", sites$outcome)[absent]
  row.names(out) <- NULL
  out
}

# ---- commands ----

.quoted <- function(text) {
  text <- gsub("\"", "\\\"", gsub("\\", "\\\\", text, fixed = TRUE), fixed = TRUE)
  paste0("\"", .escaped(text), "\"")
}

# Missing is NA, numbers have 17 digits, text stands in quotes: the same in Python.
.cells <- function(column) {
  shown <- if (is.logical(column)) ifelse(column, "true", "false")
    else if (is.numeric(column)) sub("Inf", "inf", sprintf("%.17g", column))
    else .quoted(column)
  shown[is.na(column)] <- "NA"
  shown
}

.table_lines <- function(rows) {
  if (nrow(rows) == 0) return(character(0))
  columns <- unname(lapply(rows, .cells))
  c(paste(names(rows), collapse = "\t"), do.call(paste, c(columns, sep = "\t")))
}

.dump_lines <- function(bundle) {
  all <- estimates(bundle)
  where <- sites(bundle)
  lines <- c("# estimates", .table_lines(all), "# curves", .table_lines(curves(bundle)),
             "# counts", .table_lines(counts(bundle)), "# sites", .table_lines(where))
  for (analysis in unique(all$analysis)) {
    one <- .forest_of(all[all$analysis == analysis, ], where, list(analysis = analysis))
    lines <- c(lines, paste("# forest", .quoted(analysis)), .table_lines(one$key),
               .table_lines(one$sites),
               if (is.null(one$pool)) .cells(one$reason) else .table_lines(one$pool))
  }
  lines
}

.command <- function(arguments) {
  say <- function(lines, to = stdout()) writeLines(enc2utf8(lines), to, useBytes = TRUE)
  if (length(arguments) != 2 || !arguments[1] %in% c("verify", "dump")) {
    say(c("usage: Rscript fedval_report.R verify BUNDLE   is every file as manifest.json says?",
          "       Rscript fedval_report.R dump BUNDLE     every row and forest plot as plain text"),
        stderr())
    return(2)
  }
  tryCatch({
    bundle <- open_bundle(arguments[2])
    if (arguments[1] == "dump") {
      say(.dump_lines(bundle))
      return(0)
    }
    problems <- verify(bundle)
    if (nrow(problems) > 0) {
      say(paste(.quoted(problems$file), problems$problem))
      return(1)
    }
    say(c(sprintf("whole: %d files as manifest.json says", nrow(bundle$manifest)),
          paste("manifest.json has the SHA-256", .sha256(file.path(bundle$path, "manifest.json")))))
    0
  }, fedval_error = function(e) {
    say(conditionMessage(e), stderr())
    1
  })
}

# Run by Rscript, and not by source().
if (sys.nframe() == 0 && !interactive()) quit(status = .command(commandArgs(trailingOnly = TRUE)))
