//! See `raq_fuzzed::trace`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| raq_fuzzed::trace(data));
