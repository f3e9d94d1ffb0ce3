//! See `raq_fuzzed::scenario`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| raq_fuzzed::scenario(data));
