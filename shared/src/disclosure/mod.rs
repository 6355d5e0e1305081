//! Station 6, the only gate outward: exact statistics go in, a reviewed release comes out.
//!
//! From: `statistic` (exact values), the site's policy.
//! To: `node::release` (preview, approval), `wire` (released bytes), `coordinator::intake`.

pub mod document;
