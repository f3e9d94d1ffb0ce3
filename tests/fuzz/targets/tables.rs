//! See `raq_fuzzed::tables`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| raq_fuzzed::tables(data));
