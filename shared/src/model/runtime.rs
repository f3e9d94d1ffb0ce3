//! The one ONNX Runtime of this process.

use std::ffi::{CStr, c_char};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock};

use super::ModelError;
use super::library::{self, Candidate};

/// A loaded ONNX Runtime. There is one per process and it stays until the end: its environment
/// can be made only once.
#[derive(Debug)]
pub struct Runtime {
    environment: ort::environment::Environment,
    path: PathBuf,
    version: String,
}

static RUNTIME: OnceLock<Runtime> = OnceLock::new();
static LOADING: Mutex<()> = Mutex::new(());

/// Where ONNX Runtime looks whether it may send usage data to Microsoft, as its own builds since 1.31
/// do otherwise. It looks while it makes its environment; the call that turns telemetry off comes later.
const TELEMETRY_VARIABLE: &str = "ORT_DISABLE_TELEMETRY";

impl Runtime {
    /// Keeps ONNX Runtime from looking up servers of Microsoft, and from keeping a device's id and what
    /// it would send in the user's cache: the first call of a program that loads it.
    ///
    /// # Safety
    /// No other thread may run yet: libraries in C read the environment without a lock.
    pub unsafe fn forbid_telemetry() {
        // SAFETY: no other thread runs, as the caller sees to.
        unsafe { std::env::set_var(TELEMETRY_VARIABLE, "1") };
    }

    /// Loads the library that `flag` names, or else the first of the usual places that works
    /// (`model::library`). Once loaded, the same one is returned whatever is asked for.
    ///
    /// # Errors
    /// [`ModelError::Runtime`] for a library that was named, [`ModelError::RuntimeNotFound`].
    pub fn load(flag: Option<&Path>) -> Result<&'static Self, ModelError> {
        // A poisoned lock guards nothing that could be half done.
        let _guard = LOADING
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(runtime) = RUNTIME.get() {
            return Ok(runtime);
        }
        let exe = std::env::current_exe().ok();
        let set_up = crate::paths::onnxruntime_dir().ok();
        let search = library::search(
            flag,
            std::env::var_os(library::LIBRARY_VARIABLE),
            exe.as_deref(),
            set_up.as_deref(),
        );
        let mut tried: Vec<_> = search
            .empty
            .iter()
            .map(|p| p.display().to_string())
            .collect();
        for candidate in search.found {
            match Self::open(&candidate) {
                Ok(runtime) => return Ok(RUNTIME.get_or_init(|| runtime)),
                Err(reason) => {
                    if let Some(given_by) = candidate.given_by {
                        return Err(ModelError::Runtime {
                            path: candidate.path,
                            given_by,
                            reason,
                        });
                    }
                    tried.push(match candidate.path.is_absolute() {
                        true => reason,
                        false => format!("the system's {}", candidate.path.display()),
                    });
                }
            }
        }
        Err(ModelError::RuntimeNotFound { tried })
    }

    fn open(candidate: &Candidate) -> Result<Self, String> {
        let version = version_of(&candidate.path)?;
        let builder = ort::init_from(&candidate.path).map_err(|e| e.to_string())?;
        let environment = builder
            .with_name("raq")
            .with_telemetry(false)
            .build()
            .map_err(|e| e.message().to_owned())?;
        tracing::debug!(path = %candidate.path.display(), version, "ONNX Runtime loaded");
        Ok(Self {
            environment,
            path: candidate.path.clone(),
            version,
        })
    }

    /// Version of the library, such as `1.31.1`.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The library as it was loaded.
    pub fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn environment(&self) -> &ort::environment::Environment {
        &self.environment
    }

    /// Why CUDA cannot work with this library, if that is known beforehand.
    pub(super) fn without_cuda(&self) -> Option<String> {
        use ort::ep::ExecutionProvider;
        // "Available" means compiled in; whether the device works shows when it is registered.
        match ort::ep::CUDA::is_available() {
            Ok(false) => Some(format!("{} is a build without CUDA", self.path.display())),
            _ => None,
        }
    }

    /// Loads NVIDIA's libraries where they lie beside ONNX Runtime, as set-up puts them: the CUDA
    /// provider asks the system for them by name and then gets these.
    pub(super) fn load_cuda(&self) {
        use ort::ep::cuda::{CUDA_DYLIBS, CUDNN_DYLIBS};
        let Some(folder) = self.path.parent() else {
            return;
        };
        for name in CUDA_DYLIBS.iter().chain(CUDNN_DYLIBS) {
            let path = folder.join(name);
            if !path.exists() {
                continue;
            }
            // SAFETY: their initialisers run as they would when the provider loads them.
            match unsafe { libloading::Library::new(&path) } {
                // They stay: closing them would undo it.
                Ok(library) => std::mem::forget(library),
                Err(error) => tracing::debug!("{}: {error}", path.display()),
            }
        }
    }
}

/// Asks the library for its version, which also tells whether it is ONNX Runtime at all.
fn version_of(path: &Path) -> Result<String, String> {
    type GetApiBase = unsafe extern "C" fn() -> *const ort::sys::OrtApiBase;
    // SAFETY: loading runs the library's initialisers, as loading it for use right after would.
    // It is never unloaded: ort opens the same file before this handle closes.
    let library = unsafe { libloading::Library::new(path) }.map_err(|e| {
        use std::error::Error as _;
        e.source()
            .map_or_else(|| e.to_string(), ToString::to_string)
    })?;
    // SAFETY: ONNX Runtime exports this function with this type in all versions of its C API.
    let base = unsafe { library.get::<GetApiBase>(b"OrtGetApiBase") }
        .map_err(|_| format!("{} is not ONNX Runtime", path.display()))?;
    // SAFETY: as above; the table and the text it returns are static in the library.
    let text: *const c_char = unsafe {
        let base = base();
        if base.is_null() {
            return Err(format!("{} gives no API", path.display()));
        }
        ((*base).GetVersionString)()
    };
    if text.is_null() {
        return Err(format!("{} gives no version", path.display()));
    }
    // SAFETY: not null, and a NUL-terminated constant of the library, which is still loaded.
    let version = unsafe { CStr::from_ptr(text) }
        .to_string_lossy()
        .into_owned();
    // Keep it loaded: closing and opening again would run the initialisers twice.
    std::mem::forget(library);
    let minor = version
        .split('.')
        .nth(1)
        .and_then(|part| part.parse::<u32>().ok());
    if !version.starts_with("1.") || minor.is_none_or(|minor| minor < ort::MINOR_VERSION) {
        let wanted = ort::MINOR_VERSION;
        return Err(format!(
            "{} is version {version}, 1.{wanted} or later is needed",
            path.display()
        ));
    }
    Ok(version)
}
