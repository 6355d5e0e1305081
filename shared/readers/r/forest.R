# The main figure, rebuilt from a bundle with base graphics: the forest plot of the primary
# analysis, from estimates.csv and sites.csv.
#
#   Rscript forest.R BUNDLE forest.svg        # or .pdf, or .png
#
# In an R session: source("forest.R"), then draw_forest(forest(open_bundle("fedval-report"))).

here <- sub("^--file=", "", grep("^--file=", commandArgs(FALSE), value = TRUE))
if (sys.nframe() == 0 && length(here) == 1) {
  source(file.path(dirname(here), "fedval_report.R"))
} else if (!exists("open_bundle")) {
  source("fedval_report.R")
}

# ---- how numbers look ----

metric_names <- c(auc = "AUC", `observed-expected` = "O:E", citl = "Calibration in the large",
                  ppv = "PPV", npv = "NPV", hd95 = "HD95", nsd = "Surface Dice")
percent_metrics <- c("sensitivity", "specificity", "ppv", "npv", "selection-rate", "prevalence")

capital <- function(words) paste0(toupper(substr(words, 1, 1)), substring(words, 2))

name_of <- function(metric) {
  if (metric %in% names(metric_names)) metric_names[[metric]] else capital(gsub("-", " ", metric))
}

# A number with its decimals and a true minus sign.
shown <- function(value, key) {
  percent <- key$metric %in% percent_metrics
  decimals <- if (percent) 1 else if (key$scale == "log") 2 else 3
  text <- sprintf("%.*f", decimals, if (percent) 100 * value else value)
  text <- if (as.numeric(text) == 0) sub("-", "", text) else sub("-", "\u2212", text)
  if (percent) paste0(text, "%") else text
}

# `0.80 to 0.87`; an end that the file leaves open is said to be open.
interval_words <- function(low, high, key) {
  if (is.na(low) && is.na(high)) return("no interval")
  if (is.na(low)) return(paste("up to", shown(high, key)))
  if (is.na(high) || is.infinite(high)) return(paste("from", shown(low, key)))
  paste(sub("%", "", shown(low, key)), "to", shown(high, key))
}

share <- function(level) sprintf("%g%%", 100 * level)

p_words <- function(p) {
  if (p < 0.001) "< 0.001" else sprintf(if (p < 0.01) "= %.3f" else "= %.2f", p)
}

counted <- function(row) {
  paste(ifelse(is.na(row[c("n_events", "n")]), "\u2013",
               format(unlist(row[c("n_events", "n")]), scientific = FALSE, trim = TRUE)),
        collapse = " / ")
}

clipped <- function(words, length) {
  words <- gsub("[[:cntrl:]]", "\u00b7", words)
  if (nchar(words) <= length) words else paste0(substr(words, 1, length - 1), "\u2026")
}

# ---- the axis ----

# It holds every estimate and the pool with its interval. Intervals that are much wider are cut
# and end in arrows; their numbers stand beside them.
axis_of <- function(one) {
  log_axis <- one$key$scale == "log"
  to <- function(value) if (log_axis) log(pmax(value, 1e-12)) else value
  core <- to(c(one$sites$estimate, one$pool$estimate, one$pool$ci_low, one$pool$ci_high))
  core <- core[is.finite(core)]
  if (length(core) == 0) core <- c(0, 1)
  ends <- to(c(one$sites$ci_low, one$sites$ci_high, one$pool$pi_low, one$pool$pi_high))
  ends <- c(core, ends[is.finite(ends)])
  room <- max(0.5 * diff(range(core)), if (log_axis) 0.5 else 0.1)
  low <- max(min(ends), min(core) - room)
  high <- min(max(ends), max(core) + room)
  ticks <- if (log_axis) log_ticks(low, high) else pretty(c(low, high), n = 5)
  list(log = log_axis, to = to, ticks = ticks, low = to(ticks[1]), high = to(ticks[length(ticks)]))
}

