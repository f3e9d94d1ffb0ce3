//! See `raq_fuzzed::keys`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| raq_fuzzed::keys(data));
