//! See `raq_fuzzed::body`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| raq_fuzzed::body(data));
