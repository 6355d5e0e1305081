//! Station 1, the question: a study's protocol, its lock, and the job that asks one site.
//!
//! From: `study.toml`, written by a coordinator.
//! To: every other module; nothing here knows a number that was measured.

pub mod field;
pub mod formula;
mod id;
pub mod intervals;
pub mod job;
pub mod lock;
pub mod masked;
pub mod plan;
mod protocol;
mod refusal;
pub mod source;
pub mod state;
pub mod step;
pub mod template;
mod timestamp;
pub mod validate;

pub use field::{
    AcquisitionTag, Axis, AxisRule, Field, FieldKind, NOT_RECORDED, Operator, Scalar, Term,
    pair_levels,
};
pub use formula::{Formula, FormulaTerm, Link};
pub use id::{
    AxisId, EndpointId, ExchangeId, FieldName, InvalidName, ModelId, RoundId, SLUG_MAX, SiteSlug,
    StudySlug,
};
pub use intervals::{
    BootstrapPlan, Intervals, PartialRange, ProportionInterval, RangeOver, TargetPrevalence,
};
pub use protocol::*;
pub use refusal::Refusal;
pub use state::SiteState;
pub use timestamp::{InvalidTimestamp, Timestamp};
