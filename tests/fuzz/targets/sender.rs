//! See `raq_fuzzed::sender`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| raq_fuzzed::sender(data));