# Of 1, 2, 5, 10, ... those around both ends; below a factor of two, round numbers.
log_ticks <- function(low, high) {
  if (high - low < log(2)) return(pretty(exp(c(low, high)), n = 5))
  ticks <- as.vector(outer(c(1, 2, 5), 10^(-12:12)))
  from <- max(ticks[log(ticks) <= low + 1e-9])
  to <- min(ticks[log(ticks) >= high - 1e-9])
  ticks[ticks >= from & ticks <= to]
}

# ---- the drawing ----

# A square's area is the weight in the pool. The diamond is the pool with its confidence interval,
# the bar below it the prediction interval. A hospital that withheld its number keeps its row.
blue <- "#0072B2"
orange <- "#D55E00"
ink <- "#111111"
soft <- "#555555"
width <- 950
row_height <- 27
columns <- list(name = 6, count = 380, plot = c(395, 675), text = 692, weight = 944)

forest_notes <- function(one) {
  pool <- one$pool
  heterogeneity <- withheld <- character(0)
  if (!is.null(pool)) {
    tau2 <- sprintf("\u03c4\u00b2 = %.3f", pool$tau2)
    if (!is.na(pool$tau2_low)) {
      tau2 <- sprintf("%s (%s CI %.3f to %.3f)", tau2, share(pool$ci_level), pool$tau2_low,
                      pool$tau2_high)
    }
    heterogeneity <- sprintf("Heterogeneity: %s, I\u00b2 = %.0f%%, Q(%d) = %.2f, p %s. %s.", tau2,
                             pool$i2, as.integer(pool$q_df), pool$q, p_words(pool$q_p),
                             capital(pool$method))
    if (!is.na(pool$withheld_sites)) {
      withheld <- paste("Withheld, not at random:", pool$withheld_sites)
      if (!is.na(pool$bound_low) && !is.na(pool$bound_high)) {
        withheld <- sprintf("%s; with its values the mean would lie between %s and %s", withheld,
                            shown(pool$bound_low, one$key), shown(pool$bound_high, one$key))
      }
      withheld <- paste0(withheld, ".")
    }
  }
  c(heterogeneity, withheld,
    paste0(if (!is.null(pool)) "Area of a square: weight in the pool. ",
           "Arrow: the interval goes on beyond the axis. ",
           "Counts as released, after disclosure control."))
}

