//! Figures as SVG, drawn here so that the report fetches nothing and is complete without a script.
//!
//! Every series has its own colour, marker and dash, so that none is told by colour alone.
//!
//! From: the pages (numbers already computed).
//! To: `document::Figure`.

pub(super) mod calibration;
pub(super) mod decision;
pub(super) mod distribution;
pub(super) mod flow;
pub(super) mod forest;
pub(super) mod froc;
pub(super) mod influence;
pub(super) mod paired;
pub(super) mod roc;
pub(super) mod shares;
pub(super) mod summary;
pub(super) mod svg;

/// Four hues that differ under colour-vision deficiency and hold 3:1 on white.
pub(super) const HUES: [&str; 4] = ["#0072B2", "#D55E00", "#009E73", "#CC79A7"];
/// Ink.
pub(super) const INK: &str = "#1a1a1a";
/// Secondary text; 4.5:1 on white.
pub(super) const SOFT: &str = "#595959";
/// Rules and grids.
pub(super) const RULE: &str = "#d0d0d0";
/// Dash patterns by series.
pub(super) const DASHES: [&str; 4] = ["", "7 3", "2 3", "9 3 2 3"];
