//! The link between a node and a coordinator over real QUIC on loopback: enrolment, ordinary
//! conversations, and peers that mean harm.
//!
//! From: `node::link`, `coordinator::link`.
//! To: nobody.

mod enrolment;
mod hostile;
mod product;
mod receipt;
mod renewal;
mod session;
mod world;
