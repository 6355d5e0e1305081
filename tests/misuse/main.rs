//! What must not compile: the ways around the disclosure gate. Each case is compared with the
//! compiler's message, so that none can fail for another reason than the one it shows.
//!
//! From: `tests/misuse/case/*.rs` and their `.stderr`.
//! To: nothing.

#[test]
fn ways_around_the_gate_do_not_compile() {
    trybuild::TestCases::new().compile_fail("../tests/misuse/case/*.rs");
}