# The rows from top to bottom: hospitals in the pool, others under a heading, then the pool.
draw_forest <- function(one) {
  external <- one$sites$site_role == "external"
  notes <- forest_notes(one)
  rows <- nrow(one$sites) + any(!external) + (if (is.null(one$pool)) 1 else 2)
  bottom <- 46 + rows * row_height + 6
  height <- bottom + 54 + 18 * length(notes)
  old <- par(mar = c(0, 0, 0, 0), xaxs = "i", yaxs = "i", lend = "butt")
  on.exit(par(old))
  plot.new()
  plot.window(c(0, width), c(height, 0))
  # One size for all type: 13 of the drawing's 950 units.
  size <- 13 / width * par("din")[1] * 72 / par("ps")
  words <- function(x, y, text, at = 0, colour = ink, bold = FALSE, scale = 1, slanted = FALSE) {
    text(x, y, text, adj = c(at, 0.5), col = colour, cex = size * scale,
         font = if (slanted) 3 else if (bold) 2 else 1)
  }
  axis <- axis_of(one)
  place <- function(value) {
    part <- (axis$to(value) - axis$low) / (axis$high - axis$low)
    columns$plot[1] + pmin(pmax(part, 0), 1) * diff(columns$plot)
  }
  slack <- 1e-9 * (axis$high - axis$low)
  below <- function(value) !is.na(value) && axis$to(value) < axis$low - slack
  beyond <- function(value) !is.na(value) && axis$to(value) > axis$high + slack

  # An interval. An end beyond the axis is an arrow; an open end stops at the estimate.
  bar <- function(y, low, high, middle, colour, thick) {
    ends <- place(ifelse(is.na(c(low, high)), middle, c(low, high)))
    if (anyNA(ends)) return(invisible())
    segments(ends[1], y, ends[2], y, col = colour, lwd = thick)
    arrow <- function(x, way) polygon(x + way * c(7, -4, -4), y + c(0, -5.5, 5.5), col = colour,
                                      border = NA)
    if (below(low)) arrow(ends[1], -1)
    if (beyond(high)) arrow(ends[2], 1)
  }

  draw_frame(one, axis, place, bottom, words)
  y <- 46 + row_height / 2
  draw_site <- function(row) {
    name <- if (is.na(row$display_name)) row$site else row$display_name
    words(columns$name + 8, y, clipped(name, 46), scale = 12 / 13)
    if (is.na(row$estimate)) {
      state <- switch(row$state, suppressed = "withheld: ", `not-released` = "",
                      paste0(gsub("-", " ", row$state), ": "))
      reason <- clipped(paste0(state, row$reason), 82)
      words(columns$count, y, counted(row), 1, soft)
      wide <- strwidth(reason, cex = size, font = 3)
      rect(columns$plot[1] + 2, y - 9, columns$plot[1] + 8 + wide, y + 9, col = "white",
           border = NA)
      words(columns$plot[1] + 4, y, reason, colour = soft, slanted = TRUE)
    } else {
      words(columns$count, y, counted(row), 1)
      apart <- row$site_role != "external" || (!is.null(one$pool) && is.na(row$weight))
      colour <- if (apart) orange else blue
      bar(y, row$ci_low, row$ci_high, row$estimate, colour, 1.7)
      x <- place(row$estimate)
      if (apart) {
        symbols(x, y, circles = 5, inches = FALSE, add = TRUE, bg = "white", fg = colour, lwd = 1.8)
      } else {
        half <- if (is.na(row$weight)) 3.5 else min(max(sqrt(3.4 * row$weight), 3), 18.5) / 2
        rect(x - half, y - half, x + half, y + half, col = colour, border = NA)
      }
      words(columns$text, y, sprintf("%s (%s)", shown(row$estimate, one$key),
                                     interval_words(row$ci_low, row$ci_high, one$key)))
      weight <- if (is.na(row$weight)) "\u2013" else sprintf("%.1f%%", row$weight)
      words(columns$weight, y, weight, 1)
    }
    y <<- y + row_height
  }
  for (i in which(external)) draw_site(one$sites[i, ])
  if (any(!external)) {
    words(columns$name, y, "Not external, never in the pool", bold = TRUE)
    y <- y + row_height
    for (i in which(!external)) draw_site(one$sites[i, ])
  }
  pool <- one$pool
  if (is.null(pool)) {
    words(columns$name, y, one$reason, bold = TRUE)
  } else {
    segments(0, y - row_height / 2, width, y - row_height / 2, col = "#bbbbbb")
    words(columns$name, y, sprintf("Random-effects mean, %.0f hospitals", pool$k_sites),
          bold = TRUE)
    words(columns$count, y, counted(pool), 1, bold = TRUE)
    ends <- place(c(pool$ci_low, pool$estimate, pool$ci_high))
    polygon(ends[c(1, 2, 3, 2)], y + c(0, -8.5, 0, 8.5), col = ink, border = NA)
    words(columns$text, y, sprintf("%s (%s)", shown(pool$estimate, one$key),
                                   interval_words(pool$ci_low, pool$ci_high, one$key)), bold = TRUE)
    y <- y + row_height
    level <- share(pool$ci_level)
    words(columns$name, y, paste(level, "prediction interval for a further hospital"),
          colour = soft)
    if (is.na(pool$pi_low)) {
      words(columns$text, y, "needs three hospitals", colour = soft)
    } else {
      bar(y, pool$pi_low, pool$pi_high, NA, ink, 4.5)
      # Below five hospitals the report draws no conclusion from a prediction interval.
      few <- if (pool$k_sites < 5) ", not interpreted" else ""
      words(columns$text, y, paste0(interval_words(pool$pi_low, pool$pi_high, one$key), few),
            colour = soft)
    }
  }
  for (i in seq_along(notes)) {
    words(columns$name, bottom + 44 + 18 * i, notes[i], colour = soft, scale = 12 / 13)
  }
}

