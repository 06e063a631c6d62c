//! `cargo fuzz` target; the harness is shared with the test suite.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| headwater_sim::fuzz::parameters(data));
