//! The connection to the display. Where it breaks, Xlib ends the whole program unless it is told not to,
//! and with it every other output.

use std::ffi::{c_int, c_uchar, c_ulong, c_void};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use libloading::os::unix::Library;
use raw_window_handle::{HasDisplayHandle, RawDisplayHandle};

/// The library that minifb opens, by the same name.
const LIBRARY: &str = "libX11.so.6";
/// `BadWindow` and `BadDrawable` (X11/X.h): another program has destroyed the window.
const DESTROYED: [u8; 2] = [3, 9];

/// Whether the window or its display has gone. Xlib tells it without saying whose it was; the program
/// has one window.
static GONE: AtomicBool = AtomicBool::new(false);

/// Xlib's `Display`, which only Xlib looks into.
type Display = *mut c_void;
type ErrorHandler = unsafe extern "C" fn(Display, *mut ErrorEvent) -> c_int;
type IoErrorHandler = unsafe extern "C" fn(Display) -> c_int;
type IoErrorExitHandler = unsafe extern "C" fn(Display, *mut c_void);

/// `XErrorEvent` (X11/Xlib.h).
#[repr(C)]
struct ErrorEvent {
    kind: c_int,
    display: Display,
    resource: c_ulong,
    serial: c_ulong,
    code: c_uchar,
    request: c_uchar,
    minor: c_uchar,
}

type SetErrorHandler = unsafe extern "C" fn(Option<ErrorHandler>) -> Option<ErrorHandler>;
type SetIoErrorHandler = unsafe extern "C" fn(Option<IoErrorHandler>) -> Option<IoErrorHandler>;
type SetIoErrorExitHandler = unsafe extern "C" fn(Display, Option<IoErrorExitHandler>, *mut c_void);

/// What Xlib is told for every display.
struct Xlib {
    set_io_error_exit_handler: SetIoErrorExitHandler,
}

/// Whether the window or its display has gone since [`watch`].
pub(super) fn is_gone() -> bool {
    GONE.load(Ordering::Relaxed)
}

/// From now on [`is_gone`] tells when the window or its display goes. Before libX11 1.7 nothing can be
/// said about the display: the program still ends with it.
pub(super) fn watch(window: &minifb::Window) {
    static XLIB: OnceLock<Option<Xlib>> = OnceLock::new();
    let Some(xlib) = XLIB.get_or_init(Xlib::open) else {
        return;
    };
    if let Ok(handle) = window.display_handle()
        && let RawDisplayHandle::Xlib(handle) = handle.as_raw()
        && let Some(display) = handle.display
    {
        // SAFETY: the window has its display open, and the handler is there for as long as the program.
        unsafe {
            (xlib.set_io_error_exit_handler)(display.as_ptr(), Some(broken), std::ptr::null_mut());
        }
    }
}

impl Xlib {
    /// None where libX11 is too old, or says it is another library.
    fn open() -> Option<Self> {
        // SAFETY: it is open already, so nothing runs by opening it again.
        let library = unsafe { Library::new(LIBRARY) };
        let library = library.inspect_err(|error| tracing::debug!(%error, "no {LIBRARY}"));
        // SAFETY: the three have had these types since they have been there (X11/Xlib.h, Xlib(3)); both
        // handlers only store and log.
        let found = library.ok().and_then(|library| unsafe {
            let exit = library.get(b"XSetIOErrorExitHandler\0").ok()?;
            let io = library
                .get::<SetIoErrorHandler>(b"XSetIOErrorHandler\0")
                .ok()?;
            let error = library.get::<SetErrorHandler>(b"XSetErrorHandler\0").ok()?;
            io(Some(quiet));
            error(Some(refused));
            let xlib = Self {
                set_io_error_exit_handler: *exit,
            };
            // It stays open: its functions are called until the end.
            std::mem::forget(library);
            Some(xlib)
        });
        if found.is_none() {
            tracing::debug!("{LIBRARY} before 1.7: a display that goes ends the program");
        }
        found
    }
}

/// Called when the connection breaks, instead of words on standard error.
unsafe extern "C" fn quiet(_display: Display) -> c_int {
    GONE.store(true, Ordering::Relaxed);
    0
}

/// Called after that, instead of `exit`.
unsafe extern "C" fn broken(_display: Display, _data: *mut c_void) {
    GONE.store(true, Ordering::Relaxed);
}

/// Called when the display refuses a request, instead of words on standard error and `exit`.
unsafe extern "C" fn refused(_display: Display, event: *mut ErrorEvent) -> c_int {
    // SAFETY: Xlib gives an event of its own that lasts as long as the call.
    let Some(event) = (unsafe { event.as_ref() }) else {
        return 0;
    };
    if DESTROYED.contains(&event.code) {
        GONE.store(true, Ordering::Relaxed);
    }
    tracing::debug!(
        code = event.code,
        request = event.request,
        "the display has refused a request"
    );
    0
}
