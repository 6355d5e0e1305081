# The R reader on a small bundle that this script writes, with faults and hostile paths.
#
#   Rscript --vanilla shared/readers/r/test.R
#
# Exit code 1 when a check fails. The Python tests compare the output of both readers.

script <- sub("^--file=", "", grep("^--file=", commandArgs(FALSE), value = TRUE))
source(file.path(dirname(script), "fedval_report.R"))

failed <- 0
passed <- 0
check <- function(what, holds) {
  if (isTRUE(holds)) {
    passed <<- passed + 1
  } else {
    failed <<- failed + 1
    cat("failed:", what, "\n")
  }
}

# Whether `code` stops with a message that holds all of these words and says how to mend it.
refused <- function(what, code, ...) {
  said <- tryCatch({
    force(code)
    "nothing was refused"
  }, fedval_error = conditionMessage, error = function(e) paste("another error:", e))
  for (word in c(..., "\n  fix: ")) {
    check(sprintf("%s: '%s' in '%s'", what, word, said), grepl(word, said, fixed = TRUE))
  }
}

estimate_columns <- paste(c(
  "schema_version,analysis,role,scope,site,model,endpoint,comparator,axis,level,threshold",
  "prevalence,sensitivity,metric,scale,estimate,se,ci_low,ci_high,ci_level,pi_low,pi_high,tau2",
  "tau2_low,tau2_high,i2,q,q_df,q_p,k_sites,weight,n,n_events,state,suppressed,reason,method",
  "withheld_sites,bound_low,bound_high"), collapse = ",")
first <- function(analysis, role, scope, site, threshold, metric) {
  paste("fedval.estimates/1", analysis, role, scope, site, "m,e,,overall,overall", threshold, "",
        "", metric, "logit", sep = ",")
}
texts <- list(
  estimates.csv = c(
    estimate_columns,
    paste0(first("auc.m.e", "primary", "pooled", "", "", "auc"),
           ",0.8125,0.25,0.7000000000000001,0.89,0.95,0.55,0.94,0.1,0,2.5,40,3.5,1,0.06,2,100,410,",
           ",number,false,,REML,basel,0.6,0.9"),
    paste0(first("auc.m.e", "primary", "site", "aarau", "", "auc"),
           ",0.75,0.2,0.65,,0.95,,,,,,,,,,,60.5,210,0,number,false,,DeLong,,,"),
    paste0(first("auc.m.e", "primary", "site", "basel", "", "auc"),
           ",,,,,0.95,,,,,,,,,,,,,,suppressed,true,hidden by disclosure rules,DeLong,,,"),
    paste0(first("sens.at-0.5", "secondary", "pooled", "", "0.5", "sensitivity"),
           ",0.5,1e-14,0.25,inf,0.95,,,,,,,,,,,,,,number,false,,\"say \"\"hm\"\", then\nmore\",,,"),
    paste0(first("sens.at-0.7", "secondary", "pooled", "", "0.7", "sensitivity"),
           ",,,,,,,,,,,,,,,,,,,not-computed,false,No pool,'=cmd(),,,")),
  curves.csv = c("study,model,curve,threshold,x,y,n", "s,m,roc,,0,0,", "s,m,roc,0.5,0.1,0.6,12"),
  counts.csv = c("study,table,row,count,count_low,count_high,state,suppressed,reason",
                 "s,confusion,positive,70,70,70,number,false,",
                 "s,confusion,negative,,0,9,suppressed,true,hidden",
                 "s,confusion,negative,0,0,0,zero,false,"),
  sites.csv = c("study,site,display_name,site_role,outcome,clustered",
                "s,aarau,\"Aarau, Aargau\",external,released,true",
                "s,basel,Basel \u00fc,external,released,false",
                "s,davos,Davos,external,not released under its own policy,false"),
  report.json = "{\"provenance\":{},\"schema\":\"fedval.report/1\",\"study\":{}}",
  `schema/report.schema.json` = "{}")

folder <- file.path(tempfile("fedval"), "bundle")

put <- function(name, lines) {
  path <- file.path(folder, name)
  dir.create(dirname(path), recursive = TRUE, showWarnings = FALSE)
  writeBin(charToRaw(enc2utf8(paste0(paste(lines, collapse = "\n"), "\n"))), path)
}

