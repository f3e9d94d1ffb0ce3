//! An opened model: its networks, and the codebooks made anew from its base codebooks.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::adapt::adapt;
use super::cache::Cache;
use super::session::{Network, Port};
use super::{
    Decoder, Encoder, Manifest, ModelError, ModelFolder, Precision, Provider, ProviderUsed,
    Runtime, Temporal, locate,
};
use crate::codebooks::Codebooks;

/// Which model to run, on what, with which library.
#[derive(Clone, Debug, Default)]
pub struct ModelOptions {
    /// The model folder; none: the usual places ([`locate()`]).
    pub folder: Option<PathBuf>,
    /// The library of ONNX Runtime; none: the usual places ([`super::library`]).
    pub onnxruntime: Option<PathBuf>,
    /// Processor for the networks.
    pub provider: Provider,
    /// What the decoder calculates with.
    pub precision: Precision,
    /// Threads inside one network; 0 leaves the choice to ONNX Runtime.
    pub threads: usize,
    /// Folder where codebooks are kept from one start to the next; none: they are made every time.
    pub cache: Option<PathBuf>,
}

/// A model folder together with the ONNX Runtime that runs it.
#[derive(Debug)]
pub struct Model {
    folder: ModelFolder,
    runtime: &'static Runtime,
    provider: Provider,
    precision: Precision,
    threads: usize,
    cache: Option<Cache>,
}

/// Codebooks that the adapter has just made.
#[derive(Clone, Debug)]
pub struct Regenerated {
    /// All codebooks of the manifest, in grid units, within `codeword_limit`.
    pub codebooks: Codebooks,
    /// Whether they have the digest that the manifest names.
    pub matches_manifest: bool,
    /// Time that loading and running the adapter took.
    pub elapsed: Duration,
    /// Where the adapter ran.
    pub provider: ProviderUsed,
}

/// What `--print-model` prints, as JSON.
#[derive(Clone, Debug, Serialize)]
pub struct ModelReport {
    /// Name of the model.
    pub model: String,
    /// Model id: digest of its manifest, hexadecimal.
    pub model_id: String,
    /// Digest of the codebooks, regenerated for this report, hexadecimal.
    pub codebook_digest: String,
    /// Whether it is the digest that the manifest names.
    pub digest_matches_manifest: bool,
    /// Milliseconds that the regeneration took.
    pub regenerate_ms: f64,
    /// Version of ONNX Runtime.
    pub onnxruntime: String,
    /// Where encoder and decoder run.
    pub provider: String,
    /// What the decoder calculates with: f32 or int8.
    pub decoder_precision: String,
    /// Where the adapter ran.
    pub adapter_provider: String,
}

impl Model {
    /// Finds and opens the model and ONNX Runtime.
    ///
    /// # Errors
    /// Any [`ModelError`] but a failed run.
    pub fn open(options: &ModelOptions) -> Result<Self, ModelError> {
        let folder = ModelFolder::open(&locate(options.folder.as_deref())?)?;
        let runtime = Runtime::load(options.onnxruntime.as_deref())?;
        tracing::debug!(
            model = folder.manifest().name,
            id = %folder.id(),
            path = %folder.path().display(),
            "model opened"
        );
        Ok(Self {
            folder,
            runtime,
            provider: options.provider,
            precision: options.precision,
            threads: options.threads,
            cache: options.cache.as_deref().map(Cache::new),
        })
    }

    /// The folder.
    pub fn folder(&self) -> &ModelFolder {
        &self.folder
    }

    /// What the manifest says.
    pub fn manifest(&self) -> &Manifest {
        self.folder.manifest()
    }

