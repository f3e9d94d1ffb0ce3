//! Making ONNX Runtime sessions and finding out where they run.

use std::ffi::CStr;

use ort::AsPointer;
use ort::ep::ExecutionProviderDispatch;
use ort::ep::cuda::ConvAlgorithmSearch;
use ort::memory::{AllocationDevice, Allocator, AllocatorType, MemoryInfo, MemoryType};
use ort::session::Session;
use ort::session::builder::GraphOptimizationLevel;
use ort::value::{TensorElementType, ValueType};

use super::{ModelError, ModelFolder, Provider, ProviderUsed, Runtime};

/// A network in memory, ready to run.
#[derive(Debug)]
pub(super) struct Network {
    pub(super) file: &'static str,
    pub(super) session: Session,
    pub(super) provider: ProviderUsed,
}

/// Name, element type and number of dimensions of an input or output.
pub(super) type Port<'a> = (&'a str, TensorElementType, usize);

impl Network {
    /// Loads `file` of the model for `provider` with `threads` threads inside an operation
    /// (0: ONNX Runtime's own choice) and checks its inputs and outputs.
    pub(super) fn load(
        runtime: &Runtime,
        folder: &ModelFolder,
        file: &'static str,
        ports: (&[Port<'_>], &[Port<'_>]),
        provider: Provider,
        threads: usize,
    ) -> Result<Self, ModelError> {
        let bytes = folder.read(file)?;
        let refused = |e: ort::Error| ModelError::Network {
            file,
            reason: one_line(e.message()),
        };
        let cuda = match provider {
            Provider::Cpu => None,
            Provider::Auto => Some(0),
            Provider::Cuda(device) => Some(device),
        };
        if let Some(device) = cuda {
            let attempt = match runtime.without_cuda() {
                Some(reason) => Err(reason),
                None => {
                    runtime.load_cuda();
                    let dispatch = ort::ep::CUDA::default()
                        .with_device_id(device as i32)
                        // Pictures then differ from the CPU's by rounding alone.
                        .with_tf32(false)
                        // The exhaustive search takes seconds for every new frame size.
                        .with_conv_algorithm_search(ConvAlgorithmSearch::Heuristic)
                        .build()
                        .error_on_failure();
                    build(runtime, &bytes, threads, Some(dispatch)).map_err(|e| {
                        let reason = one_line(e.message());
                        if provider == Provider::Auto {
                            tracing::warn!("CUDA does not work here, so on the CPU: {reason}");
                        }
                        reason
                    })
                }
            };
            match attempt {
                Ok(session) => {
                    let provider = used(&session, device);
                    return Self {
                        file,
                        provider,
                        session,
                    }
                    .checked(ports);
                }
                Err(reason) if provider == Provider::Auto => {
                    tracing::debug!(file, "on the CPU: {reason}");
                }
                Err(reason) => return Err(ModelError::Provider { provider, reason }),
            }
        }
        let session = build(runtime, &bytes, threads, None).map_err(refused)?;
        Self {
            file,
            session,
            provider: ProviderUsed::Cpu,
        }
        .checked(ports)
    }

    fn checked(self, (inputs, outputs): (&[Port<'_>], &[Port<'_>])) -> Result<Self, ModelError> {
        for (kind, wanted, found) in [
            ("input", inputs, self.session.inputs()),
            ("output", outputs, self.session.outputs()),
        ] {
            let fits = wanted.len() == found.len()
                && wanted
                    .iter()
                    .zip(found)
                    .all(|(&(name, element, dims), port)| {
                        port.name() == name
                            && matches!(port.dtype(), ValueType::Tensor { ty, shape, .. }
                            if *ty == element && shape.len() == dims)
                    });
            if !fits {
                let names = wanted
                    .iter()
                    .map(|port| port.0)
                    .collect::<Vec<_>>()
                    .join(", ");
                let file = self.file;
                let reason = format!("its {kind}s are not {names} with the documented types");
                return Err(ModelError::Network { file, reason });
            }
        }
        Ok(self)
    }

    /// Where tensors lie that the CPU fills and reads: page-locked memory where a device does the
    /// work, since copies to and from any other memory go through a buffer of the driver's.
    pub(super) fn host_memory(&self) -> Allocator {
        let ProviderUsed::Cuda(device) = self.provider else {
            return Allocator::default();
        };
        MemoryInfo::new(
            AllocationDevice::CUDA_PINNED,
            device as i32,
            AllocatorType::Device,
            MemoryType::CPUInput,
        )
        .and_then(|pinned| Allocator::new(&self.session, pinned))
        .unwrap_or_else(|error| {
            tracing::debug!(
                file = self.file,
                "no page-locked memory: {}",
                error.message()
            );
            Allocator::default()
        })
    }

    /// An error of a run.
    pub(super) fn failed(&self, error: &ort::Error) -> ModelError {
        ModelError::Run {
            file: self.file,
            reason: one_line(error.message()),
        }
    }
}

fn build(
    runtime: &Runtime,
    bytes: &[u8],
    threads: usize,
    provider: Option<ExecutionProviderDispatch>,
) -> ort::Result<Session> {
    let mut builder = Session::builder(runtime.environment())?
        .with_optimization_level(GraphOptimizationLevel::All)?
        // Spinning threads take the core that the other half of the work needs.
        .with_intra_op_spinning(false)?
        .with_inter_op_spinning(false)?
        .with_config_entry("session.record_ep_graph_assignment_info", "1")?;
    if threads > 0 {
        builder = builder.with_intra_threads(threads)?;
    }
    if let Some(provider) = provider {
        builder = builder.with_execution_providers([provider])?;
    }
    builder.commit_from_memory(bytes)
}

/// Which provider the nodes were given to: a session that registered CUDA may still put all of
/// them on the CPU.
fn used(session: &Session, device: u32) -> ProviderUsed {
    match assigned_providers(session) {
        Ok(names) if !names.iter().any(|name| name.contains("CUDA")) => ProviderUsed::Cpu,
        Ok(_) => ProviderUsed::Cuda(device),
        Err(error) => {
            tracing::debug!(
                "ONNX Runtime does not say where nodes run: {}",
                error.message()
            );
            ProviderUsed::Cuda(device)
        }
    }
}

fn assigned_providers(session: &Session) -> ort::Result<Vec<String>> {
    let api = ort::api();
    let (mut subgraphs, mut count) = (std::ptr::null(), 0);
    // SAFETY: the session is alive; both out-pointers are valid; the status is consumed.
    unsafe {
        ort::Error::result_from_status((api.Session_GetEpGraphAssignmentInfo)(
            session.ptr(),
            &mut subgraphs,
            &mut count,
        ))?;
    }
    let mut names = Vec::with_capacity(count);
    for i in 0..count {
        let mut name = std::ptr::null();
        // SAFETY: the call above gave `count` subgraphs, which live as long as the session.
        unsafe {
            ort::Error::result_from_status((api.EpAssignedSubgraph_GetEpName)(
                *subgraphs.add(i),
                &mut name,
            ))?;
            names.push(CStr::from_ptr(name).to_string_lossy().into_owned());
        }
    }
    Ok(names)
}

/// ONNX Runtime's messages span lines; ours do not.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
