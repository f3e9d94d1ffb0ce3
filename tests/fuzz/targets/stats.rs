//! See `raq_fuzzed::stats`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| raq_fuzzed::stats(data));
