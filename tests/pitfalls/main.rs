//! What has gone wrong elsewhere, each pinned here.
//!
//! From: nothing.
//! To: nothing.
