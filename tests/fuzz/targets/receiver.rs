//! See `raq_fuzzed::receiver`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| raq_fuzzed::receiver(data));
