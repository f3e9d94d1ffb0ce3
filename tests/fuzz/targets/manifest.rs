//! See `raq_fuzzed::manifest`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| raq_fuzzed::manifest(data));
