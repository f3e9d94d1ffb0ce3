//! See `raq_fuzzed::shipment`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| raq_fuzzed::shipment(data));
