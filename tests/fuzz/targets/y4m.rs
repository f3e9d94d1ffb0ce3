//! See `raq_fuzzed::y4m`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| raq_fuzzed::y4m(data));