manifest_of <- function(names, schema = "fedval.manifest/1") {
  paths <- file.path(folder, names)
  entries <- sprintf("\"%s\":{\"bytes\":%d,\"sha256\":\"%s\"}", names, as.integer(file.size(paths)),
                     vapply(paths, .sha256, ""))
  sprintf("{\"files\":{%s},\"schema\":\"%s\"}", paste(entries, collapse = ","), schema)
}

# A fresh bundle; named arguments are other lines for a file, `listed` another manifest.
bundle <- function(..., listed = NULL) {
  unlink(folder, recursive = TRUE)
  files <- utils::modifyList(texts, list(...))
  for (name in names(files)) put(name, files[[name]])
  put("manifest.json", if (is.null(listed)) manifest_of(names(files)) else listed)
  open_bundle(folder)
}

# ---- tables ----

b <- bundle()
pool <- estimates(b, scope = "pooled", metric = "auc")
check("numbers are doubles to the last place", identical(pool$ci_low, 0.7000000000000001))
check("flags are logical", identical(pool$suppressed, FALSE))
hidden <- estimates(b, site = "basel")
check("a hidden number is NA with its reason",
      is.na(hidden$estimate) && is.na(hidden$n) && hidden$reason == "hidden by disclosure rules")
check("zero is zero", identical(counts(b, state = "zero")$count, 0))
check("a hidden count has bounds", identical(
  unlist(counts(b, suppressed = TRUE)[c("count", "count_low", "count_high")], use.names = FALSE),
  c(NA, 0, 9)))
check("an interval may be open", is.na(estimates(b, site = "aarau")$ci_high))
check("infinity is infinity", identical(estimates(b, threshold = 0.5)$ci_high, Inf))
check("text keeps its signs", identical(estimates(b, metric = "sensitivity")$method,
                                        c("say \"hm\", then\nmore", "=cmd()")))
check("commas and letters of text", identical(sites(b)$display_name[1:2],
                                              c("Aarau, Aargau", "Basel \u00fc")))
check("filters take vectors and NA", nrow(estimates(b, threshold = c(0.5, 0.7))) == 2 &&
        nrow(estimates(b, site = NA)) == 3 && nrow(estimates(b, metric = "kappa")) == 0)
refused("an unknown column", estimates(b, metrik = "auc"), "no column metrik", "its columns are")
refused("a value of another kind", estimates(b, threshold = "0.5"), "it holds numbers")
refused("a filter without a name", estimates(b, "auc"), "a filter has no name")
for (case in list(c("s,m,roc,0.5,one,0.6,12", "'one' is no value of the column x"),
                  c("s,m,roc,0.5,NaN,0.6,12", "'NaN' is no value of the column x"),
                  c("s,m,roc,0.5,0x1,0.6,12", "'0x1' is no value of the column x"),
                  c("s,m,roc,0.5,0.1,0.6", "row 2 has 6 fields, the head 7"),
                  c("s,m,\"roc,0.5,0.1,0.6,12", "a quote is not closed"),
                  c("s,m,\"r\"oc,0.5,0.1,0.6,12", "a quote stands inside a field"))) {
  changed <- bundle(curves.csv = c(texts$curves.csv[1:2], case[1]))
  refused(case[1], curves(changed), "curves.csv is not as Fedval writes it", case[2])
}
again <- bundle(curves.csv = paste0(c(paste0("\ufeff", texts$curves.csv[1]),
                                      texts$curves.csv[2:3]), "\r"))
check("files that a spreadsheet saved again", identical(curves(again), curves(bundle())))

shortest <- c("0.1", "1e-14", "123456789.12345678", "5e300", "-0.30000000000000004", "0", "12")
right <- c(0.1, 1e-14, 123456789.12345678, 5e300, -0.30000000000000004, 0, 12)
check("numbers as they are", identical(.as_real(shortest), right))
unit <- ifelse(right == 0, 0, 2^(floor(log2(abs(right))) - 52))
check("numbers one unit off are put right",
      identical(.nearest(right + c(1, -1, 1, -1, 1, 0, 1) * unit, shortest), right))

# ---- forest plots ----

b <- bundle()
one <- forest(b)
check("without a key it is the primary analysis", one$key$analysis == "auc.m.e")
check("the prediction interval", identical(c(one$pool$pi_low, one$pool$pi_high), c(0.55, 0.94)))
check("every invited site has a row", identical(one$sites$site, c("aarau", "basel", "davos")))
check("sites without a number say why", identical(
  one$sites$state, c("number", "suppressed", "not-released")) &&
    one$sites$reason[3] == "not released under its own policy")
