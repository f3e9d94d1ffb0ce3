//! See `raq_fuzzed::control`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| raq_fuzzed::control(data));
