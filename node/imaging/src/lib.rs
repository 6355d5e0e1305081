//! Station 4 and 5 for images: files become masks, two masks become measurements of one case.
//!
//! Read in the order of a case: [`nifti`], [`png`] and [`dicom`] (bytes to voxels), [`geometry`]
//! (same space or refused), [`segmentation`] (labels to one [`mask`] per structure), [`surface`]
//! (how far the masks lie apart), [`component`] and [`lesion`] (lesions
//! and their matches), [`places`] and [`detection`]
//! (lists of candidates with scores, against lesions).
//!
//! The crate is a leaf: it knows no protocol, policy, network or clock. It runs in the node's
//! parser process, where whatever it reads is hostile until proved otherwise: every size is
//! compared with [`limit::Limits`] before memory is taken, and every failure is a
//! [`refusal::Refusal`] of one case.
//!
//! From: files of one hospital.
//! To: `node::imaging`.

pub mod component;
pub mod detection;
pub mod dicom;
pub mod file;
pub mod geometry;
pub mod lesion;
pub mod limit;
pub mod mask;
pub mod nifti;
pub mod orient;
pub mod places;
pub mod png;
pub mod refusal;
pub mod segmentation;
pub mod surface;