none <- forest(b, metric = "sensitivity", threshold = 0.7)
check("no pool has a reason", is.null(none$pool) && none$reason == "No pool")
refused("two analyses", forest(b, metric = "sensitivity"), "2 analyses are meant",
        "they differ in threshold", "sens.at-0.5")
refused("no analysis", forest(b, metric = "kappa"), "there is no analysis with metric kappa")
refused("another column", forest(b, site = "aarau"), "forest does not know site")

# ---- verify ----

check("a whole bundle has no problem", nrow(verify(bundle())) == 0)
b <- bundle()
put("estimates.csv", sub("0.8125", "0.9125", texts$estimates.csv))
unlink(file.path(folder, "schema/report.schema.json"))
put("schema/extra.txt", "x")
found <- verify(b)
check("changed, missing and added files are named", identical(
  paste(found$file, sub(":.*", "", found$problem)),
  c("estimates.csv changed", "schema/extra.txt added", "schema/report.schema.json missing")))
writeLines("secret", file.path(dirname(folder), "secret.csv"))
for (name in c("../secret.csv", "/etc/passwd", "a/../../secret.csv", "./sites.csv", "a//b", "a/",
               "C:x")) {
  b <- bundle(listed = sub("\"files\":{", sprintf(
    "\"files\":{\"%s\":{\"bytes\":7,\"sha256\":\"%s\"},", name, strrep("0", 64)),
    manifest_of(names(texts)), fixed = TRUE))
  found <- verify(b)
  check(paste("a path that leaves:", name), identical(found$file, name) &&
          found$problem == "refused: its path leaves the bundle")
}
b <- bundle()
moved <- file.rename(file.path(folder, "estimates.csv"),
                     file.path(dirname(folder), "estimates.csv"))
if (moved && suppressWarnings(file.symlink(file.path(dirname(folder), "estimates.csv"),
                                  file.path(folder, "estimates.csv"))) &&
    file.symlink(folder, file.path(folder, "loop"))) {
  found <- verify(b)
  check("links are not followed", identical(found$file, c("estimates.csv", "loop")) &&
          all(found$problem == "refused: it is a symbolic link"))
  refused("a table that is a link", estimates(b), "estimates.csv is not read", "symbolic link")
}

# ---- opening ----

refused("no folder", open_bundle(file.path(folder, "none")), "is not there")
b <- bundle()
unlink(file.path(folder, "curves.csv"))
refused("a file that is missing", curves(b), "curves.csv is missing")
unlink(file.path(folder, "manifest.json"))
refused("no manifest", open_bundle(folder), "manifest.json is missing")
good <- manifest_of("sites.csv")
refused("a later manifest", bundle(listed = sub("manifest/1", "manifest/2", good)),
        "fedval.manifest/2", "these readers know version 1")
refused("a later report", bundle(report.json = "{\"schema\":\"fedval.report/2\"}"),
        "fedval.report/2")
refused("later estimates", estimates(bundle(estimates.csv = sub("estimates/1", "estimates/2",
                                                                texts$estimates.csv))),
        "fedval.estimates/2")
check("a minor version is read", inherits(bundle(listed = sub("manifest/1", "manifest/1.7", good)),
                                          "fedval_bundle"))
for (text in c("", "[]", "{", paste0(good, "x"), sub("bytes", "bites", good),
               sub("sha256\":\"[0-9a-f]", "sha256\":\"", good), "{\"files\":[],\"schema\":\"x/1\"}",
               sub("\"files\":{", "\"files\":{\"sites.csv\":{\"bytes\":1},", good, fixed = TRUE),
               strrep("[", 10000), sub("\"fedval.manifest/1\"", "7", good))) {
  refused(paste("manifest", substr(text, 1, 30)), bundle(listed = text),
          "manifest.json is not as Fedval writes it")
}
refused("control characters", curves(bundle(curves.csv = c("\x1b[2J", "1")), model = "m"),
        "\\u001b[2J")

unlink(dirname(folder), recursive = TRUE)
cat(sprintf("reader in R: %d passed, %d failed\n", passed, failed))
quit(status = if (failed > 0) 1 else 0)
