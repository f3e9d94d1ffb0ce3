//! See `raq_fuzzed::datagram`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| raq_fuzzed::datagram(data));