    /// The ONNX Runtime in use.
    pub fn runtime(&self) -> &'static Runtime {
        self.runtime
    }

    /// What was asked to run the networks.
    pub(super) fn provider(&self) -> Provider {
        self.provider
    }

    /// What the decoder was asked to calculate with.
    pub(super) fn precision(&self) -> Precision {
        self.precision
    }

    /// Loads the encoder.
    ///
    /// # Errors
    /// Any [`ModelError`] about the file, the provider or the network.
    pub fn encoder(&self) -> Result<Encoder, ModelError> {
        Encoder::load(self)
    }

    /// Loads the decoder.
    ///
    /// # Errors
    /// Any [`ModelError`] about the file, the provider or the network.
    pub fn decoder(&self) -> Result<Decoder, ModelError> {
        Decoder::load(self)
    }

    pub(super) fn network(
        &self,
        file: &'static str,
        ports: (&[Port<'_>], &[Port<'_>]),
        provider: Provider,
    ) -> Result<Network, ModelError> {
        Network::load(
            self.runtime,
            &self.folder,
            file,
            ports,
            provider,
            self.threads,
        )
    }

    /// The model's codebooks: kept ones with the digest that the manifest names, otherwise as
    /// [`Self::regenerate`] makes them, which are then kept.
    ///
    /// # Errors
    /// Any [`ModelError`].
    pub fn codebooks(&self) -> Result<Codebooks, ModelError> {
        if let Some(kept) = self.cache.as_ref().and_then(|it| it.load(&self.folder)) {
            return Ok(kept);
        }
        let made = self.regenerate()?;
        if let Some(cache) = self.cache.as_ref().filter(|_| made.matches_manifest) {
            cache.store(&made.codebooks);
        }
        Ok(made.codebooks)
    }

    /// Makes the codebooks from the base codebooks and compares their digest with the manifest's.
    ///
    /// The adapter runs on the CPU, on CUDA only where `--provider cuda` asks for it; if that
    /// gives another digest than the manifest's, the CPU's is taken. A digest that differs is
    /// not an error: the sender then ships its codebooks.
    ///
    /// # Errors
    /// Any [`ModelError`].
    pub fn regenerate(&self) -> Result<Regenerated, ModelError> {
        let provider = match self.provider {
            Provider::Auto | Provider::Cpu => Provider::Cpu,
            cuda @ Provider::Cuda(_) => cuda,
        };
        let made = self.regenerate_on(provider)?;
        if made.matches_manifest {
            return Ok(made);
        }
        let expected = self.manifest().codebook_digest;
        tracing::warn!(
            "the codebooks made on {} have digest {}…, the manifest says {}…",
            made.provider,
            &made.codebooks.digest().to_hex()[..12],
            &expected.to_hex()[..12],
        );
        match provider {
            Provider::Cuda(_) => self.regenerate_on(Provider::Cpu),
            Provider::Auto | Provider::Cpu => Ok(made),
        }
    }

    #[allow(
        clippy::disallowed_methods,
        reason = "the time is reported, nothing depends on it"
    )]
    fn regenerate_on(&self, provider: Provider) -> Result<Regenerated, ModelError> {
        let start = Instant::now();
        let bases = self.folder.base_codebooks()?;
        let (codebooks, used) = adapt(self.runtime, &self.folder, &bases, provider, self.threads)?;
        Ok(Regenerated {
            matches_manifest: codebooks.digest() == self.manifest().codebook_digest,
            codebooks,
            elapsed: start.elapsed(),
            provider: used,
        })
    }

    /// Regenerates the codebooks, loads encoder and decoder, and tells what came of it.
    ///
    /// # Errors
    /// Any [`ModelError`].
    pub fn report(&self) -> Result<ModelReport, ModelError> {
        Temporal::check(&self.folder)?;
        let made = self.regenerate()?;
        let (encoder, decoder) = (self.encoder()?, self.decoder()?);
        let provider = if encoder.provider() == decoder.provider() {
            encoder.provider().to_string()
        } else {
            format!(
                "encoder {}, decoder {}",
                encoder.provider(),
                decoder.provider()
            )
        };
        Ok(ModelReport {
            model: self.manifest().name.clone(),
            model_id: self.folder.id().to_string(),
            codebook_digest: made.codebooks.digest().to_hex(),
            digest_matches_manifest: made.matches_manifest,
            regenerate_ms: (made.elapsed.as_secs_f64() * 1e5).round() / 100.0,
            onnxruntime: self.runtime.version().to_owned(),
            provider,
            decoder_precision: decoder.precision().to_string(),
            adapter_provider: made.provider.to_string(),
        })
    }
}
