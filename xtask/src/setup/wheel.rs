//! The pinned wheels: which file of which project, and its SHA-256.

use std::env::consts::ARCH;

use anyhow::{Result, bail};
use raq_shared::paths::ONNXRUNTIME_VERSION;

use super::library::{Build, OLDEST_VERSION};

/// One file of the package index. Its libraries have no Python in them, so the tags are fixed
/// rather than those of whatever python3 is present.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wheel {
    pub(super) project: &'static str,
    pub(super) version: &'static str,
    /// SHA-256 of the wheel, hexadecimal.
    pub(super) sha256: &'static str,
    /// Size of the wheel in 10^6 bytes.
    pub(super) megabytes: u32,
}

const fn wheel(
    project: &'static str,
    version: &'static str,
    sha256: &'static str,
    megabytes: u32,
) -> Wheel {
    Wheel {
        project,
        version,
        sha256,
        megabytes,
    }
}

const CPU_X86_64: Wheel = wheel(
    "onnxruntime",
    ONNXRUNTIME_VERSION,
    "1f3dea47f2f0e5117c2404cea7d21fd253ae7836a3bf167a501cdfbb2600d536",
    24,
);
const CPU_AARCH64: Wheel = wheel(
    "onnxruntime",
    ONNXRUNTIME_VERSION,
    "0b9a492176886992e0e875f06bc0367e333f5fff11711a2d642e18b02f3009cc",
    21,
);
const OLDEST_X86_64: Wheel = wheel(
    "onnxruntime",
    OLDEST_VERSION,
    "0d640eb9f3782689b55cfa715094474cd5662f2f137be6a6f847a594b6e9705c",
    17,
);
const OLDEST_AARCH64: Wheel = wheel(
    "onnxruntime",
    OLDEST_VERSION,
    "1a5c5a544b22f90859c88617ecb30e161ee3349fcc73878854f43d77f00558b5",
    15,
);
/// ONNX Runtime's CUDA provider links the libraries of CUDA 13 and opens cuDNN 9 by name. The
/// 13.0 releases run on every driver for CUDA 13.
const CUDA_X86_64: [Wheel; 7] = [
    wheel(
        "onnxruntime-gpu",
        ONNXRUNTIME_VERSION,
        "05d548956197b9d01f59b625de740e0d6be3593f874e241a12dc0362650ecdf7",
        256,
    ),
    wheel(
        "nvidia-cuda-runtime",
        "13.0.96",
        "7f82250d7782aa23b6cfe765ecc7db554bd3c2870c43f3d1821f1d18aebf0548",
        2,
    ),
    wheel(
        "nvidia-cublas",
        "13.1.0.3",
        "ee8722c1f0145ab246bccb9e452153b5e0515fd094c3678df50b2a0888b8b171",
        423,
    ),
    wheel(
        "nvidia-cuda-nvrtc",
        "13.0.88",
        "ad9b6d2ead2435f11cbb6868809d2adeeee302e9bb94bcf0539c7a40d80e8575",
        90,
    ),
    wheel(
        "nvidia-curand",
        "10.4.0.35",
        "1aee33a5da6e1db083fe2b90082def8915f30f3248d5896bcec36a579d941bfc",
        60,
    ),
    wheel(
        "nvidia-cufft",
        "12.0.0.61",
        "6c44f692dce8fd5ffd3e3df134b6cdb9c2f72d99cf40b62c32dde45eea9ddad3",
        214,
    ),
    wheel(
        "nvidia-cudnn-cu13",
        "9.26.0.51",
        "9c976d539786698c71d6bcdbe2053b7485fae062ff7e1215d2f2ff67b1a2149a",
        519,
    ),
];

/// The wheels of `build` for this machine.
pub(super) fn wheels(build: Build) -> Result<&'static [Wheel]> {
    Ok(match (build, ARCH) {
        (Build::Cpu, "x86_64") => &[CPU_X86_64],
        (Build::Cpu, "aarch64") => &[CPU_AARCH64],
        (Build::Oldest, "x86_64") => &[OLDEST_X86_64],
        (Build::Oldest, "aarch64") => &[OLDEST_AARCH64],
        (Build::Cuda, "x86_64") => &CUDA_X86_64,
        (_, other) => bail!(
            "no wheel of ONNX Runtime is pinned for this build on {other}; build the library \
             yourself and name it in ORT_DYLIB_PATH"
        ),
    })
}

/// The platform tags that pip may take, newest first.
pub(super) fn platforms() -> impl Iterator<Item = String> {
    [
        "manylinux_2_28",
        "manylinux_2_27",
        "manylinux_2_17",
        "manylinux2014",
    ]
    .into_iter()
    .map(|tag| format!("{tag}_{ARCH}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pin_is_a_sha256() {
        let all = [CPU_X86_64, CPU_AARCH64, OLDEST_X86_64, OLDEST_AARCH64];
        for wheel in all.iter().chain(&CUDA_X86_64) {
            assert_eq!(wheel.sha256.len(), 64, "{}", wheel.project);
            assert!(
                wheel
                    .sha256
                    .bytes()
                    .all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
            );
        }
    }
}
