//! What a hospital's node and a coordinator must agree on. Pure: no network, no runtime, no
//! clock, no files; time and randomness are arguments.
//!
//! Read in this order: [`study`] (the question), [`statistic`] (what is computed),
//! [`disclosure`] (the only gate outward), [`wire`] (what travels), [`pool`] (what the
//! coordinator makes of it), [`report`] (what is claimed). [`masking`] adds up what no site
//! shows. [`identity`] and [`numeric`] serve all of them; [`fault`] is what a person reads when
//! something is wrong; [`ro_crate`] describes a folder of files.
//!
//! From: nothing of ours.
//! To: `node`, `coordinator`.

pub mod disclosure;
pub mod fault;
pub mod identity;
pub mod masking;
pub mod numeric;
pub mod pool;
pub mod report;
pub mod ro_crate;
pub mod statistic;
pub mod study;
pub mod wire;