# Head, gridlines and axis: behind the rows.
draw_frame <- function(one, axis, place, bottom, words) {
  level <- c(one$pool$ci_level, one$sites$ci_level)
  level <- c(level[!is.na(level)], 0.95)[1]
  name <- name_of(one$key$metric)
  words(columns$name, 14, "Hospital", bold = TRUE)
  words(columns$count, 14, "Events / cases", 1, bold = TRUE)
  head <- if (nchar(name) <= 14) name else "Estimate"
  words(columns$text, 14, sprintf("%s (%s CI)", head, share(level)), bold = TRUE)
  words(columns$weight, 14, "Weight", 1, bold = TRUE)
  segments(0, 28, width, 28, col = ink)
  x <- place(axis$ticks)
  segments(x, 38, x, bottom, col = "#e6e6e6")
  segments(x, bottom, x, bottom + 5, col = ink)
  percent <- one$key$metric %in% percent_metrics
  labels <- if (percent) paste0(100 * axis$ticks, "%")
    else if (axis$log) formatC(axis$ticks, format = "fg", digits = 3, width = 1)
    else format(axis$ticks, trim = TRUE)
  words(x, bottom + 15, sub("-", "\u2212", labels), 0.5, scale = 12 / 13)
  inside <- function(value) axis$to(value) >= axis$low && axis$to(value) <= axis$high
  neutral <- if (axis$log) 1 else 0
  if (inside(neutral)) {
    segments(place(neutral), 38, place(neutral), bottom, col = "#8a8a8a", lwd = 1.2)
  }
  if (!is.null(one$pool) && inside(one$pool$estimate)) {
    segments(place(one$pool$estimate), 38, place(one$pool$estimate), bottom, col = ink, lwd = 0.8,
             lty = "13")
  }
  segments(columns$plot[1], bottom, columns$plot[2], bottom, col = ink)
  scale <- if (one$key$scale == "identity") "natural" else one$key$scale
  label <- sprintf("%s, %s axis; pooled on the %s scale", name,
                   if (axis$log) "log" else "linear", scale)
  words(mean(columns$plot), bottom + 34, label, 0.5, soft, scale = 12 / 13)
}

# The height that a figure of 9.5 inches' width needs.
forest_height <- function(one) {
  rows <- nrow(one$sites) + any(one$sites$site_role != "external") +
    (if (is.null(one$pool)) 1 else 2)
  (46 + rows * row_height + 60 + 18 * length(forest_notes(one))) / 100
}

write_forest <- function(bundle_path, figure_path) {
  bundle <- open_bundle(bundle_path)
  problems <- verify(bundle)
  for (i in seq_len(nrow(problems))) message(problems$file[i], ": ", problems$problem[i])
  one <- forest(bundle)
  height <- forest_height(one)
  ending <- tolower(sub(".*\\.", "", figure_path))
  switch(ending,
         svg = svg(figure_path, width = 9.5, height = height),
         pdf = cairo_pdf(figure_path, width = 9.5, height = height),
         png = png(figure_path, width = 9.5, height = height, units = "in", res = 200,
                   type = "cairo"),
         stop("the figure's name must end with .svg, .pdf or .png"))
  draw_forest(one)
  invisible(dev.off())
  cat("wrote ", figure_path, "\n", sep = "")
}

if (sys.nframe() == 0 && !interactive()) {
  arguments <- commandArgs(trailingOnly = TRUE)
  if (length(arguments) != 2) stop("usage: Rscript forest.R BUNDLE forest.svg")
  write_forest(arguments[1], arguments[2])
}
